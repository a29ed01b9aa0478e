"""A Tailrace of a benchmark's own, gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.migrations import run_alembic
from support.running import Running, running


@asynccontextmanager
async def own_tailrace(*, slots: int) -> AsyncIterator[Running]:
    """API and worker as processes, with a database and a Redis in a temporary directory."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with (
            EmbeddedPostgres(directory / "postgres", directory / "run") as postgres,
            EmbeddedRedis(directory / "redis", directory / "run") as redis,
        ):
            database_url = await postgres.create_database("bench")
            await run_alembic(database_url, "upgrade", "head")
            async with running(directory, database_url=database_url, redis_url=redis.url, slots=slots) as tailrace:
                yield tailrace
