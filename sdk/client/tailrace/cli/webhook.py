"""`tailrace webhook`: servers that are told what happens."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.members import LimitOption, MemberArgument, Members, SetOption, SpecOption
from tailrace.cli.noun import Noun
from tailrace.cli.output import (
    DEFAULT,
    Columns,
    Format,
    FormatOption,
    remark,
    show_document,
    show_list,
    show_one,
    write,
)
from tailrace.cli.session import session
from tailrace.cli.shown import ago, local, pairs, plain

app = Noun("Servers that are told what happens.")


def _state(item: Any) -> str:
    if not item["enabled"]:
        return "disabled"
    return f"failing since {ago(item['failing_since'])}" if item["failures"] else "active"


def joined(names: Any) -> str:
    """Names in one line."""
    return plain(", ".join(names))


def _last(item: Any) -> str:
    last = item["log"][-1] if item["log"] else {}
    return plain(last.get("status") or last.get("error"))


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "URL": lambda item: plain(item["url"]),
    "STATE": _state,
    "EVENTS": lambda item: joined(name.removeprefix("execution.") for name in item["events"]),
    "AGE": lambda item: ago(item["created_at"]),
}
ROWS: Columns = {
    "id": lambda item: item["id"],
    "url": lambda item: plain(item["url"]),
    "description": lambda item: plain(item["description"]),
    "state": _state,
    "disabled": lambda item: plain(item["disabled_reason"]),
    "events": lambda item: joined(item["events"]),
    "pools": lambda item: joined(item["pools"]),
    "methods": lambda item: joined(item["methods"]),
    "labels": lambda item: pairs(item["labels"]),
    "failures": lambda item: plain(item["failures"] or None),
    "left alone until": lambda item: local(item["paused_until"]),
    "dropped": lambda item: plain(item["dropped"] or None),
    "signed": lambda item: "yes" if item["signed"] else "no",
    "owner": lambda item: plain(item["owner"]),
}
DELIVERIES: Columns = {
    "ID": lambda item: item["id"],
    "AT": lambda item: local(item["created_at"]),
    "EVENT": lambda item: plain(item["event"]),
    "STATE": lambda item: plain(item["state"]),
    "TRIES": lambda item: str(item["tries"]),
    "LAST": _last,
    "NEXT": lambda item: ago(item["next_at"]),
}
members = Members(app, "webhook", COLUMNS, ROWS, called_by="url")
DeliveryArgument = Annotated[str, typer.Argument(metavar="DELIVERY", help="Of `tailrace webhook deliveries`.")]


@app.verb("ls", "tailrace webhook ls", "tailrace webhook ls --execution @last")
def ls(
    *,
    execution: Annotated[str | None, typer.Option(help="Those that came with this execution.")] = None,
    batch: Annotated[str | None, typer.Option(help="Those that came with this batch.")] = None,
    limit: LimitOption = 200,
    form: FormatOption = DEFAULT,
) -> None:
    """List your webhooks, newest first; or those of one execution or batch."""
    with session() as api:
        filters = {
            "execution": api.execution(execution) if execution else None,
            "batch": api.one_of("batch", batch, "/v1/batches") if batch else None,
        }
        show_list(api.pages(members.path, limit, **filters), COLUMNS, form)


@app.verb(
    "create",
    "tailrace webhook create https://example.com/hooks/tailrace",
    "tailrace webhook create https://example.com/failed --event execution.failed --label team=a",
)
def create(
    url: Annotated[str | None, typer.Argument(help="Where it is told.", show_default=False)] = None,
    *,
    event: Annotated[list[str] | None, typer.Option(help="Of what it hears; by default of every end.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="Only of this pool.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Only of this method.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="Only with it.")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="What happens to everybody's.")] = False,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    spec: SpecOption = None,
    changes: SetOption = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a webhook, and print the secret that its messages are signed with, this once."""
    said = {
        "url": url, "events": event, "pools": pool, "methods": method, "description": description,
        "labels": dict(values.pair(text, "--label") for text in label or ()) or None,
        "owner": "*" if everybody else None,
    }  # fmt: skip
    body = values.merged(
        values.mapping(spec) if spec else {}, {field: value for field, value in said.items() if value is not None}
    )
    body = values.merged(body, values.settings(changes or ()))
    if "url" not in body:
        raise usage("It takes a URL, or a --spec with one.", "See `tailrace webhook create --help`.")
    with session() as api:
        _tell(api.post(members.path, body), form)


def _tell(made: Any, form: Format) -> None:
    if form is not Format.TABLE:
        members.show(made, form)
        return
    write(made["secret"])
    remark(f"{made['id']}: {plain(made['url'])}. The secret is not shown again.")


members.add_common("01a1ff0c", "description=Ours")


@app.verb("rotate", "tailrace webhook rotate 01a1ff0c", "tailrace webhook rotate 01a1ff0c --overlap 1h")
def rotate(
    member: MemberArgument,
    *,
    overlap: Annotated[str | None, typer.Option(help="For so long both are good: 3600, 1h; a day by default.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Change its secret, and print the new one."""
    with session() as api:
        body = {"overlap": values.seconds(overlap)} if overlap else None
        _tell(api.post(members.where(api, member, "rotate"), body), form)


@app.verb("ping", "tailrace webhook ping 01a1ff0c")
def ping(member: MemberArgument, *, form: FormatOption = DEFAULT) -> None:
    """Send it something to see whether it arrives: `tailrace webhook deliveries` tells."""
    with session() as api:
        show_one(api.post(members.where(api, member, "ping")), DELIVERIES, form)


@app.verb("deliveries", "tailrace webhook deliveries 01a1ff0c --state failed")
def deliveries(
    member: MemberArgument,
    *,
    state: Annotated[str | None, typer.Option(help="waiting, delivered or failed.")] = None,
    limit: LimitOption = 20,
    form: FormatOption = DEFAULT,
) -> None:
    """List what was sent to it, and what became of it, newest first."""
    with session() as api:
        show_list(api.pages(members.where(api, member, "deliveries"), limit, state=state), DELIVERIES, form)


@app.verb("message", "tailrace webhook message 01a1ff0c 01a1ff10-5c7d-7000-8467-1281edbcb7dd")
def message(
    member: MemberArgument,
    delivery: DeliveryArgument,
    *,
    form: Annotated[Format, typer.Option("-o", "--format", help="json or yaml.")] = Format.JSON,
) -> None:
    """Show a message, as it was or will be sent."""
    with session() as api:
        show_document(api.get(members.where(api, member, "deliveries", delivery, "body")), form)


@app.verb("redeliver", "tailrace webhook redeliver 01a1ff0c 01a1ff10-5c7d-7000-8467-1281edbcb7dd")
def redeliver(member: MemberArgument, delivery: DeliveryArgument, *, form: FormatOption = DEFAULT) -> None:
    """Send a message again."""
    with session() as api:
        show_one(api.post(members.where(api, member, "deliveries", delivery, "redeliver")), DELIVERIES, form)
