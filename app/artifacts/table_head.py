"""The beginning of a table in text, with the types of its columns. Pure, and bounded however the text is."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_ROWS = 200
MAX_COLUMNS = 100
CELL_CHARS = 1000
DELIMITERS = ",;\t|"
# So many rows are looked at to find what separates the cells.
LOOKED_AT = 20
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})", re.ASCII)
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", re.ASCII)
_TIME = re.compile(
    rf"{_DATE.pattern}[T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-][0-9:]{{4,6}})?", re.ASCII
)
_NOTHING = {"", "na", "n/a", "nan", "null", "none"}


class ColumnType(StrEnum):
    """What all cells of a column are, as far as they are shown; null is any."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class TableHead:
    """Names and types of the columns, and the first rows. `cut`: there are more rows or columns, or longer cells."""

    columns: list[tuple[str, ColumnType]]
    rows: list[list[Any]]
    cut: bool


def read_head(text: str, *, tabs: bool = False) -> TableHead | None:
    """What can be read of it; None if it is no table. The last line has to be whole."""
    try:
        rows = _rows(text, "\t" if tabs else _delimiter(text), MAX_ROWS + 2)
    except csv.Error:
        return None
    if not rows:
        return None
    header, first = _header(rows)
    width = min(MAX_COLUMNS, max(map(len, rows)))
    names = [*header[:width], *(f"column_{number + 1}" for number in range(len(header), width))]
    body = [[*row[:width], *[""] * (width - len(row))] for row in rows[first : first + MAX_ROWS]]
    types = [_type_of([row[number] for row in body]) for number in range(width)]
    cut = len(rows) > first + MAX_ROWS or any(len(row) > width for row in rows)
    cut = cut or any(len(cell) > CELL_CHARS for row in body for cell in row)
    values = [[_READ[kind](cell) for kind, cell in zip(types, row, strict=True)] for row in body]
    return TableHead([(name[:CELL_CHARS], kind) for name, kind in zip(names, types, strict=True)], values, cut)


def _rows(text: str, delimiter: str, most: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        if row:
            rows.append(row)
        if len(rows) >= most:
            break
    return rows


def _delimiter(text: str) -> str:
    """What separates the first rows into most cells, the same number in each if there is such a one."""

    def cells(delimiter: str) -> tuple[bool, int]:
        widths = [len(row) for row in _rows(text, delimiter, LOOKED_AT)]
        most = max(widths, default=0)
        return most > 1 and min(widths) == most, most

    return max(DELIMITERS, key=cells)


def _header(rows: Sequence[list[str]]) -> tuple[list[str], int]:
    """Names of columns, and the number of the first row that has none of them."""
    first = [cell.strip() for cell in rows[0]]
    named = all(first) and len(set(first)) == len(first) and not any(_NUMBER.fullmatch(cell) for cell in first)
    return (first, 1) if named else ([], 0)


def _type_of(cells: Sequence[str]) -> ColumnType:
    given = [cell.strip() for cell in cells if cell.strip().lower() not in _NOTHING]
    for kind, holds in _HOLDS.items():
        if given and all(map(holds, given)):
            return kind
    return ColumnType.STRING


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))


_HOLDS: dict[ColumnType, Callable[[str], object]] = {
    ColumnType.INTEGER: _INTEGER.fullmatch,
    ColumnType.NUMBER: _is_number,
    ColumnType.BOOLEAN: lambda cell: cell.lower() in {"true", "false"},
    ColumnType.DATE: _DATE.fullmatch,
    ColumnType.DATETIME: _TIME.fullmatch,
}


def _or_null(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: None if cell.strip().lower() in _NOTHING else read(cell.strip())


_READ: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.INTEGER: _or_null(int),
    ColumnType.NUMBER: _or_null(float),
    ColumnType.BOOLEAN: _or_null(lambda cell: cell.lower() == "true"),
    ColumnType.DATE: _or_null(str),
    ColumnType.DATETIME: _or_null(str),
    ColumnType.STRING: lambda cell: cell[:CELL_CHARS] or None,
}
