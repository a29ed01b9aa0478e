"""What verbs print: a table for people, JSON, YAML or ids for programs; and remarks, on stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli.shown import NOTHING, STYLES, plain, short

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Json = Mapping[str, Any]
Cell = Callable[[Json], str]
# Titles, and what stands below them. Cells are text that is safe to show.
Columns = Mapping[str, Cell]
# What JSON leaves as it is and some terminals obey.
_CONTROL = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


class Format(str, Enum):
    """Forms of an answer."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    ID = "id"


FormatOption = Annotated[Format, typer.Option("-o", "--format", help="As a table, as json, as yaml, or the ids alone.")]
DEFAULT = Format.TABLE


def console(*, stderr: bool = False) -> Console:
    """A terminal, with colours unless NO_COLOR is set. If it is none: no colours, and nothing is cut off."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() else 10_000
    return Console(file=stream, width=wide, highlight=False, markup=False, emoji=False, soft_wrap=stderr)


def remark(text: str, *, style: str = "dim") -> None:
    """A line for people, on stderr."""
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        console(stderr=True).print(text, style=style)
    else:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def write(text: str) -> None:
    """A line on stdout."""
    sys.stdout.write(f"{text}\n")


def flush() -> None:
    """Whoever reads at the other end waits for it."""
    sys.stdout.flush()


def copy(pieces: Iterable[bytes]) -> None:
    """Bytes onto stdout, as they are and as they come."""
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def show_list(items: Iterable[Json], columns: Columns, form: Format, *, key: str = "id") -> None:
    """Things of one kind: one row each. `key` is what `-o id` prints of them."""
    if form is Format.ID:
        for item in items:
            write(plain(item[key]))
        return
    found = list(items)
    if form is not Format.TABLE:
        show_document([dict(item) for item in found], form)
        return
    _table(found, columns, length=_length(found, key))


def show_one(item: Json, rows: Columns, form: Format, *, key: str = "id") -> None:
    """One thing, one line for each of its fields. Fields with nothing in them are left out."""
    if form is Format.ID:
        write(plain(item[key]))
    elif form is not Format.TABLE:
        show_document(dict(item), form)
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for title, cell in rows.items():
            said = _said(cell, item)
            if said not in {"", NOTHING}:
                table.add_row(title, Text(said, style=STYLES.get(said, "")))
        _print(table)


def show_document(value: Any, form: Format) -> None:
    """JSON or YAML, whatever it is. What has no table is YAML for people, too."""
    if form is Format.JSON:
        write(json.dumps(value, ensure_ascii=False, indent=2).translate(_CONTROL))
        return
    import yaml

    sys.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120))


def _said(cell: Cell, item: Json) -> str:
    """What an older or a newer server does not tell has no place in a table, and is no error."""
    try:
        return cell(item)
    except (KeyError, TypeError, AttributeError):
        return NOTHING


def _length(items: Sequence[Json], key: str) -> int | None:
    """Of ids that people read, as much as tells them apart; programs get all."""
    if key != "id" or not sys.stdout.isatty():
        return None
    return short([str(item["id"]) for item in items])


def new_table(*titles: str) -> Table:
    """A table of cells that are one line each. In a narrow terminal the widest columns are cut off, ids never."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in titles:
        # What may not wrap is narrowed evenly, until short columns are gone; what may, the widest first.
        table.add_column(one_line(title), no_wrap=title == "ID")
    return table


def one_line(text: str, *, style: str = "") -> Text:
    """A cell, cut off where there is no room for it."""
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _table(items: Sequence[Json], columns: Columns, *, length: int | None) -> None:
    table = new_table(*columns)
    for item in items:
        cells = {title: _said(cell, item) for title, cell in columns.items()}
        if length is not None and "ID" in cells:
            cells["ID"] = cells["ID"][:length]
        table.add_row(*[one_line(said, style=STYLES.get(said.split(" ")[0], "")) for said in cells.values()])
    _print(table)


def _print(table: Any) -> None:
    terminal = console()
    if terminal.is_terminal:
        terminal.print(table)
        return
    # No spaces at the ends of lines that nobody sees.
    with terminal.capture() as captured:
        terminal.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def forgiving() -> None:
    """What the terminal's encoding lacks is replaced, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
