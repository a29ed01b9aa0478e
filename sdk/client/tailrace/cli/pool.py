"""`tailrace pool`: named groups of workers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli.failures import usage
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, remark, show_list, show_one
from tailrace.cli.session import session
from tailrace.cli.shown import plain

app = Noun("Named groups of workers.")

COLUMNS: Columns = {
    "NAME": lambda item: plain(item["name"]),
    "QUEUED": lambda item: str(item["queued"]),
    "RUNNING": lambda item: str(item["running"]),
    "WORKERS": lambda item: str(item["workers"]),
    "SLOTS": lambda item: str(item["slots"]),
    "LIMIT": lambda item: plain(item["max_running"]),
    "PER OWNER": lambda item: plain(item["max_running_per_owner"]),
    "DESCRIPTION": lambda item: plain(item["description"]),
}
NameArgument = Annotated[str, typer.Argument(help="Its name.")]
LimitOption = Annotated[str | None, typer.Option("--max-running", help="So many at most, or none.")]
OwnerLimitOption = Annotated[str | None, typer.Option("--max-running-per-owner", help="So many of each, or none.")]
DescriptionOption = Annotated[str | None, typer.Option("--description", help="For people.")]


def _limits(**said: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, text in said.items():
        if text is None:
            continue
        if text != "none" and not text.isdecimal():
            raise usage(f"--{name.replace('_', '-')} takes a number, or none.")
        body[name] = None if text == "none" else int(text)
    return body


@app.verb("ls", "tailrace pool ls")
def ls(*, form: FormatOption = DEFAULT) -> None:
    """List the pools, and how they stand."""
    with session() as api:
        show_list(api.get("/v1/pools")["items"], COLUMNS, form, key="name")


@app.verb("show", "tailrace pool show gpu")
def show(name: NameArgument, *, form: FormatOption = DEFAULT) -> None:
    """Show a pool, and how it stands."""
    with session() as api:
        show_one(api.get(f"/v1/pools/{name}"), COLUMNS, form, key="name")


@app.verb("create", "tailrace pool create gpu --description 'One card per slot' --max-running-per-owner 2")
def create(
    name: NameArgument,
    *,
    description: DescriptionOption = None,
    max_running: LimitOption = None,
    max_running_per_owner: OwnerLimitOption = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a pool. A worker that starts makes its own, too."""
    body = {"name": name, **({"description": description} if description else {})}
    body |= _limits(max_running=max_running, max_running_per_owner=max_running_per_owner)
    with session() as api:
        show_one(api.post("/v1/pools", body), COLUMNS, form, key="name")


@app.verb("set", "tailrace pool set gpu --max-running 8", "tailrace pool set gpu --max-running none")
def change(
    name: NameArgument,
    *,
    description: DescriptionOption = None,
    max_running: LimitOption = None,
    max_running_per_owner: OwnerLimitOption = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Change its limits. Nothing is stopped; they hold from the next start on."""
    body = {**({"description": description} if description is not None else {})}
    body |= _limits(max_running=max_running, max_running_per_owner=max_running_per_owner)
    if not body:
        raise usage("There is nothing to change.", "See `tailrace pool set --help`.")
    with session() as api:
        show_one(api.patch(f"/v1/pools/{name}", body), COLUMNS, form, key="name")


@app.verb("delete", "tailrace pool delete gpu")
def delete(name: NameArgument, *, yes: YesOption = False) -> None:
    """Delete a pool in which nothing is active, and that no worker serves."""
    sure(f"Delete the pool {name}?", yes=yes)
    with session() as api:
        api.delete(f"/v1/pools/{name}")
    remark(f"Deleted: {name}")
