"""What children of a batch mean for each other: places, the first failure, and who needs whom. No worker runs here."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.batches import repository as batches
from app.batches import service as batch_service
from app.batches.model import BatchRecord, BatchStatus
from app.batches.settling import settle
from app.db.engine import reading, transaction
from app.errors import NotFound
from app.executions import deleting, holding, repository, service
from app.executions.model import Outcome, Retries
from app.executions.states import TERMINAL, Cause, Status
from app.executions.tables import Execution, ExecutionEvent
from app.executions.waiting import WaitingOn
from support.batches import submit_batch
from support.racing import overtaken, race, repeated, winners
from support.records import ANN, NOTHING_KEPT, Records
from worker import ending
from worker.claims import Claim
from worker.ending import End

HELD = {Status.PREPARING, Status.RUNNING, Status.STOPPING, Status.PAUSED}


async def look(records: Records, batch: UUID) -> BatchRecord:
    return await batch_service.get(records.process, ANN, batch)


async def statuses(records: Records, children: Sequence[UUID]) -> list[Status]:
    return [(await records.record(child)).status for child in children]


async def run(records: Records, *children: UUID) -> dict[UUID, Claim]:
    """Claim exactly these, and start them."""
    claims = {claim.lease.execution: claim for claim in await records.take(most=100)}
    assert set(claims) == set(children)
    for claim in claims.values():
        await records.start(claim.lease)
    return claims


def end_of(records: Records, claim: Claim, cause: Cause = Cause.OK) -> Any:
    """The transaction that ends it."""
    end = End(outcome=Outcome(cause, "It ended.", 0 if cause is Cause.OK else 1), ran=True, kept=NOTHING_KEPT)
    return partial(ending.conclude, lease=claim.lease, end=end, actor=records.worker.actor)


# Places


async def test_no_more_are_let_go_than_may_run_side_by_side(records: Records) -> None:
    _, children = await submit_batch(records, size=4, max_parallel=2)
    assert [(await records.record(child)).waiting_on for child in children[2:]] == [WaitingOn.QUOTA] * 2
    claims = await run(records, *children[:2])
    await records.end(claims[children[1]].lease)
    more = await run(records, children[2])
    await records.end(claims[children[0]].lease, Cause.EXIT_NONZERO)
    await records.end(more[children[2]].lease)
    await run(records, children[3])


@repeated
async def test_two_that_end_at_once_let_two_go(records: Records, repetitions: int) -> None:
    for _ in range(repetitions // 10):
        batch, children = await submit_batch(records, size=5, max_parallel=2)
        claims = await run(records, *children[:2])
        ends = await race(records.process, *(end_of(records, claim) for claim in claims.values()))
        assert len(winners(ends)) == 2
        await run(records, *children[2:4])
        await batch_service.cancel(records.process, ANN, batch, force=False)
        for child in children[2:4]:
            await records.move(child, Status.CANCELED, cause=Cause.CANCELED_BY_USER)


@repeated
async def test_the_places_are_exact_however_many_workers_there_are(records: Records, repetitions: int) -> None:
    batch, children = await submit_batch(records, size=repetitions, max_parallel=3)
    crew = [records, *[await records.colleague() for _ in range(4)]]

    async def work(worker: Records) -> None:
        while (await look(records, batch)).finished_at is None:
            for claim in await worker.take(most=2):
                await worker.start(claim.lease)
                await worker.end(claim.lease)
                await settle(worker.process, batch)

    await asyncio.gather(*(work(worker) for worker in crew))
    assert Counter(await statuses(records, children)) == {Status.SUCCEEDED: repetitions}
    assert await at_most_at_once(records, batch) <= 3


async def at_most_at_once(records: Records, batch: UUID) -> int:
    """How many had left the queue and not ended, at the worst moment of the history."""
    statement = (
        select(ExecutionEvent.from_status, ExecutionEvent.to_status)
        .join(Execution, Execution.id == ExecutionEvent.execution_id)
        .where(Execution.batch_id == batch)
        .order_by(ExecutionEvent.at, ExecutionEvent.number.desc())
    )
    now = most = 0
    async with reading(records.process.database) as connection:
        for before, after in (await connection.execute(statement)).all():
            now += (after in HELD) - (before in HELD)
            most = max(most, now)
    return most


async def test_one_that_is_tried_again_keeps_its_place(records: Records) -> None:
    retries = Retries(max_attempts=2, retry_on=(1,))
    _, children = await submit_batch(records, size=2, max_parallel=1, fail_fast=True, retries=retries)
    claims = await run(records, children[0])
    await records.end(claims[children[0]].lease, Cause.EXIT_NONZERO)
    assert await statuses(records, children) == [Status.QUEUED, Status.QUEUED]
    async with transaction(records.process.database) as connection:
        await connection.execute(update(Execution).where(Execution.id == children[0]).values(not_before=None))
    await run(records, children[0])


async def test_one_that_is_held_has_no_place_before_it_is_released(records: Records) -> None:
    batch, children = await submit_batch(records, size=3, max_parallel=1, hold=[0])
    claims = await run(records, children[1])
    await records.end(claims[children[1]].lease)
    claims = await run(records, children[2])
    async with transaction(records.process.database) as connection:
        await connection.execute(update(Execution).where(Execution.id == children[0]).values(hold=False))
    await settle(records.process, batch)
    assert await records.take() == []
    await records.end(claims[children[2]].lease)
    await run(records, children[0])


async def test_one_that_is_held_gives_its_place_back(records: Records) -> None:
    _, children = await submit_batch(records, size=2, max_parallel=1)
    await holding.hold(records.process, ANN, children[0])
    claims = await run(records, children[1])
    await holding.release(records.process, ANN, children[0])
    assert await records.take() == []
    assert (await records.record(children[0])).waiting_on is WaitingOn.QUOTA
    await records.end(claims[children[1]].lease)
    await run(records, children[0])


async def test_one_that_is_held_and_released_has_its_place_if_it_is_free(records: Records) -> None:
    _, (child,) = await submit_batch(records, size=1, max_parallel=1)
    await holding.hold(records.process, ANN, child)
    await holding.release(records.process, ANN, child)
    await run(records, child)


async def test_several_that_are_canceled_together_make_room(records: Records) -> None:
    _, children = await submit_batch(records, size=4, max_parallel=2)
    async with transaction(records.process.database) as connection:
        await repository.lock(connection, children[:2])
        await service.cancel_queued(connection, ANN, children[:2])
    await run(records, *children[2:])


async def test_a_canceled_child_makes_room(records: Records) -> None:
    _, children = await submit_batch(records, size=2, max_parallel=1)
    await service.cancel(records.process, ANN, children[0], force=False)
    await run(records, children[1])


async def test_one_that_somebody_is_changing_is_passed_over_and_found_later(records: Records) -> None:
    batch, children = await submit_batch(records, size=2, max_parallel=1)
    claims = await run(records, children[0])
    async with records.process.database.connect() as busy:
        await busy.execute(select(Execution.id).where(Execution.id == children[1]).with_for_update(key_share=True))
        await records.end(claims[children[0]].lease)
        await busy.rollback()
    assert await records.take() == []
    await settle(records.process, batch)
    await run(records, children[1])


# The first failure


async def test_the_first_failure_cancels_what_is_queued_and_stops_what_runs(records: Records) -> None:
    batch, children = await submit_batch(records, size=5, fail_fast=True)
    claims = {claim.lease.execution: claim for claim in await records.take(most=3)}
    for claim in claims.values():
        await records.start(claim.lease)
    await records.end(claims[children[1]].lease, Cause.EXIT_NONZERO)
    await settle(records.process, batch)
    assert await statuses(records, children) == [
        Status.STOPPING,
        Status.FAILED,
        Status.STOPPING,
        Status.CANCELED,
        Status.CANCELED,
    ]
    canceled = await records.record(children[3])
    assert canceled.cause is Cause.CANCELED_BY_SYSTEM
    assert str(children[1]) in (canceled.message or "")
    stop = (await records.record(children[0])).stop
    assert (stop and stop.by) == "system"
    record = await look(records, batch)
    assert (record.status, record.stop_by) == (BatchStatus.STOPPING, "system")
    assert record.stop_message == f"Child 1, {children[1]}, ended exit_nonzero."
    for child in (children[0], children[2]):
        await records.end(claims[child].lease, Cause.CANCELED_BY_SYSTEM)
    assert (await look(records, batch)).status is BatchStatus.FAILED


async def test_nothing_is_let_go_after_the_first_failure_even_if_nobody_lives_to_cancel_it(records: Records) -> None:
    batch, children = await submit_batch(records, size=3, max_parallel=1, fail_fast=True)
    claims = await run(records, children[0])
    await records.end(claims[children[0]].lease, Cause.RUN_TIMEOUT)
    assert await records.take() == []
    await settle(records.process, batch)
    assert await statuses(records, children) == [Status.TIMED_OUT, Status.CANCELED, Status.CANCELED]


async def test_what_somebody_cancels_fails_nothing(records: Records) -> None:
    batch, children = await submit_batch(records, size=2, fail_fast=True)
    await service.cancel(records.process, ANN, children[0], force=False)
    await settle(records.process, batch)
    await run(records, children[1])


@repeated
async def test_two_failures_at_once_stop_the_others_once(records: Records, repetitions: int) -> None:
    for _ in range(repetitions // 10):
        batch, children = await submit_batch(records, size=4, fail_fast=True)
        claims = {claim.lease.execution: claim for claim in await records.take(most=2)}
        ends = [end_of(records, claim, Cause.EXIT_NONZERO) for claim in claims.values()]
        assert len(winners(await race(records.process, *ends))) == 2
        await asyncio.gather(*(settle(records.process, batch) for _ in range(3)))
        ended = await statuses(records, children)
        assert Counter(ended) == {Status.FAILED: 2, Status.CANCELED: 2}


# Needs


async def test_a_child_waits_for_all_that_it_needs(records: Records) -> None:
    batch, (a, b, c) = await submit_batch(records, (), (), ("a", "b"))
    assert (await records.record(c)).waiting_on is WaitingOn.NEEDS
    claims = await run(records, a, b)
    await records.end(claims[a].lease)
    assert await records.take() == []
    await records.end(claims[b].lease)
    claims = await run(records, c)
    await records.end(claims[c].lease)
    await settle(records.process, batch)
    record = await look(records, batch)
    assert (record.status, record.children) == (BatchStatus.SUCCEEDED, {Status.SUCCEEDED: 3})


@repeated
async def test_two_that_end_at_once_let_through_who_needs_both(records: Records, repetitions: int) -> None:
    for _ in range(repetitions // 10):
        _, (a, b, c) = await submit_batch(records, (), (), ("a", "b"))
        claims = await run(records, a, b)
        first, second = (end_of(records, claims[each]) for each in (a, b))
        assert len(winners(await race(records.process, first, second))) == 2
        claims = await run(records, c)
        await records.end(claims[c].lease)


async def test_the_second_of_two_waits_for_the_first_and_then_sees_it(records: Records) -> None:
    _, (a, b, c) = await submit_batch(records, (), (), ("a", "b"))
    claims = await run(records, a, b)
    ends = await overtaken(records.process, end_of(records, claims[a]), end_of(records, claims[b]))
    assert len(winners(ends)) == 2
    await run(records, c)


async def test_who_needs_what_failed_is_canceled_and_so_are_those_behind(records: Records) -> None:
    batch, (a, b, c, d) = await submit_batch(records, (), ("a",), ("b",), ())
    claims = await run(records, a, d)
    await records.end(claims[a].lease, Cause.EXIT_NONZERO)
    await settle(records.process, batch)
    assert await statuses(records, (a, b, c, d)) == [Status.FAILED, Status.CANCELED, Status.CANCELED, Status.RUNNING]
    messages = [(await records.record(child)).message for child in (b, c)]
    assert messages == [
        f"Canceled since it needs `a`, which has ended failed ({a}).",
        f"Canceled since it needs `b`, which has ended canceled ({b}).",
    ]
    assert {(await records.record(child)).cause for child in (b, c)} == {Cause.CANCELED_BY_SYSTEM}


async def test_places_go_to_those_that_need_nothing_more(records: Records) -> None:
    _, (a, b, c) = await submit_batch(records, (), ("a",), (), max_parallel=1)
    claims = await run(records, a)
    await records.end(claims[a].lease)
    claims = await run(records, b)
    await records.end(claims[b].lease)
    await run(records, c)


# All of it


async def test_how_it_ended_is_kept_when_its_children_are_gone(records: Records) -> None:
    batch, children = await submit_batch(records, size=2)
    claims = await run(records, *children)
    for claim in claims.values():
        await records.end(claim.lease)
    before = await look(records, batch)
    await settle(records.process, batch)
    await delete(records, children[0])
    after = await look(records, batch)
    assert after == before
    assert (after.status, after.ended, after.children) == (BatchStatus.SUCCEEDED, 2, {Status.SUCCEEDED: 2})
    await delete(records, children[1])
    with pytest.raises(NotFound):
        await look(records, batch)


async def delete(records: Records, child: UUID) -> None:
    deletion = await deleting.delete_execution(records.process, ANN, child)
    assert deletion.gone


@repeated
async def test_of_two_that_delete_the_last_two_one_deletes_the_batch(records: Records, repetitions: int) -> None:
    for _ in range(repetitions // 10):
        batch, children = await submit_batch(records, size=2)
        claims = await run(records, *children)
        for claim in claims.values():
            await records.end(claim.lease)
        await asyncio.gather(*(delete(records, child) for child in children))
        with pytest.raises(NotFound):
            await look(records, batch)


async def test_a_canceled_batch_has_a_history_for_every_child(records: Records) -> None:
    batch, children = await submit_batch(records, size=3, max_parallel=1)
    record, accepted = await batch_service.cancel(records.process, ANN, batch, force=False)
    assert (accepted, record.status, record.finished_at is not None) == (True, BatchStatus.CANCELED, True)
    for child in children:
        events = await records.events(child)
        assert [(event.to_status, event.actor) for event in events] == [
            (Status.QUEUED, "ann"),
            (Status.CANCELED, "ann"),
        ]
        assert events[-1].message == "Canceled by ann with its batch."


async def test_what_is_unfinished_is_found_by_the_sweep(records: Records) -> None:
    batch, children = await submit_batch(records, size=1)
    claims = await run(records, *children)
    await records.end(claims[children[0]].lease)
    async with reading(records.process.database) as connection:
        assert batch in await batches.list_unfinished(connection, after=None, most=1000)
        assert batch not in await batches.list_unfinished(connection, after=batch, most=1000)
    await settle(records.process, batch)
    async with reading(records.process.database) as connection:
        assert batch not in await batches.list_unfinished(connection, after=None, most=1000)
    assert (await records.record(children[0])).status in TERMINAL


async def test_a_long_chain_behind_a_failure_ends_with_it(records: Records) -> None:
    size = 2000
    chain = [(), *(((f"c{number - 1}",)) for number in range(1, size))]
    batch, children = await submit_batch(records, *chain)
    claims = await run(records, children[0])
    await records.end(claims[children[0]].lease, Cause.EXIT_NONZERO)
    await settle(records.process, batch)
    record = await look(records, batch)
    assert record.children == {Status.FAILED: 1, Status.CANCELED: size - 1}
    assert (await records.record(children[-1])).message == (
        f"Canceled since it needs `c{size - 2}`, which has ended canceled ({children[-2]})."
    )
