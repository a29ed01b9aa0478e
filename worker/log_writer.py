"""Group commit of all logs of a worker: commit, then publish the same bytes.

One transaction at a time, for every execution that has something; the next begins when it has ended. The fence is the
row in `log_heads`: it is locked, and nothing is written where another epoch holds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import structlog
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cancellation import being_cancelled
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, is_outage, reading, transaction
from app.executions.model import Lease
from app.hints import Hints
from app.logs.protocol import LOOK_MESSAGE, GapReason, Kind, Message, decode_lines, gap_frame, pack_message
from app.logs.store import compress, decompress
from app.logs.tables import LogChunk, LogHead
from worker.log_sink import Batch, Fenced, Head, LogSink
from worker.metrics import WorkerMetrics

log = structlog.get_logger(__name__)

COMMIT_INTERVAL = 0.02
TICK = 0.25
RETRY_AFTER_OUTAGE = 0.5

Taken = tuple[LogSink, Batch]


class LogWriter:
    """Writes the logs of every attempt that this worker runs."""

    def __init__(self, database: AsyncEngine, hints: Hints, metrics: WorkerMetrics | None = None) -> None:
        self._database = database
        self._hints = hints
        self._metrics = metrics or WorkerMetrics()
        self._sinks: set[LogSink] = set()
        self._wake = asyncio.Event()

    async def open(self, lease: Lease, *, log_bytes: int) -> LogSink:
        """A sink that goes on where the log stands."""
        async with reading(self._database) as connection:
            head = await _read_head(connection, lease.execution)
            rolling = await _read_rolling(connection, lease.execution) if head.truncated else []
            last_at_ms = await _read_last_time(connection, lease.execution) if head.next_seq > 1 else 0
        sink = LogSink(lease, head, log_bytes=log_bytes, wake=self._wake.set, rolling=rolling, last_at_ms=last_at_ms)
        self._sinks.add(sink)
        return sink

    def close(self, sink: LogSink) -> None:
        """Forget a sink; what it still holds is not written."""
        self._sinks.discard(sink)

    async def run(self) -> None:
        """Commit until cancelled. An outage of the database only delays it."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            self._wake.clear()
            await self._hints.remind(LOOK_MESSAGE)
            now = time.monotonic()
            taken: list[Taken] = []
            for sink in self._sinks:
                sink.flush_quiet(now)
                if (batch := sink.take(now)) is not None:
                    taken.append((sink, batch))
            if taken:
                await self._write(taken)
                self._wake.set()
                await asyncio.sleep(COMMIT_INTERVAL)

    async def _write(self, taken: list[Taken]) -> None:
        try:
            durable = await self._commit(taken)
        except Exception as error:
            if being_cancelled():
                raise asyncio.CancelledError from error
            if is_outage(error):
                log.warning("log.database_away", executions=len(taken), error=repr(error))
                await asyncio.sleep(RETRY_AFTER_OUTAGE)
            elif len(taken) > 1:
                # Something is wrong with one of them: it must not hold up the others.
                for one in taken:
                    await self._write([one])
            else:
                sink = taken[0][0]
                log.exception("log.write_failed", execution_id=str(sink.lease.execution))
                sink.refuse(error)
            return
        crash_here(CrashPoint.LOG_COMMITTED)
        await self._hints.publish([message for sink, batch in durable for message in _messages(sink, batch)])

    async def _commit(self, taken: list[Taken]) -> list[Taken]:
        """Those of them that are durable now: all but the fenced ones."""
        began = time.monotonic()
        async with transaction(self._database) as connection:
            owned, written = await _lock(connection, taken)
            await _store(connection, owned)
        self._metrics.log_committed([batch for _, batch in owned], within=time.monotonic() - began)
        durable = owned + written
        for sink, _ in durable:
            sink.confirm()
        return durable


async def _read_rolling(connection: Connection, execution: UUID) -> list[tuple[int, int]]:
    rows = await connection.execute(
        select(LogChunk.last_seq, LogChunk.charge)
        .where(LogChunk.execution_id == execution, LogChunk.rolling)
        .order_by(LogChunk.last_seq),
    )
    return [(row.last_seq, row.charge) for row in rows]


