"""Rows of who did what as lines of a file. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, fields
from enum import StrEnum

import orjson

from app.audit.model import Kept

_COLUMNS = ("id", "at", *(field.name for field in fields(Kept) if field.name not in {"id", "at"}))
# Spreadsheets take for a formula what begins so, and names are what people make up.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class ExportFormat(StrEnum):
    """How it is written."""

    NDJSON = "ndjson"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """Of the file."""
        return "application/x-ndjson" if self is ExportFormat.NDJSON else "text/csv; charset=utf-8"


async def lines(pages: AsyncIterator[Sequence[Kept]], form: ExportFormat) -> AsyncIterator[bytes]:
    """The file, a page at a time."""
    if form is ExportFormat.CSV:
        yield _as_csv([_COLUMNS])
    async for page in pages:
        if form is ExportFormat.CSV:
            yield _as_csv([[_cell(row[name]) for name in _COLUMNS] for row in map(asdict, page)])
        else:
            yield b"".join(_as_json({name: row[name] for name in _COLUMNS}) for row in map(asdict, page))


def _as_json(row: Mapping[str, object]) -> bytes:
    # A driver's own kind of UUID is one too, but not to who writes JSON.
    return orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _as_csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return value.isoformat() if hasattr(value, "isoformat") else value
