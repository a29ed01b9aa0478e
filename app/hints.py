"""Hints over Redis: bells, control, and frames on their way to watchers. All may be lost; Postgres is the truth.

Sending never fails and never takes longer than `SEND_TIMEOUT`: what Redis did not take, the receiver finds by looking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import orjson
import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from app.cancellation import heeding_cancellation

log = structlog.get_logger(__name__)

SEND_TIMEOUT = 0.25
# Before more than this is sent, it is asked who listens at all.
ASKED_FROM_BYTES = 64 * 1024
# What the client raises when Redis is away. To uvloop, writing to what broke a moment ago is a RuntimeError.
AWAY = (RedisError, OSError, TimeoutError, RuntimeError)


def encode_job(job: dict[str, Any]) -> bytes:
    """Arq's serialiser: JSON, since arq's default would let whoever writes to Redis run code here."""
    return orjson.dumps(job, default=str)


def decode_job(data: bytes) -> dict[str, Any]:
    """The other way round."""
    decoded: dict[str, Any] = orjson.loads(data)
    return decoded


class Channels:
    """Names in Redis. Installations that share one server set different prefixes."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def bell(self, pool: str) -> str:
        """Something was queued in this pool."""
        return f"{self._prefix}:bell:{pool}"

    def queue(self, pool: str) -> str:
        """The arq queue of the pool's doorbells."""
        return f"{self._prefix}:arq:{pool}"

    def control(self, worker: UUID) -> str:
        """An execution of this worker has a new intent."""
        return f"{self._prefix}:control:{worker.hex}"

    def execution(self, execution: UUID) -> str:
        """Frames of one execution, live."""
        return f"{self._prefix}:tail:{execution.hex}"

    @property
    def events(self) -> str:
        """Something happened to an execution, whichever: a bell, or what its program says of its progress."""
        return f"{self._prefix}:events"

    @property
    def schedules(self) -> str:
        """A schedule was made, changed or enabled: it may be due earlier than was thought."""
        return f"{self._prefix}:schedules"

    @property
    def tokens(self) -> str:
        """A token is not valid any more: its id."""
        return f"{self._prefix}:tokens"

    @property
    def rates(self) -> str:
        """How often tokens and addresses have come: the first part of the names of these counters."""
        return f"{self._prefix}:rates"

    @property
    def keepalive(self) -> str:
        """Nothing is ever sent here; being subscribed keeps a listener's connection in subscriber mode."""
        return f"{self._prefix}:keepalive"


class Hints:
    """The sending side."""

    def __init__(self, redis: ArqRedis, channels: Channels) -> None:
        self._redis = redis
        self._channels = channels
        # Executions whose watchers may have missed something: at most those that this process wrote of.
        self._lost: set[UUID] = set()

    async def ring(self, pool: str) -> None:
        """Something was queued: wake the workers of its pool, by a hint for those that listen and an arq job for
        whoever comes first, and those who follow all executions.
        """

        async def send() -> None:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.publish(self._channels.bell(pool), b"")
                pipe.publish(self._channels.events, b"")
                await pipe.execute()
            queue = self._channels.queue(pool)
            # One bell is enough however many were queued: while it waits, arq refuses another of its id.
            await self._redis.enqueue_job("ring", _job_id=f"{queue}:bell", _queue_name=queue)

        await self._bounded("bell", send)

    async def control(self, worker: UUID) -> None:
        """Tell a worker that one of its executions has a new intent."""
        await self._bounded("control", lambda: self._redis.publish(self._channels.control(worker), b""))

    async def reschedule(self) -> None:
        """Tell whoever fires schedules that one of them may be due."""
        await self._bounded("schedules", lambda: self._redis.publish(self._channels.schedules, b""))

    async def revoked(self, token: UUID) -> None:
        """Tell all that have something open by this token."""
        await self._bounded("tokens", lambda: self._redis.publish(self._channels.tokens, token.bytes))

    async def publish(self, frames: Sequence[tuple[UUID, bytes]], *, to_all: bytes | None = None) -> None:
        """Send committed frames to whoever watches their executions, and `to_all` to those who follow all of them."""
        if sum([len(frame) for _, frame in frames]) > ASKED_FROM_BYTES:
            frames = await self._wanted(frames)
        if (frames or to_all is not None) and not await self._send("frames", frames, to_all=to_all):
            self._lost.update(execution for execution, _ in frames)

    async def _wanted(self, frames: Sequence[tuple[UUID, bytes]]) -> Sequence[tuple[UUID, bytes]]:
        """Those that somebody listens to; all where nobody says. Who begins to listen now finds them in the store."""
        channels = {self._channels.execution(execution).encode(): execution for execution, _ in frames}
        watched: set[UUID] = set()

        async def ask() -> None:
            for channel, listeners in await self._redis.pubsub_numsub(*channels):
                if listeners:
                    watched.add(channels[channel])

        if not await self._bounded("listeners", ask):
            return frames
        return [(execution, frame) for execution, frame in frames if execution in watched]

    async def remind(self, message: bytes) -> None:
        """Send this to the watchers of whatever could not be sent, so that they look now. Call it now and then."""
        if self._lost:
            lost = frozenset(self._lost)
            if await self._send("reminders", [(execution, message) for execution in lost]):
                self._lost -= lost

    async def _send(self, what: str, frames: Sequence[tuple[UUID, bytes]], *, to_all: bytes | None = None) -> bool:
        async def send() -> None:
            async with self._redis.pipeline(transaction=False) as pipe:
                for execution, frame in frames:
                    pipe.publish(self._channels.execution(execution), frame)
                if to_all is not None:
                    pipe.publish(self._channels.events, to_all)
                await pipe.execute()

        return await self._bounded(what, send)

    async def _bounded(self, what: str, send: Callable[[], Awaitable[object]]) -> bool:
        try:
            with heeding_cancellation():
                async with asyncio.timeout(SEND_TIMEOUT):
                    await send()
        except AWAY as error:
            log.warning("hint.lost", what=what, error=repr(error))
            return False
        return True
