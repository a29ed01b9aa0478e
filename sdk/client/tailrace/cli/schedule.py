"""`tailrace schedule`: what is submitted again and again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, remark, show_list, show_one, write
from tailrace.cli.session import session
from tailrace.cli.shown import NOTHING, ago, local, pairs, plain, spelled

app = Noun("What is submitted again and again.")

ScheduleArgument = Annotated[str, typer.Argument(help="Its name, id, the first digits of it, or @last.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")]


def _rule(item: Any) -> str:
    rule = item["rule"]
    if rule.get("cron"):
        return f"{plain(rule['cron'])} {plain(rule['time_zone'])}"
    return f"every {spelled(rule['every'])}"


def _next(item: Any) -> str:
    return ago(item["next"]["at"]) if item["next"] else NOTHING


def _state(item: Any) -> str:
    return "active" if item["enabled"] else "paused"


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "NAME": lambda item: plain(item["name"]),
    "STATE": _state,
    "RULE": _rule,
    "NEXT": _next,
    "LAST": lambda item: ago(item["last_at"]),
    "OWNER": lambda item: plain(item["owner"]),
}
ROWS: Columns = {
    "id": lambda item: item["id"],
    "name": lambda item: plain(item["name"]),
    "note": lambda item: plain(item["note"]),
    "state": _state,
    "paused": lambda item: plain(item["paused_reason"]),
    "rule": _rule,
    "next": lambda item: local(item["next"]["at"]) if item["next"] else NOTHING,
    "last": lambda item: local(item["last_at"]),
    "overlap": lambda item: plain(item["overlap"]),
    "targets": lambda item: str(len(item["targets"])),
    "labels": lambda item: pairs(item["labels"]),
    "owner": lambda item: plain(item["owner"]),
}
RUNS: Columns = {
    "AT": lambda item: local(item["at"]),
    "STATUS": lambda item: plain(item["status"]),
    "MADE": lambda item: ", ".join(str(made["execution"] or made["batch"]) for made in item["made"]) or NOTHING,
    "WHY": lambda item: plain(item["message"] or item["reason"]),
}
FIRINGS: Columns = {
    "AT": lambda item: local(item["at"]),
    "THERE": lambda item: plain(item["local"]),
}


@app.verb("ls", "tailrace schedule ls")
def ls(*, limit: LimitOption = 200, form: FormatOption = DEFAULT) -> None:
    """List schedules, newest first."""
    with session() as api:
        show_list(api.pages("/v1/schedules", limit), COLUMNS, form)


@app.verb("show", "tailrace schedule show 'morning report'")
def show(schedule: ScheduleArgument, *, form: FormatOption = DEFAULT) -> None:
    """Show a schedule."""
    with session() as api:
        show_one(api.get(f"/v1/schedules/{api.one_of('schedule', schedule)}"), ROWS, form)


@app.verb(
    "create",
    "tailrace schedule create report --cron '30 6 * * MON-FRI' --zone Europe/Berlin --image busybox:local -- echo hi",
    "tailrace schedule create --spec report.yaml",
    "tailrace schedule create sweep --every 6h --batch sweep.yaml",
)
def create(
    name: Annotated[str | None, typer.Argument(help="Its name.", show_default=False)] = None,
    command: Annotated[list[str] | None, typer.Argument(help="What runs, after `--`.", show_default=False)] = None,
    *,
    cron: Annotated[str | None, typer.Option(help="Five fields, or @daily and the like.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="In which it is meant, as Europe/Berlin.")] = None,
    every: Annotated[str | None, typer.Option(help="Instead of that an interval: 600, 6h.")] = None,
    image: Annotated[str | None, typer.Option(help="What is submitted.")] = None,
    execution: Annotated[str | None, typer.Option(metavar="FILE|-", help="A submission as JSON or YAML.")] = None,
    batch: Annotated[str | None, typer.Option(metavar="FILE|-", help="Instead of that a batch.")] = None,
    overlap: Annotated[str | None, typer.Option(help="skip, queue, replace or allow.")] = None,
    spec: Annotated[str | None, typer.Option("--spec", metavar="FILE|-", help="All of it as JSON or YAML.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any field.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a schedule, and print its id."""
    body: values.Json = values.mapping(spec) if spec else {}
    rule = {"cron": cron, "time_zone": zone, "every": values.seconds(every) if every else None}
    said = {
        "name": name, "overlap": overlap,
        "rule": {field: value for field, value in rule.items() if value is not None} or None,
        "targets": targets_of(image, command, execution, batch),
    }  # fmt: skip
    body = values.merged(body, {field: value for field, value in said.items() if value is not None})
    body = values.merged(body, values.settings(changes or ()))
    if "name" not in body or "rule" not in body or "targets" not in body:
        raise usage(
            "It takes a NAME, --cron or --every, and what to submit; or a --spec.",
            "See `tailrace schedule create --help`.",
        )
    with session() as api:
        made = api.post("/v1/schedules", body)
    if form is Format.TABLE:
        write(made["id"])
    else:
        show_one(made, ROWS, form)


