"""A database server that is restarted under load, with all the ways in which it then refuses."""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

from served import running

from app.settings import Settings
from stack.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]


async def test_while_postgres_restarts_clients_hear_nothing_but_come_back(redis_url: str, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run")
    await server.start()
    try:
        environment = {**os.environ, "TAILRACE_DATABASE_URL": server.url()}
        migration = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "alembic", "upgrade", "head", cwd=ROOT, env=environment
        )
        assert await migration.wait() == 0
        answers: Counter[int] = Counter()
        over = asyncio.Event()
        async with running(Settings(database_url=server.url(), redis_url=redis_url, data=tmp_path)) as api:
            client = await api.client()

            async def ask() -> None:
                while not over.is_set():
                    answers[(await client.post("/v1/executions", json={"image": "busybox"})).status_code] += 1
                    answers[(await client.get("/v1/executions?limit=1")).status_code] += 1
                    await asyncio.sleep(0.01)  # requests that fail at once would leave no time for others

            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(ask())
                for _ in range(2):
                    await server.stop()
                    server = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run")
                    await server.start()
                over.set()
            assert answers.keys() == {200, 201, 503}
            assert (await client.get("/v1/executions?limit=1")).status_code == 200
    finally:
        await server.stop()
