"""`tailrace token`: who may do what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.keeping import YesOption, sure
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
from tailrace.cli.shown import ago, plain

app = Noun("Who may do what.")


def _state(item: Any) -> str:
    if item["revoked_at"]:
        return "revoked"
    return f"until {item['expires_at'][:10]}" if item["expires_at"] else "valid"


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "KIND": lambda item: item["kind"],
    "NAME": lambda item: plain(item["name"]),
    "OWNER": lambda item: plain(item["owner"]),
    "SCOPES": lambda item: ",".join(map(plain, item["scopes"])),
    "STATE": _state,
    "USED": lambda item: ago(item["last_used_at"]),
    "MADE": lambda item: ago(item["created_at"]),
}


TokenArgument = Annotated[str, typer.Argument(help="Id, the first digits of it, or its name.")]


@app.verb("ls", "tailrace token ls", "tailrace token ls --all --owner ann")
def ls(
    *,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also those that are over.")] = False,
    owner: Annotated[str | None, typer.Option(help="Of this owner.")] = None,
    kind: Annotated[str | None, typer.Option(help="token, session or oidc, what an issuer has made.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 200,
    form: FormatOption = DEFAULT,
) -> None:
    """List tokens; none of them is shown itself."""
    with session() as api:
        show_list(api.pages("/v1/tokens", limit, all=everything, owner=owner, kind=kind), COLUMNS, form)


@app.verb(
    "create",
    "tailrace token create 'nightly jobs' --scope read --scope submit --expires 30d",
    "tailrace token create ann --owner ann --role operator > ann.token",
)
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    scope: Annotated[list[str] | None, typer.Option(help="read, submit, cancel or admin; repeatable.")] = None,
    role: Annotated[str | None, typer.Option(help="viewer, operator or admin, instead of scopes.")] = None,
    owner: Annotated[str | None, typer.Option(help="Whose; yours by default.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DURATION", help="After so long: 12h, 30d.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a token and print it, this once: the server keeps its hash."""
    said = {
        "name": name, "scopes": scope, "role": role, "owner": owner,
        "expires_in": values.seconds(expires) if expires else None,
    }  # fmt: skip
    with session() as api:
        made = api.post("/v1/tokens", {field: value for field, value in said.items() if value is not None})
    if form is Format.TABLE:
        write(made["token"])
        remark(f"{made['id']}: {', '.join(made['scopes'])} of {plain(made['owner'])}. It is not shown again.")
    elif form is Format.ID:
        write(made["id"])
    else:
        show_document(made, form)


@app.verb("show", "tailrace token show 'nightly jobs'")
def show(token: TokenArgument, *, form: FormatOption = DEFAULT) -> None:
    """Show what a token may do, and until when; not the token itself."""
    with session() as api:
        show_one(api.get(f"/v1/tokens/{api.one_of('token', token)}"), COLUMNS, form)


@app.verb("revoke", "tailrace token revoke 01a1fcdd-7424", "tailrace token revoke stolen --descendants")
def revoke(
    token: TokenArgument,
    *,
    descendants: Annotated[
        bool, typer.Option("--descendants", help="Also all that was made with it, and with that: after a theft.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Revoke a token. Whatever it has open ends at once; what was made with it stays, unless asked otherwise."""
    with session() as api:
        found = api.one_of("token", token)
        sure(f"Revoke {token}{', and all that was made with it' if descendants else ''}?", yes=yes)
        told = api.delete(f"/v1/tokens/{found}{'?descendants=true' if descendants else ''}")
    remark(f"Revoked: {found}")
    if told is not None:
        show_document(told, Format.YAML)
