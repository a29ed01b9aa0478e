"""The log in Postgres: reading. Only the worker's writer puts anything in, and its merges put it together.

Every statement here sees chunks and segments as of one moment, so that what is merged meanwhile is read exactly once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, Row, Select, bindparam, cast, false, func, null, select, text, true, union_all

from app.db.engine import Connection
from app.db.orm import clock
from app.logs.protocol import GapReason
from app.logs.segments import Chunk, compress, decompress, unpack
from app.logs.tables import LogChunk, LogHead, LogSegment

# One read of a tail that is behind: enough to be fast, little enough for a slow reader to hold.
PAGE_CHUNKS = 32
PAGE_BYTES = 512 * 1024


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


async def last_seq(connection: Connection, execution: UUID) -> int:
    """The newest seq given out; 0 when there is none."""
    seq = (
        await connection.execute(select(LogHead.next_seq - 1).where(LogHead.execution_id == execution))
    ).scalar_one_or_none()
    return seq or 0


async def seq_at(connection: Connection, execution: UUID, at_ms: int) -> int:
    """The cursor of a reader who wants what is not older than `at_ms` (unix time): no such line is at or below it.

    It is as exact as what is stored together, a chunk or a segment: older lines may follow it.
    """
    asked = {"execution": execution, "at_ms": at_ms}
    return (await connection.execute(_SEQ_AT, asked)).scalar_one_or_none() or 0


async def seq_before_last(connection: Connection, execution: UUID, count: int, *, before: int) -> int:
    """The cursor of a reader who wants the last `count` records that are kept below `before`, however wide the gaps
    between them are.
    """
    if count == 0:
        return before - 1
    asked = {"execution": execution, "count": count, "before": before}
    return (await connection.execute(_SEQ_BEFORE_LAST, asked)).scalar_one_or_none() or 0


async def read_after(connection: Connection, execution: UUID, after: int) -> Page:
    """Chunks that hold lines > `after`, and what is missing between them."""
    # The head is read first: lines up to it are committed, so a hole below it is a real one.
    head = (await connection.execute(_HEAD, {"execution": execution})).one_or_none()
    if head is None or head.last <= after:
        return Page([], more=False)
    rows = (await connection.execute(_PAGE, {"execution": execution, "after": after})).all()
    if any(row.is_segment for row in rows):
        # A megabyte and more: others on the loop are not to wait for it.
        parts, whole = await asyncio.to_thread(_take, rows, after)
    else:
        parts, whole = _take(rows, after)
    more = not whole or len(rows) == PAGE_CHUNKS or (len(rows) > 0 and rows[-1].bytes >= PAGE_BYTES)
    cursor = parts[-1].last if parts else after
    if not more and cursor < head.last:
        # All of a log expires together.
        reason = GapReason.EXPIRED if head.expired and not rows else GapReason.LOG_LIMIT
        parts.append(Missing(cursor + 1, head.last, reason))
    return Page(parts, more=more)


def _take(rows: Iterable[Row[Any]], after: int) -> tuple[list[Chunk | Missing], bool]:
    """A page full of what these rows hold after a cursor; and whether that is all of it."""
    parts: list[Chunk | Missing] = []
    cursor, size = after, 0
    for part in _parts(rows, after):
        if size >= PAGE_BYTES:
            return parts, False
        if part.first > cursor + 1:
            parts.append(Missing(cursor + 1, part.first - 1, GapReason.LOG_LIMIT))
        parts.append(part)
        cursor = part.last
        if isinstance(part, Chunk):
            size += len(part.frame) + len(part.raw or b"")
    return parts, True


def _parts(rows: Iterable[Row[Any]], after: int) -> Iterator[Chunk | Missing]:
    for row in rows:
        if row.stored is None:
            yield Missing(max(row.first_seq, after + 1), row.last_seq, row.gap)
        elif row.is_segment:
            yield from unpack(row.stored, after=after)
        else:
            yield Chunk(row.first_seq, row.last_seq, decompress(row.stored), row.raw)


def _stored(table: type[LogChunk | LogSegment], stored: Any, raw: Any) -> Select[Any]:
    """The next rows of one of the two tables, in the shape that both have."""
    return (
        select(
            table.first_seq,
            table.last_seq,
            stored.label("stored"),
            raw.label("raw"),
            table.gap,
            table.charge,
            (true() if table is LogSegment else false()).label("is_segment"),
        )
        .where(table.execution_id == bindparam("execution"), table.last_seq > bindparam("after"))
        .order_by(table.last_seq)
        .limit(PAGE_CHUNKS)
    )


def _page() -> Select[Any]:
    """The next rows, up to the first that makes it large. `bytes` is the size of a row and all before it."""
    rows = union_all(
        _stored(LogSegment, LogSegment.frames, cast(null(), LogChunk.raw.type)).subquery().select(),
        _stored(LogChunk, LogChunk.frame, LogChunk.raw).subquery().select(),
    ).subquery()
    counted = (
        select(rows, func.sum(rows.c.charge).over(order_by=rows.c.last_seq).label("bytes"))
        .order_by(rows.c.last_seq)
        .limit(PAGE_CHUNKS)
        .subquery()
    )
    return select(counted).where(counted.c.bytes - counted.c.charge < PAGE_BYTES).order_by(counted.c.last_seq)


def _seq_at() -> Select[Any]:
    """The first row with such a line begins behind the cursor. What was written without times may have one."""
    firsts = union_all(
        *(
            select(func.min(table.first_seq).label("seq")).where(
                table.execution_id == bindparam("execution"),
                table.gap.is_(None),
                func.coalesce(table.last_ms >= bindparam("at_ms"), true()),
            )
            for table in (LogSegment, LogChunk)
        ),
    ).subquery()
    first = select(func.min(firsts.c.seq)).scalar_subquery()
    return select(func.coalesce(first, LogHead.next_seq) - 1).where(LogHead.execution_id == bindparam("execution"))


def _seq_before_last() -> Select[Any]:
    """From the end backwards, the first row with which there are enough. A row has at least one record."""
    rows = union_all(
        *(
            select(table.first_seq, func.least(table.last_seq, bindparam("before") - 1).label("last_seq"))
            .where(
                table.execution_id == bindparam("execution"),
                table.gap.is_(None),
                table.first_seq < bindparam("before"),
            )
            .order_by(table.last_seq.desc())
            .limit(bindparam("count"))
            .subquery()
            .select()
            for table in (LogSegment, LogChunk)
        ),
    ).subquery()
    records = func.sum(rows.c.last_seq - rows.c.first_seq + 1).over(order_by=rows.c.last_seq.desc())
    counted = select(rows, records.label("records")).subquery()
    return (
        select(cast(counted.c.first_seq - 1 + counted.c.records - bindparam("count"), BigInteger))
        .where(counted.c.records >= bindparam("count"))
        .order_by(counted.c.last_seq.desc())
        .limit(1)
    )


# Built once: to build them takes longer than to execute them.
TODAY = cast(func.timezone(text("'UTC'"), clock()), Date)
_HEAD = select(
    (LogHead.next_seq - 1).label("last"),
    func.coalesce(LogHead.expires < TODAY, false()).label("expired"),
).where(LogHead.execution_id == bindparam("execution"))
_PAGE = _page()
_SEQ_AT = _seq_at()
_SEQ_BEFORE_LAST = _seq_before_last()

__all__ = [
    "PAGE_BYTES",
    "PAGE_CHUNKS",
    "Chunk",
    "Missing",
    "Page",
    "compress",
    "decompress",
    "last_seq",
    "read_after",
    "seq_at",
    "seq_before_last",
]
