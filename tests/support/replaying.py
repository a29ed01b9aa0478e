"""A log that is told again at a pace of its own, in front of the API and with the frames that the API sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PIECE = 65_536


class Replay:
    """Answers for the WebSocket of a log itself, and passes all else on to the API.

    It greets, waits for `begin`, and then sends `rate` lines a second: what was late catches up.
    """

    def __init__(self, url: str, frames: Sequence[str], rate: int) -> None:
        self.begin = asyncio.Event()
        # As it became: lines a second.
        self.rate = 0.0
        self.url = ""
        self._api = urlsplit(url).port or 0
        self._teller = 0
        self._frames = frames
        self._wanted = rate

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Replay]:
        """Take connections, at `url`."""
        teller = await serve(self._tell, "127.0.0.1", 0, compression=None)
        async with teller, await asyncio.start_server(self._splice, "127.0.0.1", 0) as server:
            self._teller = next(iter(teller.sockets)).getsockname()[1]
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield self
            finally:
                # Who still waits is let go.
                self.begin.set()

    async def _tell(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await self._tell_all(socket)

    async def _tell_all(self, socket: ServerConnection) -> None:
        greeting, *frames = self._frames
        await socket.send(greeting)
        await self.begin.wait()
        loop = asyncio.get_running_loop()
        began, lines = loop.time(), 0
        for frame in frames:
            await asyncio.sleep(max(0.0, began + lines / self._wanted - loop.time()))
            await socket.send(frame)
            lines += len(orjson.loads(frame).get("lines", [])) if frame.startswith('{"type":"lines"') else 0
        self.rate = lines / (loop.time() - began)

    async def _splice(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            port = self._teller if b"/tail?" in head.partition(b"\r\n")[0] else self._api
            answers, questions = await asyncio.open_connection("127.0.0.1", port)
            questions.write(head)
            await asyncio.gather(_pass_on(reader, questions), _pass_on(answers, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
