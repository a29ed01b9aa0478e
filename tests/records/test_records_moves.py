from typing import Any
from uuid import uuid4

import pytest

from app.auth.service import Caller
from app.db.engine import transaction
from app.executions import repository, service
from app.executions.model import Lease, Outcome
from app.executions.repository import IllegalMove, NoSuchExecution, StaleLease
from app.executions.states import TERMINAL, Cause, Status
from support.moves import MOVES, STATUSES
from support.racing import overtaken, race, repeated, winners
from support.records import Records, a_cause, check_history, stale
from support.values import NOON
from worker import claims, ending, ledger, queue
from worker.ladder import Rung

CALLER = Caller("ann", frozenset())
STOP = {"stop_reason": "cancel", "stop_by": "ann", "stop_requested_at": NOON, "stop_deadline": NOON}
PAUSE = {"pause_mode": "freeze", "pause_by": "ann", "pause_requested_at": NOON, "deadline": None}


def what_goes_with(target: Status) -> dict[str, Any]:
    """The arguments without which a move to this status makes no sense."""
    if target in TERMINAL:
        return {"cause": a_cause(target), "message": "Because."}
    changes = {Status.STOPPING: STOP, Status.PAUSED: PAUSE}.get(target)
    return {"changes": changes} if changes else {}


@pytest.mark.parametrize(("source", "target"), [(source, target) for source in STATUSES for target in STATUSES])
async def test_a_move_is_made_or_refused_as_the_design_says(records: Records, source: str, target: str) -> None:
    lease = await records.in_status(Status(source))
    before = await records.record(lease.execution)
    events = await records.events(lease.execution)
    if (source, target) in MOVES:
        more = {"changes": {"worker_id": records.worker.id}} if target == "preparing" else {}
        event = await records.move(lease.execution, Status(target), **what_goes_with(Status(target)), **more)
        assert (event.from_status, event.to_status) == (source, target)
        assert (await records.record(lease.execution)).status == target
        assert await records.events(lease.execution) == [*events, event]
    else:
        with pytest.raises(IllegalMove) as refused:
            await records.move(lease.execution, Status(target), **what_goes_with(Status(target)))
        assert (refused.value.current, refused.value.target) == (source, target)
        assert await records.record(lease.execution) == before
        assert await records.events(lease.execution) == events


async def test_the_event_says_who_moved_it_why_and_when(records: Records) -> None:
    claim = await records.run()
    event = await records.move(
        claim.lease.execution, Status.FAILED, actor="worker here/1", cause=Cause.SIGNALED, message="Ended by SIGABRT."
    )
    record = await records.record(claim.lease.execution)
    assert (event.actor, event.cause, event.message, event.attempt) == (
        "worker here/1",
        Cause.SIGNALED,
        "Ended by SIGABRT.",
        1,
    )
    assert (record.cause, record.message, record.phase) == (Cause.SIGNALED, "Ended by SIGABRT.", None)
    assert record.updated_at == event.at
    check_history(await records.events(claim.lease.execution), Status.FAILED)


async def test_further_changes_are_part_of_the_same_move(records: Records) -> None:
    claim = await records.run()
    await records.move(
        claim.lease.execution, Status.FAILED, cause=Cause.EXIT_NONZERO, message="", changes={"exit_code": 3}
    )
    assert (await records.record(claim.lease.execution)).exit_code == 3


async def test_a_rollback_takes_back_status_and_event_together(records: Records) -> None:
    claim = await records.claim()
    before = await records.events(claim.lease.execution)
    async with records.process.database.connect() as connection:
        await repository.move(connection, claim.lease.execution, Status.RUNNING, actor="test")
        await connection.rollback()
    assert (await records.record(claim.lease.execution)).status is Status.PREPARING
    assert await records.events(claim.lease.execution) == before


async def test_nobody_sees_the_status_before_its_event(records: Records) -> None:
    claim = await records.claim()
    async with transaction(records.process.database) as connection:
        await repository.move(connection, claim.lease.execution, Status.RUNNING, actor="test")
        assert (await records.record(claim.lease.execution)).status is Status.PREPARING
        assert len(await records.events(claim.lease.execution)) == 2
    assert (await records.record(claim.lease.execution)).status is Status.RUNNING
    assert len(await records.events(claim.lease.execution)) == 3


async def test_an_execution_that_does_not_exist_cannot_be_moved(records: Records) -> None:
    with pytest.raises(NoSuchExecution):
        await records.move(uuid4(), Status.PREPARING)
    with pytest.raises(NoSuchExecution):
        await records.move(uuid4(), Status.PREPARING, epoch=1)


