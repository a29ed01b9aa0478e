"""`tailrace share`: addresses that show one execution to whoever has them."""

from __future__ import annotations

from typing import Annotated

import typer

from tailrace.cli import values
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.looking import ExecutionArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, remark, show_list, show_one, write
from tailrace.cli.session import session
from tailrace.cli.shown import ago, local, plain

app = Noun("Addresses that show one execution to whoever has them.")

COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "NOTE": lambda item: plain(item["note"]),
    "UNTIL": lambda item: "revoked" if item["revoked_at"] else local(item["expires_at"]),
    "USED": lambda item: ago(item["last_used_at"]),
    "AGE": lambda item: ago(item["created_at"]),
}


@app.verb("create", "tailrace share create @last --for 7d --note 'for Ann'")
def create(
    execution: ExecutionArgument,
    *,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="For how long it is valid: 90m, 7d.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="For people.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a link to the page of one execution, which needs no token, and print it, this once.

    With `-o json` also the addresses for programs. `tailrace open` opens such a link here.
    """
    said = {"expires_in": values.seconds(lasting) if lasting else None, "note": note}
    with session() as api:
        body = {field: value for field, value in said.items() if value is not None}
        made = api.post(f"/v1/executions/{api.execution(execution)}/shares", body)
    if form is not Format.TABLE:
        show_one(made, COLUMNS, form)
        return
    write(made["links"]["page"])
    remark(f"{made['id']}, until {local(made['expires_at'])}. Treat it like a password.")


@app.verb("ls", "tailrace share ls @last")
def ls(execution: ExecutionArgument, *, form: FormatOption = DEFAULT) -> None:
    """List what shows an execution, or did; the addresses themselves are not kept."""
    with session() as api:
        show_list(api.get(f"/v1/executions/{api.execution(execution)}/shares")["items"], COLUMNS, form)


@app.verb("delete", "tailrace share delete @last 01a20085")
def delete(
    execution: ExecutionArgument,
    share: Annotated[str, typer.Argument(help="Of `tailrace share ls`, or the first digits of it.")],
    *,
    yes: YesOption = False,
) -> None:
    """Let such addresses show nothing any more."""
    with session() as api:
        path = f"/v1/executions/{api.execution(execution)}/shares"
        found = api.chosen("share", share, api.get(path)["items"])
        sure(f"Delete the share {share}?", yes=yes)
        api.delete(f"{path}/{found}")
    remark(f"Deleted: {found}")
