"""An attempt ends: with it the execution, or another follows. What becomes of the record either way."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.db.engine import reading
from app.executions import service
from app.executions.model import Lease, Outcome, Retries, Then
from app.executions.repository import IllegalMove, StaleLease
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.logs.tables import LogHead
from support.records import NOTHING_KEPT, Records, check_history
from worker import ending, ledger
from worker.claims import Claim
from worker.ladder import Rung
from worker.retry import IN_VAIN_AT_MOST

TWICE = Retries(max_attempts=2, retry_on=(Cause.EXIT_NONZERO,))


async def running(records: Records, retries: Retries = TWICE) -> Claim:
    """A new one with this policy, whose program was started."""
    execution = await records.submit(retries=retries)
    claim = await take_again(records, execution)
    await records.start(claim.lease)
    return claim


async def take_again(records: Records, execution: UUID) -> Claim:
    """Claim it, however long its next attempt should wait."""
    await records.commit(
        lambda connection: connection.execute(
            update(Execution).where(Execution.id == execution).values(not_before=None)
        )
    )
    (claim,) = await records.take()
    assert claim.lease.execution == execution
    return claim


async def log_epoch(records: Records, execution: UUID) -> int:
    async with reading(records.process.database) as connection:
        return (await connection.execute(select(LogHead.epoch).where(LogHead.execution_id == execution))).scalar_one()


async def test_another_attempt_follows_where_it_was_asked_for(records: Records) -> None:
    first = await running(records)
    execution = first.lease.execution
    event = await records.end(first.lease, Cause.EXIT_NONZERO)
    assert (event.to_status, event.cause) == (Status.QUEUED, None)
    assert event.message is not None
    assert "exit_nonzero" in event.message
    record = await records.record(execution)
    assert (record.status, record.cause, record.exit_code, record.worker_id) == (Status.QUEUED, None, None, None)
    assert record.not_before is not None
    assert record.not_before > record.queued_at
    (attempt,) = await records.attempts(execution)
    assert (attempt.cause, attempt.exit_code, attempt.may_have_run) == ("exit_nonzero", 1, True)

    second = await take_again(records, execution)
    await records.start(second.lease)
    assert (await records.end(second.lease, Cause.EXIT_NONZERO)).to_status is Status.FAILED
    record = await records.record(execution)
    assert (record.attempt, record.cause, record.exit_code) == (2, Cause.EXIT_NONZERO, 1)
    check_history(await records.events(execution), Status.FAILED)
    assert [attempt.number for attempt in await records.attempts(execution)] == [1, 2]


async def test_without_being_asked_nothing_that_ran_is_run_again(records: Records) -> None:
    for cause in (Cause.EXIT_NONZERO, Cause.INTERRUPTED, Cause.ENGINE_ERROR, Cause.OUTCOME_UNKNOWN):
        claim = await records.run()
        assert (await records.end(claim.lease, cause)).ends


async def test_what_never_started_is_tried_again_until_it_is_enough(records: Records) -> None:
    execution = await records.submit()
    for attempt in range(1, IN_VAIN_AT_MOST + 1):
        claim = await take_again(records, execution)
        event = await records.end(claim.lease, Cause.IMAGE_PULL_FAILED, kept=None, ran=False)
        assert event.ends is (attempt == IN_VAIN_AT_MOST)
    record = await records.record(execution)
    assert (record.status, record.cause, record.attempt) == (Status.CRASHED, Cause.IMAGE_PULL_FAILED, IN_VAIN_AT_MOST)
    assert record.log_complete is True


async def test_what_was_given_back_does_not_count_as_tried(records: Records) -> None:
    execution = await records.submit(retries=TWICE)
    for _ in range(4):
        claim = await take_again(records, execution)
        await records.commit(
            lambda connection, lease=claim.lease: ending.requeue(connection, lease, actor="w", why="It left.")
        )
    given_back = await records.commit(lambda connection: ending.count_given_back(connection, claim.lease))
    assert given_back == 4
    fifth = await take_again(records, execution)
    await records.start(fifth.lease)
    assert (await records.end(fifth.lease, Cause.EXIT_NONZERO)).to_status is Status.QUEUED


async def test_a_cancellation_is_the_end_whatever_was_asked_for(records: Records) -> None:
    claim = await running(records)
    await records.stop(claim.lease.execution)
    assert (await records.end(claim.lease, Cause.CANCELED_BY_USER)).to_status is Status.CANCELED
    claim = await running(records)
    await records.stop(claim.lease.execution)
    assert (await records.end(claim.lease, Cause.EXIT_NONZERO)).to_status is Status.FAILED


async def test_a_timeout_is_tried_again_with_nothing_of_its_stop_left(records: Records) -> None:
    first = await running(records, Retries(max_attempts=2, on_timeout=Then.RETRY))
    execution = first.lease.execution
    await records.commit(lambda connection: ledger.time_out(connection, first.lease, grace=10))
    assert (await records.end(first.lease, Cause.RUN_TIMEOUT)).to_status is Status.QUEUED
    record = await records.record(execution)
    assert (record.stop, record.deadline, record.announced) == (None, None, False)
    second = await take_again(records, execution)
    order = await records.commit(lambda connection: ledger.read_order(connection, second.lease))
    assert order.stop is None


async def test_one_that_waits_for_its_next_attempt_can_be_canceled(records: Records) -> None:
    claim = await running(records)
    await records.end(claim.lease, Cause.EXIT_NONZERO)
    await records.move(claim.lease.execution, Status.CANCELED, cause=Cause.CANCELED_BY_USER)
    check_history(await records.events(claim.lease.execution), Status.CANCELED)


async def test_whoever_had_it_before_writes_nothing_once_it_is_queued_anew(records: Records) -> None:
    claim = await running(records)
    lease = claim.lease
    await records.end(lease, Cause.EXIT_NONZERO)
    assert await log_epoch(records, lease.execution) == lease.epoch + 1
    acts: list[Any] = [
        lambda connection: ledger.set_phase(connection, lease, "late"),
        lambda connection: ledger.note_started(connection, lease, actor="w"),
        lambda connection: ending.requeue(connection, lease, actor="w", why="again"),
    ]
    for act in acts:
        with pytest.raises(StaleLease):
            await records.commit(act)
    # The answer to the commit was lost, and it is asked for again: there is no second retry, nor an end.
    with pytest.raises(StaleLease):
        await records.end(lease, Cause.EXIT_NONZERO)
    assert (await records.record(lease.execution)).status is Status.QUEUED


async def test_nothing_of_what_has_ended_is_written_any_more(records: Records) -> None:
    claim = await records.run()
    await records.end(claim.lease)
    before = await records.record(claim.lease.execution)
    for act in (
        lambda connection: ledger.set_phase(connection, claim.lease, "late"),
        lambda connection: ledger.climb(connection, claim.lease, Rung.KILL),
    ):
        with pytest.raises(StaleLease):
            await records.commit(act)
    with pytest.raises(IllegalMove):
        await records.end(claim.lease)
    assert await records.record(claim.lease.execution) == before


async def test_each_attempt_knows_where_its_log_ends(records: Records) -> None:
    claim = await running(records)
    execution = claim.lease.execution

    async def log_up_to(next_seq: int, lease: Lease) -> None:
        await records.commit(
            lambda connection: connection.execute(
                update(LogHead).where(LogHead.execution_id == execution).values(next_seq=next_seq)
            )
        )
        await records.end(lease, Cause.EXIT_NONZERO)

    await log_up_to(8, claim.lease)
    second = await take_again(records, execution)
    await records.start(second.lease)
    await log_up_to(11, second.lease)
    assert [attempt.last_seq for attempt in await records.attempts(execution)] == [7, 10]


async def test_a_log_is_complete_if_that_of_every_attempt_is(records: Records) -> None:
    for losing in (1, 2):
        claim = await running(records)
        execution = claim.lease.execution
        await records.end(claim.lease, Cause.EXIT_NONZERO, kept=None if losing == 1 else NOTHING_KEPT)
        second = await take_again(records, execution)
        await records.start(second.lease)
        await records.end(second.lease, Cause.EXIT_NONZERO, kept=None if losing == 2 else NOTHING_KEPT)
        assert (await records.record(execution)).log_complete is False


@pytest.mark.parametrize("late", [False, True])
async def test_the_end_is_when_the_program_exited_but_never_in_the_future(records: Records, *, late: bool) -> None:
    claim = await records.run()
    async with reading(records.process.database) as connection:
        now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    exited_at = now + timedelta(hours=1) if late else now  # the engine's clock may go wrong
    end = ending.End(outcome=Outcome(Cause.OK, "It ended.", 0), ran=True, kept=NOTHING_KEPT, exited_at=exited_at)
    await records.commit(lambda connection: ending.conclude(connection, claim.lease, end, actor="w"))
    finished_at = (await records.record(claim.lease.execution)).finished_at
    assert finished_at is not None
    assert now < finished_at < exited_at if late else finished_at == now


async def test_a_cancellation_during_a_timeout_withdraws_the_permission_to_try_again(records: Records) -> None:
    claim = await running(records, Retries(max_attempts=3, on_timeout=Then.RETRY))
    await records.commit(lambda connection: ledger.time_out(connection, claim.lease, grace=10))
    caller = Caller(owner="ann", scopes=frozenset(Scope))
    cancellation = await service.cancel(records.process, caller, claim.lease.execution, force=False)
    assert cancellation.accepted
    event = await records.end(claim.lease, Cause.RUN_TIMEOUT)
    assert (event.to_status, event.cause) == (Status.TIMED_OUT, Cause.RUN_TIMEOUT)
