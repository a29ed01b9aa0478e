"""The clocks on the record: which has run out, and what holds when it is moved at the same moment."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.db.engine import Connection, reading
from app.db.orm import clock
from app.errors import Conflict
from app.executions import pausing
from app.executions.model import Event, Lease
from app.executions.service import Cancellation
from app.executions.states import Cause, Status, StopClock, StopReason
from app.executions.tables import EXPIRY, Execution
from support.acts import ANN
from support.racing import overtaken, race, repeated, winners
from support.records import Records, check_history
from worker import expiry, ledger, queue
from worker.claims import Claim
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.ledger import Order
from worker.log_writer import LogWriter

OVER = text("interval '1 hour'")


async def change(records: Records, execution: UUID, **columns: Any) -> None:
    await records.commit(
        lambda connection: connection.execute(update(Execution).where(Execution.id == execution).values(**columns))
    )


async def order_of(records: Records, lease: Lease) -> Order:
    return await records.commit(lambda connection: ledger.read_order(connection, lease))


def patching(execution: UUID, seconds: int) -> Any:
    """As a PATCH of `timeout` moves the deadline: by the difference."""

    async def act(connection: Connection) -> bool:
        moved = await connection.execute(
            update(Execution)
            .where(Execution.id == execution, Execution.status == Status.RUNNING)
            .values(deadline=Execution.deadline + timedelta(seconds=seconds))
        )
        return bool(moved.rowcount)

    return act


# Running


async def test_the_deadline_is_what_is_left_of_the_timeout(records: Records) -> None:
    claim = await records.claim(timeout=100)
    await change(records, claim.lease.execution, ran_seconds=40)
    await records.start(claim.lease)
    order = await order_of(records, claim.lease)
    assert order.clock.until_deadline == pytest.approx(60, abs=20)
    assert order.clock.running_for == pytest.approx(0, abs=20)
    record = await records.record(claim.lease.execution)
    assert record.started_at is not None
    assert order.deadline == record.deadline
    assert record.deadline is not None
    assert (record.deadline - record.started_at).total_seconds() == pytest.approx(60, abs=1)


async def running_out(records: Records, which: StopClock) -> tuple[Claim, Order]:
    """One whose clock has run out, as its worker has seen it."""
    claim = await records.run(timeout=1000, idle_timeout=30)
    if which is StopClock.TIMEOUT:
        await change(records, claim.lease.execution, deadline=clock() - OVER)
    return claim, await order_of(records, claim.lease)


@pytest.mark.parametrize(
    ("which", "why"),
    [
        (StopClock.TIMEOUT, "It has run for its timeout of 1000 s."),
        (StopClock.IDLE_TIMEOUT, "It has written nothing for its idle_timeout of 30 s."),
    ],
)
async def test_the_clock_that_ran_out_is_on_the_record(records: Records, which: StopClock, why: str) -> None:
    claim, seen = await running_out(records, which)
    event = await records.commit(lambda connection: ledger.run_out(connection, claim.lease, which, seen=seen))
    record = await records.record(claim.lease.execution)
    assert event is not None
    assert (event.to_status, event.actor, event.message) == (Status.STOPPING, "system", why)
    assert record.stop is not None
    assert (record.stop.reason, record.stop.clock) == (StopReason.TIMEOUT, which)
    again = await records.commit(lambda connection: ledger.run_out(connection, claim.lease, which, seen=seen))
    assert again is None


async def test_a_clock_that_was_moved_meanwhile_has_not_run_out(records: Records) -> None:
    claim, seen = await running_out(records, StopClock.TIMEOUT)
    await change(records, claim.lease.execution, deadline=clock() + OVER)
    idle, idle_seen = await running_out(records, StopClock.IDLE_TIMEOUT)
    await change(
        records, idle.lease.execution, limits={**idle.record.limits.model_dump(mode="json"), "idle_timeout": None}
    )
    for lease, which, order in (
        (claim.lease, StopClock.TIMEOUT, seen),
        (idle.lease, StopClock.IDLE_TIMEOUT, idle_seen),
    ):
        event = await records.commit(
            lambda connection, lease=lease, which=which, order=order: ledger.run_out(
                connection, lease, which, seen=order
            )
        )
        assert event is None
        assert (await records.record(lease.execution)).status is Status.RUNNING


async def test_one_that_stands_still_has_no_clock_that_could_run_out(records: Records) -> None:
    claim, seen = await running_out(records, StopClock.TIMEOUT)
    await change(records, claim.lease.execution, deadline=None)
    event = await records.commit(
        lambda connection: ledger.run_out(connection, claim.lease, StopClock.TIMEOUT, seen=seen)
    )
    assert event is None


async def test_a_change_that_comes_first_wins_over_the_clock(records: Records) -> None:
    claim, seen = await running_out(records, StopClock.TIMEOUT)
    moved, event = await overtaken(
        records.process,
        patching(claim.lease.execution, 7200),
        running_out_of_time(claim, seen),
    )
    assert (moved, event) == (True, None)
    assert (await records.record(claim.lease.execution)).status is Status.RUNNING


async def test_a_clock_that_runs_out_first_wins_over_the_change(records: Records) -> None:
    claim, seen = await running_out(records, StopClock.TIMEOUT)
    event, moved = await overtaken(
        records.process,
        running_out_of_time(claim, seen),
        patching(claim.lease.execution, 7200),
    )
    assert event
    assert moved is False
    assert (await records.record(claim.lease.execution)).status is Status.STOPPING


@repeated
async def test_change_and_clock_never_both_win(records: Records, repetitions: int) -> None:
    for _ in range(repetitions):
        claim, seen = await running_out(records, StopClock.TIMEOUT)
        event, moved = await race(
            records.process,
            running_out_of_time(claim, seen),
            patching(claim.lease.execution, 7200),
        )
        assert (event is None) is moved
        status = (await records.record(claim.lease.execution)).status
        assert status is (Status.RUNNING if moved else Status.STOPPING)


@repeated
async def test_a_resumption_does_not_save_from_a_clock_that_has_run_out(records: Records, repetitions: int) -> None:
    """A pause that was asked for is taken back, and its time is over: whoever is first, it is stopped once."""
    for _ in range(repetitions):
        claim, seen = await running_out(records, StopClock.TIMEOUT)
        execution = claim.lease.execution
        await change(records, execution, pause_mode="freeze", pause_by="ann", pause_requested_at=clock())
        resumed, event = await asyncio.gather(
            pausing.resume(records.process, ANN, execution),
            records.commit(running_out_of_time(claim, seen)),
            return_exceptions=True,
        )
        assert isinstance(event, Event)
        assert isinstance(resumed, Conflict | Cancellation), resumed
        record = await records.record(execution)
        assert (record.status, record.pause) == (Status.STOPPING, None)
        assert record.stop is not None
        assert record.stop.reason is StopReason.TIMEOUT
        moves = [each.to_status for each in await records.events(execution) if each.moves]
        assert moves == [Status.QUEUED, Status.PREPARING, Status.RUNNING, Status.STOPPING]


async def test_another_attempt_has_no_clock_that_ran_out(records: Records) -> None:
    claim, seen = await running_out(records, StopClock.IDLE_TIMEOUT)
    await change(
        records,
        claim.lease.execution,
        retries={**claim.record.retries.model_dump(mode="json"), "max_attempts": 2, "on_timeout": "retry"},
    )
    await records.commit(lambda connection: ledger.run_out(connection, claim.lease, StopClock.IDLE_TIMEOUT, seen=seen))
    event = await records.end(claim.lease, Cause.IDLE_TIMEOUT)
    assert event.to_status is Status.QUEUED
    row = await _row(records, claim.lease.execution)
    assert (row.stop_reason, row.stop_clock) == (None, None)


async def _row(records: Records, execution: UUID) -> Any:
    statement = text("SELECT * FROM executions WHERE id = :id").bindparams(id=execution)
    async with reading(records.process.database) as connection:
        return (await connection.execute(statement)).one()


def running_out_of_time(claim: Claim, seen: Order) -> Any:
    return lambda connection: ledger.run_out(connection, claim.lease, StopClock.TIMEOUT, seen=seen)


# Waiting


async def overdue(records: Records) -> list[UUID]:
    return await records.commit(lambda connection: expiry.list_overdue(connection, most=1000))


async def waiting_for_hours(records: Records, **limits: Any) -> UUID:
    execution = await records.submit(**limits)
    await change(records, execution, queued_at=clock() - OVER)
    return execution


async def test_what_has_waited_for_too_long_ends_in_the_queue(records: Records) -> None:
    execution = await waiting_for_hours(records, queue_timeout=60)
    assert execution in await overdue(records)
    event = await records.commit(lambda connection: expiry.expire(connection, execution))
    record = await records.record(execution)
    assert event is not None
    assert (record.status, record.cause) == (Status.TIMED_OUT, Cause.QUEUE_TIMEOUT)
    assert record.message == "Waited in the queue for its queue_timeout of 60 s."
    assert (record.log_complete, record.attempt) == (True, 0)
    check_history(await records.events(execution), Status.TIMED_OUT)
    assert execution not in await overdue(records)


async def test_whose_clock_does_not_run_waits_on(records: Records) -> None:
    patient = await waiting_for_hours(records)
    later = await waiting_for_hours(records, queue_timeout=7200)
    not_yet = await waiting_for_hours(records, queue_timeout=60)
    await change(records, not_yet, not_before=clock() + OVER)
    held = await waiting_for_hours(records, queue_timeout=60)
    await change(records, held, hold=True)
    gated = await waiting_for_hours(records, queue_timeout=60)
    await change(records, gated, gated=True)
    needy = await waiting_for_hours(records, queue_timeout=60)
    await change(records, needy, needs_left=1)
    waiting = {patient, later, not_yet, held, gated, needy}
    assert waiting.isdisjoint(await overdue(records))
    for execution in waiting:
        event = await records.commit(lambda connection, execution=execution: expiry.expire(connection, execution))
        assert event is None
    await change(records, held, hold=False)
    assert held in await overdue(records)


async def test_one_that_cannot_be_ended_holds_up_nobody(records: Records) -> None:
    """Its limits make no sense to this version, perhaps, but the sweep of every worker finds it first."""
    wrong = await waiting_for_hours(records, queue_timeout=60)
    await change(records, wrong, limits={"queue_timeout": 1, "timeout": "long"})
    execution = await waiting_for_hours(records, queue_timeout=60)
    writer = LogWriter(records.process.database, records.process.hints)
    runtime = DockerRuntime(records.process.settings.docker_host)
    await expiry.expire_overdue(WorkerContext(records.process, runtime, records.worker, writer))
    assert (await records.record(execution)).status is Status.TIMED_OUT
    assert wrong in await overdue(records)
    await change(records, wrong, hold=True)


async def test_what_was_claimed_does_not_expire(records: Records) -> None:
    claim = await records.claim(queue_timeout=60)
    await change(records, claim.lease.execution, queued_at=clock() - OVER)
    assert claim.lease.execution not in await overdue(records)
    assert await records.commit(lambda connection: expiry.expire(connection, claim.lease.execution)) is None


@repeated
async def test_claim_and_expiry_never_both_win(records: Records, repetitions: int) -> None:
    for _ in range(repetitions):
        execution = await waiting_for_hours(records, queue_timeout=60)
        taken, event = await race(
            records.process,
            _claiming(records),
            lambda connection, execution=execution: expiry.expire(connection, execution),
        )
        winners([taken, event])
        status = (await records.record(execution)).status
        assert status in {Status.PREPARING, Status.TIMED_OUT, Status.QUEUED}
        assert bool(taken) is (status is Status.PREPARING)
        assert (event is not None) is (status is Status.TIMED_OUT)
        if status is Status.QUEUED:  # each has passed it over for the other: the next look takes it
            assert await records.commit(lambda connection, execution=execution: expiry.expire(connection, execution))
        elif taken:
            await records.end(taken[0].lease, Cause.ENGINE_ERROR, ran=True)


def _claiming(records: Records) -> Any:
    return lambda connection: queue.claim(connection, records.worker, most=1)


async def test_the_sweep_finds_them_by_their_index(records: Records) -> None:
    looking = select(Execution.id).where(expiry._overdue).order_by(text(EXPIRY)).limit(200)
    statement = text(f"EXPLAIN {looking.compile(compile_kwargs={'literal_binds': True})}")

    async def explain(connection: Connection) -> str:
        # Of a few rows it costs the same whichever index they are looked for by, and whether they are sorted then.
        for way in ("seqscan", "bitmapscan", "sort"):
            await connection.execute(text(f"SET LOCAL enable_{way} = off"))
        return "\n".join((await connection.execute(statement)).scalars())

    plan = await records.commit(explain)
    assert "Index Scan using ix_executions_expiry" in plan, plan
    assert "Index Cond" in plan, plan
    assert "Sort" not in plan, plan
