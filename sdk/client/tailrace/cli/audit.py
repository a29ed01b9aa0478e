"""`tailrace audit`: who did what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, copy, show_list, write
from tailrace.cli.session import session
from tailrace.cli.shown import local, plain

app = Noun("Who did what, and what was refused.")

COLUMNS: Columns = {
    "AT": lambda item: local(item["at"]),
    "ACTOR": lambda item: plain(item["actor"]),
    "TOKEN": lambda item: plain(item["token_name"]),
    "ACTION": lambda item: plain(item["action"]),
    "OBJECT": lambda item: plain(item["object"]),
    "STATUS": lambda item: plain(item["status"]),
    "FROM": lambda item: plain(item["address"]),
}
ActorOption = Annotated[str | None, typer.Option(help="Who asked.")]
OwnerOption = Annotated[str | None, typer.Option(help="Whose object.")]
TokenOption = Annotated[str | None, typer.Option(help="With this token: its id.")]
ActionOption = Annotated[str | None, typer.Option(help="Such as cancel_execution.")]
ObjectOption = Annotated[str | None, typer.Option("--object", help="As methods/train, with all below it.")]
RefusedOption = Annotated[bool | None, typer.Option("--refused/--not-refused", help="Only what was refused, or not.")]
SinceOption = Annotated[str | None, typer.Option(metavar="TIME", help="Since then: RFC 3339, or 10m ago.")]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")]


def _filters(**said: Any) -> dict[str, Any]:
    """What was said; times as the API has them."""
    return {
        name: values.moment(value) if value and name in {"since", "until"} else value for name, value in said.items()
    }


@app.verb(
    "ls",
    "tailrace audit ls",
    "tailrace audit ls --actor ann --refused --since 1d",
    "tailrace audit ls --object methods/train -o json",
)
def ls(
    *,
    actor: ActorOption = None,
    owner: OwnerOption = None,
    token: TokenOption = None,
    action: ActionOption = None,
    about: ObjectOption = None,
    refused: RefusedOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    form: FormatOption = DEFAULT,
) -> None:
    """List what concerns you, newest first; for administrators everything."""
    filters = _filters(
        actor=actor, owner=owner, token=token, action=action, object=about, refused=refused, since=since, until=until
    )
    with session() as api:
        show_list(api.pages("/v1/audit", limit, **filters), COLUMNS, form)


@app.verb(
    "export", "tailrace audit export 2026.csv --csv --since 2026-01-01T00:00:00Z", "tailrace audit export | jq .actor"
)
def export(
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to put it; else stdout.", show_default=False)
    ] = None,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV; else one JSON object a line.")] = False,
    actor: ActorOption = None,
    owner: OwnerOption = None,
    token: TokenOption = None,
    action: ActionOption = None,
    about: ObjectOption = None,
    refused: RefusedOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
) -> None:
    """Write all of it, by the same filters, as one file."""
    filters = _filters(
        actor=actor, owner=owner, token=token, action=action, object=about, refused=refused, since=since, until=until
    )
    form = "csv" if csv else "ndjson"
    with session() as api:
        if path is None:
            copy(api.client.stream("/v1/audit/export", params={"format": form, **filters}))
        else:
            said = {name: value for name, value in filters.items() if value is not None}
            write(str(api.client.audit.export(path, format=form, **said)))
