"""What a death in between left behind on the engine, on the disk and on record, and what must not be touched."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from app.bootstrap import Process
from app.db.engine import reading
from app.db.orm import clock
from app.executions import deleting
from app.executions.model import Retries, Spec, Then
from app.executions.repository import StaleLease, seconds_from_now
from app.executions.states import Cause, Status
from app.executions.tables import Attempt
from app.secrets import repository as secrets
from app.workers.tables import Leadership, Worker
from support.batches import submit_batch
from support.migrations import NewDatabase
from support.records import Records, check_history, opened
from worker import claims, estate, ledger
from worker.claims import Claim
from worker.container import INSTANCE_LABEL, container_spec
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerSpec
from worker.log_writer import LogWriter
from worker.presence import Presence
from worker.reconciler import Reconciler, Suspects
from worker.secret_files import SecretFiles
from worker.workspace import Workspace

IMAGE = "busybox:local"
HOST_LOST_AFTER = 600
ENGINE_LOST_AFTER = 3600


@pytest.fixture(scope="module")
async def process(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    """An installation of its own, which acts on what it sees wrong twice."""
    async with opened(
        await new_database(),
        redis_url,
        tmp_path_factory.mktemp("data"),
        orphan_after=0,
        host_lost_after=HOST_LOST_AFTER,
        engine_lost_after=ENGINE_LOST_AFTER,
    ) as process:
        yield process


@pytest.fixture
async def runtime() -> AsyncIterator[DockerRuntime]:
    async with DockerRuntime() as runtime:
        yield runtime


class SteadyPresence(Presence):
    """Of a worker that has renewed for long."""

    @property
    def steady_for(self) -> float:
        return math.inf


def reconciler_of(records: Records, runtime: DockerRuntime) -> Reconciler:
    writer = LogWriter(records.process.database, records.process.hints)
    context = WorkerContext(records.process, runtime, records.worker, writer)
    return Reconciler(context, SteadyPresence(records.process.database, records.worker.id))


@pytest.fixture
async def reconciler(records: Records, runtime: DockerRuntime) -> AsyncIterator[Reconciler]:
    yield reconciler_of(records, runtime)
    # The next test's leads.
    await records.commit(lambda connection: connection.execute(update(Leadership).values(until=clock())))


async def container_of(records: Records, runtime: DockerRuntime, claim: Claim) -> str:
    """The container of an attempt, running, with the intents that go before."""
    workspace = workspace_of(records, claim.lease.execution)
    workspace.create(inputs={})
    image = await runtime.find_image(IMAGE)
    assert image is not None
    spec = container_spec(claim.record, image, workspace, claim.lease, records.process.instance)
    await records.commit(
        lambda connection: ledger.intend_create(
            connection, claim.lease, container_name=spec.name, image_id=image.id, image_digest=None
        )
    )
    container = await runtime.create(spec)
    await records.start(claim.lease)
    await runtime.start(container)
    return container


def workspace_of(records: Records, execution: UUID, attempt: int = 1) -> Workspace:
    return Workspace(records.process.settings.data, execution, attempt)


async def stray(runtime: DockerRuntime, instance: UUID, *, running: bool) -> str:
    """A container with an installation's label that no record knows."""
    spec = ContainerSpec(
        name=f"stray-{uuid4().hex}",
        image=IMAGE,
        labels={INSTANCE_LABEL: str(instance)},
        env={},
        mounts=(),
        cpus=1,
        memory=2**26,
        pids=32,
        shm=2**20,
        file_size=2**30,
        log_size=2**20,
        command=("sleep", "600"),
    )
    container = await runtime.create(spec)
    if running:
        await runtime.start(container)
    return container


async def containers(runtime: DockerRuntime, instance: UUID) -> set[str]:
    return {found.id for found in await runtime.list_containers({INSTANCE_LABEL: str(instance)})}


@pytest.mark.parametrize("running", [False, True])
async def test_a_container_that_nobody_wants_is_removed_when_it_was_seen_twice(
    records: Records, runtime: DockerRuntime, reconciler: Reconciler, *, running: bool
) -> None:
    instance = records.process.instance
    unwanted = await stray(runtime, instance, running=running)
    await reconciler.sweep()
    assert await containers(runtime, instance) == {unwanted}
    await reconciler.sweep()
    assert await containers(runtime, instance) == set()


