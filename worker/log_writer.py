"""Group commit of all logs of a worker: commit, then publish the same bytes.

In two lanes, so that what a few lines have to wait for is never megabytes: one for the floods, one for all others. In
each one transaction at a time, for every execution that has something; the next begins when it has ended. The fence is
the row in `log_heads`: it is locked, and nothing is written where another epoch holds. A log that cannot be written, or
whose row somebody else holds for a while, does not hold up the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import case, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cancellation import being_cancelled
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, is_outage, reading, transaction
from app.executions.model import Lease
from app.hints import Hints
from app.logs.protocol import LOOK_MESSAGE, GapReason, Kind, Message, decode_lines, gap_frame, pack_message
from app.logs.segments import compress, decompress
from app.logs.store import Missing, read_after
from app.logs.tables import LogChunk, LogHead
from worker.engine.port import Stream
from worker.log_blocks import Batch, Head
from worker.log_merge import LogMerger, Unmerged
from worker.log_sink import BATCH_BYTES, CHUNK_BYTES, Fenced, LogSink
from worker.masking import Masks
from worker.metrics import WorkerMetrics
from worker.told import Told

log = structlog.get_logger(__name__)

COMMIT_INTERVAL = 0.02
# What many noisy logs share in one commit: it is to be over soon, for the sake of the less noisy ones.
COMMIT_BYTES = 4 * 2**20
# A log with more than this to write is a flood.
QUIET_BYTES = 64 * 1024
TICK = 0.25
# Among so many of the newest records a line is looked for that an attempt has left without its end.
UNENDED_WITHIN = 1024
RETRY_AFTER_OUTAGE = 0.5
# More than this is compressed in a thread: a hundred kilobytes take a fraction of a millisecond.
COMPRESSED_HERE_BYTES = 128 * 1024

Taken = tuple[LogSink, Batch]

# The execution with it, since the foreign keys of what is written ask for that row, and whoever deletes one comes from
# there. Neither is waited for: so nobody who waits for us is waited for by us.
_LOCK = text("""
    SELECT execution_id, log_heads.epoch, next_seq FROM executions JOIN log_heads ON execution_id = id
    WHERE id = ANY (CAST(:ids AS uuid[]))
    FOR KEY SHARE OF executions SKIP LOCKED FOR UPDATE OF log_heads SKIP LOCKED
""")
_MOVE_HEADS = text("""
    UPDATE log_heads SET next_seq = written.next_seq, out_bytes = written.out_bytes, err_bytes = written.err_bytes,
        total_bytes = written.total_bytes, charged = written.charged, truncated = written.truncated,
        told_event = written.told_event, told_steps = written.told_steps
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:next_seq AS bigint[]), CAST(:out_bytes AS bigint[]), CAST(:err_bytes AS bigint[]),
        CAST(:total_bytes AS bigint[]), CAST(:charged AS bigint[]), CAST(:truncated AS boolean[]),
        CAST(:told_event AS bigint[]), CAST(:told_steps AS bigint[])
    ) AS written (id, next_seq, out_bytes, err_bytes, total_bytes, charged, truncated, told_event, told_steps)
    WHERE execution_id = id
""")
_TRIM = text("""
    DELETE FROM log_chunks USING unnest(CAST(:ids AS uuid[]), CAST(:below AS bigint[])) AS trimmed (id, below)
    WHERE execution_id = id AND rolling AND last_seq < below
