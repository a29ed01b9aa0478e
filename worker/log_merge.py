"""Chunks of a log into segments, in the background: fewer rows, and smaller ones.

What is merged does not change any more: the head of a log is only appended to, and its rolling tail is left alone
until the execution has ended. So a merge waits for nobody and nobody waits for it. In one transaction it puts a segment
in the place of exactly the chunks that it has read; if one of them is gone, somebody else has merged it, and nothing
is written. Whoever dies over it leaves what was there before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, Select, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cancellation import being_cancelled
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, is_outage, reading, transaction
from app.logs.segments import Chunk, decompress, pack
from app.logs.tables import LogChunk, LogSegment
from worker.log_blocks import NewChunk

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 2**20
SEGMENT_CHUNKS = 256
# Of what has ended, in one transaction.
READ_BYTES = 4 * SEGMENT_BYTES
READ_CHUNKS = 2000
RETRY_AFTER = 1.0

# Whoever deletes executions holds them, in this order, when it comes to what is below them; so must we.
_HOLD = text("SELECT id FROM executions WHERE id = ANY (CAST(:ids AS uuid[])) ORDER BY id FOR KEY SHARE")
_DELETE = text("""
    DELETE FROM log_chunks USING unnest(CAST(:executions AS uuid[]), CAST(:seqs AS bigint[])) AS merged (id, seq)
    WHERE execution_id = id AND last_seq = seq
""")
_MOVE = text("""
    UPDATE log_segments SET expires = day FROM unnest(CAST(:ids AS uuid[]), CAST(:days AS date[])) AS ended (id, day)
    WHERE execution_id = id AND expires = 'infinity' AND (execution_id, last_seq) IN (
        SELECT execution_id, last_seq FROM log_segments
        WHERE execution_id = ANY (CAST(:ids AS uuid[])) AND expires = 'infinity' LIMIT :most
    )