async def test_what_belongs_to_another_installation_is_not_touched(
    records: Records, runtime: DockerRuntime, reconciler: Reconciler
) -> None:
    stranger = uuid4()
    theirs = await stray(runtime, stranger, running=False)
    for _ in range(3):
        await reconciler.sweep()
    assert await containers(runtime, stranger) == {theirs}
    await runtime.remove(theirs)


async def test_what_runs_stays_and_what_has_ended_goes(
    records: Records, runtime: DockerRuntime, reconciler: Reconciler
) -> None:
    instance = records.process.instance
    runs, ended = await records.claim("sleep", "600"), await records.claim("sleep", "600")
    container, over = await container_of(records, runtime, runs), await container_of(records, runtime, ended)
    for _ in range(2):
        await reconciler.sweep()
    assert await containers(runtime, instance) == {container, over}
    # As if the worker had died right after it committed the end.
    await records.end(ended.lease)
    for _ in range(2):
        await reconciler.sweep()
    assert await containers(runtime, instance) == {container}
    assert workspace_of(records, runs.lease.execution).root.exists()
    assert not workspace_of(records, ended.lease.execution).root.parent.exists()
    await records.end(runs.lease)
    for _ in range(2):
        await reconciler.sweep()
    assert await containers(runtime, instance) == set()


async def test_of_an_execution_only_the_current_attempt_is_wanted(
    records: Records, runtime: DockerRuntime, reconciler: Reconciler
) -> None:
    execution = await records.submit("sleep", "600", retries=Retries(max_attempts=2, retry_on=(Cause.EXIT_NONZERO,)))
    (first,) = await records.take()
    await container_of(records, runtime, first)
    await records.end(first.lease, Cause.EXIT_NONZERO)
    for _ in range(2):
        await reconciler.sweep()
    assert await containers(runtime, records.process.instance) == set()
    assert not workspace_of(records, execution).root.parent.exists()


async def test_a_directory_that_no_record_knows_is_not_ours_to_remove(
    records: Records, runtime: DockerRuntime, reconciler: Reconciler
) -> None:
    work: Path = records.process.settings.data / "work"
    theirs = [work / str(uuid4()) / "1", work / "notes" / "1", work / str(uuid4()) / "x"]
    for directory in theirs:
        directory.mkdir(parents=True)
    for _ in range(3):
        await reconciler.sweep()
    assert all(directory.exists() for directory in theirs)


async def test_a_directory_of_what_was_deleted_goes(records: Records, reconciler: Reconciler) -> None:
    lease = (await records.run()).lease
    workspace = workspace_of(records, lease.execution)
    workspace.create(inputs={})
    await records.end(lease)
    # Its worker died before it could clear up, and then somebody deleted it.
    await records.commit(lambda connection: deleting.remove(connection, [lease.execution]))
    for _ in range(3):
        await reconciler.sweep()
    assert not workspace.root.parent.exists()


async def test_a_directory_that_is_to_be_looked_at_stays_until_its_outputs_expire(
    records: Records, reconciler: Reconciler
) -> None:
    lease = (await records.run()).lease
    spec = Spec(image="busybox:local", keep_workspace=True)
    await records.change(lease.execution, spec=spec.model_dump(mode="json"))
    workspace = workspace_of(records, lease.execution)
    workspace.create(inputs={})
    secrets = SecretFiles(records.process.settings.secrets, lease.execution, 1)
    secrets.write({"TOKEN": "a secret"})
    await records.end(lease)
    for _ in range(3):
        await reconciler.sweep()
    assert workspace.root.exists()
    assert not secrets.directory.exists()
    await records.change(lease.execution, outputs_expired_at=clock())
    for _ in range(3):
        await reconciler.sweep()
    assert not workspace.root.exists()


async def is_silent(records: Records, seconds: float) -> None:
    """As if nothing had been heard of this worker for so long."""
    await records.commit(
        lambda connection: connection.execute(
            update(Worker).where(Worker.id == records.worker.id).values(heartbeat_at=seconds_from_now(-seconds))
        )
    )


@pytest.fixture
async def far(records: Records) -> Records:
    """A worker on another host, with an engine of its own."""
    return await records.colleague(engine=f"engine-{uuid4().hex}")


async def status_of(records: Records, claim: Claim) -> tuple[Status, Cause | None]:
    record = await records.record(claim.lease.execution)
    return record.status, record.cause


