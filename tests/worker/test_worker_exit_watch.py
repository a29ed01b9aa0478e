import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerSpec
from worker.exit_watch import STOOD_STILL, ExitWatch


@pytest.fixture
async def runtime(images: None) -> AsyncIterator[DockerRuntime]:
    async with DockerRuntime() as runtime:
        yield runtime


@pytest.fixture
async def container(runtime: DockerRuntime) -> AsyncIterator[str]:
    """One that will run for a second."""
    spec = ContainerSpec(
        name=f"tailrace-test-{uuid4()}",
        image="busybox:local",
        labels={"tailrace.test": "exit watch"},
        env={},
        mounts=(),
        cpus=1.0,
        memory=32 << 20,
        pids=64,
        shm=1 << 20,
        file_size=1 << 20,
        log_size=1 << 20,
        command=("sleep", "1"),
    )
    container = await runtime.create(spec)
    yield container
    await runtime.remove(container, force=True)


@pytest.mark.parametrize("stands_still", [False, True])
async def test_whoever_stood_still_has_not_witnessed_the_exit(
    runtime: DockerRuntime, container: str, *, stands_still: bool
) -> None:
    async def tell(away: bool) -> None:  # noqa: FBT001 - the signature of who is told
        assert not away

    watch = ExitWatch(runtime, container, tell)
    watching = asyncio.create_task(watch.run(started=False))
    await watch.ready.wait()
    await runtime.start(container)
    if stands_still:
        time.sleep(STOOD_STILL + 1.5)  # noqa: ASYNC251 - nothing of this process goes on, as behind any blocking call
    ended = await watching
    assert ended.exit_code == 0
    assert (watch.witnessed, watch.breaks > 0) == (not stands_still, stands_still)
