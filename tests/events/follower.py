"""Feeds of this process, and a client that believes nothing they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from app.bootstrap import Process
from app.events.feed import Feed
from app.events.protocol import BELL
from app.events.wanted import Wanted
from app.executions.model import Event
from app.logs.protocol import status_message
from support.records import opened

Json = dict[str, Any]


class Replica:
    """A process with a running feed."""

    def __init__(self, process: Process, feed: Feed) -> None:
        self.process = process
        self.feed = feed

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.feed.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert not self._running.done(), "the feed has died"
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running

    async def tell(self, execution: Any, event: Event) -> None:
        """As whoever moved it does after the commit."""
        await self.process.hints.publish([(execution, status_message(event))], to_all=BELL)


@asynccontextmanager
async def replica(database_url: str, redis_url: str, data: Path, **settings: Any) -> AsyncIterator[Replica]:
    """Another process; with the same prefix in Redis it is of the same installation."""
    async with (
        opened(database_url, redis_url, data, database_pool=20, **settings) as process,
        Replica(process, Feed(process)) as running,
    ):
        yield running


@dataclass
class Follower:
    """One client, through as many connections as it likes. Every frame must continue where the one before ended."""

    wanted: Wanted
    cursor: int | None = None
    seen: list[Json] = field(default_factory=list)
    progress: list[Json] = field(default_factory=list)
    deleted: list[Json] = field(default_factory=list)
    batches: list[Json] = field(default_factory=list)
    resyncs: int = 0
    connected: int = 0
    greeting: int = 0

    async def follow(self, replica: Replica, *, frames: int | None = None) -> None:
        """Connect and hear so many frames behind the first, or until cancelled; then drop the connection."""
        seat = await replica.feed.join(self.wanted)
        stream = replica.feed.follow(seat, self.cursor)
        try:
            async for frame in stream:
                self._take(orjson.loads(frame))
                if frames == 0:
                    return
                frames = None if frames is None else frames - 1
        finally:
            await stream.aclose()
            replica.feed.leave(seat)

    def _take(self, frame: Json) -> None:
        match frame["type"]:
            case "hello":
                assert frame.keys() == {"type", "protocol", "cursor"}
                self.connected += 1
                self.cursor = frame["cursor"] if self.cursor is None else self.cursor
                self.greeting = frame["cursor"]
            case "execution":
                assert self.cursor is not None
                assert frame["cursor"] > self.cursor
                self.cursor = frame["cursor"]
                self.seen.append(frame)
            case "deleted":
                assert self.cursor is not None
                assert frame["cursor"] > self.cursor
                self.cursor = frame["cursor"]
                self.deleted.append(frame)
            case "batch":
                assert self.cursor is not None
                assert frame["cursor"] > self.cursor
                self.cursor = frame["cursor"]
                self.batches.append(frame)
            case "progress":
                self.progress.append(frame)
            case "resync":
                self.cursor = frame["cursor"]
                self.resyncs += 1
            case other:
                raise AssertionError(f"a frame of type {other}")

    @property
    def moves(self) -> list[tuple[str, int]]:
        return [(frame["id"], frame["number"]) for frame in self.seen]

    def statuses(self, execution: Any) -> list[str]:
        return [frame["status"] for frame in self.seen if frame["id"] == str(execution)]
