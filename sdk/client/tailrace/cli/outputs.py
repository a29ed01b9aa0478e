"""`tailrace outputs`: the files that an execution has left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from tailrace.cli.failures import NOT_FOUND, Failure
from tailrace.cli.looking import ExecutionArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, copy, remark, show_list, write
from tailrace.cli.session import session
from tailrace.cli.shown import plain, size

app = Noun("The files that an execution has left.")

COLUMNS: Columns = {
    "PATH": lambda item: plain(item["path"]),
    "SIZE": lambda item: size(item["bytes"]),
    "TYPE": lambda item: plain(item["media_type"]),
    "SHA-256": lambda item: plain(item["sha256"])[:12],
}


@app.verb("ls", "tailrace outputs ls @last", "tailrace outputs ls @last -o id")
def ls(execution: ExecutionArgument, *, form: FormatOption = DEFAULT) -> None:
    """List its files, by path."""
    with session() as api:
        found = api.pages(f"/v1/executions/{api.execution(execution)}/outputs")
        show_list(found, COLUMNS, form, key="path")


@app.verb(
    "get",
    "tailrace outputs get @last --to results",
    "tailrace outputs get @last model.bin",
    "tailrace outputs get @last --zip all.zip",
)
def get(
    execution: ExecutionArgument,
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Only these, also patterns such as *.csv; all by default.", show_default=False),
    ] = None,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Into this directory.")] = Path(),
    as_zip: Annotated[Path | None, typer.Option("--zip", metavar="FILE", help="All in one zip file.")] = None,
) -> None:
    """Fetch its files into a directory, and print where they are."""
    with session() as api:
        handle = api.handle(execution)
        if as_zip is not None:
            write(str(handle.outputs.zip(as_zip)))
            return
        missing = []
        for pattern in paths or ["*"]:
            found = handle.outputs.download(to, pattern)
            for path in found:
                write(str(path))
            if not found:
                missing.append(pattern)
        if not paths and missing:
            remark("There are none.")
        elif missing:
            hint = f"`tailrace outputs ls {execution}` lists what there is."
            raise Failure(f"There is no output `{'`, `'.join(missing)}`.", hint=hint, code=NOT_FOUND)


@app.verb("cat", "tailrace outputs cat @last report.html", "tailrace outputs cat @last table.csv | head")
def cat(execution: ExecutionArgument, path: Annotated[str, typer.Argument(help="Of the file.")]) -> None:
    """Write one file to stdout, as it is."""
    with session() as api:
        where = f"/v1/executions/{api.execution(execution)}/outputs/{quote(path)}"
        copy(api.client.stream(where))
