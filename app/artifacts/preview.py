"""What can be shown of a file, without its being run or trusted: a small description, whatever is in it. Pure."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from app.artifacts.table_head import TableHead, read_head

# Of text and tables so many bytes are looked at, of JSON all that may have so many.
HEAD_BYTES = 256 * 1024
JSON_BYTES = 2 * 1024 * 1024
PAGE_BYTES = 16 * 1024 * 1024
MAX_LINES = 1000
# What an `<img>` shows; nothing in it runs there.
IMAGES = frozenset({f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "bmp", "avif", "svg+xml")})
TABLES = frozenset({"text/csv", "text/tab-separated-values"})
PAGE = "text/html"


class PreviewKind(StrEnum):
    """How a file is shown."""

    TEXT = "text"
    TABLE = "table"
    JSON = "json"
    PLOTLY = "plotly"
    IMAGE = "image"
    HTML = "html"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown: `text`, a `table`, or the bytes of a JSON document. `cut`: there is more of it in the file."""

    kind: PreviewKind
    cut: bool = False
    text: str | None = None
    table: TableHead | None = None
    document: bytes | None = field(default=None, repr=False)


def plain(media_type: str) -> str:
    """A media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def needed(media_type: str, size: int) -> int:
    """How many bytes of the file are needed for a preview of it."""
    kind = plain(media_type)
    if kind in IMAGES or (kind == PAGE and size <= PAGE_BYTES):
        return 0
    return size if _is_json(kind) and size <= JSON_BYTES else min(size, HEAD_BYTES)


def preview(head: bytes, *, media_type: str, size: int) -> Preview:
    """Of the beginning of a file, as much as is `needed`. Takes a moment for large ones: in a thread."""
    kind, cut = plain(media_type), len(head) < size
    if kind in IMAGES:
        return Preview(PreviewKind.IMAGE)
    if kind == PAGE and size <= PAGE_BYTES:
        return Preview(PreviewKind.HTML)
    if _is_json(kind) and not cut and (shown := _json(head)):
        return shown
    head, cut = head[:HEAD_BYTES], cut or size > HEAD_BYTES
    text = _text(head, cut=cut)
    if text is None:
        return Preview(PreviewKind.BINARY, cut=size > 0)
    if kind in TABLES:
        whole = text[: text.rfind("\n") + 1] if cut else text
        table = read_head(whole, tabs=kind != "text/csv")
        if table is not None:
            return Preview(PreviewKind.TABLE, cut=cut or table.cut, table=table)
    lines = text.splitlines(keepends=True)
    return Preview(PreviewKind.TEXT, cut=cut or len(lines) > MAX_LINES, text="".join(lines[:MAX_LINES]))


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _json(content: bytes) -> Preview | None:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return Preview(PreviewKind.PLOTLY if _is_plotly(value) else PreviewKind.JSON, document=content)


def _is_plotly(value: Any) -> bool:
    """A figure as Plotly writes it: traces with a type or with data, and how they are laid out."""
    if not isinstance(value, dict) or not isinstance(value.get("layout"), dict):
        return False
    traces = value.get("data")
    return (
        isinstance(traces, list)
        and all(isinstance(trace, dict) and trace.keys() & {"type", "x", "y", "z"} for trace in traces)
        and value.keys() <= {"data", "layout", "frames", "config"}
    )


def _text(head: bytes, *, cut: bool) -> str | None:
    """None if it is none: UTF-8 without a NUL, of which a cut may have split the last character."""
    if b"\0" in head:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=not cut)
    except UnicodeDecodeError:
        return None
