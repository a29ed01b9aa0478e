"""Pausing in the record: who asks, who does it, and what becomes of clocks, slots and attempts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from app.db.orm import clock
from app.errors import Conflict
from app.executions import pausing, service
from app.executions.model import Lease, Retries, Then
from app.executions.repository import StaleLease
from app.executions.states import Cause, PauseMode, Status, StopReason
from app.executions.tables import Execution
from support.racing import overtaken, race, repeated
from support.records import ANN, NOTHING_KEPT, Records, check_history
from worker import claims, ledger, pauses
from worker.engine.port import ContainerState, Inspection
from worker.metrics import WorkerMetrics


async def set_columns(records: Records, execution: UUID, **columns: Any) -> None:
    statement = update(Execution).where(Execution.id == execution).values(**columns)
    await records.commit(lambda connection: connection.execute(statement))


async def deadline_in(records: Records, execution: UUID) -> float:
    statement = text("SELECT extract(epoch FROM deadline - clock_timestamp()) FROM executions WHERE id = :id")
    return float(await records.commit(lambda connection: connection.scalar(statement, {"id": execution})))


async def test_a_frozen_execution_keeps_its_worker_and_loses_its_deadline(records: Records) -> None:
    claim = await records.run(timeout=100)
    event = await records.freeze(claim.lease)
    assert event is not None
    assert (event.from_status, event.to_status, event.message) == ("running", "paused", "ann asked for it.")
    record = await records.record(claim.lease.execution)
    assert (record.status, record.worker_id, record.deadline) == (Status.PAUSED, records.worker.id, None)
    assert record.pause is not None
    assert (record.pause.mode, record.pause.by) == (PauseMode.FREEZE, "ann")
    now = await records.commit(lambda connection: connection.scalar(select(clock())))
    assert record.started_at is not None
    assert record.pause.paused_at is not None
    assert now is not None
    assert record.started_at <= record.pause.paused_at <= now


async def test_its_clock_goes_on_where_it_stood(records: Records) -> None:
    claim = await records.run(timeout=100)
    execution = claim.lease.execution
    await set_columns(records, execution, deadline=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, 30))
    await records.freeze(claim.lease)
    assert (await records.record(execution)).ran_seconds == pytest.approx(70, abs=5)
    # It does not matter for how long it was frozen.
    event = await records.thaw(claim.lease)
    assert event is not None
    assert (event.from_status, event.to_status) == ("paused", "running")
    assert await deadline_in(records, execution) == pytest.approx(30, abs=5)
    await records.freeze(claim.lease)
    await records.thaw(claim.lease)
    assert await deadline_in(records, execution) == pytest.approx(30, abs=5)
    record = await records.record(execution)
    assert (record.pause, record.status) == (None, Status.RUNNING)
    check_history(await records.events(execution), Status.RUNNING)


async def test_one_that_is_let_go_to_be_stopped_is_not_said_to_be_frozen(records: Records) -> None:
    claim = await records.run()
    execution = claim.lease.execution
    await records.freeze(claim.lease)
    await records.stop(execution)
    assert (await records.record(execution)).phase == "frozen"
    actor = records.worker.actor
    assert await records.commit(lambda connection: pauses.note_thawed(connection, claim.lease, actor=actor)) is None
    record = await records.record(execution)
    assert (record.status, record.phase) == (Status.STOPPING, "running")


async def test_a_timeout_that_changed_meanwhile_counts_from_then_on(records: Records) -> None:
    claim = await records.run(timeout=100)
    execution = claim.lease.execution
    await records.freeze(claim.lease)
    limits = (await records.record(execution)).limits.model_copy(update={"timeout": 1000})
    await set_columns(records, execution, limits=limits.model_dump(mode="json"))
    await records.thaw(claim.lease)
    assert await deadline_in(records, execution) == pytest.approx(1000, abs=5)


async def test_an_exit_after_a_request_to_save_counts_as_no_stop(records: Records) -> None:
    claim = await records.run()
    await records.ask_to_save(claim.lease)
    order = await records.commit(lambda connection: ledger.read_order(connection, claim.lease))
    assert order.stop is not None
    ended = Inspection(
        id="c",
        name="c",
        state=ContainerState.EXITED,
        exit_code=85,
        oom_killed=False,
        error="",
        started_at=order.stop.requested_at,
        finished_at=order.stop.requested_at,
        labels={},
    )
    metrics = WorkerMetrics()
    metrics.exited(ended, order)
    counts = [metrics.registry.get_sample_value(f"tailrace_{name}_seconds_count") for name in ("run", "stop")]
    assert counts == [1, 0]


async def test_what_an_older_version_queued_again_is_claimed_without_its_pause(records: Records) -> None:
    """It knows nothing of a request to pause, which would be taken for one to stop while it is prepared."""
    execution = await records.submit()
    await set_columns(
        records,
        execution,
        pause_mode="checkpoint",
        pause_by="ann",
        pause_requested_at=func.now(),
        pause_deadline=func.now(),
    )
    (claim,) = await records.take()
    assert (claim.record.pause, claim.record.stop) == (None, None)


async def test_what_is_not_wanted_any_more_is_not_noted(records: Records) -> None:
    claim = await records.run()
    actor = records.worker.actor
    await pausing.pause(records.process, ANN, claim.lease.execution, PauseMode.FREEZE)
    await pausing.resume(records.process, ANN, claim.lease.execution)
    assert await records.commit(lambda c: pauses.note_frozen(c, claim.lease, actor=actor)) is None
    await records.freeze(claim.lease)
    await pausing.resume(records.process, ANN, claim.lease.execution)
    await pausing.pause(records.process, ANN, claim.lease.execution, PauseMode.FREEZE)
    assert await records.commit(lambda c: pauses.note_thawed(c, claim.lease, actor=actor)) is None
    record = await records.record(claim.lease.execution)
    assert record.status is Status.PAUSED
    assert record.pause is not None
    assert record.pause.resume_by is None


async def test_only_the_holder_notes_anything(records: Records) -> None:
    claim = await records.run()
    await records.freeze(claim.lease)
    orphan = claims.Orphan(claim.lease.execution, claim.lease.epoch, records.worker.id, silent_for=60, gone=True)
    colleague = await records.colleague()
    lease = await colleague.commit(lambda connection: claims.adopt(connection, orphan, colleague.worker))
    assert lease is not None
    with pytest.raises(StaleLease):
        await records.thaw(claim.lease)
    assert await colleague.thaw(lease) is not None


async def test_a_frozen_one_is_found_by_its_engine_and_keeps_its_slot(records: Records) -> None:
    claim = await records.run()
    await records.freeze(claim.lease)
    orphans = await records.commit(lambda connection: claims.find_orphans(connection, records.worker))
    assert [orphan.execution for orphan in orphans] == [claim.lease.execution]
    limits = text("UPDATE pools SET max_running = 1 WHERE name = :pool")
    await records.commit(lambda connection: connection.execute(limits, {"pool": records.worker.pool}))
    await records.submit()
    assert await records.take() == []


async def test_a_saved_one_has_no_worker_and_frees_its_slot(records: Records) -> None:
    claim = await records.run(timeout=100)
    execution = claim.lease.execution
    limits = text("UPDATE pools SET max_running = 1 WHERE name = :pool")
    await records.commit(lambda connection: connection.execute(limits, {"pool": records.worker.pool}))
    await records.ask_to_save(claim.lease)
    record = await records.record(execution)
    assert (record.status, record.stop and record.stop.reason) == (Status.RUNNING, StopReason.PAUSE)
    await set_columns(records, execution, deadline=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, 30))
    await records.save(claim.lease)
    record = await records.record(execution)
    assert (record.status, record.pause_mode, record.worker_id) == (Status.PAUSED, PauseMode.CHECKPOINT, None)
    assert (record.stop, record.deadline, record.phase) == (None, None, None)
    assert record.ran_seconds == pytest.approx(70, abs=5)
    assert [attempt.may_have_run for attempt in await records.attempts(execution)] == [True]
    other = await records.submit()
    assert [claim.lease.execution for claim in await records.take()] == [other]
    with pytest.raises(StaleLease):
        await records.end(claim.lease)


async def test_a_saved_one_goes_on_in_another_attempt_with_what_is_left_of_its_time(records: Records) -> None:
    claim = await records.run(timeout=100)
    execution = claim.lease.execution
    await set_columns(records, execution, deadline=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, 30))
    await records.ask_to_save(claim.lease)
    await records.save(claim.lease)
    resumed = await pausing.resume(records.process, ANN, execution)
    assert (resumed.record.status, resumed.record.pause, resumed.event and resumed.event.actor) == (
        Status.QUEUED,
        None,
        "ann",
    )
    (again,) = await records.take()
    assert again.record.attempt == 2
    await records.start(again.lease)
    assert await deadline_in(records, execution) == pytest.approx(30, abs=5)
    await records.end(again.lease)
    check_history(await records.events(execution), Status.SUCCEEDED)


async def test_attempts_that_pauses_join_count_as_one(records: Records) -> None:
    again = Retries(max_attempts=2, retry_on=(Cause.EXIT_NONZERO,))
    execution = await records.submit(retries=again, timeout=100)
    for _ in range(3):
        (claim,) = await records.take()
        await records.start(claim.lease)
        await records.ask_to_save(claim.lease)
        await records.save(claim.lease)
        await pausing.resume(records.process, ANN, execution)
    (claim,) = await records.take()
    await records.start(claim.lease)
    assert (await records.end(claim.lease, Cause.EXIT_NONZERO)).to_status is Status.QUEUED
    # What follows a failure has all of its time again.
    assert (await records.record(execution)).ran_seconds == 0


async def the_lost(records: Records, *, mode: PauseMode | None = PauseMode.FREEZE, resume: bool = False) -> UUID:
    """One that is paused, and may be tried again, and whose host is lost."""
    execution = await records.submit(retries=Retries(max_attempts=2, on_interrupted=Then.RETRY), timeout=100)
    (claim,) = await records.take()
    await records.start(claim.lease)
    if mode is PauseMode.FREEZE:
        await records.freeze(claim.lease)
    elif mode is PauseMode.CHECKPOINT:
        await records.ask_to_save(claim.lease)
    if resume:
        await pausing.resume(records.process, ANN, execution)
    await records.end(claim.lease, Cause.HOST_LOST, kept=None)
    return execution


@pytest.mark.parametrize("mode", PauseMode)
async def test_what_is_paused_stays_so_though_its_attempt_is_lost(records: Records, mode: PauseMode) -> None:
    execution = await the_lost(records, mode=mode)
    record = await records.record(execution)
    assert (record.status, record.worker_id, record.stop, record.ran_seconds) == (Status.PAUSED, None, None, 0)
    assert record.pause is not None
    assert (record.pause.mode, record.pause.by) == (PauseMode.CHECKPOINT, "ann")
    last = (await records.events(execution))[-1]
    assert last.message is not None
    assert "host_lost" in last.message
    assert "when it is resumed: ann" in last.message
    assert not await records.take()
    await pausing.pause(records.process, ANN, execution, None)
    await pausing.resume(records.process, ANN, execution)
    (again,) = await records.take()
    assert (again.lease.execution, again.record.attempt, again.record.pause) == (execution, 2, None)
    await records.start(again.lease)
    await records.end(again.lease)
    check_history(await records.events(execution), Status.SUCCEEDED)


async def test_what_stays_paused_without_an_attempt_is_canceled_at_once(records: Records) -> None:
    execution = await the_lost(records)
    canceled = await service.cancel(records.process, ANN, execution, force=False)
    assert canceled.record.status is Status.CANCELED
    check_history(await records.events(execution), Status.CANCELED)


async def test_what_was_to_go_on_is_tried_again_when_its_attempt_is_lost(records: Records) -> None:
    for execution in (await the_lost(records, resume=True), await the_lost(records, mode=None)):
        record = await records.record(execution)
        assert (record.status, record.pause) == (Status.QUEUED, None)
        await service.cancel(records.process, ANN, execution, force=False)


async def test_who_does_not_save_in_time_goes_on_running(records: Records) -> None:
    claim = await records.run(grace=7)
    await records.ask_to_save(claim.lease)
    stop = (await records.record(claim.lease.execution)).stop
    assert stop is not None
    assert not await records.commit(lambda connection: pauses.miss_checkpoint(connection, claim.lease, stop))
    await set_columns(records, claim.lease.execution, pause_deadline=Execution.pause_requested_at)
    assert await records.commit(lambda connection: pauses.miss_checkpoint(connection, claim.lease, stop))
    record = await records.record(claim.lease.execution)
    assert (record.status, record.stop, record.pause) == (Status.RUNNING, None, None)
    (warning,) = record.warnings
    assert (warning["code"], "within 7 s" in warning["message"]) == ("checkpoint_missed", True)
    assert record.deadline is not None
    assert not await records.commit(lambda connection: pauses.miss_checkpoint(connection, claim.lease, stop))


async def test_who_saves_when_the_pause_was_taken_back_goes_on_from_there(records: Records) -> None:
    claim = await records.run()
    await records.ask_to_save(claim.lease)
    await pausing.resume(records.process, ANN, claim.lease.execution)
    event = await records.save(claim.lease)
    assert event.to_status is Status.QUEUED
    assert [again.record.attempt for again in await records.take()] == [2]


@pytest.mark.parametrize("force", [False, True])
async def test_a_cancellation_takes_the_place_of_a_pause(records: Records, *, force: bool) -> None:
    claim = await records.run()
    await records.ask_to_save(claim.lease)
    await service.cancel(records.process, ANN, claim.lease.execution, force=force)
    record = await records.record(claim.lease.execution)
    assert (record.status, record.pause) == (Status.STOPPING, None)
    assert record.stop is not None
    assert (record.stop.reason, record.stop.final, record.stop.force) == (StopReason.CANCEL, True, force)
    with pytest.raises(Conflict):
        await pausing.pause(records.process, ANN, claim.lease.execution, None)
    # It had saved before it heard of that.
    assert (await records.save(claim.lease)).to_status is Status.CANCELED
    record = await records.record(claim.lease.execution)
    assert (record.cause, record.message) == (Cause.CANCELED_BY_USER, "Canceled by ann; it saved a checkpoint first.")


async def test_a_timeout_takes_the_place_of_a_pause(records: Records) -> None:
    claim = await records.run()
    await records.ask_to_save(claim.lease)
    await time_out(records, claim.lease)
    record = await records.record(claim.lease.execution)
    assert (record.status, record.pause) == (Status.STOPPING, None)
    assert record.stop is not None
    assert record.stop.reason is StopReason.TIMEOUT


async def time_out(records: Records, lease: Lease) -> Any:
    past = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, 1)
    await set_columns(records, lease.execution, deadline=past)
    return await records.commit(lambda connection: ledger.time_out(connection, lease, grace=10))


@pytest.mark.parametrize("cause", [Cause.OK, Cause.EXIT_NONZERO, Cause.INTERRUPTED])
async def test_what_ends_while_it_is_frozen_has_a_true_history(records: Records, cause: Cause) -> None:
    claim = await records.run()
    await records.freeze(claim.lease)
    await records.end(claim.lease, cause)
    record = await records.record(claim.lease.execution)
    assert (record.cause, record.pause) == (cause, None)
    check_history(await records.events(claim.lease.execution), record.status)


async def test_what_ends_while_it_is_to_save_says_nothing_of_a_stop(records: Records) -> None:
    claim = await records.run()
    await records.ask_to_save(claim.lease)
    await records.end(claim.lease)
    record = await records.record(claim.lease.execution)
    assert (record.status, record.stop, record.pause) == (Status.SUCCEEDED, None, None)


async def test_a_saved_one_is_canceled_at_once(records: Records) -> None:
    claim = await records.run()
    await records.ask_to_save(claim.lease)
    await records.save(claim.lease, kept=replace(NOTHING_KEPT, log_complete=True))
    canceled = await service.cancel(records.process, ANN, claim.lease.execution, force=False)
    record = canceled.record
    assert (record.status, record.message) == (Status.CANCELED, "Canceled by ann while it was paused")
    assert (record.log_complete, record.pause) == (True, None)


@repeated
async def test_pause_and_cancel_at_once_end_in_a_stop(records: Records, repetitions: int) -> None:
    for _ in range(repetitions):
        claim = await records.run()
        execution = claim.lease.execution
        await pausing.pause(records.process, ANN, execution, PauseMode.FREEZE)
        await race(
            records.process,
            lambda c, lease=claim.lease: pauses.note_frozen(c, lease, actor="worker"),
            lambda c, id_=execution: _cancel(c, id_),
        )
        record = await records.record(execution)
        assert (record.status, record.pause, record.worker_id) == (Status.STOPPING, None, records.worker.id)
        check_history(await records.events(execution), Status.STOPPING)
        await records.end(claim.lease, Cause.CANCELED_BY_USER)


async def _cancel(connection: Any, execution: UUID) -> Any:
    record = await service.get_record(connection, execution, lock=True)
    return await service.cancel_locked(connection, ANN, record, force=False)


async def test_a_cancellation_that_waits_for_a_pause_stops_what_is_frozen(records: Records) -> None:
    claim = await records.run()
    execution = claim.lease.execution
    await pausing.pause(records.process, ANN, execution, PauseMode.FREEZE)
    paused, canceled = await overtaken(
        records.process,
        lambda c: pauses.note_frozen(c, claim.lease, actor="worker"),
        lambda c: _cancel(c, execution),
    )
    assert (paused.to_status, canceled.event.from_status) == (Status.PAUSED, Status.PAUSED)  # type: ignore[union-attr]
    assert await records.commit(lambda c: pauses.note_thawed(c, claim.lease, actor="worker")) is None
