"""How many may run: of a pool, of an owner in it, and of an owner over all pools. All of it exact."""

import asyncio
import random
from collections import Counter
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update

from app.db.engine import transaction
from app.executions.states import Status
from app.pools.tables import Pool
from app.quotas.tables import Quota
from support.eventually import eventually
from support.racing import is_blocked_by, overtaken, race, repeated, winners
from support.records import Records, check_history
from worker.claims import Claim

# Of a pool


async def test_no_more_run_than_the_pool_allows(records: Records) -> None:
    await records.limit(max_running=3)
    for owner in ("ann", "bob", "cy", "dee", "eve"):
        await records.submit(owner=owner)
    taken = await records.take(most=2)
    assert len(taken) == 2
    await records.start(taken[0].lease)
    taken += await records.take(most=4)
    assert len(taken) == 3
    assert await records.take(most=4) == []
    await records.finish(taken[0])
    assert len(await records.take(most=4)) == 1
    await records.limit(max_running=1)
    await records.finish(taken[1])
    assert await records.take(most=4) == []
    await records.limit(max_running=None)
    assert len(await records.take(most=4)) == 1


async def test_no_more_run_of_an_owner_than_the_pool_allows(records: Records) -> None:
    await records.limit(max_running_per_owner=2)
    for owner in ("ann", "ann", "ann", "bob"):
        await records.submit(owner=owner)
    taken = await records.take(most=4)
    assert [claim.record.owner for claim in taken] == ["ann", "bob", "ann"]
    assert await records.take(most=4) == []
    await records.finish(taken[0])
    assert [claim.record.owner for claim in await records.take(most=4)] == ["ann"]


@pytest.mark.parametrize("which", ["max_running", "max_running_per_owner"])
async def test_a_limit_of_nothing_stops_the_queue_until_it_is_lifted(records: Records, which: str) -> None:
    await records.limit(**{which: 0})
    await records.submit()
    assert await records.take(most=4) == []
    await records.limit(**{which: None})
    assert len(await records.take(most=4)) == 1


async def test_another_pool_has_limits_of_its_own(records: Records) -> None:
    elsewhere = await Records.of(records.process)
    await records.limit(max_running=1)
    for each in (records, elsewhere):
        await each.submit()
        await each.submit()
    assert len(await records.take(most=2)) == 1
    assert len(await elsewhere.take(most=2)) == 2


@repeated
async def test_limits_hold_exactly_however_many_claim_at_once(records: Records, repetitions: int) -> None:
    crew = [records, *[await records.colleague() for _ in range(4)]]
    await records.limit(max_running=5, max_running_per_owner=2)
    chance = random.Random(repetitions)  # noqa: S311 - a schedule
    running: list[Claim] = []
    for _ in range(repetitions):
        for owner in chance.choices(["ann", "bob", "cy", "dee"], k=4):
            await records.submit(owner=owner)
        races = await race(
            records.process, *(each.claiming(most=chance.randint(1, 4)) for each in chance.sample(crew, 3))
        )
        running += [claim for won in winners(races) for claim in won]
        by_owner = Counter(claim.record.owner for claim in running)
        assert len(running) <= 5
        assert max(by_owner.values()) <= 2
        assert len({claim.lease.execution for claim in running}) == len(running)
        for claim in chance.sample(running, chance.randint(1, len(running))):
            await records.finish(claim)
            running.remove(claim)
    for claim in running:
        check_history(await records.events(claim.lease.execution), Status.PREPARING)


async def test_a_limit_that_is_lowered_at_that_moment_holds(records: Records) -> None:
    for _ in range(4):
        await records.submit()
    lower = update(Pool).where(Pool.name == records.worker.pool).values(max_running=1)
    _, taken = await overtaken(records.process, lambda connection: connection.execute(lower), records.claiming(most=4))
    assert len(winners([taken])[0]) == 1  # type: ignore[arg-type]


# Of an owner, over all pools


@repeated
async def test_an_owners_limit_holds_over_all_pools_however_many_claim_at_once(
    records: Records, repetitions: int
) -> None:
    owner, free = f"owner-{uuid4().hex}", f"owner-{uuid4().hex}"
    pools = [records, *[await Records.of(records.process) for _ in range(3)]]
    async with transaction(records.process.database) as connection:
        await connection.execute(insert(Quota).values(owner=owner, max_running=2))
    chance = random.Random(repetitions)  # noqa: S311 - a schedule
    running: list[tuple[Records, Claim]] = []
    for _ in range(repetitions):
        for pool in pools:
            await pool.submit(owner=owner)
        await pools[0].submit(owner=free)
        races = await race(records.process, *(pool.claiming(most=3) for pool in pools))
        won = [(pool, claim) for pool, claims in zip(pools, winners(races), strict=True) for claim in claims]
        assert free in [claim.record.owner for _, claim in won]
        running += [(pool, claim) for pool, claim in won if claim.record.owner == owner]
        assert len(running) == 2
        for ended in chance.sample(running, chance.randint(1, 2)):
            await ended[0].finish(ended[1])
            running.remove(ended)
        for pool, claim in won:
            if claim.record.owner == free:
                await pool.finish(claim)


async def test_a_limited_owner_who_came_after_the_lock_has_the_next_turn(records: Records) -> None:
    """Nobody would have counted what they run elsewhere."""
    owner = f"owner-{uuid4().hex}"
    await records.submit()
    async with records.process.database.connect() as connection:
        await connection.execute(select(Pool).where(Pool.name == records.worker.pool).with_for_update(key_share=True))
        waiting = asyncio.create_task(records.take(most=4))
        await eventually(lambda: is_blocked_by(records.process, connection))
        async with transaction(records.process.database) as other:
            await other.execute(insert(Quota).values(owner=owner, max_running=1))
        await records.submit(owner=owner)
        await connection.commit()
    assert [claim.record.owner for claim in await waiting] == ["ann"]
    assert [claim.record.owner for claim in await records.take(most=4)] == [owner]
