"""The one reader of logs: everything after a cursor from the store, then live, without loss or repetition.

Subscribe first, read the store second; of what then arrives live accept only the line that comes next. Anything else
(a hole, a broken connection, a backlog that overflowed) sends the reader back to the store, which has it all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from app.bootstrap import Process
from app.db.engine import is_outage, snapshot
from app.executions import repository
from app.executions.model import Event
from app.executions.record import Record
from app.listener import Missed, Subscription
from app.logs.live import JOIN_BYTES, Live, runs
from app.logs.protocol import Kind, decode_lines, encode_lines, progress_frame, status_frame
from app.logs.store import Chunk, Missing, Page, read_after

log = structlog.get_logger(__name__)

# Only a lost hint makes a reader wait so long.
LOOK_ANYWAY_EVERY = 15.0
LOOK_WITHOUT_HINTS_EVERY = 0.5
RETRY_AFTER_OUTAGE = 1.0
# Lines arrive a little later than they were written, and two hosts' clocks differ.
LATE_SECONDS = 2.0
# After an outage workers have to write what they could not.
SETTLED_AFTER_OUTAGE = 5.0
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Notice:
    """A frame that is not part of the log: status or progress."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All that was stored has been read; what follows is live. `record` is how the execution stands.

    What was written before the unix time `has_all_before` has been read.
    """

    record: Record
    has_all_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """There will be no more; `after` is the cursor now."""

    record: Record
    after: int


Item = Chunk | Missing | Notice | CaughtUp | Ended


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Snapshot:
    record: Record
    events: list[Event]
    page: Page


class _Cursor:
    def __init__(self, after: int, event: int, until: float) -> None:
        self.seq = after
        self.event = event
        self.progress: bytes | None = None
        self.has_all_before = 0.0
        self._until = until
        self._looked_at = self._failed_at = 0.0

    def looked(self, at: float) -> None:
        """The store was read as it stood at this time, or a little later."""
        self._looked_at = at
        if at >= self._failed_at + SETTLED_AFTER_OUTAGE:
            self.has_all_before = at - LATE_SECONDS

    def failed(self, at: float) -> None:
        """The store could not be read."""
        self._failed_at = at

    @property
    def looks_at(self) -> float:
        """When the store is to be asked, whatever arrives, so that who waits for a time learns that it is over."""
        if self.has_all_before >= self._until:
            return NEVER
        if self._looked_at < self._until:
            return self._until
        return max(self._until + LATE_SECONDS, self._failed_at + SETTLED_AFTER_OUTAGE)


async def tail(
    process: Process, execution: UUID, *, after: int, event: int, follow: bool = True, until: float = NEVER
) -> AsyncIterator[Item]:
    """Everything after line `after` and event number `event`, in order; with `follow`, until the execution ends.

    Soon after the unix time `until` a `CaughtUp` says that there is no more from before. Ends silently when the
    execution is deleted meanwhile. Survives outages of Postgres and Redis.
    """
    cursor = _Cursor(after, event, until)
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
            yield part
            cursor.seq = part.last
        if not snapshot.page.more:
            break
    progress = _progress(snapshot.record)
    if progress is not None and progress != cursor.progress:
        cursor.progress = progress
        yield Notice(progress)
    for event in snapshot.events:
        cursor.event = event.number
        yield Notice(status_frame(event))
    # The end is committed after the last line, and the snapshot is of one moment.
    if snapshot.record.is_terminal:
        yield Ended(snapshot.record, cursor.seq)
    else:
        yield CaughtUp(snapshot.record, cursor.has_all_before)


async def _look(process: Process, execution: UUID, cursor: _Cursor) -> _Snapshot | None:
    """Shared by all who are as far: at the end of an execution, and when an API is back, they all look at once."""
    seq, event = cursor.seq, cursor.event
    question = (execution, seq, event)
    # A page in the middle of a log stays as it is; what slow readers still hold of it is one, however many they are.
    held: _Snapshot | None = process.pages.get(question)
    if held is not None:
        return held
    while True:
        began = time.time()
        try:
            seen = await process.sharing.ask(question, lambda: _see(process, execution, seq, event))
            if seen is not None and seen.page.more:
                process.pages[question] = seen
            cursor.looked(began)
            return seen
        except Exception as error:
            if not is_outage(error):
                raise
            cursor.failed(time.time())
            log.warning("tail.database_away", execution_id=str(execution), error=repr(error))
            await asyncio.sleep(RETRY_AFTER_OUTAGE)


async def _see(process: Process, execution: UUID, seq: int, event: int) -> _Snapshot | None:
    async with snapshot(process.database) as connection:
        record = await repository.find(connection, execution)
        if record is None:
            return None
        page = await read_after(connection, execution, seq)
        events = await repository.list_events(connection, execution, after=event)
    parts = [_beyond(part, seq) for part in page.parts]
    return _Snapshot(record, events, replace(page, parts=parts))


async def _live(process: Process, feed: Subscription, cursor: _Cursor) -> AsyncIterator[Item]:
    """What arrives in order; returns when the store must be asked, which has all that had arrived by then."""
    while True:
        within = LOOK_ANYWAY_EVERY if process.listener.connected else LOOK_WITHOUT_HINTS_EVERY
        if cursor.looks_at < NEVER and (within := min(within, cursor.looks_at - time.time())) <= 0:
            return
        try:
            heard = await feed.take(within, most=JOIN_BYTES)
        except Missed:
            return
        if not heard:
            return
        for run in runs(heard):
            if not _follows(run[0], cursor):
                return
            if (item := _take(run, cursor)) is not None:
                yield item


def _follows(live: Live, cursor: _Cursor) -> bool:
    """Whether it can be taken as it comes. Else the store has more than what arrived."""
    match live.kind:
        case Kind.LINES | Kind.GAP:
            return live.first <= cursor.seq + 1
        case Kind.STATUS:
            # Through the store: a terminal status comes after all lines, and a record goes with it.
            return live.first <= cursor.event
        case Kind.PROGRESS:
            return True
        case Kind.LOOK:
            return False


def _take(run: Sequence[Live], cursor: _Cursor) -> Item | None:
    """What of these messages is new, and the cursor behind it."""
    if run[0].kind is Kind.PROGRESS:
        cursor.progress = run[0].frame
        return Notice(run[0].frame)
    new = [live for live in run if live.last > cursor.seq]
    if not new or run[0].kind is Kind.STATUS:
        return None
    part = new[0].joined(new[1:]) if run[0].kind is Kind.LINES else new[0].missing()
    rest, cursor.seq = _beyond(part, cursor.seq), part.last
    return rest


def _progress(record: Record) -> bytes | None:
    """The frame in which its progress was last published."""
    if record.progress_at is None:
        return None
    return progress_frame(record.progress_percent, record.progress_phase, record.progress_at)


def _beyond(part: Chunk | Missing, seq: int) -> Chunk | Missing:
    """The rest of a part after line `seq`."""
    if part.first > seq:
        return part
    if isinstance(part, Missing):
        return replace(part, first=seq + 1)
    rest = [line for line in decode_lines(part.frame, part.raw) if line.seq > seq]
    frame, raw = encode_lines(seq + 1, [line.entry for line in rest])
    return Chunk(seq + 1, part.last, frame, raw)