def targets_of(
    image: str | None, command: list[str] | None, execution: str | None, batch: str | None
) -> list[values.Json] | None:
    """What options say is submitted: nothing, an execution, or a batch."""
    if batch:
        return [{"batch": values.mapping(batch)}]
    target: values.Json = values.mapping(execution) if execution else {}
    if image:
        target["image"] = image
    if command:
        target["command"] = command
    return [{"execution": target}] if target else None


@app.verb("set", "tailrace schedule set 'morning report' --set overlap=queue")
def change(
    schedule: ScheduleArgument,
    *,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any field; null takes it away.")
    ] = None,
    spec: Annotated[str | None, typer.Option("--spec", metavar="FILE|-", help="Changes as JSON or YAML.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Change fields of a schedule."""
    body = values.merged(values.mapping(spec) if spec else {}, values.settings(changes or ()))
    if not body:
        raise usage("There is nothing to change.", "See `tailrace schedule set --help`.")
    with session() as api:
        show_one(api.patch(f"/v1/schedules/{api.one_of('schedule', schedule)}", body), ROWS, form)


@app.verb("pause", "tailrace schedule pause 'morning report'")
def pause(schedule: ScheduleArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let it fire no more until it is resumed."""
    _enable(schedule, form, enabled=False)


@app.verb("resume", "tailrace schedule resume 'morning report'")
def resume(schedule: ScheduleArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let it fire again, with what comes next."""
    _enable(schedule, form, enabled=True)


@app.verb("fire", "tailrace schedule fire 'morning report'")
def fire(schedule: ScheduleArgument, *, form: FormatOption = DEFAULT) -> None:
    """Fire it now, whatever its rule says."""
    with session() as api:
        show_list([api.post(f"/v1/schedules/{api.one_of('schedule', schedule)}/fire")], RUNS, form, key="at")


@app.verb("runs", "tailrace schedule runs 'morning report'")
def runs(schedule: ScheduleArgument, *, limit: LimitOption = 20, form: FormatOption = DEFAULT) -> None:
    """List what came of its firings, newest first."""
    with session() as api:
        found = api.pages(f"/v1/schedules/{api.one_of('schedule', schedule)}/runs", limit)
        show_list(found, RUNS, form, key="at")


@app.verb("preview", "tailrace schedule preview 'morning report' -n 5")
def preview(schedule: ScheduleArgument, *, limit: LimitOption = 10, form: FormatOption = DEFAULT) -> None:
    """List its next firings."""
    with session() as api:
        found = api.get(f"/v1/schedules/{api.one_of('schedule', schedule)}/preview", count=limit)
        show_list(found["items"], FIRINGS, form, key="at")


@app.verb("delete", "tailrace schedule delete 'morning report'")
def delete(schedule: ScheduleArgument, *, yes: YesOption = False) -> None:
    """Delete a schedule. What it has submitted stays."""
    with session() as api:
        found = api.one_of("schedule", schedule)
        sure(f"Delete the schedule {schedule}?", yes=yes)
        api.delete(f"/v1/schedules/{found}")
    remark(f"Deleted: {found}")


def _enable(schedule: str, form: Format, *, enabled: bool) -> None:
    with session() as api:
        show_one(api.patch(f"/v1/schedules/{api.one_of('schedule', schedule)}", {"enabled": enabled}), ROWS, form)
