"""How long a pull may take, with a real engine and a registry that can fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.executions.states import Cause
from support.eventually import eventually
from support.registry import Registry, serving
from worker.engine.docker import DockerRuntime
from worker.image import pull
from worker.over import Over

FOR_EVER = 10**6


@pytest.fixture
async def runtime(images: None) -> AsyncIterator[DockerRuntime]:
    async with DockerRuntime() as runtime:
        yield runtime


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with serving() as registry:
        yield registry


async def test_a_pull_that_ends_in_time_tells_what_there_was(runtime: DockerRuntime, registry: Registry) -> None:
    image, loaded = await pull(runtime, f"{registry.host}/layered:1", within=lambda: FOR_EVER)
    assert image.id.startswith("sha256:")
    assert loaded.layers == loaded.done == 3


async def test_a_pull_stalls_when_no_layer_makes_progress(runtime: DockerRuntime, registry: Registry) -> None:
    registry.last_gate.clear()
    with pytest.raises(Over) as over:
        await pull(runtime, f"{registry.host}/layered:1", within=lambda: FOR_EVER, stalls_after=2)
    assert over.value.outcome.cause is Cause.PULL_TIMEOUT
    assert "stalled" in over.value.outcome.message
    assert "`limits.pull_timeout`" in over.value.outcome.message
    assert "for 2 s" in over.value.outcome.message


async def test_a_pull_that_never_begins_stalls_too(runtime: DockerRuntime, registry: Registry) -> None:
    registry.gate.clear()
    with pytest.raises(Over) as over:
        await pull(runtime, f"{registry.host}/layered:1", within=lambda: FOR_EVER, stalls_after=1)
    assert "stalled" in over.value.outcome.message


async def test_the_time_that_a_pull_may_take_can_be_moved_while_it_runs(
    runtime: DockerRuntime, registry: Registry
) -> None:
    registry.gate.clear()
    limits = [FOR_EVER]
    pulling = asyncio.create_task(pull(runtime, f"{registry.host}/whole:1", within=lambda: limits[0]))
    await eventually(lambda: registry.asked)
    assert not pulling.done()
    limits[0] = 0
    with pytest.raises(Over) as over:
        await pulling
    assert over.value.outcome.message.endswith("took longer than `limits.pull_timeout` of 0 s.")
