"""The feed: events of all executions, read once per process, for however many sockets follow them.

Hints make it fast, looking makes it sure: whatever rings, events come from the store, in the order of their positions,
and only as far as nothing can appear between them any more (`settled`). A socket that was away or too slow reads the
same from the store by itself, and then goes on live.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog

from app.bootstrap import Process
from app.db.engine import Connection, is_outage, reading
from app.events import store
from app.events.following import until_writers_end
from app.events.protocol import BELL, hello_frame, resync_frame, unpack_progress
from app.events.store import BatchEnded, Happened, Progressed
from app.events.wanted import Item, Wanted
from app.listener import Missed, Subscription

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Only a lost hint makes a socket wait so long; without hints, looking for events and for progress is all there is.
LOOK_ANYWAY_EVERY = 2.0
LOOK_WITHOUT_HINTS_EVERY = 1.0
# What rings within so many seconds is one look.
GATHER = 0.05
PROGRESS_WITHIN = timedelta(seconds=5)
PAGE = 500
# Beyond that, to list the executions again is less work than to hear what happened to each.
RESYNC_BEYOND = 10_000
BACKLOG = 1000
RETRY_AFTER_OUTAGE = 1.0
JOIN_WITHIN = 10.0


class Behind(Exception):
    """More came than a socket has room for: what it lacks is in the store."""


class Seat:
    """One socket's bounded backlog of what it wants."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._items: deque[Item] = deque()
        self._behind = False
        self._ready = asyncio.Event()

    @property
    def empty(self) -> bool:
        """Whether it has had all that was handed out so far."""
        return not self._items and not self._behind

    def put(self, item: Item) -> None:
        """Never waits: a full backlog is dropped whole, since its socket must go to the store anyway."""
        if not self.wanted.takes(item):
            return
        if len(self._items) == BACKLOG:
            self.miss()
        elif not self._behind:
            self._items.append(item)
            self._ready.set()

    def miss(self) -> None:
        """Send the socket to the store."""
        self._items.clear()
        self._behind = True
        self._ready.set()

    async def get(self) -> Item:
        """The next one. Raises `Behind`."""
        await self._ready.wait()
        if self._behind:
            self._behind = False
            self._ready.clear()
            raise Behind
        item = self._items.popleft()
        if not self._items:
            self._ready.clear()
        return item


@dataclass(slots=True)
class Place:
    """How far one socket has come."""

    cursor: int


