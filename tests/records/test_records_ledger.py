import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.repository import latest_checkpoint, latest_outputs, list_artifacts
from app.db.engine import Connection, reading, transaction
from app.executions.model import Lease
from app.executions.repository import IllegalMove, StaleLease
from app.executions.states import TERMINAL, Cause, Status, StopReason
from app.executions.tables import Attempt, Execution
from app.logs.tables import LogHead
from app.workers.tables import Worker
from support.racing import overtaken, race, repeated, winners
from support.records import NOTHING_KEPT, Records, a_cause, check_history, stale
from worker import claims, ending, ledger, queue
from worker.claims import Claim, Identity, Orphan
from worker.ladder import Rung
from worker.program_events import Heard

HELD = [Status.PREPARING, Status.RUNNING, Status.STOPPING]


def claiming(worker: Identity, most: int) -> Any:
    return lambda connection: queue.claim(connection, worker, most=most)


async def head_of(records: Records, execution: UUID) -> Any:
    async with reading(records.process.database) as connection:
        return (await connection.execute(select(LogHead.__table__).where(LogHead.execution_id == execution))).one()


async def change_head(records: Records, execution: UUID, **columns: int) -> None:
    async with transaction(records.process.database) as connection:
        await connection.execute(update(LogHead).where(LogHead.execution_id == execution).values(**columns))


async def orphans_of(records: Records) -> list[Orphan]:
    async with reading(records.process.database) as connection:
        return await claims.find_orphans(connection, records.worker)


# Claim


async def test_the_oldest_is_claimed_first_and_never_more_than_asked(records: Records) -> None:
    submitted = [await records.submit() for _ in range(5)]
    claimed = [[claim.lease.execution for claim in await records.take(most=most)] for most in (2, 0, 1, 5, 5)]
    assert claimed == [submitted[:2], [], submitted[2:3], submitted[3:], []]


async def test_what_was_given_back_queues_behind_what_came_meanwhile(records: Records) -> None:
    claim = await records.claim()
    later = await records.submit()
    await records.commit(lambda connection: ending.requeue(connection, claim.lease, actor="w", why="it left"))
    order = [again.lease.execution for again in await records.take(most=2)]
    assert order == [later, claim.lease.execution]


async def test_a_claim_takes_only_from_its_own_pool(records: Records) -> None:
    stranger = await Records.of(records.process)
    await records.submit()
    assert await stranger.take(most=5) == []
    assert len(await records.take(most=5)) == 1


async def test_a_claim_begins_an_attempt_under_the_next_epoch(records: Records) -> None:
    execution = await records.submit()
    await change_head(records, execution, out_bytes=7, err_bytes=8, next_seq=5)
    (claim,) = await records.take()
    record = await records.record(execution)
    (attempt,) = await records.attempts(execution)
    head = await head_of(records, execution)
    assert claim.lease == Lease(execution, 1)
    assert claim.record == record
    assert (record.status, record.phase, record.epoch, record.attempt) == (Status.PREPARING, "claimed", 1, 1)
    assert record.worker_id == attempt.worker_id == records.worker.id
    assert (attempt.number, attempt.engine_id, attempt.start_intent_at) == (1, records.worker.engine.id, None)
    # The log goes on under the new epoch; what was read of the container before does not count for the next one.
    assert (head.epoch, head.next_seq, head.out_bytes, head.err_bytes) == (1, 5, 0, 0)
    assert (claim.event.from_status, claim.event.to_status, claim.event.attempt) == ("queued", "preparing", 1)


async def test_the_second_claim_begins_the_second_attempt(records: Records) -> None:
    first = await records.claim()
    await records.commit(lambda connection: ending.requeue(connection, first.lease, actor="w", why="it left"))
    (second,) = await records.take()
    assert second.lease == Lease(first.lease.execution, 3)  # whoever gave it back writes nothing more
    assert [attempt.number for attempt in await records.attempts(first.lease.execution)] == [1, 2]
    assert (await head_of(records, first.lease.execution)).epoch == 3


