"""The engine of the tests' own: another one than the machine's, and nothing of it stays."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from support.private_engine import CGROUPS, private_engine
from support.witness import Witness
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerSpec, ContainerState

pytestmark = pytest.mark.faults


def sleeper(name: str) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        image="busybox:local",
        labels={},
        env={},
        mounts=(),
        cpus=1.0,
        memory=32 << 20,
        pids=64,
        shm=1 << 20,
        file_size=1 << 20,
        log_size=1 << 20,
        command=("sleep", "600"),
    )


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_it_is_another_engine_and_leaves_nothing(witness: Witness, tmp_path: Path) -> None:
    before = {path.name for path in CGROUPS.glob("*/tailrace-test-*")}
    async with private_engine(tmp_path / "e") as engine, DockerRuntime(engine.docker_host) as runtime:
        assert (await runtime.identify()).id != (await witness.runtime.identify()).id
        name = f"tailrace-test-{uuid4().hex}"
        container = await runtime.create(sleeper(name))
        await runtime.start(container)
        (pid, *_) = engine.processes_of(container)
        assert name not in {found.name for found in await witness.runtime.list_containers({})}
        await engine.kill()
        assert pid in engine.processes_of(container)
        await engine.start()
        # Without live-restore a container does not outlive the start of the next daemon.
        assert (await runtime.inspect(container)).state is ContainerState.EXITED
        machines = await witness.runtime.identify()
    assert not (tmp_path / "e").exists()
    assert not is_alive(pid)
    assert str(tmp_path) not in await asyncio.to_thread(Path("/proc/mounts").read_text)
    assert {path.name for path in CGROUPS.glob("*/tailrace-test-*")} <= before
    assert (await witness.runtime.identify()).id == machines.id