async def _read_last_time(connection: Connection, execution: UUID) -> int:
    frame = (
        await connection.execute(
            select(LogChunk.frame)
            .where(LogChunk.execution_id == execution, LogChunk.frame.is_not(None))
            .order_by(LogChunk.last_seq.desc())
            .limit(1),
        )
    ).scalar_one_or_none()
    return decode_lines(decompress(frame))[-1].at_ms if frame is not None else 0


async def _read_head(connection: Connection, execution: UUID) -> Head:
    """The head of a log."""
    row = (
        await connection.execute(
            select(
                LogHead.next_seq,
                LogHead.out_bytes,
                LogHead.err_bytes,
                LogHead.total_bytes,
                LogHead.charged,
                LogHead.truncated,
            ).where(LogHead.execution_id == execution),
        )
    ).one()
    return Head(*row)


async def _lock(connection: Connection, taken: Sequence[Taken]) -> tuple[list[Taken], list[Taken]]:
    """Those to write, and those that are written already: a COMMIT whose answer was lost may have succeeded."""
    ids = [sink.lease.execution for sink, _ in taken]
    rows = await connection.execute(
        select(LogHead.execution_id, LogHead.epoch, LogHead.next_seq)
        .where(LogHead.execution_id.in_(ids))
        .order_by(LogHead.execution_id)
        .with_for_update(),
    )
    heads = {row.execution_id: row for row in rows}
    owned: list[Taken] = []
    written: list[Taken] = []
    for sink, batch in taken:
        head = heads.get(sink.lease.execution)
        if head is None or head.epoch != sink.lease.epoch:
            log.info("log.fenced", execution_id=str(sink.lease.execution), epoch=sink.lease.epoch)
            sink.refuse(Fenced())
        elif head.next_seq == batch.before.next_seq:
            owned.append((sink, batch))
        else:
            written.append((sink, batch))
    return owned, written


async def _store(connection: Connection, owned: Sequence[Taken]) -> None:
    rows = [
        {
            "execution_id": sink.lease.execution,
            "last_seq": chunk.last,
            "first_seq": chunk.first,
            "charge": chunk.charge,
            "rolling": chunk.rolling,
            "frame": None if chunk.frame is None else compress(chunk.frame),
            "raw": chunk.raw,
            "gap": chunk.gap,
        }
        for sink, batch in owned
        for chunk in batch.chunks
    ]
    if rows:
        await connection.execute(insert(LogChunk), rows)
    for sink, batch in owned:
        execution = sink.lease.execution
        if batch.trim_below is not None:
            await connection.execute(
                delete(LogChunk).where(
                    LogChunk.execution_id == execution, LogChunk.rolling, LogChunk.last_seq < batch.trim_below
                ),
            )
        after = batch.after
        await connection.execute(
            update(LogHead)
            .where(LogHead.execution_id == execution)
            .values(
                next_seq=after.next_seq,
                out_bytes=after.out_bytes,
                err_bytes=after.err_bytes,
                total_bytes=after.total_bytes,
                charged=after.charged,
                truncated=after.truncated,
            ),
        )


def _messages(sink: LogSink, batch: Batch) -> list[tuple[UUID, bytes]]:
    execution = sink.lease.execution
    messages: list[Message] = []
    if batch.dropped:
        first = batch.before.next_seq
        messages.append(_gap_message(first, first + batch.dropped - 1, GapReason.LOG_LIMIT))
    for chunk in batch.chunks:
        if chunk.frame is not None:
            messages.append(Message(Kind.LINES, chunk.first, chunk.last, chunk.frame))
        elif chunk.gap is not None:
            messages.append(_gap_message(chunk.first, chunk.last, chunk.gap))
    return [(execution, pack_message(message)) for message in messages]


def _gap_message(first: int, last: int, reason: GapReason) -> Message:
    return Message(Kind.GAP, first, last, gap_frame(first, last, reason))
