"""The pausing side of an attempt, where requests come faster than they are obeyed. Whole stories: `tests/e2e`."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func

from app.executions import pausing
from app.executions.states import PauseMode, Status
from support.records import ANN, Records
from support.shelf import Shelf
from worker import ledger
from worker.claims import Claim
from worker.container import INSTANCE_LABEL, container_spec
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerState
from worker.log_writer import LogWriter
from worker.pausing import Pausing
from worker.story import Story
from worker.workspace import Workspace

SLEEPER = ("sleep", "600")


@pytest.fixture
async def context(records: Records, images: None) -> AsyncIterator[WorkerContext]:
    writer = LogWriter(records.process.database, records.process.hints)
    async with DockerRuntime(records.process.settings.docker_host) as runtime:
        yield WorkerContext(records.process, runtime, records.worker, writer)
        for container in await runtime.list_containers({INSTANCE_LABEL: str(records.process.instance)}):
            await runtime.remove(container.id, force=True)


class Paused:
    """One attempt that runs, and whoever pauses it."""

    def __init__(self, records: Records, context: WorkerContext, claim: Claim) -> None:
        self.records, self.context, self.claim = records, context, claim
        self.workspace = Workspace(records.process.settings.data, claim.lease.execution, 1)
        self.workspace.create(inputs={})
        story = Story(context, claim.record, Shelf().sink())
        self.pausing = Pausing(context, claim.lease, claim.record, self.workspace, story)

    @property
    def mount(self) -> Path:
        return Path(self.workspace.mounts()[0].source)

    async def start(self) -> str:
        image = await self.context.runtime.find_image("busybox:local")
        assert image is not None
        instance = self.records.process.instance
        spec = container_spec(self.claim.record, image, self.workspace, self.claim.lease, instance)
        container = await self.context.runtime.create(spec)
        await self.records.start(self.claim.lease)
        await self.context.runtime.start(container)
        return container

    async def follow(self, container: str) -> float:
        order = await self.context.read(lambda connection: ledger.read_order(connection, self.claim.lease))
        return await self.pausing.follow(container, order)


@pytest.fixture
async def paused(records: Records, context: WorkerContext) -> AsyncIterator[Paused]:
    paused = Paused(records, context, await records.claim(*SLEEPER, timeout=1000))
    yield paused
    paused.workspace.remove()


async def test_what_was_frozen_for_nothing_keeps_the_deadline_it_had(paused: Paused) -> None:
    """The pause was taken back before it was on record: no clock stood still."""
    container = await paused.start()
    execution = paused.claim.lease.execution
    await paused.records.change(execution, deadline=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, 300))
    await paused.context.runtime.pause(container)
    paused.pausing.frozen = True
    assert await paused.follow(container) == 0
    assert (await paused.context.runtime.inspect(container)).state is ContainerState.RUNNING
    record = await paused.records.record(execution)
    assert record.status is Status.RUNNING
    assert record.deadline is not None
    told = float((paused.mount / "deadline").read_text())
    assert told == pytest.approx(time.time() + 300, abs=120)


async def test_a_request_to_save_is_off_the_mount_before_it_is_frozen(paused: Paused) -> None:
    """Else the program would find it there when it goes on, and stop."""
    container = await paused.start()
    records, lease = paused.records, paused.claim.lease
    await records.ask_to_save(lease)
    assert await paused.follow(container) > 0
    assert (paused.mount / "stop").exists()
    await pausing.resume(records.process, ANN, lease.execution)
    await pausing.pause(records.process, ANN, lease.execution, PauseMode.FREEZE)
    await paused.follow(container)
    assert paused.pausing.frozen
    assert not (paused.mount / "stop").exists()
    assert (await records.record(lease.execution)).status is Status.PAUSED


async def test_it_goes_on_though_its_deadline_cannot_be_written(paused: Paused) -> None:
    container = await paused.start()
    await paused.context.runtime.pause(container)
    paused.pausing.frozen = True
    paused.mount.rename(paused.mount.with_name("elsewhere"))
    await paused.follow(container)
    assert (await paused.context.runtime.inspect(container)).state is ContainerState.RUNNING
