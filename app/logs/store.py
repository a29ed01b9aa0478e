"""The log in Postgres: reading. Only the worker's writer puts anything in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import zstandard
from sqlalchemy import Select, func, select

from app.db.engine import Connection
from app.logs.protocol import GapReason
from app.logs.tables import LogChunk, LogHead

# One read of a tail that is behind: enough to be fast, little enough for a slow reader to hold.
PAGE_CHUNKS = 32
PAGE_BYTES = 512 * 1024
MAX_FRAME_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored frame of consecutive lines."""

    first: int
    last: int
    frame: bytes
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Lines that are not kept, both ends included."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the store has after a cursor; `more` when there is still something behind it."""

    parts: list[Chunk | Missing]
    more: bool


def compress(frame: bytes) -> bytes:
    """A frame as it is stored."""
    return zstandard.ZstdCompressor(level=1).compress(frame)


def decompress(stored: bytes) -> bytes:
    """A stored frame as it was published."""
    return zstandard.ZstdDecompressor().decompress(stored, max_output_size=MAX_FRAME_BYTES)


async def last_seq(connection: Connection, execution: UUID) -> int:
    """The newest seq given out; 0 when there is none."""
    seq = (
        await connection.execute(select(LogHead.next_seq - 1).where(LogHead.execution_id == execution))
    ).scalar_one_or_none()
    return seq or 0


async def read_after(connection: Connection, execution: UUID, after: int) -> Page:
    """Chunks that hold lines > `after`, and what is missing between them."""
    # The head is read first: lines up to it are committed, so a hole below it is a real one.
    head = await last_seq(connection, execution)
    if head <= after:
        return Page([], more=False)
    rows = (await connection.execute(_page(execution, after))).all()
    parts: list[Chunk | Missing] = []
    cursor = after
    for row in rows:
        if row.first_seq > cursor + 1:
            parts.append(Missing(cursor + 1, row.first_seq - 1, GapReason.LOG_LIMIT))
        if row.frame is None:
            parts.append(Missing(max(row.first_seq, cursor + 1), row.last_seq, row.gap))
        else:
            parts.append(Chunk(row.first_seq, row.last_seq, decompress(row.frame), row.raw))
        cursor = row.last_seq
    more = len(rows) == PAGE_CHUNKS or (len(rows) > 0 and rows[-1].bytes >= PAGE_BYTES)
    if not more and cursor < head:
        parts.append(Missing(cursor + 1, head, GapReason.LOG_LIMIT))
    return Page(parts, more=more)


def _page(execution: UUID, after: int) -> Select[Any]:
    """The next chunks, up to the first that makes it large. `bytes` is the size of a row and all before it."""
    chunks = (
        select(
            LogChunk.first_seq,
            LogChunk.last_seq,
            LogChunk.frame,
            LogChunk.raw,
            LogChunk.gap,
            LogChunk.charge,
            func.sum(LogChunk.charge).over(order_by=LogChunk.last_seq).label("bytes"),
        )
        .where(LogChunk.execution_id == execution, LogChunk.last_seq > after)
        .order_by(LogChunk.last_seq)
        .limit(PAGE_CHUNKS)
        .subquery()
    )
    return select(chunks).where(chunks.c.bytes - chunks.c.charge < PAGE_BYTES).order_by(chunks.c.last_seq)
