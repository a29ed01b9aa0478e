"""What goes on as long as a token is valid, and no longer; and when each token was used.

Hints make the end of a token felt at once, looking makes it sure: the database alone says whether one is valid.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog

from app.auth.repository import NOTED_EVERY, list_valid, note_used
from app.db.engine import is_outage, reading, transaction
from app.errors import NotAuthenticated
from app.listener import Listener, Missed, Subscription

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from app.auth.service import Caller

log = structlog.get_logger(__name__)

LOOK_EVERY = 5.0
LOOK_WITHOUT_HINTS_EVERY = 1.0
# Later than this an end is noticed by looking: not every event loop has timers for years.
LONGEST_TIMER = 86_400.0
T = TypeVar("T")

Ended = asyncio.Future[None]


class Holding:
    """Who of this process has something open, by which token."""

    def __init__(self) -> None:
        self._held: defaultdict[UUID, set[Ended]] = defaultdict(set)
        # Uses that are not noted yet, and when those that are were, on the clock of the loop.
        self._used: set[UUID] = set()
        self._noted: dict[UUID, float] = {}
        # Of whom a hint came lately: one of them may have been let in a moment before, and begin to hold now.
        self._suspects: dict[UUID, float] = {}
        self._hints: Subscription | None = None

    @contextmanager
    def hold(self, caller: Caller) -> Iterator[Ended]:
        """What is given is done once the token of the caller is not valid any more. Of who has none it never is."""
        loop = asyncio.get_running_loop()
        ended: Ended = loop.create_future()
        token = caller.token_id
        if token is None:
            yield ended
            return
        left = caller.expires_in
        timer = loop.call_later(max(0.0, left), _end, ended) if left is not None and left < LONGEST_TIMER else None
        self._held[token].add(ended)
        if token in self._suspects:
            self._look_now()
        try:
            yield ended
        finally:
            if timer is not None:
                timer.cancel()
            self._held[token].discard(ended)
            if not self._held[token]:
                del self._held[token]

    async def while_valid(self, caller: Caller, work: Callable[[], Awaitable[T]]) -> T:
        """What the work gives, which is cancelled when the token ends. Raises `NotAuthenticated` and what it does."""
        with self.hold(caller) as ended:
            working = asyncio.ensure_future(work())
            first: set[asyncio.Future[Any]] = {working, ended}
            try:
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not working.done():
                    working.cancel()
                    await asyncio.wait({working})
        if ended.done() and working.cancelled():
            raise no_longer_valid()
        return working.result()

    def use(self, token: UUID) -> None:
        """Somebody came with it."""
        self._used.add(token)

    def suspect(self, token: UUID) -> None:
        """It may not be valid any more."""
        self._suspects[token] = asyncio.get_running_loop().time()
        self._look_now()

    async def run(self, database: AsyncEngine, listener: Listener, channel: str) -> None:
        """Look after all of it until cancelled."""
        async with listener.subscribe(channel) as self._hints:
            while True:
                try:
                    heard = await self._hints.get(LOOK_EVERY if listener.connected else LOOK_WITHOUT_HINTS_EVERY)
                except Missed:
                    heard = None
                try:
                    if heard is not None:
                        self._suspects[UUID(bytes=heard)] = asyncio.get_running_loop().time()
                    await self.look(database)
                    await self.note(database)
                except Exception as error:
                    if is_outage(error):
                        log.warning("tokens.database_away", error=repr(error))
                    else:
                        # To look no more would leave open what is to end.
                        log.exception("tokens.failed")

    async def look(self, database: AsyncEngine) -> None:
        """End what is held by tokens that are not valid. Raises what the database raises."""
        held = list(self._held)
        if held:
            async with reading(database) as connection:
                valid = await list_valid(connection, held)
            for token in set(held) - valid:
                for ended in self._held.get(token, ()):
                    _end(ended)
        self._suspects = _younger(self._suspects)

    async def note(self, database: AsyncEngine) -> None:
        """Write down which tokens were used. Raises what the database raises."""
        self._noted, used = _younger(self._noted), frozenset(self._used)
        if new := used - self._noted.keys():
            async with transaction(database) as connection:
                await note_used(connection, sorted(new))
            self._noted |= dict.fromkeys(new, asyncio.get_running_loop().time())
        self._used -= used

    def _look_now(self) -> None:
        if self._hints is not None:
            self._hints.miss()


def no_longer_valid() -> NotAuthenticated:
    """The error of who had something open."""
    return NotAuthenticated("The token is not valid any more.", hint="It was revoked, or has expired.")


def _end(ended: Ended) -> None:
    if not ended.done():
        ended.set_result(None)


def _younger(times: dict[UUID, float]) -> dict[UUID, float]:
    """Those of the last minute."""
    since = asyncio.get_running_loop().time() - NOTED_EVERY
    return {each: at for each, at in times.items() if at > since}