@repeated
async def test_several_claimers_at_once_never_take_the_same(records: Records, repetitions: int) -> None:
    others = [await records.colleague() for _ in range(3)]
    for _ in range(repetitions):
        submitted = {await records.submit() for _ in range(6)}
        races = await race(
            records.process, *(claiming(each.worker, 2) for each in (records, *others)), claiming(records.worker, 1)
        )
        taken = [claim for won in winners(races) for claim in won]
        assert max(len(won) for won in winners(races)) <= 2
        assert sorted(claim.lease.execution for claim in taken) == sorted(submitted)
        for claim in taken:
            assert (await records.record(claim.lease.execution)).worker_id == claim.record.worker_id


async def test_claimers_of_one_pool_wait_for_each_other(records: Records) -> None:
    """So that a limit which is counted under the lock of the pool is exact."""
    await records.submit()
    await records.submit()
    other = await records.colleague()
    first, second = await overtaken(records.process, claiming(records.worker, 1), claiming(other.worker, 5))
    assert [len(taken) for taken in winners([first, second])] == [1, 1]


async def test_a_claim_that_was_rolled_back_never_was(records: Records) -> None:
    execution = await records.submit()
    async with records.process.database.connect() as connection:
        assert len(await queue.claim(connection, records.worker, most=1)) == 1
        await connection.rollback()
    assert (await records.record(execution)).epoch == 0
    assert await records.attempts(execution) == []
    (claim,) = await records.take()
    assert claim.lease.epoch == 1


# Start


async def test_a_start_is_intended_and_then_noted(records: Records) -> None:
    claim = await records.claim(timeout=100)
    event = await records.start(claim.lease)
    assert event is not None
    record = await records.record(claim.lease.execution)
    (attempt,) = await records.attempts(claim.lease.execution)
    assert (record.status, record.phase) == (Status.RUNNING, "running")
    assert record.started_at is not None
    assert record.deadline is not None
    assert 99 < (record.deadline - record.started_at).total_seconds() < 101
    assert attempt.start_intent_at <= attempt.started_at


async def test_a_stop_that_was_committed_first_forbids_the_start(records: Records) -> None:
    claim = await records.claim()
    await records.stop(claim.lease.execution)
    intended = await records.commit(lambda connection: ledger.intend_start(connection, claim.lease, container_id="c"))
    assert not intended
    (attempt,) = await records.attempts(claim.lease.execution)
    assert attempt.start_intent_at is None


@repeated
async def test_of_a_stop_and_a_start_at_once_the_first_to_commit_decides(records: Records, repetitions: int) -> None:
    """A program whose stop was accepted before the intent never starts; one that may have started is stopped."""
    for _ in range(repetitions):
        claim = await records.claim()
        execution = claim.lease.execution

        async def stop(_: Connection, execution: UUID = execution) -> Any:
            return await records.stop(execution)

        intended, stopped = await race(
            records.process,
            lambda connection, lease=claim.lease: ledger.intend_start(connection, lease, container_id="c"),
            stop,
        )
        assert not isinstance(stopped, BaseException)
        (attempt,) = await records.attempts(execution)
        assert intended is (attempt.start_intent_at is not None)
        assert (await records.record(execution)).status is Status.STOPPING


async def test_a_stop_between_the_intent_and_the_start_leaves_it_stopping_but_started(records: Records) -> None:
    claim = await records.claim()
    await records.commit(lambda connection: ledger.intend_start(connection, claim.lease, container_id="c"))
    await records.stop(claim.lease.execution)
    event = await records.commit(lambda connection: ledger.note_started(connection, claim.lease, actor="w"))
    record = await records.record(claim.lease.execution)
    (attempt,) = await records.attempts(claim.lease.execution)
    assert event is None
    assert record.status is Status.STOPPING
    assert record.started_at is not None
    assert attempt.started_at is not None


async def test_noting_a_start_twice_changes_nothing(records: Records) -> None:
    """The answer to a COMMIT may be lost, and then it is repeated."""
    claim = await records.run()
    before = await records.record(claim.lease.execution)
    again = await records.commit(lambda connection: ledger.note_started(connection, claim.lease, actor="w"))
    after = await records.record(claim.lease.execution)
    assert again is None
    assert (after.status, after.started_at) == (before.status, before.started_at)
    check_history(await records.events(claim.lease.execution), Status.RUNNING)


# Stop and time


