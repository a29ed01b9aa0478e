"""How long executions waited in the queue: counted when they leave it, however they do, and exact at every moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select

from app.bootstrap import Process
from app.db.engine import reading, snapshot, transaction
from app.executions import holding, pausing
from app.executions.states import Cause, Status
from app.stats import repository
from app.stats.model import FINE_FOR, Scope, Waits
from app.stats.tables import queue_waits
from support.racing import repeated
from support.records import ANN, Records

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


async def waits(process: Process, **scope: str) -> list[Waits]:
    """Of all time."""
    within = Scope(**{name: frozenset({value}) for name, value in scope.items()})
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    async with reading(process.database) as connection:
        return await repository.sum_waits(
            connection, within, since=today - 9 * DAY, until=today + 2 * DAY, step=30 * DAY
        )


async def fold(process: Process) -> int:
    async with transaction(process.database) as connection:
        return await repository.fold(connection)


async def _cancel(records: Records, execution: UUID) -> None:
    await records.move(execution, Status.CANCELED, cause=Cause.CANCELED_BY_USER)


async def _hold(records: Records, execution: UUID) -> None:
    await holding.hold(records.process, ANN, execution)


async def _gate(records: Records, execution: UUID) -> None:
    await records.change(execution, gated=True)


@pytest.mark.parametrize("leave", [_cancel, _hold, _gate])
async def test_who_leaves_without_a_start_has_waited_but_was_not_claimed(
    records: Records, leave: Callable[[Records, UUID], Awaitable[None]]
) -> None:
    execution = await records.submit()
    await records.change(execution, queued_at=datetime.now(UTC) - HOUR)
    assert await waits(records.process, pools=records.worker.pool) == []
    await leave(records, execution)
    (left,) = await waits(records.process, pools=records.worker.pool)
    assert (left.claimed, left.mean, left.longest_claimed) == (0, None, None)
    assert 3600 <= left.longest < 3700


async def test_a_claim_is_what_ends_a_wait_and_the_next_one_begins_when_it_is_queued_anew(records: Records) -> None:
    """What comes after the claim is no waiting, and neither is to be held, nor a time that has not come."""
    now = datetime.now(UTC)
    execution = await records.submit()
    await records.change(execution, queued_at=now - 3 * HOUR, not_before=now - HOUR)
    (claim,) = await records.take()
    await records.start(claim.lease)
    (left,) = await waits(records.process, pools=records.worker.pool)
    assert left.claimed == 1
    assert left.mean == left.longest == left.longest_claimed == pytest.approx(3600, abs=100)
    assert left.earliest == now - HOUR
    await records.ask_to_save(claim.lease)
    await records.save(claim.lease)
    await pausing.resume(records.process, ANN, execution)
    (claim,) = await records.take()
    (left,) = await waits(records.process, pools=records.worker.pool)
    assert left.claimed == 2
    assert left.mean == pytest.approx(1800, abs=50)


@pytest.mark.parametrize("before", [{"hold": True}, {"gated": True}, {"not_before": datetime(2100, 1, 1, tzinfo=UTC)}])
async def test_what_could_not_start_has_not_waited(records: Records, before: dict[str, Any]) -> None:
    execution = await records.submit()
    await records.change(execution, queued_at=datetime.now(UTC) - HOUR)
    await records.change(execution, **before)
    # Until now it had waited, unless it never might.
    counted = len(await waits(records.process, pools=records.worker.pool))
    assert counted == ("not_before" not in before)
    async with reading(records.process.database) as connection:
        since, now = await repository.find_queued_since(connection, Scope(pools=frozenset({records.worker.pool})))
    assert since is None
    assert now > datetime.now(UTC) - HOUR
    await _cancel(records, execution)
    assert sum(each.claimed for each in await waits(records.process, pools=records.worker.pool)) == 0
    assert len(await waits(records.process, pools=records.worker.pool)) == counted


async def test_old_waits_are_kept_by_the_hour_and_nothing_of_them_is_lost(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - FINE_FOR - 2 * HOUR
    one = {"owner": owner, "pool": "p", "n": 1}
    rows = [
        one
        | {
            "at": begin + minute * MINUTE,
            "claimed": minute % 2 == 0,
            "seconds": 60.0 * minute,
            "longest": 60.0 * minute,
        }
        | {"earliest": begin - minute * MINUTE}
        for minute in range(60)
    ]
    await records.commit(lambda connection: connection.execute(insert(queue_waits), rows))
    before = await waits(records.process, owners=owner)
    await fold(records.process)
    async with reading(records.process.database) as connection:
        kept = select(func.count(), func.sum(queue_waits.c.n)).where(queue_waits.c.owner == owner)
        assert (await connection.execute(kept)).one() == (2, 60)
    assert await waits(records.process, owners=owner) == before
    assert (before[0].longest, before[0].longest_claimed) == (59 * 60, 58 * 60)
    assert before[0].earliest == begin - 59 * MINUTE


async def _look(process: Process, pool: Scope, known: datetime | None) -> datetime | None:
    """Since when the first has waited. The queue's past does not become younger when somebody leaves it."""
    async with snapshot(process.database) as connection:
        since, now = await repository.find_queued_since(connection, pool)
        across = await repository.find_waited_across(connection, pool, now - HOUR / 2)
    seen = min(filter(None, (since, across)), default=None)
    if known is not None:
        assert seen is not None
        assert seen <= known
    return seen if seen is not None and seen < now - HOUR / 2 else known


@repeated
async def test_waits_are_exact_at_every_moment_of_a_tumult(records: Records, repetitions: int) -> None:
    """Many come and are claimed, two fold, and whoever looks sees all that wait or have waited."""
    busy = True
    pool = Scope(pools=frozenset({records.worker.pool}))

    async def write(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311
        for _ in range(repetitions):
            execution = await records.submit()
            await records.change(execution, queued_at=datetime.now(UTC) - HOUR - timedelta(seconds=dice.randrange(60)))
            if dice.random() < 0.5:
                await records.take(most=2)

    async def look_on() -> None:
        known = None
        while busy:
            known = await _look(records.process, pool, known)

    async def fold_on() -> None:
        while busy:
            await fold(records.process)

    beside = [asyncio.create_task(each) for each in (look_on(), fold_on(), fold_on())]
    try:
        await asyncio.gather(*map(write, range(4)))
    finally:
        busy = False
        await asyncio.gather(*beside)
    while await records.take(most=8):
        pass
    (left,) = await waits(records.process, pools=records.worker.pool)
    assert left.claimed == 4 * repetitions
    assert left.mean is not None
    assert left.mean <= left.longest
