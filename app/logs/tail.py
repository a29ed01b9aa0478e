"""The one reader of logs: everything after a cursor from the store, then live, without loss or repetition.

Subscribe first, read the store second; of what then arrives live accept only the line that comes next. Anything else
(a hole, a broken connection, a backlog that overflowed) sends the reader back to the store, which has it all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

import orjson
import structlog

from app.bootstrap import Process
from app.db.engine import is_outage, snapshot
from app.executions import repository
from app.executions.model import Event
from app.executions.record import Record
from app.listener import Missed, Subscription
from app.logs.protocol import Kind, decode_lines, encode_lines, progress_frame, status_frame, unpack_message
from app.logs.store import Chunk, Missing, Page, read_after

log = structlog.get_logger(__name__)

# Only a lost hint makes a reader wait so long.
LOOK_ANYWAY_EVERY = 15.0
LOOK_WITHOUT_HINTS_EVERY = 0.5
RETRY_AFTER_OUTAGE = 1.0


@dataclass(frozen=True, slots=True)
class Notice:
    """A frame that is not part of the log: status or progress."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All that was stored has been read; what follows is live. `record` is how the execution stands."""

    record: Record


@dataclass(frozen=True, slots=True)
class Ended:
    """There will be no more; `after` is the cursor now."""

    record: Record
    after: int


Item = Chunk | Missing | Notice | CaughtUp | Ended


@dataclass(frozen=True, slots=True)
class _Snapshot:
    record: Record
    events: list[Event]
    page: Page


class _Cursor:
    def __init__(self, after: int, event: int) -> None:
        self.seq = after
        self.event = event
        self.progress: bytes | None = None


async def tail(
    process: Process, execution: UUID, *, after: int, event: int, follow: bool = True
) -> AsyncIterator[Item]:
    """Everything after line `after` and event number `event`, in order; with `follow`, until the execution ends.

    Ends silently when the execution is deleted meanwhile. Survives outages of Postgres and Redis.
    """
    cursor = _Cursor(after, event)
    async with process.listener.subscribe(process.channels.execution(execution)) as feed:
        while True:
            last: Item | None = None
            async for last in _catch_up(process, execution, cursor):
                yield last
            if not (follow and isinstance(last, CaughtUp)):
                return
            async for item in _live(process, feed, cursor):
                yield item


async def _catch_up(process: Process, execution: UUID, cursor: _Cursor) -> AsyncIterator[Item]:
    """What is stored; the last item is `CaughtUp` or `Ended`, or neither when the execution is deleted."""
    while True:
        # No connection is held while the consumer, who may be slow, takes its items.
        snapshot = await _look(process, execution, cursor)
        if snapshot is None:
            return
        for part in snapshot.page.parts:
            yield _beyond(part, cursor.seq)
            cursor.seq = part.last
        progress = _progress(snapshot.record)
        if progress is not None and progress != cursor.progress:
            cursor.progress = progress
            yield Notice(progress)
        for event in snapshot.events:
            cursor.event = event.number
            yield Notice(status_frame(event))
        if not snapshot.page.more:
            break
    # The end is committed after the last line, and the snapshot is of one moment.
    if snapshot.record.is_terminal:
        yield Ended(snapshot.record, cursor.seq)
    else:
        yield CaughtUp(snapshot.record)


async def _look(process: Process, execution: UUID, cursor: _Cursor) -> _Snapshot | None:
    while True:
        try:
            async with snapshot(process.database) as connection:
                record = await repository.find(connection, execution)
                if record is None:
                    return None
                page = await read_after(connection, execution, cursor.seq)
                events = await repository.list_events(connection, execution, after=cursor.event)
            return _Snapshot(record, events, page)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("tail.database_away", execution_id=str(execution), error=repr(error))
            await asyncio.sleep(RETRY_AFTER_OUTAGE)


async def _live(process: Process, feed: Subscription, cursor: _Cursor) -> AsyncIterator[Item]:
    """What arrives in order; returns when the store must be asked."""
    while True:
        try:
            data = await feed.get(LOOK_ANYWAY_EVERY if process.listener.connected else LOOK_WITHOUT_HINTS_EVERY)
        except Missed:
            return
        if data is None:
            return
        kind, first, last, frame = unpack_message(data)
        if kind is Kind.PROGRESS:
            cursor.progress = frame
            yield Notice(frame)
        elif kind is Kind.LOOK:
            # Something was not sent; what it was is in the store.
            return
        elif kind is Kind.STATUS:
            if first > cursor.event:
                # Through the store: a terminal status comes after all lines, and a record goes with it.
                return
        elif first > cursor.seq + 1:
            return
        elif last > cursor.seq:
            part = Chunk(first, last, frame, None) if kind is Kind.LINES else _missing(frame)
            yield _beyond(part, cursor.seq)
            cursor.seq = last


def _progress(record: Record) -> bytes | None:
    """The frame in which its progress was last published."""
    if record.progress_at is None:
        return None
    return progress_frame(record.progress_percent, record.progress_phase, record.progress_at)


def _missing(frame: bytes) -> Missing:
    content = orjson.loads(frame)
    return Missing(content["from"], content["to"], content["reason"])


def _beyond(part: Chunk | Missing, seq: int) -> Chunk | Missing:
    """The rest of a part after line `seq`."""
    if part.first > seq:
        return part
    if isinstance(part, Missing):
        return replace(part, first=seq + 1)
    rest = [line for line in decode_lines(part.frame, part.raw) if line.seq > seq]
    frame, raw = encode_lines(seq + 1, [line.entry for line in rest])
    return Chunk(seq + 1, part.last, frame, raw)