@pytest.mark.parametrize("epoch", [0, 2])
async def test_only_the_holder_of_the_epoch_moves_it(records: Records, epoch: int) -> None:
    claim = await records.claim()
    assert claim.lease.epoch == 1
    before = await records.record(claim.lease.execution)
    with pytest.raises(StaleLease):
        await records.move(claim.lease.execution, Status.RUNNING, epoch=epoch)
    assert await records.record(claim.lease.execution) == before
    await records.move(claim.lease.execution, Status.RUNNING, epoch=1)


async def test_a_move_that_is_both_late_and_illegal_is_told_that_it_is_late(records: Records) -> None:
    claim = await records.claim()
    with pytest.raises(StaleLease):
        await records.move(claim.lease.execution, Status.PAUSED, epoch=7)


async def test_a_mover_may_demand_where_it_starts_from(records: Records) -> None:
    claim = await records.run()
    with pytest.raises(IllegalMove):
        await records.move(claim.lease.execution, Status.STOPPING, only_from={Status.PREPARING}, changes=STOP)
    # What the status machine refuses cannot be demanded either.
    with pytest.raises(IllegalMove):
        await records.move(claim.lease.execution, Status.PREPARING, only_from={Status.RUNNING})


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        (Status.FAILED, None),
        (Status.FAILED, Cause.OK),
        (Status.SUCCEEDED, Cause.EXIT_NONZERO),
        (Status.CANCELED, Cause.RUN_TIMEOUT),
        (Status.RUNNING, Cause.OK),
        (Status.QUEUED, Cause.INTERRUPTED),
    ],
)
async def test_a_cause_that_does_not_belong_to_the_status_is_a_mistake_of_ours(
    records: Records, target: Status, cause: Cause | None
) -> None:
    lease = await records.in_status(Status.RUNNING)
    with pytest.raises(ValueError, match="does not belong"):
        await records.move(lease.execution, target, cause=cause)


def finishing(lease: Lease, cause: Cause = Cause.OK) -> Any:
    outcome = Outcome(cause, "It ended.", 0)
    return lambda connection: ending.conclude(connection, lease, ending.End(outcome=outcome, ran=True), actor="worker")


def moving(lease: Lease, target: Status, **more: Any) -> Any:
    return lambda connection: repository.move(
        connection, lease.execution, target, **{"actor": "test", **what_goes_with(target), **more}
    )


def claiming(records: Records) -> Any:
    return lambda connection: queue.claim(connection, records.worker, most=1)


async def check_one_won(records: Records, lease: Lease, before: int, won: list[Any]) -> None:
    """Exactly one move more, and status and history agree about which."""
    assert len(won) == 1
    events = await records.events(lease.execution)
    assert len(events) == before + 1
    check_history(events, (await records.record(lease.execution)).status)


@repeated
async def test_of_a_stop_and_an_end_at_once_the_end_wins_and_the_stop_is_before_it_or_refused(
    records: Records, repetitions: int
) -> None:
    for _ in range(repetitions):
        lease = await records.in_status(Status.RUNNING)
        stop, end = await race(records.process, moving(lease, Status.STOPPING), finishing(lease))
        assert winners([end])  # it may end from running and from stopping
        events = await records.events(lease.execution)
        assert len(events) == 3 + len(winners([stop, end]))
        check_history(events, Status.SUCCEEDED)


@repeated
async def test_of_a_stop_and_an_end_of_what_runs_at_once_one_wins(records: Records, repetitions: int) -> None:
    for _ in range(repetitions):
        lease = await records.in_status(Status.RUNNING)
        running = {"only_from": {Status.RUNNING}}
        results = await race(
            records.process, moving(lease, Status.STOPPING, **running), moving(lease, Status.SUCCEEDED, **running)
        )
        await check_one_won(records, lease, 3, winners(results))


@repeated
async def test_of_two_ends_at_once_one_wins(records: Records, repetitions: int) -> None:
    for _ in range(repetitions):
        lease = await records.in_status(Status.RUNNING)
        results = await race(
            records.process, finishing(lease), finishing(lease, Cause.EXIT_NONZERO), finishing(lease, Cause.OOM_KILLED)
        )
        won = winners(results)
        await check_one_won(records, lease, 3, won)
        assert (await records.record(lease.execution)).cause is won[0].cause


