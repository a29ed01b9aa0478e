"""`tailrace secret`: secrets that submissions refer to by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, remark, show_list
from tailrace.cli.session import session
from tailrace.cli.shown import ago, plain

app = Noun("Secrets that submissions refer to by name.")


def asked_for(what: str, source: Path | None) -> str:
    """What nobody else should see: from a file, from stdin, or from who sits there."""
    if source is not None:
        return source.read_text(encoding="utf-8")
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True))
    # The newline is the shell's, as in `$(…)`.
    return sys.stdin.read().rstrip("\n")


COLUMNS: Columns = {
    "NAME": lambda item: plain(item["name"]),
    "MADE": lambda item: ago(item["created_at"]),
    "CHANGED": lambda item: ago(item["changed_at"]),
    "USED": lambda item: ago(item["used_at"]),
}


@app.verb("ls", "tailrace secret ls")
def ls(*, form: FormatOption = DEFAULT) -> None:
    """List your secrets, without their values."""
    with session() as api:
        show_list(api.get("/v1/secrets")["items"], COLUMNS, form, key="name")


@app.verb(
    "set",
    "tailrace secret set hub-token",
    "tailrace secret set hub-token --from key.txt",
    "pass hub | tailrace secret set hub-token",
)
def put(
    name: Annotated[str, typer.Argument(help="Its name.")],
    *,
    source: Annotated[Path | None, typer.Option("--from", metavar="FILE", help="What this file has.")] = None,
) -> None:
    """Keep a secret. Its value is asked for, or read from stdin or a file: it is never an argument."""
    value = asked_for(f"Value of {name}", source)
    with session() as api:
        api.put(f"/v1/secrets/{name}", {"value": value})
    remark(f"Kept: {name}")


@app.verb("delete", "tailrace secret delete hub-token")
def delete(name: Annotated[str, typer.Argument(help="Its name.")], *, yes: YesOption = False) -> None:
    """Delete a secret. What was accepted with it has its own copy."""
    sure(f"Delete the secret {name}?", yes=yes)
    with session() as api:
        api.delete(f"/v1/secrets/{name}")
    remark(f"Deleted: {name}")