""")
# When the log of each of these executions expires; None: never.
Expiries = Mapping[UUID, date | None]


class MergedAlready(Exception):
    """Somebody else has merged what we have read."""


@dataclass(slots=True)
class Unmerged:
    """What the head of a log has in chunks: how many, what they are charged, and what the newest of them is."""

    chunks: int = 0
    charge: int = 0
    newest: int = 0

    @property
    def is_due(self) -> bool:
        """Whether there is enough for a segment; the newest chunk will not be part of it."""
        return self.chunks > SEGMENT_CHUNKS or self.charge - self.newest >= SEGMENT_BYTES

    def add(self, charge: int) -> None:
        """Another chunk."""
        self.chunks += 1
        self.charge += charge
        self.newest = charge

    def remove(self, merged: Unmerged) -> None:
        """These are in a segment now."""
        self.chunks -= merged.chunks
        self.charge -= merged.charge


class LogMerger:
    """Merges what this worker writes, a segment at a time; each log that has enough for one has its turn."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._unmerged: dict[UUID, Unmerged] = {}
        self._due = asyncio.Event()

    def begin(self, execution: UUID, unmerged: Unmerged) -> None:
        """A log is being written here from now on, and has so much in chunks already."""
        self._unmerged[execution] = unmerged
        self._note(unmerged)

    def written(self, execution: UUID, chunks: Iterable[NewChunk]) -> None:
        """These chunks are durable."""
        unmerged = self._unmerged.get(execution)
        if unmerged is not None:
            for chunk in chunks:
                if not chunk.rolling:
                    unmerged.add(chunk.charge)
            self._note(unmerged)

    def forget(self, execution: UUID) -> None:
        """It is not written here any more."""
        self._unmerged.pop(execution, None)

    def _note(self, unmerged: Unmerged) -> None:
        if unmerged.is_due:
            self._due.set()

    async def run(self) -> None:
        """Merge until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            for execution in [each for each, unmerged in self._unmerged.items() if unmerged.is_due]:
                await self._merge_one(execution)

    async def _merge_one(self, execution: UUID) -> None:
        unmerged = self._unmerged.get(execution)
        if unmerged is None:
            return
        try:
            merged = await merge_oldest(self._database, execution)
        except MergedAlready:
            merged = None
        except Exception as error:
            if being_cancelled():
                raise asyncio.CancelledError from error
            if is_outage(error):
                await asyncio.sleep(RETRY_AFTER)
                self._due.set()
                return
            # Its chunks are read as well as a segment is; at its end somebody tries again.
            log.exception("log.merge_failed", execution_id=str(execution))
            self.forget(execution)
            return
        # We may have miscounted, for instance what an earlier worker left: then begin anew.
        unmerged.remove(unmerged if merged is None else merged)
        self._note(unmerged)


async def merge_oldest(database: AsyncEngine, execution: UUID) -> Unmerged | None:
    """Make a segment of the oldest chunks in the head of a log that is being written; None if there are too few.

    The newest chunk stays: where a log has any, there is one until the execution has ended.
    """
    async with reading(database) as connection:
        rows = (await connection.execute(_HEAD, {"execution": execution})).all()
    (run, *_) = _runs(row for row in rows if row.is_followed) or [[]]
    size = sum(row.charge for row in run)
    if size < SEGMENT_BYTES and len(run) < SEGMENT_CHUNKS:
        return None
    await merge(database, run)
    return Unmerged(len(run), size)


async def merge_ended(database: AsyncEngine, executions: Expiries) -> None:
    """Make segments of the oldest chunks of executions that have ended, so many as fit into one transaction.

    Raises `MergedAlready`.
    """
    async with reading(database) as connection:
        rows = (await connection.execute(_ALL, {"executions": list(executions)})).all()
    await merge(database, rows, executions)


async def move(connection: Connection, expires: Expiries, *, most: int | None = None) -> int:
    """Bring segments that were to be kept for ever to where they expire; how many, at most `most`."""
    days = {id_: day for id_, day in expires.items() if day is not None}
    if not days:
        return 0
    await hold(connection, days)
    asked = {"ids": list(days), "days": list(days.values()), "most": most}
    return (await connection.execute(_MOVE, asked)).rowcount


async def hold(connection: Connection, executions: Iterable[UUID]) -> None:
    """Nobody deletes these executions until the transaction has ended."""
    await connection.execute(_HOLD, {"ids": list(executions)})


async def merge(database: AsyncEngine, chunks: Sequence[Row[Any]], expires: Expiries | None = None) -> None:
    """Put segments in the place of these rows of `log_chunks`, in their order. Raises `MergedAlready`."""
    if not chunks:
        return
    segments = await asyncio.to_thread(lambda: [_segment_of(run) for run in _runs(chunks)])
    crash_here(CrashPoint.PACKED)
    async with transaction(database) as connection:
        await _replace(connection, chunks, segments, expires or {})


async def _replace(
    connection: Connection,
    chunks: Sequence[Row[Any]],
    segments: Sequence[dict[str, Any]],
    expires: Expiries,
) -> None:
    merged = {segment["execution_id"] for segment in segments}
    await hold(connection, merged)
    rows = [segment | {"expires": expires.get(segment["execution_id"]) or date.max} for segment in segments]
    await connection.execute(insert(LogSegment).on_conflict_do_nothing(), rows)
    asked = {"executions": [chunk.execution_id for chunk in chunks], "seqs": [chunk.last_seq for chunk in chunks]}
    if (await connection.execute(_DELETE, asked)).rowcount != len(chunks):
        raise MergedAlready
    # What was merged while it ran, by whoever was late: with its last chunk gone nobody comes back to it.
    await move(connection, {id_: day for id_, day in expires.items() if id_ in merged})


def _runs(chunks: Iterable[Row[Any]]) -> list[list[Row[Any]]]:
    """What goes into one segment each: consecutive chunks of one kind. A gap is one of its own, without frames."""
    runs: list[list[Row[Any]]] = []
    size = 0
    for chunk in chunks:
        before = runs[-1][-1] if runs else None
        full = size >= SEGMENT_BYTES or (before is not None and len(runs[-1]) >= SEGMENT_CHUNKS)
        if before is None or full or not _continues(before, chunk):
            runs.append([])
            size = 0
        runs[-1].append(chunk)
        size += chunk.charge
    return runs


def _continues(before: Row[Any], chunk: Row[Any]) -> bool:
    return (
        (before.execution_id, before.last_seq + 1, before.rolling)
        == (chunk.execution_id, chunk.first_seq, chunk.rolling)
        and before.gap is None
        and chunk.gap is None
    )


def _segment_of(run: Sequence[Row[Any]]) -> dict[str, Any]:
    first, last = run[0], run[-1]
    times = [(chunk.first_ms, chunk.last_ms) for chunk in run]
    known = all(None not in each for each in times)
    return {
        "execution_id": first.execution_id,
        "first_seq": first.first_seq,
        "last_seq": last.last_seq,
        "charge": sum(chunk.charge for chunk in run),
        "rolling": first.rolling,
        "gap": first.gap,
        "frames": None
        if first.gap is not None
        else pack([Chunk(chunk.first_seq, chunk.last_seq, decompress(chunk.frame), chunk.raw) for chunk in run]),
        "first_ms": min(begun for begun, _ in times) if known else None,
        "last_ms": max(ended for _, ended in times) if known else None,
    }


def _oldest(*which: Any, most_bytes: int, most_chunks: int) -> Select[Any]:
    """The oldest of these chunks, up to so many; `bytes` is the charge of a chunk and all before it."""
    in_order = (LogChunk.execution_id, LogChunk.last_seq)
    newer = func.lead(LogChunk.last_seq).over(partition_by=LogChunk.execution_id, order_by=LogChunk.last_seq)
    chunks = (
        select(
            LogChunk.__table__,
            newer.is_not(None).label("is_followed"),
            func.sum(LogChunk.charge).over(order_by=in_order).label("bytes"),
        )
        .where(*which)
        .subquery()
    )
    return (
        select(chunks)
        .where(chunks.c.bytes - chunks.c.charge < most_bytes)
        .order_by(chunks.c.execution_id, chunks.c.last_seq)
        .limit(most_chunks)
    )


_HEAD = _oldest(
    LogChunk.execution_id == bindparam("execution"),
    ~LogChunk.rolling,
    most_bytes=SEGMENT_BYTES,
    most_chunks=SEGMENT_CHUNKS,
)
_ALL = _oldest(
    LogChunk.execution_id.in_(bindparam("executions", expanding=True)), most_bytes=READ_BYTES, most_chunks=READ_CHUNKS
)