async def test_an_order_tells_what_is_wanted_and_how_much_time_there_is(records: Records) -> None:
    claim = await records.run()

    async def order() -> ledger.Order:
        return await records.commit(lambda connection: ledger.read_order(connection, claim.lease))

    before = await order()
    assert before.stop is None
    assert before.clock.until_deadline is not None
    assert 3500 < before.clock.until_deadline <= 3600
    await records.stop(claim.lease.execution, grace=30)
    after = await order()
    assert after.stop is not None
    assert (after.stop.reason, after.stop.by, after.stop.force) == (StopReason.CANCEL, "ann", False)
    assert 0 <= after.clock.since_stop_request < 20
    assert 10 < after.clock.until_kill <= 30


async def test_a_timeout_begins_a_stop_once(records: Records) -> None:
    claim = await records.run()
    version = (await records.record(claim.lease.execution)).control_version
    event = await records.commit(lambda connection: ledger.time_out(connection, claim.lease, grace=5))
    again = await records.commit(lambda connection: ledger.time_out(connection, claim.lease, grace=5))
    record = await records.record(claim.lease.execution)
    assert event is not None
    assert (event.to_status, event.actor) == (Status.STOPPING, "system")
    assert again is None
    assert record.stop is not None
    assert (record.stop.reason, record.stop.by) == (StopReason.TIMEOUT, "system")
    assert 4 < (record.stop.deadline - record.stop.requested_at).total_seconds() < 6
    assert record.control_version == version + 1


async def test_a_stop_that_was_asked_first_keeps_its_reason(records: Records) -> None:
    claim = await records.run()
    await records.stop(claim.lease.execution)
    event = await records.commit(lambda connection: ledger.time_out(connection, claim.lease, grace=5))
    assert event is None
    stop = (await records.record(claim.lease.execution)).stop
    assert stop is not None
    assert stop.reason is StopReason.CANCEL


async def test_every_rung_of_a_stop_is_committed_once(records: Records) -> None:
    claim = await records.run()
    rungs = []
    for rung in (Rung.NOTICE, Rung.SIGNAL, Rung.KILL):
        await records.commit(lambda connection, rung=rung: ledger.climb(connection, claim.lease, rung))
        _, state = await records.commit(lambda connection: claims.read_attempt(connection, claim.lease))
        rungs.append(state.rung)
    assert rungs == [Rung.NOTICE, Rung.SIGNAL, Rung.KILL]
    (first,) = await records.attempts(claim.lease.execution)
    await records.commit(lambda connection: ledger.climb(connection, claim.lease, Rung.KILL))
    (repeated_kill,) = await records.attempts(claim.lease.execution)
    assert repeated_kill.killed_at == first.killed_at


async def test_that_it_has_too_much_on_disk_is_known_to_whoever_takes_over(records: Records) -> None:
    claim = await records.run()
    seen = []
    for _ in range(3):
        _, state = await records.commit(lambda connection: claims.read_attempt(connection, claim.lease))
        (attempt,) = await records.attempts(claim.lease.execution)
        seen.append((state.over_disk, attempt.over_disk_at))
        await records.commit(lambda connection: ledger.note_over_disk(connection, claim.lease))
    assert [over for over, _ in seen] == [False, True, True]
    assert seen[1] == seen[2]


# What the program says


async def test_what_a_program_says_is_kept_beside_the_record(records: Records) -> None:
    claim = await records.run()
    said = {"progress_percent": 40, "progress_phase": "fit", "announced": True, "result": {"k": [1, None]}}
    noted = await records.commit(
        lambda connection: ledger.note_said(connection, claim.lease, said, ["low"], Heard(120, 3))
    )
    await records.commit(lambda connection: ledger.note_said(connection, claim.lease, {}, ["lower"], Heard(150, 4)))
    record = await records.record(claim.lease.execution)
    _, state = await records.commit(lambda connection: claims.read_attempt(connection, claim.lease))
    assert (noted.percent, noted.phase) == (record.progress_percent, record.progress_phase) == (40, "fit")
    assert record.announced
    assert record.result == {"k": [1, None]}
    assert record.warnings == ["low", "lower"]
    assert state.heard == Heard(150, 4)


# The end


def an_artifact(path: str) -> Artifact:
    return Artifact(path=path, bytes=5, sha256="0" * 64, media_type="text/plain", executable=False)


KEPT = replace(
    NOTHING_KEPT,
    outputs=[an_artifact("a.txt"), an_artifact("b/c.txt")],
    checkpoint=[an_artifact("state")],
    warnings=["outputs: one was left out"],
)


