"""A line to a server that can be cut and mended, for outages as a process meets them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Line:
    """A unix socket that passes everything on to another one."""

    def __init__(self, here: Path, there: str) -> None:
        self._here = here
        self.directory = here.parent
        self._there = there
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def mend(self) -> None:
        """Pass on, from now on."""
        self._server = await asyncio.start_unix_server(self._serve, self._here)

    async def cut(self) -> None:
        """Break every connection, and take no new ones."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        self._server = None
        self._here.unlink(missing_ok=True)
        await self._idle.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_unix_connection(self._there)
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._idle.clear()
        try:
            with suppress(OSError):
                while piece := await reader.read(65_536):
                    writer.write(piece)
                    await writer.drain()
        finally:
            self._open.discard(writer)
            if not self._open:
                self._idle.set()
            writer.close()


@asynccontextmanager
async def line_to(there: str, here: Path) -> AsyncIterator[Line]:
    """A mended line, cut at the end."""
    line = Line(here, there)
    await line.mend()
    try:
        yield line
    finally:
        await line.cut()
