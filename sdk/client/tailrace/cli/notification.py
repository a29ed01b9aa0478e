"""`tailrace notification`: whom to tell, by mail or chat, how executions end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.members import LimitOption, MemberArgument, Members, SetOption, SpecOption
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, show_list, show_one
from tailrace.cli.secret import asked_for
from tailrace.cli.session import session
from tailrace.cli.shown import ago, local, pairs, plain
from tailrace.cli.webhook import joined

app = Noun("Whom to tell, by mail or chat, how executions end.")


def _when(item: Any) -> str:
    if item["alert_after"]:
        return f"{item['alert_after']} in a row of one {plain(item['per'])}"
    return joined(item["statuses"]) + (" batches" if item["batches"] else "")


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "CHANNEL": lambda item: plain(item["channel"]),
    "STATE": lambda item: "active" if item["enabled"] else "disabled",
    "TELLS": _when,
    "DESCRIPTION": lambda item: plain(item["description"]),
    "AGE": lambda item: ago(item["created_at"]),
}
ROWS: Columns = {
    "id": lambda item: item["id"],
    "channel": lambda item: plain(item["channel"]),
    "description": lambda item: plain(item["description"]),
    "state": lambda item: "active" if item["enabled"] else "disabled",
    "tells": _when,
    "causes": lambda item: joined(item["causes"]),
    "pools": lambda item: joined(item["pools"]),
    "methods": lambda item: joined(item["methods"]),
    "labels": lambda item: pairs(item["labels"]),
    "owner": lambda item: plain(item["owner"]),
}
LOG: Columns = {
    "ID": lambda item: item["id"],
    "AT": lambda item: local(item["created_at"]),
    "KIND": lambda item: plain(item["kind"]),
    "STATE": lambda item: plain(item["state"]),
    "TITLE": lambda item: plain(item["title"]),
    "ERROR": lambda item: plain(item["error"]),
}
members = Members(app, "notification", COLUMNS, ROWS, called_by="description")
members.add_list()


@app.verb(
    "create",
    "tailrace notification create --alert-after 3 --description nightly",
    "pass mail | tailrace notification create --status failed --label team=a",
)
def create(
    *,
    source: Annotated[Path | None, typer.Option("--to-from", metavar="FILE", help="Where its address is.")] = None,
    status: Annotated[list[str] | None, typer.Option("--status", "-s", help="An end that is told; repeatable.")] = None,
    alert_after: Annotated[int | None, typer.Option(help="Only when so many in a row have failed.")] = None,
    per: Annotated[str | None, typer.Option(help="In a row of the same: name, method, or label:KEY.")] = None,
    batches: Annotated[bool, typer.Option("--batches", help="Of whole batches.")] = False,
    pool: Annotated[list[str] | None, typer.Option(help="Only of this pool.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Only of this method.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="Only with it.")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Of everybody's.")] = False,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    spec: SpecOption = None,
    changes: SetOption = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a notification.

    Its address, as Apprise writes it (mailtos://…, ntfy://…), is asked for, or read from stdin or a file: it has a
    password in it, so it is never an argument.
    """
    said = {
        "statuses": status, "alert_after": alert_after, "per": per, "batches": batches or None, "pools": pool,
        "methods": method, "labels": dict(values.pair(text, "--label") for text in label or ()) or None,
        "owner": "*" if everybody else None, "description": description,
    }  # fmt: skip
    body = values.merged(
        values.mapping(spec) if spec else {}, {field: value for field, value in said.items() if value is not None}
    )
    body = values.merged(body, values.settings(changes or ()))
    if "to" not in body:
        body["to"] = asked_for("Address, such as ntfy://topic", source).strip()
    with session() as api:
        members.show(api.post(members.path, body), form)


members.add_common("01a1ff0c", "alert_after=5")


@app.verb("test", "tailrace notification test 01a1ff0c")
def try_out(member: MemberArgument, *, form: FormatOption = DEFAULT) -> None:
    """Send something to see whether it arrives: `tailrace notification log` tells."""
    with session() as api:
        show_one(api.post(members.where(api, member, "test")), LOG, form)


@app.verb("log", "tailrace notification log 01a1ff0c")
def log(member: MemberArgument, *, limit: LimitOption = 20, form: FormatOption = DEFAULT) -> None:
    """List what was said, and what became of it, newest first."""
    with session() as api:
        show_list(api.pages(members.where(api, member, "log"), limit), LOG, form)
