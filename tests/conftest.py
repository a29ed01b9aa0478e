"""Real servers for every test: PostgreSQL, Redis and a container engine, started once, stopped at the end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from hypothesis import settings

from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.migrations import NewDatabase, run_alembic
from support.own import StartOwn
from support.provision import provide_engine
from support.running import Running, running
from support.witness import Witness
from worker.engine.docker import DockerRuntime

TEMPLATE = "tailrace_template"

# How long an example takes says nothing on a busy machine.
settings.register_profile("tailrace", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tailrace")


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A server whose durability nobody needs."""
    directory = tmp_path_factory.mktemp("postgres")
    settings = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off", "shared_buffers": "64MB"}
    async with EmbeddedPostgres(directory / "data", directory / "run", settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
async def redis_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    directory = tmp_path_factory.mktemp("redis")
    async with EmbeddedRedis(directory / "data", directory / "run") as server:
        yield server.url


@pytest.fixture(scope="session")
async def new_database(postgres: EmbeddedPostgres) -> NewDatabase:
    """Makes an empty, migrated database at each call; a copy takes a fraction of a migration."""
    await run_alembic(await postgres.create_database(TEMPLATE), "upgrade", "head")
    made = 0

    async def make() -> str:
        nonlocal made
        made += 1
        url = await postgres.create_database(f"tailrace_{made}", template=TEMPLATE)
        # A copy of an installation is another one: on the engine they must be told apart.
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE instance SET id = gen_random_uuid()")
        await connection.close()
        return url

    return make


@pytest.fixture(scope="session")
async def database_url(new_database: NewDatabase) -> str:
    """One migrated database for tests that need no other's absence."""
    return await new_database()


@pytest.fixture(scope="session")
async def images() -> None:
    """The container engine, and `busybox:local` and `python:local` on it."""
    provide_engine()


@pytest.fixture(scope="session")
async def tailrace(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A whole Tailrace with eight slots, shared by all tests that do not break it."""
    directory = tmp_path_factory.mktemp("tailrace")
    async with running(directory, database_url=await new_database(), redis_url=redis_url) as installation:
        yield installation


@pytest.fixture(scope="session")
async def witness(images: None) -> AsyncIterator[Witness]:
    """The engine, asked beside the record."""
    async with DockerRuntime() as runtime:
        yield Witness(runtime)


@pytest.fixture
async def own(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[StartOwn]:
    """Starts a Tailrace for one test alone, on the shared servers unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Running:
            settings = {"redis_url": redis_url, **options}
            if "database_url" not in settings:
                settings["database_url"] = await new_database()
            return await stack.enter_async_context(running(tmp_path_factory.mktemp("own"), **settings))

        yield start
