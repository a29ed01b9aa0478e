"""Tailraces of a single test, and servers of its own that it may break."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from stack.postgres import EmbeddedPostgres
from support.migrations import run_alembic
from support.running import Running


class StartOwn(Protocol):
    """The fixture `own`: options of `running`, settings of its processes as `TAILRACE_…`."""

    async def __call__(
        self, *, database_url: str = ..., redis_url: str = ..., slots: int = ..., **environment: str
    ) -> Running:
        """Start one; it is stopped at the end of the test."""
        ...


@asynccontextmanager
async def migrated_postgres(directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL server of the test's own, with the tables in its database `tailrace`."""
    async with EmbeddedPostgres(directory / "data", directory / "run") as server:
        await run_alembic(server.url(), "upgrade", "head")
        yield server