async def test_the_end_commits_status_attempt_and_what_was_kept_together(records: Records) -> None:
    claim = await records.run()
    execution = claim.lease.execution
    await records.end(claim.lease, kept=KEPT)
    record = await records.record(execution)
    (attempt,) = await records.attempts(execution)
    assert (record.status, record.cause, record.exit_code) == (Status.SUCCEEDED, Cause.OK, 0)
    assert (record.outputs_files, record.outputs_bytes, record.outputs_partial) == (2, 10, False)
    assert (record.log_complete, record.deadline, record.warnings) == (True, None, ["outputs: one was left out"])
    assert (attempt.cause, attempt.exit_code, attempt.checkpoint_files, attempt.checkpoint_bytes) == ("ok", 0, 1, 5)
    assert attempt.finished_at is not None
    async with reading(records.process.database) as connection:
        outputs = await latest_outputs(connection, execution)
        checkpoint = await latest_checkpoint(connection, execution)
        assert outputs == ArtifactSet(execution, 1, Kind.OUTPUT)
        assert await list_artifacts(connection, outputs) == KEPT.outputs
    assert checkpoint == (ArtifactSet(execution, 1, Kind.CHECKPOINT), KEPT.checkpoint)


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_an_end_has_the_status_of_its_cause(records: Records, status: Status) -> None:
    claim = await records.run()
    if status in {Status.CANCELED, Status.TIMED_OUT}:
        await records.stop(claim.lease.execution)
    event = await records.end(claim.lease, a_cause(status))
    record = await records.record(claim.lease.execution)
    assert record.status is event.to_status is status
    # Who did not succeed has perhaps not written all that they meant to.
    assert record.outputs_partial is (status is not Status.SUCCEEDED)


async def test_an_end_that_is_committed_twice_is_refused_and_stays_as_it_was(records: Records) -> None:
    """The answer to a COMMIT may be lost, and then it is repeated: with outputs and a checkpoint too."""
    claim = await records.run()
    await records.end(claim.lease, kept=KEPT)
    before = await records.record(claim.lease.execution)
    with pytest.raises(IllegalMove) as refused:
        await records.end(claim.lease, kept=KEPT)
    assert refused.value.current is Status.SUCCEEDED
    assert await records.record(claim.lease.execution) == before


async def test_an_end_without_a_program_has_a_whole_log_unless_nobody_knows(records: Records) -> None:
    never_ran, unknown = await records.claim(), await records.run()
    await records.end(never_ran.lease, Cause.IMAGE_NOT_FOUND, kept=None, ran=False)
    await records.end(unknown.lease, Cause.OUTCOME_UNKNOWN, kept=None)
    assert (await records.record(never_ran.lease.execution)).log_complete is True
    assert (await records.record(unknown.lease.execution)).log_complete is False


async def test_what_never_ran_is_queued_again_and_nobody_holds_it(records: Records) -> None:
    claim = await records.claim()
    before = await records.record(claim.lease.execution)
    event = await records.commit(lambda connection: ending.requeue(connection, claim.lease, actor="w", why="It left."))
    record = await records.record(claim.lease.execution)
    (attempt,) = await records.attempts(claim.lease.execution)
    assert (event.from_status, event.to_status) == (Status.PREPARING, Status.QUEUED)
    assert (record.status, record.worker_id, record.phase) == (Status.QUEUED, None, None)
    assert record.queued_at > before.queued_at
    assert attempt.finished_at is not None
    assert attempt.message == "It left."


@pytest.mark.parametrize("status", [Status.RUNNING, Status.STOPPING])
async def test_what_may_have_run_or_is_to_stop_is_never_queued_again(records: Records, status: Status) -> None:
    lease = await records.in_status(status)
    with pytest.raises(IllegalMove):
        await records.commit(lambda connection: ending.requeue(connection, lease, actor="w", why=""))
    record = await records.record(lease.execution)
    (attempt,) = await records.attempts(lease.execution)
    assert record.status is status
    assert attempt.finished_at is None


# Adoption


async def gone(records: Records) -> None:
    await records.commit(lambda connection: claims.sign_off(connection, records.worker.id))