async def test_a_host_of_which_nothing_is_heard_is_lost_and_what_ran_there_with_it(
    far: Records, reconciler: Reconciler
) -> None:
    running, preparing, stopping = await far.run(), await far.claim(), await far.run()
    await far.stop(stopping.lease.execution)
    execution = await far.submit(retries=Retries(max_attempts=2, on_interrupted=Then.RETRY))
    (again,) = await far.take()
    assert again.lease.execution == execution
    await far.start(again.lease)
    await reconciler.sweep()
    assert (await status_of(far, running))[0] is Status.RUNNING
    await is_silent(far, HOST_LOST_AFTER + 1)
    await reconciler.sweep()
    assert await status_of(far, running) == (Status.CRASHED, Cause.HOST_LOST)
    # Never canceled: nobody knows whether it still runs.
    assert await status_of(far, stopping) == (Status.CRASHED, Cause.HOST_LOST)
    assert await status_of(far, preparing) == (Status.QUEUED, None)
    assert await status_of(far, again) == (Status.QUEUED, None)
    assert (await far.record(running.lease.execution)).log_complete is False
    for claim in (running, preparing, stopping, again):
        check_history(await far.events(claim.lease.execution), (await status_of(far, claim))[0])
        with pytest.raises(StaleLease):
            await far.commit(lambda connection, lease=claim.lease: ledger.set_phase(connection, lease, "late"))


async def test_a_host_with_one_worker_left_is_not_lost(far: Records, reconciler: Reconciler) -> None:
    claim, other = await far.run(), await far.colleague()
    await is_silent(far, HOST_LOST_AFTER + 1)
    await reconciler.sweep()
    assert (await status_of(far, claim))[0] is Status.RUNNING
    await is_silent(other, HOST_LOST_AFTER + 1)
    await reconciler.sweep()
    assert await status_of(far, claim) == (Status.CRASHED, Cause.HOST_LOST)


async def is_gone(records: Records) -> bool:
    async with reading(records.process.database) as connection:
        gone_at = await connection.execute(select(Worker.gone_at).where(Worker.id == records.worker.id))
        return gone_at.scalar_one() is not None


async def test_a_worker_that_was_silent_for_long_is_gone_until_it_is_heard_of_again(
    far: Records, reconciler: Reconciler
) -> None:
    claim = await far.run()
    await is_silent(far, HOST_LOST_AFTER + 1)
    await reconciler.sweep()
    assert not await is_gone(far)  # it still held something
    assert (await status_of(far, claim))[0] is Status.CRASHED
    await reconciler.sweep()
    assert await is_gone(far)
    await far.commit(lambda connection: claims.heartbeat(connection, far.worker.id))
    assert not await is_gone(far)


async def test_an_engine_that_does_not_answer_its_worker_is_lost_much_later(
    far: Records, reconciler: Reconciler
) -> None:
    claim = await far.run()

    async def has_not_answered(seconds: float) -> None:
        await far.commit(
            lambda connection: connection.execute(
                update(Worker)
                .where(Worker.id == far.worker.id)
                .values(engine_ok=False, engine_ok_at=seconds_from_now(-seconds))
            )
        )

    await has_not_answered(HOST_LOST_AFTER + 1)
    await reconciler.sweep()
    assert (await status_of(far, claim))[0] is Status.RUNNING
    await has_not_answered(ENGINE_LOST_AFTER + 1)
    await reconciler.sweep()
    assert await status_of(far, claim) == (Status.CRASHED, Cause.HOST_LOST)
    assert "engine" in str((await far.record(claim.lease.execution)).message)


async def leaders(records: Records) -> dict[str, UUID]:
    async with reading(records.process.database) as connection:
        rows = await connection.execute(select(Leadership.duty, Leadership.worker_id).where(Leadership.until > clock()))
        return {row.duty: row.worker_id for row in rows}


async def test_of_several_workers_one_leads_until_it_does_no_more(
    records: Records, runtime: DockerRuntime, reconciler: Reconciler
) -> None:
    colleague, engine = await records.colleague(), f"engine {records.worker.engine.id}"
    other = reconciler_of(colleague, runtime)
    for _ in range(2):
        await reconciler.sweep()
        await other.sweep()
        assert await leaders(records) == dict.fromkeys(
            (engine, "records", "logs", "retention", "counts"), records.worker.id
        )
    await records.commit(lambda connection: connection.execute(update(Leadership).values(until=clock())))
    await other.sweep()
    await reconciler.sweep()
    assert await leaders(records) == dict.fromkeys(
        (engine, "records", "logs", "retention", "counts"), colleague.worker.id
    )


