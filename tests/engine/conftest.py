"""A real engine, an image on it, and containers that go again whatever happens."""

import uuid
from collections.abc import AsyncIterator

import pytest
from harbour import LABEL, Harbour, clear

from worker.engine.docker import DockerRuntime


@pytest.fixture(scope="session")
def engine_host() -> str:
    """The address of an engine that runs and has the image."""
    from support.provision import provide_engine  # noqa: PLC0415 — a unit test needs none

    return provide_engine().docker_host


@pytest.fixture(scope="session")
async def engine(engine_host: str) -> AsyncIterator[DockerRuntime]:
    async with DockerRuntime(engine_host) as runtime:
        yield runtime


@pytest.fixture(scope="session")
async def run(engine: DockerRuntime) -> AsyncIterator[str]:
    """The id of this test run, on every container it makes."""
    name = uuid.uuid4().hex
    yield name
    await clear(engine, {LABEL: name})


@pytest.fixture
async def harbour(engine: DockerRuntime, run: str) -> AsyncIterator[Harbour]:
    made = Harbour(engine, {LABEL: run, "tailrace.case": uuid.uuid4().hex})
    yield made
    await made.clear()