""")


class _Lane:
    """What is committed together."""

    def __init__(self, *, floods: bool) -> None:
        self._floods = floods
        self.wake = asyncio.Event()

    def takes(self, sink: LogSink) -> bool:
        """Whether what this log has now goes here."""
        return (sink.backlog > QUIET_BYTES) is self._floods


class LogWriter:
    """Writes the logs of every attempt that this worker runs."""

    def __init__(self, database: AsyncEngine, hints: Hints, metrics: WorkerMetrics | None = None) -> None:
        self._database = database
        self._hints = hints
        self._metrics = metrics or WorkerMetrics()
        self._merger = LogMerger(database)
        self._sinks: set[LogSink] = set()
        self._turns = asyncio.Lock()
        # What one of the lanes writes right now.
        self._in_hand: set[LogSink] = set()
        self._quiet = _Lane(floods=False)
        self._floods = _Lane(floods=True)

    async def open(self, lease: Lease, *, log_bytes: int, masks: Masks | None = None, blind: bool = False) -> LogSink:
        """A sink that goes on where the log stands."""
        async with reading(self._database) as connection:
            head, unmerged = await _read_head(connection, lease.execution)
            rolling = await _read_rolling(connection, lease.execution) if head.truncated else []
            last_at_ms = await _read_last_time(connection, lease.execution) if head.next_seq > 1 else 0
            unended = await _read_unended(connection, lease.execution, head)
        sink = LogSink(
            lease,
            head,
            log_bytes=log_bytes,
            wake=self._wake,
            rolling=rolling,
            last_at_ms=last_at_ms,
            masks=masks,
            blind=blind,
            turns=self._turns,
        )
        if not blind:
            for stream in unended:
                sink.end_line(stream)
        self._sinks.add(sink)
        self._merger.begin(lease.execution, unmerged)
        return sink

    def close(self, sink: LogSink) -> None:
        """Forget a sink; what it still holds is not written."""
        self._sinks.discard(sink)
        if all(other.lease.execution != sink.lease.execution for other in self._sinks):
            self._merger.forget(sink.lease.execution)

    async def run(self) -> None:
        """Commit, and merge behind it, until cancelled. An outage of the database only delays it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._merger.run())
            group.create_task(self._look_after_the_quiet())
            for lane in (self._quiet, self._floods):
                group.create_task(self._commit_all_the_time(lane))

    def _wake(self) -> None:
        self._quiet.wake.set()
        self._floods.wake.set()

    async def _look_after_the_quiet(self) -> None:
        """What nobody wakes us for: what nothing followed for a while, and watchers who missed something."""
        while True:
            await asyncio.sleep(TICK)
            await self._hints.remind(LOOK_MESSAGE)
            now = time.monotonic()
            for sink in self._sinks:
                with self._alone(sink):
                    sink.flush_quiet(now)
            self._wake()

    async def _commit_all_the_time(self, lane: _Lane) -> None:
        while True:
            await lane.wake.wait()
            lane.wake.clear()
            waiting = [sink for sink in self._sinks - self._in_hand if sink.waits and lane.takes(sink)]
            share = max(CHUNK_BYTES, min(BATCH_BYTES, COMMIT_BYTES // max(1, len(waiting))))
            self._in_hand.update(waiting)
            try:
                taken = await self._take(waiting, most=share)
                durable = await self._write(taken) if taken else []
            finally:
                self._in_hand.difference_update(waiting)
            if taken:
                # More may have come meanwhile, and for the other lane.
                self._wake()
                if not any(batch.after.charged - batch.before.charged >= share for _, batch in durable):
                    await asyncio.sleep(COMMIT_INTERVAL)

    async def _take(self, waiting: Sequence[LogSink], *, most: int) -> list[Taken]:
        taken: list[Taken] = []
        for sink in waiting:
            with self._alone(sink):
                if (batch := sink.take(time.monotonic(), most=most)) is not None:
                    taken.append((sink, batch))
                    # To encode a megabyte takes milliseconds: others have their turn in between.
                    await asyncio.sleep(0)
        return [each for each in taken if each[0] in self._sinks]

    @contextmanager
    def _alone(self, sink: LogSink) -> Iterator[None]:
        """What cannot be encoded is the misfortune of this log alone."""
        try:
            yield
        except Exception as error:
            log.exception("log.encoding_failed", execution_id=str(sink.lease.execution))
            sink.refuse(error)

    async def _write(self, taken: list[Taken]) -> list[Taken]:
        """What of it is durable now."""
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
                return [each for one in taken for each in await self._write([one])]
            else:
                sink = taken[0][0]
                log.exception("log.write_failed", execution_id=str(sink.lease.execution))
                sink.refuse(error)
            return []
        crash_here(CrashPoint.LOG_COMMITTED)
        await self._hints.publish([message for sink, batch in durable for message in _messages(sink, batch)])
        return durable

    async def _commit(self, taken: list[Taken]) -> list[Taken]:
        """Those of them that are durable now: all but the fenced ones, and those that somebody else holds."""
        began = time.monotonic()
        rows = await _rows(taken)
        async with transaction(self._database) as connection:
            owned, written = await _lock(connection, taken)
            await _store(connection, owned, [row for sink, _ in owned for row in rows[sink]])
        self._metrics.log_committed([batch for _, batch in owned], within=time.monotonic() - began)
        durable = owned + written
        for sink, batch in durable:
            sink.confirm()
            self._merger.written(sink.lease.execution, batch.chunks)
        return durable


async def _read_rolling(connection: Connection, execution: UUID) -> list[tuple[int, int]]:
    rows = await connection.execute(
        select(LogChunk.last_seq, LogChunk.charge)
        .where(LogChunk.execution_id == execution, LogChunk.rolling)
        .order_by(LogChunk.last_seq),
    )
    return [(row.last_seq, row.charge) for row in rows]


async def _read_last_time(connection: Connection, execution: UUID) -> int:
    """The newest time in it. That is in a chunk, if not in the last: lines of ours may tell of what is long past."""
    of_an_older_version = case((LogChunk.last_ms.is_(None), LogChunk.frame))
    row = (
        await connection.execute(
            select(of_an_older_version, func.max(LogChunk.last_ms).over())
            .where(LogChunk.execution_id == execution, LogChunk.gap.is_(None))
            .order_by(LogChunk.last_seq.desc())
            .limit(1),
        )
    ).one_or_none()
    if row is None:
        return 0
    frame, newest = row
    return max([newest or 0, *(line.at_ms for line in (decode_lines(decompress(frame)) if frame else ()))])


async def _read_unended(connection: Connection, execution: UUID, head: Head) -> list[Stream]:
    """Streams of which this attempt has written nothing yet, and an earlier one has left a line without its end.

    Before a gap nothing is open: readers end it there.
    """
    after = max(0, head.next_seq - 1 - UNENDED_WITHIN)
    untouched = [stream for stream in Stream if not (head.out_bytes if stream is Stream.STDOUT else head.err_bytes)]
    continues: dict[str, bool] = {}
    more = bool(untouched) and head.total_bytes > 0
    while more:
        page = await read_after(connection, execution, after)
        more = page.more
        for part in page.parts:
            after = part.last
            if isinstance(part, Missing):
                continues.clear()
            else:
                continues |= {line.letter: line.continues for line in decode_lines(part.frame)}
    return [stream for stream in untouched if continues.get(stream)]


async def _read_head(connection: Connection, execution: UUID) -> tuple[Head, Unmerged]:
    """The head of a log, and what of it is in chunks."""
    of_the_head = (LogChunk.execution_id == execution, ~LogChunk.rolling)
    row = (
        await connection.execute(
            select(
                LogHead.next_seq,
                LogHead.out_bytes,
                LogHead.err_bytes,
                LogHead.total_bytes,
                LogHead.charged,
                LogHead.truncated,
                LogHead.told_event,
                LogHead.told_steps,
                select(func.count()).where(*of_the_head).scalar_subquery(),
                select(func.coalesce(func.sum(LogChunk.charge), 0)).where(*of_the_head).scalar_subquery(),
            ).where(LogHead.execution_id == execution),
        )
    ).one()
    head = replace(Head(*row[:6]), told=Told(row.told_event, row.told_steps))
    return head, Unmerged(row[8], int(row[9]))


async def _lock(connection: Connection, taken: Sequence[Taken]) -> tuple[list[Taken], list[Taken]]:
    """Those to write, and those that are written already: a COMMIT whose answer was lost may have succeeded."""
    ids = [sink.lease.execution for sink, _ in taken]
    heads = {row.execution_id: row for row in await connection.execute(_LOCK, {"ids": ids})}
    busy = await _read_epochs(connection, set(ids) - heads.keys())
    owned: list[Taken] = []
    written: list[Taken] = []
    for sink, batch in taken:
        execution, epoch = sink.lease.execution, sink.lease.epoch
        head = heads.get(execution)
        if (busy.get(execution) if head is None else head.epoch) != epoch:
            log.info("log.fenced", execution_id=str(execution), epoch=epoch)
            sink.refuse(Fenced())
        elif head is None:
            continue  # its turn comes again
        elif head.next_seq == batch.before.next_seq:
            owned.append((sink, batch))
        else:
            written.append((sink, batch))
    return owned, written


async def _read_epochs(connection: Connection, executions: Collection[UUID]) -> dict[UUID, int]:
    """Under which epoch logs are written whose row is locked by somebody else right now."""
    if not executions:
        return {}
    rows = await connection.execute(
        select(LogHead.execution_id, LogHead.epoch).where(LogHead.execution_id.in_(executions))
    )
    return {row.execution_id: row.epoch for row in rows}


async def _rows(taken: Sequence[Taken]) -> dict[LogSink, list[dict[str, Any]]]:
    """The chunks of these batches as they are stored."""
    size = sum(len(chunk.frame or b"") for _, batch in taken for chunk in batch.chunks)
    if size > COMPRESSED_HERE_BYTES:
        return await asyncio.to_thread(_compressed, taken)
    return _compressed(taken)


def _compressed(taken: Sequence[Taken]) -> dict[LogSink, list[dict[str, Any]]]:
    return {
        sink: [
            {
                "execution_id": sink.lease.execution,
                "last_seq": chunk.last,
                "first_seq": chunk.first,
                "charge": chunk.charge,
                "rolling": chunk.rolling,
                "frame": None if chunk.frame is None else compress(chunk.frame),
                "raw": chunk.raw,
                "gap": chunk.gap,
                "first_ms": chunk.first_ms,
                "last_ms": chunk.last_ms,
            }
            for chunk in batch.chunks
        ]
        for sink, batch in taken
    }


async def _store(connection: Connection, owned: Sequence[Taken], rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(LogChunk), rows)
    trims = [(sink.lease.execution, batch.trim_below) for sink, batch in owned if batch.trim_below is not None]
    if trims:
        await connection.execute(_TRIM, {"ids": [id_ for id_, _ in trims], "below": [below for _, below in trims]})
    if owned:
        heads = [batch.after for _, batch in owned]
        moved: dict[str, list[Any]] = {name: [getattr(head, name) for head in heads] for name in _COLUMNS}
        moved |= {
            "told_event": [head.told.event for head in heads],
            "told_steps": [int(head.told.steps) for head in heads],
        }
        await connection.execute(_MOVE_HEADS, {"ids": [sink.lease.execution for sink, _ in owned], **moved})


_COLUMNS = ("next_seq", "out_bytes", "err_bytes", "total_bytes", "charged", "truncated")


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