@pytest.mark.parametrize("status", HELD)
async def test_what_another_worker_of_the_engine_holds_is_found(records: Records, status: Status) -> None:
    lease = await records.in_status(status)
    heir = await records.colleague()
    (orphan,) = await orphans_of(heir)
    assert (orphan.execution, orphan.epoch, orphan.worker) == (lease.execution, 1, records.worker.id)
    assert not orphan.gone
    assert orphan.silent_for < claims.LOST_AFTER
    await gone(records)
    (orphan,) = await orphans_of(heir)
    assert orphan.gone


async def test_silence_is_measured_on_the_databases_clock(records: Records) -> None:
    await records.run()
    heir = await records.colleague()
    longer = update(Worker).where(Worker.id == records.worker.id)
    async with transaction(records.process.database) as connection:
        await connection.execute(longer.values(heartbeat_at=func.now() - func.make_interval(0, 0, 0, 0, 0, 0, 45)))
    (orphan,) = await orphans_of(heir)
    assert 45 <= orphan.silent_for < 60
    await records.commit(lambda connection: claims.heartbeat(connection, records.worker.id))
    (orphan,) = await orphans_of(heir)
    assert orphan.silent_for < 15


async def test_what_is_elsewhere_or_over_is_no_orphan_and_our_own_may_be(records: Records) -> None:
    await records.run()
    far_away = await records.colleague(engine="another engine")
    ended = await Records.of(records.process, engine=records.worker.engine.id)
    await ended.in_status(Status.SUCCEEDED)
    queued = await Records.of(records.process, engine=records.worker.engine.id)
    await queued.submit()
    assert {orphan.worker for orphan in await orphans_of(records)} == {records.worker.id}
    assert await orphans_of(far_away) == []
    assert {orphan.worker for orphan in await orphans_of(ended)} == {records.worker.id}


def adopting(orphan: Orphan, heir: Records) -> Any:
    return lambda connection: claims.adopt(connection, orphan, heir.worker)


async def adopted(heir: Records, orphan: Orphan) -> Lease | None:
    return await heir.commit(adopting(orphan, heir))


async def test_an_adopter_takes_record_and_log_under_the_next_epoch(records: Records) -> None:
    claim = await records.run()
    execution = claim.lease.execution
    await change_head(records, execution, out_bytes=7, err_bytes=8, next_seq=5)
    heir = await records.colleague()
    (orphan,) = await orphans_of(heir)
    lease = await adopted(heir, orphan)
    head = await head_of(records, execution)
    record = await records.record(execution)
    assert lease == Lease(execution, 2)
    assert (record.epoch, record.worker_id, record.attempt) == (2, heir.worker.id, 1)
    # It is the same container: reading goes on where it was.
    assert (head.epoch, head.next_seq, head.out_bytes, head.err_bytes) == (2, 5, 7, 8)
    check_history(await records.events(execution), Status.RUNNING)


async def test_after_an_adoption_the_old_holder_can_write_nothing(records: Records) -> None:
    claim = await records.run()
    heir = await records.colleague()
    (orphan,) = await orphans_of(heir)
    lease = await adopted(heir, orphan)
    assert lease is not None
    before = await records.record(claim.lease.execution)
    writes: list[Any] = [
        lambda connection: ledger.set_phase(connection, claim.lease, "x"),
        lambda connection: ledger.time_out(connection, claim.lease, grace=1),
        lambda connection: ledger.climb(connection, claim.lease, Rung.KILL),
        lambda connection: ledger.read_order(connection, claim.lease),
        lambda connection: ledger.note_said(connection, claim.lease, {"announced": True}, [], Heard(1, 1)),
        lambda connection: ending.requeue(connection, claim.lease, actor="w", why=""),
    ]
    for write in writes:
        with pytest.raises(StaleLease):
            await records.commit(write)
    with pytest.raises(StaleLease):
        await records.end(claim.lease, kept=KEPT)
    assert await records.record(claim.lease.execution) == before
    assert (await records.attempts(claim.lease.execution))[0].killed_at is None
    await heir.end(lease, kept=KEPT)


