"""Servers of a test's own, to be stopped, killed and started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url

from stack.postgres import EmbeddedPostgres
from support.migrations import run_alembic

# It is killed, and has to have what it said was committed: no fsync is needed for that while the kernel lives.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "30",
    "deadlock_timeout": "20ms",
}


@asynccontextmanager
async def breakable_postgres(directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A migrated server that a test may stop, kill and start."""
    async with EmbeddedPostgres(directory / "data", directory / "run", settings=SETTINGS) as server:
        await run_alembic(server.url(), "upgrade", "head")
        yield server


class ForgetfulLine:
    """A line to a Postgres socket that can lose the answer to a COMMIT: the server did it, the client never hears."""

    def __init__(self, there: Path) -> None:
        self._there = there
        self._tasks: set[asyncio.Task[None]] = set()
        self.lose_next = False
        self.lost = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._there)
            deaf = asyncio.Event()
            try:
                await asyncio.gather(self._ask(reader, far_writer, deaf), self._answer(far_reader, writer, deaf))
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _ask(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            # With the semicolon: "BEGIN ISOLATION LEVEL READ COMMITTED;" begins one.
            if self.lose_next and b"COMMIT;" in data:
                self.lose_next = False
                deaf.set()
            far.write(data)
        far.close()

    async def _answer(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        while data := await far.read(65_536):
            if deaf.is_set():
                self.lost += 1
                break
            writer.write(data)
        writer.close()

    async def close(self) -> None:
        """Break what is left."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def forgetful_line(database_url: str, directory: Path) -> AsyncIterator[tuple[str, ForgetfulLine]]:
    """The address of a database behind such a line."""
    url = make_url(database_url)
    there = Path(str(url.query["host"])) / ".s.PGSQL.5432"
    line = ForgetfulLine(there)
    server = await asyncio.start_unix_server(line.serve, directory / ".s.PGSQL.5432")
    try:
        yield url.update_query_dict({"host": str(directory)}).render_as_string(hide_password=False), line
    finally:
        server.close()
        await line.close()
