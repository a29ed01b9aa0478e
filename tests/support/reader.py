"""A reader of a log who believes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import orjson

from app.bootstrap import Process
from app.logs.protocol import Line, decode_lines
from app.logs.store import Chunk, Missing
from app.logs.tail import CaughtUp, Ended, Item, Notice, tail
from support.logbook import raw
from worker.engine.port import Stream

# Longer than anything may take here; only what hangs meets it.
ENOUGH = 60.0


@dataclass
class Reader:
    """What comes must continue exactly where it was."""

    process: Process
    execution: UUID
    after: int = 0
    event: int = 0
    lines: list[Line] = field(default_factory=list)
    gaps: list[Missing] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    caught_up: int = 0
    end: Ended | None = None

    async def read(self, *, most: int | None = None, follow: bool = True) -> None:
        """So many items, or all there will be; then the connection is dropped."""
        async with asyncio.timeout(ENOUGH), aclosing(self.items(follow=follow)) as items:
            async for item in items:
                self.take(item)
                if most is not None:
                    most -= 1
                    if most <= 0:
                        return

    def items(self, *, follow: bool = True) -> AsyncGenerator[Item, None]:
        items = tail(self.process, self.execution, after=self.after, event=self.event, follow=follow)
        return cast("AsyncGenerator[Item, None]", items)

    def take(self, item: Item) -> None:
        assert self.end is None, "something came after the end"
        match item:
            case Chunk():
                lines = decode_lines(item.frame, item.raw)
                assert [line.seq for line in lines] == list(range(self.after + 1, item.last + 1))
                assert (item.first, item.last) == (lines[0].seq, lines[-1].seq)
                self.lines += lines
                self.after = item.last
            case Missing():
                assert item.first == self.after + 1
                assert item.last >= item.first
                self.gaps.append(item)
                self.after = item.last
            case Notice():
                self._hear(orjson.loads(item.frame))
            case CaughtUp():
                self.caught_up += 1
            case Ended():
                assert item.after == self.after
                self.end = item

    def _hear(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "status":
            self.event += 1
            self.statuses.append(frame["status"])
        else:
            self.progress.append(int(frame["percent"]))

    @property
    def text(self) -> bytes:
        return raw(self.lines, Stream.STDOUT)
