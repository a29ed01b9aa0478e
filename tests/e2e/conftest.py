from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from support.own import StartOwn
from support.running import Running, running
from support.witness import Witness
from worker.engine.docker import DockerRuntime


@pytest.fixture(scope="session")
async def witness(images: None) -> AsyncIterator[Witness]:
    async with DockerRuntime() as runtime:
        yield Witness(runtime)


@pytest.fixture(scope="session")
async def tailrace(tailrace: Running) -> AsyncIterator[Running]:
    """The shared one; its processes must not have met anything that they did not expect."""
    yield tailrace
    complaints = [line for line in tailrace.log.read_text(errors="replace").splitlines() if "[error" in line]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
async def own(
    images: None,
    new_database: Callable[[], Awaitable[str]],
    redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[StartOwn]:
    """Starts a Tailrace for one test alone, on the shared servers unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Running:
            settings = {"redis_url": redis_url, **options}
            if "database_url" not in settings:
                settings["database_url"] = await new_database()
            return await stack.enter_async_context(running(tmp_path_factory.mktemp("own"), **settings))

        yield start
