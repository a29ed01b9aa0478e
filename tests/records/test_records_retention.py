"""What has ended is let go when its days are over, not before and never unannounced; files go after their records."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from app.artifacts import removals
from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.repository import add_artifacts
from app.artifacts.tables import ArtifactRemoval
from app.auth.service import Caller
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.executions import archiving, deleting
from app.executions.model import Lease
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.retention import repository as retention
from app.retention import service
from app.retention.model import Policy
from app.retention.tables import Retention
from support.migrations import NewDatabase
from support.pieces import in_one
from support.records import Records, opened
from support.tables import rows_below
from worker.ending import Kept
from worker.retention import RetentionKeeper

DAYS = {"succeeded": 10, "failed": 20, "canceled": 5, "outputs": 3, "checkpoints": 4}
ANN = Caller("ann", frozenset({Scope.CANCEL}))


@pytest.fixture
async def process(
    new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    """An installation of its own, in which what is old is removed."""
    days = {f"retention_{name}_days": number for name, number in DAYS.items()}
    async with opened(await new_database(), redis_url, tmp_path_factory.mktemp("data"), **days) as process:
        yield process


@pytest.fixture
async def records(process: Process) -> Records:
    return await Records.of(process)


@pytest.fixture
async def keeper(process: Process) -> RetentionKeeper:
    """Its policy holds, and the day of notice is over."""
    keeper = RetentionKeeper(process)
    await keeper.begin()
    async with transaction(process.database) as connection:
        await connection.execute(update(Retention).values(since=Retention.since - timedelta(days=2)))
    return keeper


async def age(records: Records, execution: UUID, *, days: float) -> UUID:
    """As if it had ended so many days ago."""
    then = func.now() - timedelta(days=days)
    await records.commit(
        lambda connection: connection.execute(
            update(Execution).where(Execution.id == execution).values(finished_at=then)
        )
    )
    return execution


async def an_ended(records: Records, status: Status, *, days: float) -> UUID:
    return await age(records, (await records.in_status(status)).execution, days=days)


async def store(process: Process, lease: Lease, kind: Kind, *, attempt: int = 1) -> list[Artifact]:
    """A file of an attempt, as it is stored before it is on record."""
    await process.artifacts.put(ArtifactSet(lease.execution, attempt, kind), "f", in_one(b"12345"))
    return [Artifact(path="f", bytes=5, sha256="0", media_type="text/plain", executable=False)]


async def stored(process: Process, execution: UUID) -> set[str]:
    """The files that the store has of it: by attempt and kind."""
    below = process.settings.data / "artifacts" / str(execution)
    return {str(path.parent.relative_to(below)) for path in below.rglob("*") if path.is_file()}


async def one_with_files(records: Records) -> Lease:
    """It has left an output and a checkpoint."""
    lease = (await records.run()).lease
    outputs, checkpoint = [await store(records.process, lease, kind) for kind in Kind]
    kept = Kept(outputs=outputs, outputs_partial=False, checkpoint=checkpoint, log_complete=True, warnings=[])
    await records.end(lease, kept=kept)
    return lease


async def exists(records: Records, execution: UUID) -> bool:
    return bool(await rows_below(records.process, execution))


async def test_what_somebody_came_to_need_just_before_it_was_locked_stays(records: Records) -> None:
    """The look for what is due was before that, and did not see it."""
    needed, other = [(await one_with_files(records)).execution for _ in range(2)]
    needing = await records.submit()
    await records.change(needing, resumed_from=needed)
    async with transaction(records.process.database) as connection:
        await deleting.lock(connection, [needed, other])
        assert await deleting.drop_needed(connection, [needed, other]) == [other]


async def test_each_goes_when_the_days_of_its_kind_are_over(records: Records, keeper: RetentionKeeper) -> None:
    kinds = {
        Status.SUCCEEDED: DAYS["succeeded"],
        Status.CANCELED: DAYS["canceled"],
        **dict.fromkeys((Status.FAILED, Status.TIMED_OUT, Status.CRASHED), DAYS["failed"]),
    }
    old = [await an_ended(records, status, days=days + 0.1) for status, days in kinds.items()]
    young = [await an_ended(records, status, days=days - 0.1) for status, days in kinds.items()]
    active = (await records.in_status(Status.RUNNING)).execution
    await keeper.sweep()
    assert [await exists(records, each) for each in old] == [False] * len(old)
    assert all([await exists(records, each) for each in [*young, active]])


async def test_of_workers_with_other_settings_the_last_started_is_right(process: Process) -> None:
    changes = {"retention_failed_days": 7, "log_retention_days": 8}
    other = replace(process, settings=process.settings.model_copy(update=changes))
    first, last = RetentionKeeper(process), RetentionKeeper(other)
    await first.begin()
    await last.begin()
    async with reading(process.database) as connection:
        before = await retention.read_policy(connection)
    assert before.policy == Policy(**{**DAYS, "failed": 7, "logs": 8})
    # Whoever leads goes by it, and starts nothing anew.
    for keeper in (first, last, first):
        await keeper.sweep()
    async with reading(process.database) as connection:
        assert (await retention.read_policy(connection)).since == before.since


async def test_another_time_for_logs_gives_no_notice(process: Process) -> None:
    await RetentionKeeper(process).begin()
    async with reading(process.database) as connection:
        before = await retention.read_policy(connection)
    other = replace(process, settings=process.settings.model_copy(update={"log_retention_days": 3}))
    await RetentionKeeper(other).begin()
    async with reading(process.database) as connection:
        after = await retention.read_policy(connection)
    assert (after.policy.logs, after.since) == (3, before.since)


async def test_the_record_says_when_and_a_new_policy_waits_a_day(records: Records, process: Process) -> None:
    execution = await an_ended(records, Status.SUCCEEDED, days=1000)
    assert (await records.record(execution)).record_expires_at is None
    keeper = RetentionKeeper(process)
    for _ in range(2):
        await keeper.begin()
        await keeper.sweep()
    record = await records.record(execution)
    async with reading(process.database) as connection:
        row = (await connection.execute(select(Retention.since, func.now().label("now")))).one()
    assert record.record_expires_at == row.since + timedelta(days=1)
    assert row.now < record.record_expires_at
    young = await an_ended(records, Status.SUCCEEDED, days=1)
    expected = (await records.record(young)).finished_at
    assert expected is not None
    assert (await records.record(young)).record_expires_at == expected + timedelta(days=DAYS["succeeded"])


async def test_archived_ones_never_go_and_restored_ones_begin_anew(records: Records, keeper: RetentionKeeper) -> None:
    archived = await an_ended(records, Status.SUCCEEDED, days=1000)
    restored = await an_ended(records, Status.SUCCEEDED, days=1000)
    for execution in (archived, restored):
        await archiving.archive(records.process, ANN, execution)
    await keeper.sweep()
    assert (await records.record(archived)).record_expires_at is None
    await archiving.restore(records.process, ANN, restored)
    await keeper.sweep()
    record = await records.record(restored)
    assert record.record_expires_at is not None
    assert record.record_expires_at - record.updated_at > timedelta(days=DAYS["succeeded"] - 1)
    assert await exists(records, archived)


async def test_outputs_and_checkpoints_go_before_their_record(records: Records, keeper: RetentionKeeper) -> None:
    lease, other = await one_with_files(records), await one_with_files(records)
    await age(records, lease.execution, days=DAYS["outputs"] + 0.1)
    before = await records.record(lease.execution)
    assert before.outputs_expire_at is not None
    assert (before.outputs_files, before.checkpoint_files, before.checkpoint_bytes) == (1, 1, 5)
    await keeper.sweep()
    record = await records.record(lease.execution)
    assert (record.outputs_expired_at is None, record.checkpoint_expired_at is None) == (False, True)
    assert record.outputs_expire_at is None
    assert await stored(records.process, lease.execution) == {"1/checkpoint"}
    await age(records, lease.execution, days=DAYS["checkpoints"] + 0.1)
    await keeper.sweep()
    assert (await records.record(lease.execution)).checkpoint_expired_at is not None
    assert await stored(records.process, lease.execution) == set()
    assert "artifacts" not in await rows_below(records.process, lease.execution)
    assert await stored(records.process, other.execution) == {"1/output", "1/checkpoint"}


async def test_what_somebody_needs_stays(records: Records, keeper: RetentionKeeper) -> None:
    lease = await one_with_files(records)
    resumed = await records.submit()
    await records.commit(
        lambda connection: connection.execute(
            update(Execution).where(Execution.id == resumed).values(resumed_from=lease.execution)
        )
    )
    await age(records, lease.execution, days=1000)
    await keeper.sweep()
    assert await stored(records.process, lease.execution) == {"1/output", "1/checkpoint"}
    await records.move(resumed, Status.CANCELED, cause=Cause.CANCELED_BY_USER)
    await keeper.sweep()
    assert not await exists(records, lease.execution)
    assert await stored(records.process, lease.execution) == set()


async def test_many_go_a_part_at_a_time(records: Records, keeper: RetentionKeeper) -> None:
    old = [await an_ended(records, Status.CANCELED, days=100) for _ in range(45)]
    await keeper.sweep()
    assert not any([await exists(records, each) for each in old])


async def test_what_was_to_be_deleted_goes_when_it_has_ended(records: Records, keeper: RetentionKeeper) -> None:
    lease = await records.in_status(Status.RUNNING)
    deletion = await deleting.delete_execution(records.process, ANN, lease.execution)
    assert not deletion.gone
    await keeper.sweep()
    assert await exists(records, lease.execution)
    await records.end(lease, Cause.CANCELED_BY_USER)
    await keeper.sweep()
    assert not await exists(records, lease.execution)


async def make_due(records: Records, execution: UUID) -> None:
    """As if an hour was over."""
    again = update(ArtifactRemoval).where(ArtifactRemoval.execution_id == execution).values(due_at=func.now())
    await records.commit(lambda connection: connection.execute(again))


async def test_files_of_what_was_deleted_go_also_those_that_come_late(
    records: Records, keeper: RetentionKeeper
) -> None:
    lease = await one_with_files(records)
    assert (await deleting.delete_execution(records.process, ANN, lease.execution)).gone
    assert await stored(records.process, lease.execution) == {"1/output", "1/checkpoint"}
    await keeper.sweep()
    assert await stored(records.process, lease.execution) == set()
    # By a worker that does not know yet.
    await store(records.process, lease, Kind.OUTPUT)
    await keeper.sweep()
    assert await stored(records.process, lease.execution) == {"1/output"}
    await make_due(records, lease.execution)
    await keeper.sweep()
    assert await stored(records.process, lease.execution) == set()
    directory = records.process.settings.data / "artifacts" / str(lease.execution)
    assert not directory.exists()


async def test_what_is_taken_back_at_its_last_moment_stays_or_was_never_taken_back(records: Records) -> None:
    async def take_due() -> list[str]:
        async with transaction(records.process.database) as other:
            return [removal.prefix for removal in await removals.take_due(other, most=1000)]

    first, second = f"files/{uuid4()}", f"files/{uuid4()}"
    await records.commit(lambda connection: removals.ask(connection, dict.fromkeys((first, second), uuid4())))
    async with transaction(records.process.database) as connection:
        assert await removals.take_back(connection, first)
        # Its time has come, and nobody knows yet that it is to stay: it is not touched.
        taken = await take_due()
        assert (first in taken, second in taken) == (False, True)
    # Begun, and perhaps half done: whether it was ever finished, nobody has to know.
    assert not await records.commit(lambda connection: removals.take_back(connection, second))
    assert second in await take_due()
    assert first not in await take_due()


async def test_files_of_an_attempt_that_nobody_could_finish_go_and_no_others(
    records: Records, keeper: RetentionKeeper
) -> None:
    lease = (await records.run()).lease
    await store(records.process, lease, Kind.OUTPUT)
    outputs = await store(records.process, lease, Kind.OUTPUT, attempt=2)
    await records.end(lease, Cause.HOST_LOST, kept=None)
    # Of an attempt of its own, on record.
    await note(records, ArtifactSet(lease.execution, 2, Kind.OUTPUT), outputs)
    await keeper.sweep()
    assert await stored(records.process, lease.execution) == {"2/output"}


async def note(records: Records, group: ArtifactSet, files: list[Artifact]) -> None:
    await records.commit(lambda connection: add_artifacts(connection, group, files))


async def test_the_dry_run_says_what_will_go(records: Records, keeper: RetentionKeeper, process: Process) -> None:
    async def counts(days: int) -> dict[str, Any]:
        rehearsal = await service.rehearse(process, days=days)
        return {name: (rehearsal.now[name].count, part.count) for name, part in rehearsal.within_days.items()}

    lease = await one_with_files(records)
    assert await counts(2) == {"records": (0, 0), "outputs": (0, 0), "checkpoints": (0, 0), "logs": (0, 0)}
    assert await counts(4) == {"records": (0, 0), "outputs": (0, 1), "checkpoints": (0, 1), "logs": (0, 0)}
    await age(records, lease.execution, days=8)
    assert await counts(3) == {"records": (0, 1), "outputs": (1, 1), "checkpoints": (1, 1), "logs": (0, 0)}
    rehearsal = await service.rehearse(process, days=3)
    assert rehearsal.within_days["records"].ids == [lease.execution]
    assert (rehearsal.within_days["records"].bytes, rehearsal.now["outputs"].bytes) == (10, 5)
    await keeper.sweep()
    assert await counts(3) == {"records": (0, 1), "outputs": (0, 0), "checkpoints": (0, 0), "logs": (0, 0)}
    assert (await service.rehearse(process, days=3)).within_days["records"].bytes == 0
