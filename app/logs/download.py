"""A log as a file: its name, and its compression."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator

from app.executions.record import Record
from app.logs.view import LogFormat

GZIP_LEVEL = 1
_GZIP_BITS = 31
_NAME_CHARS = 100
_SUFFIXES = {LogFormat.TEXT: "log", LogFormat.RAW: "log", LogFormat.NDJSON: "ndjson", LogFormat.SSE: "sse"}
_ODD = re.compile(r"[^\w.-]+")


def file_name(record: Record, format_: LogFormat, *, gzipped: bool) -> str:
    """`train-01a1fc29-7d9a-7508-b810-f57faf1d2903.log`."""
    name = _ODD.sub("-", record.name or "").strip("-.")[:_NAME_CHARS]
    stem = f"{name}-{record.id}" if name else str(record.id)
    return f"{stem}.{_SUFFIXES[format_]}" + (".gz" if gzipped else "")


async def gzip(pieces: AsyncIterator[bytes], *, live: bool) -> AsyncIterator[bytes]:
    """The same, compressed; what is `live` can be read as it comes."""
    packer = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_BITS)
    async for piece in pieces:
        packed = packer.compress(piece) + (packer.flush(zlib.Z_SYNC_FLUSH) if live else b"")
        if packed:
            yield packed
    yield packer.flush()


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` names it, and not to refuse it."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)
    return False
