"""`tailrace events`: the history of one execution, or what happens to all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli.failures import usage
from tailrace.cli.looking import completed
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, flush, show_document, show_list, write
from tailrace.cli.session import Session, session
from tailrace.cli.shown import local, plain

if TYPE_CHECKING:
    from tailrace import Happening

app = Noun()

HISTORY: Columns = {
    "AT": lambda item: local(item["at"]),
    "FROM": lambda item: plain(item["from"]),
    "TO": lambda item: plain(item["to"]),
    "BY": lambda item: plain(item["actor"]),
    "WHAT": lambda item: plain(item["message"] or item["cause"]),
}


@app.verb(
    "events",
    "tailrace events @last",
    "tailrace events -f",
    "tailrace events -f --status failed --label team=a -o json | jq -r .id",
)
def events(
    execution: Annotated[
        str | None,
        typer.Argument(help="Id, the first digits of it, or @last.", autocompletion=completed, show_default=False),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="What happens to all of them, as it happens.")] = False,
    after: Annotated[int | None, typer.Option(min=0, help="With -f: go on behind this `cursor`.")] = None,
    status: Annotated[list[str] | None, typer.Option("--status", "-s", help="With -f: to or from this one.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="With -f.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="With -f: of this pool.")] = None,
    owner: Annotated[str | None, typer.Option(help="With -f: of this owner.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Show the history of an execution: every change of its status, and who did what to it.

    With `--follow` it shows what happens to all that you may see, until Ctrl-C, and goes on where it was after every
    interruption; -o json is one object a line.
    """
    if follow == (execution is not None):
        raise usage(
            "It takes an EXECUTION, or --follow for all of them.",
            "Of a single one: `tailrace logs -f --stream system`.",
        )
    with session() as api:
        if execution is not None:
            items = api.get(f"/v1/executions/{api.execution(execution)}/events")["items"]
            show_list(items, HISTORY, form, key="number")
            return
        labels = {key: value for key, _, value in (text.partition("=") for text in label or ())}
        _follow(api, form, after=after, status=status, label=labels, pool=pool, owner=owner)


def _follow(api: Session, form: Format, **asked: Any) -> None:
    for happening in api.client.events(**asked):
        if form is Format.TABLE:
            write(told(happening))
        elif form is Format.ID:
            write(plain(happening.id))
        elif form is Format.JSON:
            write(json.dumps(dict(happening), ensure_ascii=True))
        else:
            write("---")
            show_document(dict(happening), form)
        flush()


def told(happening: Happening) -> str:
    """One line for people."""
    if happening.type == "resync":
        return "— Too much has happened to tell it: look at `tailrace ls`."
    who = " ".join(filter(None, (happening.id, happening.name and f"({plain(happening.name)})")))
    at = local(happening.get("at"))
    if happening.type == "progress":
        percent = "" if happening.percent is None else f" {happening.percent} %"
        return f"{at}  {who}{percent} {plain(happening.phase)}"
    before = happening.get("from")
    status = happening.type if happening.type == "deleted" else happening.status
    moved = f"{before} → {status}" if before and before != status else plain(status)
    why = happening.message or happening.cause
    return f"{at}  {who} {plain(moved)}" + (f": {plain(why)}" if why else "")