async def test_whoever_could_not_renew_does_nothing(records: Records, runtime: DockerRuntime) -> None:
    unwanted = await stray(runtime, records.process.instance, running=False)
    writer = LogWriter(records.process.database, records.process.hints)
    context = WorkerContext(records.process, runtime, records.worker, writer)

    class Uncertain(Presence):
        @property
        def certain(self) -> bool:
            return False

    reconciler = Reconciler(context, Uncertain(records.process.database, records.worker.id))
    for _ in range(3):
        await reconciler.sweep()
    assert await leaders(records) == {}
    await runtime.remove(unwanted)


def test_whatever_looked_right_once_is_innocent() -> None:
    suspects = Suspects()
    both = {"a": 0.0, "b": 0.0}
    assert suspects.guilty(both) == []
    assert suspects.guilty({"b": 0.0}) == ["b"]
    assert suspects.guilty(both) == ["b"]
    assert suspects.guilty(both) == ["a", "b"]
    assert suspects.guilty({"a": 3600.0, "b": 0.0}) == ["b"]


async def test_the_row_of_an_attempt_says_that_its_host_was_lost(far: Records, reconciler: Reconciler) -> None:
    claim = await far.run()
    await is_silent(far, HOST_LOST_AFTER + 1)
    await reconciler.sweep()
    async with reading(far.process.database) as connection:
        row = (await connection.execute(select(Attempt).where(Attempt.execution_id == claim.lease.execution))).one()
    assert (row.cause, row.may_have_run, row.exit_code) == ("host_lost", True, None)
    assert row.finished_at is not None


async def test_whoever_came_back_between_two_looks_is_not_given_up(far: Records, reconciler: Reconciler) -> None:
    patience = estate.Patience(HOST_LOST_AFTER, ENGINE_LOST_AFTER)
    running, starting = await far.run(), await far.claim()
    await is_silent(far, HOST_LOST_AFTER + 1)

    async def give_up(lost: estate.LostAttempt) -> object:
        return await far.commit(lambda connection: estate.give_up(connection, lost, patience, actor="test"))

    async with reading(far.process.database) as connection:
        found = {lost.lease: lost for lost in await estate.find_lost(connection, patience, most=100)}
    # Since then its program may have run: what was seen is not true any more.
    await far.commit(lambda connection: ledger.intend_start(connection, starting.lease, container_id="c"))
    assert await give_up(found[starting.lease]) is None
    await far.commit(lambda connection: claims.heartbeat(connection, far.worker.id))
    assert await give_up(found[running.lease]) is None
    assert (await status_of(far, running))[0] is Status.RUNNING
    await far.commit(lambda connection: ledger.set_phase(connection, running.lease, "still ours"))


async def test_secrets_of_what_has_ended_go_whoever_wrote_the_end(records: Records, reconciler: Reconciler) -> None:
    """A version that knows of no secrets has canceled it."""
    ended, running = await records.run(), await records.run()
    await records.end(ended.lease)
    for claim in (ended, running):
        execution = claim.lease.execution
        await records.commit(lambda connection, to=execution: secrets.add(connection, to, {"NAME": b"sealed"}))
    await reconciler.sweep()
    left = [
        await records.commit(lambda connection, of=claim.lease.execution: secrets.read(connection, of))
        for claim in (ended, running)
    ]
    assert left == [{}, {"NAME": b"sealed"}]


async def test_what_the_end_of_a_child_means_for_its_batch_is_seen_to_if_nobody_lived_to_do_it(
    records: Records, reconciler: Reconciler
) -> None:
    _, failing = await submit_batch(records, size=3, fail_fast=True)
    _, needing = await submit_batch(records, (), ("a",))
    for claim in await records.take(most=10):
        await records.start(claim.lease)
        if claim.lease.execution in {failing[0], needing[0]}:
            await records.end(claim.lease, Cause.EXIT_NONZERO)
    await reconciler.sweep()
    ended = [(await records.record(child)).status for child in (*failing, *needing)]
    assert ended == [Status.FAILED, Status.STOPPING, Status.STOPPING, Status.FAILED, Status.CANCELED]
