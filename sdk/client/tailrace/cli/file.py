"""`tailrace file`: uploaded files, for submissions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailrace.cli import values
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, copy, remark, show_list, show_one, write
from tailrace.cli.session import session
from tailrace.cli.shown import ago, local, pairs, plain, size

app = Noun("Uploaded files, for submissions.")

COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "NAME": lambda item: plain(item["name"]),
    "SIZE": lambda item: size(item["bytes"]),
    "TYPE": lambda item: plain(item["media_type"]),
    "LABELS": lambda item: pairs(item["labels"]),
    "AGE": lambda item: ago(item["created_at"]),
}
ROWS: Columns = {
    "id": lambda item: item["id"],
    "name": lambda item: plain(item["name"]),
    "size": lambda item: size(item["bytes"]),
    "type": lambda item: plain(item["media_type"]),
    "SHA-256": lambda item: plain(item["sha256"]),
    "labels": lambda item: pairs(item["labels"]),
    "uploaded": lambda item: local(item["created_at"]),
    "owner": lambda item: plain(item["owner"]),
}
FileArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id, the first digits of it, its name, or @last.")]


@app.verb(
    "put",
    "tailrace file put rows.csv --label team=a",
    "tailrace run busybox:local -f rows.csv=id:$(tailrace file put rows.csv) -- wc -l /tailrace/inputs/rows.csv",
)
def put(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="On this machine.")],
    *,
    name: Annotated[str | None, typer.Option(help="What it is called there.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="A label.")] = None,
    media_type: Annotated[str | None, typer.Option("--type", help="Its media type; guessed from its name.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Upload a file, and print its id. `tailrace run -f PATH=id:ID` has it as an input."""
    labels = dict(map(values.label, label or ()))
    with session() as api:
        made = api.client.files.upload(path, name=name, labels=labels, media_type=media_type)
    if form is Format.TABLE:
        write(made.id)
    else:
        show_one(dict(made), ROWS, form)


@app.verb("ls", "tailrace file ls", "tailrace file ls --name rows --label team=a")
def ls(
    *,
    name: Annotated[str | None, typer.Option(help="Whose name begins so.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY[=VALUE]", help="With it.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 200,
    form: FormatOption = DEFAULT,
) -> None:
    """List your files, newest first."""
    with session() as api:
        show_list(api.pages("/v1/files", limit, name=name, label=label), COLUMNS, form)


@app.verb("show", "tailrace file show rows.csv")
def show(file: FileArgument, *, form: FormatOption = DEFAULT) -> None:
    """Show what is known of a file."""
    with session() as api:
        show_one(api.get(f"/v1/files/{api.one_of('file', file)}"), ROWS, form)


@app.verb("get", "tailrace file get rows.csv --to copy.csv", "tailrace file get @last | head")
def get(
    file: FileArgument,
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Into this file; else to stdout.")] = None,
) -> None:
    """Fetch a file, as it is."""
    with session() as api:
        found = api.one_of("file", file)
        if to is not None:
            write(str(api.client.files.download(found, to)))
        else:
            copy(api.client.stream(f"/v1/files/{found}/content"))


@app.verb("delete", "tailrace file delete rows.csv")
def delete(file: FileArgument, *, yes: YesOption = False) -> None:
    """Delete a file. It stays while something that has not ended needs it."""
    with session() as api:
        found = api.one_of("file", file)
        sure(f"Delete the file {file}?", yes=yes)
        api.delete(f"/v1/files/{found}")
    remark(f"Deleted: {found}")