class Feed:
    """The one feed of a process. It looks only while somebody has a seat."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._seats: set[Seat] = set()
        self._taken = asyncio.Event()
        self._settled: int | None = None
        self._last_said: set[bytes] = set()

    @property
    def settled(self) -> int:
        """The position up to which everything was handed out."""
        return self._settled or 0

    async def run(self) -> None:
        """Follow the store until cancelled."""
        while True:
            await self._taken.wait()
            try:
                await self._follow_store()
            except Exception:
                # To be silent for ever would be worse, whatever it was.
                log.exception("events.failed")
                await asyncio.sleep(RETRY_AFTER_OUTAGE)
            if not self._seats:
                self._taken.clear()
                self._settled = None

    async def _follow_store(self) -> None:
        """Until nobody has a seat any more."""
        async with self._process.listener.subscribe(self._process.channels.events) as hints:
            while self._seats:
                await self._persist(self._look_once)
                await self._until_next_look(hints)

    async def join(self, wanted: Wanted) -> Seat:
        """Take a seat; whatever was committed before is not beyond `settled` then. Raises what the database raises."""
        seat = Seat(wanted)
        self._seats.add(seat)
        self._taken.set()
        try:
            async with asyncio.timeout(JOIN_WITHIN):
                await self._look_once()
        except BaseException:
            self.leave(seat)
            raise
        return seat

    def leave(self, seat: Seat) -> None:
        """Give it back."""
        self._seats.discard(seat)

    async def follow(self, seat: Seat, after: int | None) -> AsyncGenerator[bytes]:
        """Frames for one socket, without end: from `after` on, or from now.

        Nothing is left out and nothing comes twice, for as long as nobody is behind by more than `RESYNC_BEYOND`.
        """
        place = Place(self.settled if after is None else after)
        lost = self._is_lost(place)
        yield hello_frame(self.settled if lost else place.cursor)
        while True:
            async for frame in self._catch_up(seat, place):
                yield frame
            async for frame in self._live(seat, place):
                yield frame

    async def _catch_up(self, seat: Seat, place: Place) -> AsyncIterator[bytes]:
        """What the store has and was not handed out to this seat."""
        while place.cursor != self.settled:
            if self._is_lost(place):
                place.cursor = self.settled
                yield resync_frame(place.cursor)
                return
            # Of positions, not of events: so that each step is short, whatever is wanted.
            upto = min(place.cursor + PAGE, self.settled)
            page = await self._persist(partial(self._read, place.cursor, upto))
            place.cursor = upto
            for item in page:
                if seat.wanted.takes(item):
                    yield item.frame

    async def _live(self, seat: Seat, place: Place) -> AsyncIterator[bytes]:
        """What is handed out; returns when the store must be asked."""
        while True:
            if seat.empty:
                # What was not for this seat is behind it, too.
                place.cursor = self.settled
            try:
                item = await seat.get()
            except Behind:
                return
            if isinstance(item, Progressed):
                yield item.frame
            elif item.position > place.cursor:
                place.cursor = item.position
                yield item.frame

    def _is_lost(self, place: Place) -> bool:
        return not 0 <= self.settled - place.cursor <= RESYNC_BEYOND

    async def _look_once(self) -> None:
        """A look that begins after now."""
        await self._process.sharing.ask(self, self._look)

    async def _look(self) -> None:
        """Hand out what is new and settled."""
        top = await self._ask(store.last_position)
        if self._settled is None or not 0 <= top - self._settled <= RESYNC_BEYOND:
            await until_writers_end(self._process.database)
            self._settled = top
            for seat in self._seats:
                seat.miss()
            return
        while self._settled < top:
            page, upto = await self._next_page(self._settled, top)
            if len(page) < upto - self._settled:
                # What is missing is not committed yet, or never will be.
                await until_writers_end(self._process.database)
                page, upto = await self._next_page(self._settled, top)
            for item in page:
                self._hand_out(item)
            self._settled = upto

    async def _next_page(self, after: int, top: int) -> tuple[list[Happened | BatchEnded], int]:
        """Events behind `after`, and the position that is reached with them."""
        page = await self._read(after, top)
        return page, page[-1].position if len(page) == PAGE else top

    def _hand_out(self, item: Item) -> None:
        for seat in self._seats:
            seat.put(item)

    async def _until_next_look(self, hints: Subscription) -> None:
        """Return when something may have happened; pass progress on meanwhile."""
        now = asyncio.get_running_loop().time
        connected = self._process.listener.connected
        try:
            if await self._hear(hints, now() + (LOOK_ANYWAY_EVERY if connected else LOOK_WITHOUT_HINTS_EVERY)):
                gathered = now() + GATHER
                while await self._hear(hints, gathered):
                    pass
        except Missed:
            pass
        if not self._process.listener.connected:
            await self._persist(self._look_for_progress)

    async def _hear(self, hints: Subscription, until: float) -> bool:
        """Pass progress on until it rings; False when that did not happen by then. Raises `Missed`."""
        now = asyncio.get_running_loop().time
        while (left := until - now()) > 0 and (message := await hints.get(left)) is not None:
            if message == BELL:
                return True
            self._hand_out(Progressed(*unpack_progress(message)))
        return False

    async def _look_for_progress(self) -> None:
        """Hand out what programs said since the last look: nobody else tells us."""
        said = await self._ask(partial(store.list_progress, within=PROGRESS_WITHIN))
        for progress in said:
            if progress.frame not in self._last_said:
                self._hand_out(progress)
        self._last_said = {progress.frame for progress in said}

    async def _read(self, after: int, upto: int) -> list[Happened | BatchEnded]:
        return await self._ask(partial(store.read_between, after=after, upto=upto, most=PAGE))

    async def _ask(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        async with reading(self._process.database) as connection:
            return await look(connection)

    async def _persist(self, act: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await act()
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("events.database_away", error=repr(error))
                await asyncio.sleep(RETRY_AFTER_OUTAGE)