@repeated
async def test_of_several_adopters_at_once_one_wins(records: Records, repetitions: int) -> None:
    heirs = [await records.colleague() for _ in range(3)]
    for _ in range(repetitions):
        claim = await records.run()
        orphan = Orphan(claim.lease.execution, 1, records.worker.id, 99.0, gone=True)
        results = await race(
            records.process,
            *(adopting(orphan, heir) for heir in heirs),
        )
        (won,) = [lease for lease in winners(results) if lease is not None]
        assert won.epoch == 2
        await records.end(won)


@repeated
async def test_of_an_end_and_an_adoption_at_once_one_wins(records: Records, repetitions: int) -> None:
    heir = await records.colleague()
    for _ in range(repetitions):
        claim = await records.run()
        orphan = Orphan(claim.lease.execution, 1, records.worker.id, 99.0, gone=True)

        async def end(_: Connection, claim: Claim = claim) -> Any:
            return await records.end(claim.lease, kept=KEPT)

        ended, lease = await race(records.process, end, adopting(orphan, heir))
        assert (lease is None) is not isinstance(ended, StaleLease)
        if lease is not None:
            assert not isinstance(lease, BaseException)
            await heir.end(lease, kept=KEPT)
        check_history(await records.events(claim.lease.execution), Status.SUCCEEDED)


@pytest.mark.parametrize("status", [Status.QUEUED, *sorted(TERMINAL)])
async def test_nothing_is_adopted_that_nobody_holds(records: Records, status: Status) -> None:
    lease = await records.in_status(status)
    orphan = Orphan(lease.execution, lease.epoch, records.worker.id, 99.0, gone=True)
    assert await adopted(await records.colleague(), orphan) is None


async def test_an_adopter_learns_how_far_the_attempt_had_come(records: Records) -> None:
    claim = await records.claim()

    async def state() -> claims.AttemptState:
        _, found = await records.commit(lambda connection: claims.read_attempt(connection, claim.lease))
        return found

    assert (await state()).meant_to_create is (await state()).meant_to_start is False
    await records.commit(
        lambda connection: ledger.intend_create(
            connection, claim.lease, container_name="tailrace-1", image_id="sha256:1", image_digest=None
        )
    )
    created = await state()
    assert (created.container_name, created.meant_to_create, created.meant_to_start) == ("tailrace-1", True, False)
    await records.start(claim.lease)
    started = await state()
    assert (started.container_id, started.meant_to_start, started.rung) == ("c", True, Rung.NONE)
    assert started.started_at is not None


async def test_our_own_mistake_is_met_by_taking_over_from_ourselves(records: Records) -> None:
    claim = await records.run()
    lease = await records.commit(lambda connection: claims.take_again(connection, claim.lease))
    assert lease == Lease(claim.lease.execution, 2)
    assert await records.commit(lambda connection: claims.take_again(connection, claim.lease)) is None
    assert (await records.record(claim.lease.execution)).worker_id == records.worker.id
    assert (await head_of(records, claim.lease.execution)).epoch == 2


async def test_intents_are_told_by_their_version_for_what_is_held(records: Records) -> None:
    held = await records.run()
    await records.in_status(Status.SUCCEEDED)
    await records.submit()

    async def intents() -> dict[UUID, int]:
        return await records.commit(lambda connection: ledger.list_intents(connection, records.worker.id))

    before = await intents()
    assert list(before) == [held.lease.execution]
    await records.stop(held.lease.execution)
    assert await intents() == {held.lease.execution: before[held.lease.execution] + 1}


async def test_a_pool_comes_with_its_first_worker_and_is_shared_by_the_next(records: Records) -> None:
    await asyncio.gather(*(records.colleague() for _ in range(4)))
    statement = select(func.count()).where(Worker.pool == records.worker.pool)
    async with reading(records.process.database) as connection:
        assert (await connection.execute(statement)).scalar_one() == 5


async def test_an_attempt_belongs_to_its_execution_only(records: Records) -> None:
    """A write to one attempt leaves the others of the same number alone."""
    one, two = await records.run(), await records.run()
    await records.commit(lambda connection: ledger.climb(connection, one.lease, Rung.KILL))
    statement = select(Attempt.execution_id).where(Attempt.killed_at.is_not(None))
    mine = statement.join(Execution, Execution.id == Attempt.execution_id).where(Execution.pool == records.worker.pool)
    async with reading(records.process.database) as connection:
        assert list((await connection.execute(mine)).scalars()) == [one.lease.execution]
    assert stale(two.lease).epoch == 0
