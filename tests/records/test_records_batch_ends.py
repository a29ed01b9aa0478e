"""The end of a whole batch is told once, whoever ends the last of its children, and however."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.batches import repository as batches
from app.batches import service as batch_service
from app.batches.model import BatchStatus, EndedBatch, ended_of
from app.batches.settling import follow, settle
from app.db.engine import reading
from app.events.tables import EventPosition
from app.executions import deleting
from app.executions.states import Cause
from support.batches import submit_batch
from support.racing import overtaken, repeated
from support.records import ANN, Records
from worker.claims import Claim


async def told(records: Records, batch: UUID) -> list[EndedBatch]:
    """What was told of its end."""
    statement = select(EventPosition.batch).where(EventPosition.execution_id == batch, EventPosition.batch.is_not(None))
    async with reading(records.process.database) as connection:
        return [ended_of(kept) for kept in (await connection.execute(statement)).scalars() if kept is not None]


async def started(records: Records, size: int, **more: Any) -> tuple[UUID, list[Claim]]:
    """A batch whose children all run."""
    batch, _ = await submit_batch(records, size=size, **more)
    claims = await records.take(most=100)
    assert len(claims) == size
    for claim in claims:
        await records.start(claim.lease)
    return batch, claims


@repeated
async def test_of_many_workers_that_end_the_last_at_once_one_tells(records: Records, repetitions: int) -> None:
    crew = [records, *[await records.colleague() for _ in range(3)]]
    for _ in range(repetitions // 3):
        batch, claims = await started(records, len(crew))

        async def end(worker: Records, claim: Claim) -> None:
            await follow(worker.process, [await worker.end(claim.lease, Cause.EXIT_NONZERO)])

        ends: list[Awaitable[None]] = [end(worker, claim) for worker, claim in zip(crew, claims, strict=True)]
        # And the sweep comes by.
        await asyncio.gather(*ends, settle(records.process, batch), settle(records.process, batch))
        [ended] = await told(records, batch)
        assert ended.record == await batch_service.get(records.process, ANN, batch)
        assert (ended.record.status, ended.pools) == (BatchStatus.FAILED, {records.worker.pool})


async def test_who_comes_while_another_tells_does_not(records: Records) -> None:
    batch, [claim] = await started(records, 1)
    await records.end(claim.lease)
    seal: Callable[..., Awaitable[bool]] = partial(batches.seal, batch=batch)
    assert await overtaken(records.process, seal, seal) == [True, False]
    assert len(await told(records, batch)) == 1


@repeated
async def test_what_is_deleted_before_anybody_settled_it_is_told_first(records: Records, repetitions: int) -> None:
    for _ in range(repetitions // 6):
        batch, claims = await started(records, 2)
        for claim in claims:
            await records.end(claim.lease)
        # Whoever ended them died.
        removed = [deleting.delete_execution(records.process, ANN, claim.lease.execution) for claim in claims]
        await asyncio.gather(*removed, settle(records.process, batch))
        [ended] = await told(records, batch)
        assert (ended.record.status, ended.record.ended) == (BatchStatus.SUCCEEDED, 2)


async def test_a_child_that_is_deleted_out_of_the_queue_ends_the_batch_as_canceled(records: Records) -> None:
    batch, [child] = await submit_batch(records, size=1)
    await deleting.tell(records.process, await deleting.delete_execution(records.process, ANN, child))
    [ended] = await told(records, batch)
    assert ended.record.status is BatchStatus.CANCELED


async def test_a_canceled_batch_is_told_when_the_last_that_ran_has_ended(records: Records) -> None:
    batch, claims = await started(records, 2)
    await batch_service.cancel(records.process, ANN, batch, force=False)
    for claim in claims:
        assert await told(records, batch) == []
        await follow(records.process, [await records.end(claim.lease, Cause.CANCELED_BY_USER)])
    [ended] = await told(records, batch)
    assert (ended.record.status, ended.record.stop_by) == (BatchStatus.CANCELED, "ann")
