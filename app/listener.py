"""The receiving side of hints: one Redis connection per process, however many listen.

A subscriber gets messages in order, or learns that it may have missed some (`Missed`): then it looks in Postgres.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from app.hints import AWAY

log = structlog.get_logger(__name__)

BACKLOG_BYTES = 4 * 2**20
CONFIRM_TIMEOUT = 1.0
RECONNECT_DELAY = 0.5
T = TypeVar("T")


class Missed(Exception):
    """Messages may have been lost: the connection broke, or the subscriber was too slow. Look in the store."""


class Heard:
    """One message, the same object for all who hear it: what one of them makes of it, the others find made."""

    __slots__ = ("_made", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._made: Any = None

    def made(self, make: Callable[[bytes], T]) -> T:
        """What `make` gives; all who call this of one channel mean the same."""
        if self._made is None:
            self._made = make(self.data)
        made: T = self._made
        return made


class Subscription:
    """One subscriber's bounded backlog of one channel. The messages are everybody's; only the list of them is its own.

    One task reads it.
    """

    def __init__(self) -> None:
        self._messages: deque[Heard] = deque()
        self._bytes = 0
        self._missed = False
        self._waiter: asyncio.Future[None] | None = None
        self._until = self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, message: Heard) -> None:
        """Never waits: a full backlog is dropped whole, since its reader must go to the store anyway."""
        if self._bytes + len(message.data) > BACKLOG_BYTES:
            self.miss()
            return
        self._messages.append(message)
        self._bytes += len(message.data)
        self._wake()

    def miss(self) -> None:
        """Note that something was lost."""
        self._messages.clear()
        self._bytes = 0
        self._missed = True
        self._wake()

    async def get(self, within: float) -> bytes | None:
        """The next message; None when none came `within` seconds. Raises `Missed`."""
        taken = await self.take(within, most=0)
        return taken[0].data if taken else None

    async def take(self, within: float, *, most: int) -> list[Heard]:
        """The next message, and those behind it that make no more than `most` bytes with it; none when none came
        `within` seconds. Raises `Missed`.
        """
        if not (self._messages or self._missed):
            await self._wait(within)
        if self._missed:
            self._missed = False
            raise Missed
        taken: list[Heard] = []
        size = 0
        while self._messages:
            size += len(self._messages[0].data)
            if taken and size > most:
                break
            taken.append(self._messages.popleft())
            self._bytes -= len(taken[-1].data)
        return taken

    def close(self) -> None:
        """Nobody reads it any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _wait(self, within: float) -> None:
        """Until there is something, or the time is over.

        A timer of its own for every wait would be the larger part of what a line costs for each of a thousand readers:
        so one that was set for an earlier wait is left to find out that it came too soon.
        """
        loop = asyncio.get_running_loop()
        self._until = loop.time() + within
        if self._timer is not None and self._due > self._until:
            self.close()
        if self._timer is None:
            self._set_timer(loop)
        self._waiter = loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        # Kept by us: not every handle of uvloop knows its time.
        self._due = self._until
        self._timer = loop.call_at(self._due, self._time_is_over)

    def _time_is_over(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        loop = self._waiter.get_loop()
        if loop.time() < self._until:
            self._set_timer(loop)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Channel:
    """Who listens to one channel, and whether Redis has confirmed every subscription that was sent for it.

    While it is `deaf`, somebody listens to whom Redis does not send yet.
    """

    def __init__(self, *, deaf: bool) -> None:
        self.subscribers: set[Subscription] = set()
        self.confirmed = asyncio.Event()
        self.deaf = deaf


class Listener:
    """Subscribes once per channel and hands each message to every local subscriber."""

    def __init__(self, redis: Redis, keepalive: str) -> None:
        self._redis = redis
        self._keepalive = keepalive
        self._channels: dict[str, _Channel] = {}
        # Subscriptions sent and not confirmed: a channel left and joined again has two on their way.
        self._awaited: Counter[str] = Counter()
        self._pubsub: PubSub | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether hints can arrive now; if not, poll more often."""
        return self._pubsub is not None

    def start(self) -> None:
        """Begin to listen, now and after every loss of the connection."""
        self._task = asyncio.create_task(self._run(), name="listener")

    async def stop(self) -> None:
        """Stop listening; subscribers just hear nothing any more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @asynccontextmanager
    async def subscribe(self, name: str) -> AsyncIterator[Subscription]:
        """Entered once Redis confirmed (or is away): what is sent from now on is received, or `Missed` is raised."""
        subscription = Subscription()
        channel = self._channels.get(name)
        is_new = channel is None
        if channel is None:
            channel = self._channels[name] = _Channel(deaf=not self.connected)
        channel.subscribers.add(subscription)
        try:
            if is_new:
                await asyncio.shield(self._send_subscribe(name))
            if self.connected:
                try:
                    async with asyncio.timeout(CONFIRM_TIMEOUT):
                        await channel.confirmed.wait()
                except TimeoutError:
                    channel.deaf = True
            yield subscription
        finally:
            channel.subscribers.discard(subscription)
            subscription.close()
            if not channel.subscribers and self._channels.get(name) is channel:
                del self._channels[name]
                if self._pubsub is not None:
                    with suppress(*AWAY):
                        await self._pubsub.unsubscribe(name)

    async def _send_subscribe(self, name: str) -> None:
        if self._pubsub is None:
            return
        self._awaited[name] += 1
        # A broken connection is the reading task's to notice and mend.
        with suppress(*AWAY):
            await self._pubsub.subscribe(name)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - whatever it was, to be deaf for ever would be worse
                log.warning("listener.disconnected", error=repr(error))
            finally:
                self._pubsub = None
            self._tell_all_missed()
            await asyncio.sleep(RECONNECT_DELAY)

    async def _listen(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(self._keepalive)
            for channel in self._channels.values():
                channel.confirmed.clear()
                channel.deaf = True
            self._awaited = Counter(dict.fromkeys(self._channels, 1))
            # Whoever comes from here on subscribes by themselves.
            self._pubsub = pubsub
            if self._channels:
                await pubsub.subscribe(*self._channels)
            async for message in pubsub.listen():
                self._dispatch(message["type"], message["channel"].decode(), message["data"])

    def _dispatch(self, kind: str, name: str, data: bytes) -> None:
        channel = self._channels.get(name)
        if kind == "subscribe":
            self._awaited[name] -= 1
            if self._awaited[name] <= 0:
                del self._awaited[name]
                if channel is not None:
                    self._confirm(channel)
        elif kind == "message" and channel is not None:
            heard = Heard(data)
            for subscription in channel.subscribers:
                subscription.put(heard)

    def _confirm(self, channel: _Channel) -> None:
        channel.confirmed.set()
        if channel.deaf:
            # Until this moment messages went by unheard.
            channel.deaf = False
            for subscription in channel.subscribers:
                subscription.miss()

    def _tell_all_missed(self) -> None:
        for channel in self._channels.values():
            for subscription in channel.subscribers:
                subscription.miss()
