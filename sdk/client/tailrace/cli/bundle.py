"""`tailrace bundle`: an execution as one archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailrace.cli.looking import ROWS, ExecutionArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Format, FormatOption, show_one, write
from tailrace.cli.session import session

app = Noun("An execution as one archive, with all that belongs to it.")


@app.verb("export", "tailrace bundle export @last", "tailrace bundle export 01a1fc28 run.zip --contents outputs")
def export(
    execution: ExecutionArgument,
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to put it; ID.zip by default.", show_default=False)
    ] = None,
    *,
    contents: Annotated[str | None, typer.Option(help="record, outputs or all, the default.")] = None,
) -> None:
    """Write what has ended as one zip, with checksums and provenance, and print where it is."""
    with session() as api:
        handle = api.handle(execution)
        write(str(handle.bundle(path or Path(f"{handle.id}.zip"), contents=contents)))


@app.verb("import", "tailrace bundle import run.zip")
def take_in(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle.")], *, form: FormatOption = DEFAULT
) -> None:
    """Take in an execution that was exported here or elsewhere, and print its id. What was changed is refused."""
    with session() as api:
        made = api.client.load_bundle(path)
    if form is Format.TABLE:
        write(made.id)
    else:
        show_one(dict(made.record), ROWS, form)