@repeated
async def test_of_a_start_and_a_stop_at_once_one_wins_and_the_other_is_refused_or_next(
    records: Records, repetitions: int
) -> None:
    for _ in range(repetitions):
        lease = await records.in_status(Status.PREPARING)
        results = await race(
            records.process,
            moving(lease, Status.RUNNING, epoch=lease.epoch, only_from={Status.PREPARING}),
            moving(lease, Status.STOPPING, only_from={Status.PREPARING}),
        )
        await check_one_won(records, lease, 2, winners(results))


@repeated
async def test_of_a_claim_and_a_cancel_at_once_one_wins(records: Records, repetitions: int) -> None:
    for _ in range(repetitions):
        lease = await records.in_status(Status.QUEUED)
        claimed, canceled = await race(
            records.process, claiming(records), moving(lease, Status.CANCELED, only_from={Status.QUEUED})
        )
        assert not isinstance(claimed, BaseException)
        await check_one_won(records, lease, 1, winners([*claimed, canceled]))
        record = await records.record(lease.execution)
        assert record.status is (Status.PREPARING if claimed else Status.CANCELED)
        assert len(await records.attempts(lease.execution)) == bool(claimed)


@repeated
async def test_a_cancel_by_the_user_and_an_end_at_once_never_leave_it_stopping(
    records: Records, repetitions: int
) -> None:
    for _ in range(repetitions):
        lease = await records.in_status(Status.RUNNING)

        async def cancel(_: Any, lease: Lease = lease) -> Any:
            try:
                return await service.cancel(records.process, CALLER, lease.execution, force=False)
            except service.Conflict:
                return None

        await race(records.process, cancel, finishing(lease))
        check_history(await records.events(lease.execution), Status.SUCCEEDED)


async def test_whoever_waited_for_the_lock_sees_what_became_of_the_row(records: Records) -> None:
    lease = await records.in_status(Status.RUNNING)
    won, lost = await overtaken(records.process, finishing(lease), moving(lease, Status.STOPPING))
    assert not isinstance(won, BaseException)
    assert isinstance(lost, IllegalMove)
    assert lost.current is Status.SUCCEEDED
    check_history(await records.events(lease.execution), Status.SUCCEEDED)


async def test_whoever_waited_goes_through_when_the_first_takes_it_back(records: Records) -> None:
    lease = await records.in_status(Status.RUNNING)
    _, second = await overtaken(records.process, finishing(lease), moving(lease, Status.STOPPING), undo=True)
    assert not isinstance(second, BaseException)
    assert (second.number, second.to_status) == (4, Status.STOPPING)
    check_history(await records.events(lease.execution), Status.STOPPING)


async def test_a_move_that_waited_for_an_adoption_finds_its_lease_gone(records: Records) -> None:
    claim = await records.run()
    other = await records.colleague()
    orphan = claims.Orphan(claim.lease.execution, claim.lease.epoch, records.worker.id, 99.0, gone=True)
    adopted, late = await overtaken(
        records.process,
        lambda connection: claims.adopt(connection, orphan, other.worker),
        finishing(claim.lease),
    )
    assert adopted == Lease(claim.lease.execution, claim.lease.epoch + 1)
    assert isinstance(late, StaleLease)
    assert (await records.record(claim.lease.execution)).status is Status.RUNNING


async def test_a_claim_does_not_wait_for_one_that_somebody_is_canceling(records: Records) -> None:
    first, second = await records.submit(), await records.submit()
    async with records.process.database.connect() as connection:
        await repository.move(connection, first, Status.CANCELED, actor="ann", cause=Cause.CANCELED_BY_USER, message="")
        (claim,) = await records.take(most=2)
        await connection.commit()
    assert claim.lease.execution == second
    assert await records.take(most=2) == []


async def test_the_epoch_before_is_stale_for_everything_the_holder_writes(records: Records) -> None:
    claim = await records.run()
    old = stale(claim.lease)
    writes: list[Any] = [
        finishing(old),
        lambda connection: ledger.set_phase(connection, old, "x"),
        lambda connection: ending.requeue(connection, old, actor="w", why=""),
        lambda connection: ledger.time_out(connection, old, grace=1),
        lambda connection: ledger.read_order(connection, old),
        lambda connection: ledger.intend_start(connection, old, container_id="c"),
        lambda connection: ledger.note_started(connection, old, actor="w"),
        lambda connection: ledger.climb(connection, old, Rung.KILL),
    ]
    before = await records.record(claim.lease.execution)
    for write in writes:
        with pytest.raises(StaleLease):
            await records.commit(write)
    assert await records.record(claim.lease.execution) == before
