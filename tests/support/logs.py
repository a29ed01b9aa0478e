"""Logs as clients read them, with every rule of the protocol checked on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from support.running import Running

Json = dict[str, Any]


@dataclass
class Follower:
    """A WebSocket client of a whole log that may be cut at any moment and goes on where it was.

    It believes nothing: every frame must continue exactly where the one before ended.
    """

    installation: Running
    execution: str
    after: int = 0
    lines: list[list[Any]] = field(default_factory=list)
    gaps: list[Json] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    progress: list[Json] = field(default_factory=list)
    end: Json | None = None

    async def read(self, *, frames: int | None = None) -> None:
        """Connect and read so many frames (None: until the end), then drop the connection without a word."""
        async with self.installation.tail(self.execution, f"after={self.after}") as socket:
            await self._greet(socket)
            while self.end is None and frames != 0:
                self._take(orjson.loads(await socket.recv()))
                frames = None if frames is None else frames - 1
            if self.end is None:
                socket.transport.abort()
            else:
                assert await close_code(socket) == 1000

    async def read_on(self) -> bool:
        """Like `read`, but a server that is away or goes away is no failure: whether the end was seen."""
        with suppress(OSError, WebSocketException):
            await self.read()
        return self.end is not None

    async def _greet(self, socket: ClientConnection) -> None:
        hello = orjson.loads(await socket.recv())
        assert hello.keys() == {"type", "protocol", "execution", "status", "after"}
        assert (hello["type"], hello["protocol"]) == ("hello", 1)
        assert (hello["execution"], hello["after"]) == (self.execution, self.after)
        self.statuses.append(hello["status"])

    def _take(self, frame: Json) -> None:
        match frame["type"]:
            case "lines":
                assert frame.keys() == {"type", "first", "lines"}
                assert frame["first"] == self.after + 1
                assert frame["lines"]
                self.lines += frame["lines"]
                self.after += len(frame["lines"])
            case "gap":
                assert frame.keys() == {"type", "from", "to", "reason"}
                assert frame["from"] == self.after + 1
                assert frame["to"] >= frame["from"]
                self.gaps.append(frame)
                self.after = frame["to"]
            case "status":
                assert frame.keys() == {"type", "status", "cause", "message", "attempt", "at"}
                self.statuses.append(frame["status"])
            case "progress":
                assert frame.keys() == {"type", "percent", "phase", "at"}
                self.progress.append(frame)
            case "end":
                assert frame.keys() == {"type", "status", "cause", "exit_code", "lines", "bytes", "after"}
                assert frame["after"] == self.after == frame["lines"]
                self.end = frame
            case other:
                raise AssertionError(f"a frame of type {other}")

    def text(self, letter: str = "o") -> str:
        """What one stream wrote."""
        return joined(self.lines, letter)

    @property
    def times(self) -> list[int]:
        """The time of every line, in unix milliseconds."""
        return [line[0] for line in self.lines]


async def close_code(socket: ClientConnection, *, skip: bool = False) -> int:
    """The code with which the server closes; without another frame before, unless those may be skipped."""
    try:
        while True:
            frame = await socket.recv()
            assert skip, f"a frame before the close: {frame!r}"
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


def joined(lines: Iterable[Sequence[Any]], letter: str) -> str:
    """The text of one stream: a line that is marked as continuing has no newline yet."""
    return "".join(line[2] if len(line) > 3 else line[2] + "\n" for line in lines if line[1] == letter)


async def raw_log(installation: Running, execution: str, stream: str = "stdout") -> bytes:
    """The exact bytes of one stream, as downloaded."""
    parameters = {"format": "raw", "streams": stream}
    response = await installation.request("GET", f"/v1/executions/{execution}/logs", params=parameters)
    assert response.status_code == 200, response.text
    return response.content
