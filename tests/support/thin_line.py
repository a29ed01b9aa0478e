"""A thin line to the API: it passes so many bytes a second, and holds next to nothing on the way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

from support.running import Running

PIECE = 1024


class ThinLine:
    """Counts its connections, and can be made as wide as one likes."""

    def __init__(self, there: tuple[str, int], rate: int) -> None:
        self._there = there
        self._rate = rate
        self._widened = asyncio.Event()
        self.accepted = 0
        self.answered = 0

    def widen(self) -> None:
        """No limit any more."""
        self._widened.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        with socket.socket() as far, suppress(OSError):
            # What the kernel takes ahead of us would make it a wide line.
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            # Segments as on a real line: the loopback's are larger than such a window, and pass it only as probes.
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
            far.setblocking(False)
            await asyncio.get_running_loop().sock_connect(far, self._there)
            asking = asyncio.create_task(self._ask(reader, far))
            try:
                await self._answer(far, writer)
            finally:
                asking.cancel()
                writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, far: socket.socket) -> None:
        while data := await reader.read(PIECE):
            await asyncio.get_running_loop().sock_sendall(far, data)
        far.shutdown(socket.SHUT_RDWR)

    async def _answer(self, far: socket.socket, writer: asyncio.StreamWriter) -> None:
        while data := await asyncio.get_running_loop().sock_recv(far, PIECE):
            self.answered += len(data)
            writer.write(data)
            await writer.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(len(data) / self._rate):
                    await self._widened.wait()


@asynccontextmanager
async def thin_line(installation: Running, *, rate: int) -> AsyncIterator[tuple[Running, ThinLine]]:
    """The same installation as it is seen from the other end, and the line."""
    url = urlsplit(installation.url)
    line = ThinLine((str(url.hostname), url.port or 80), rate)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield replace(installation, url=f"http://127.0.0.1:{port}", ping_timeout=None), line
    finally:
        server.close()
