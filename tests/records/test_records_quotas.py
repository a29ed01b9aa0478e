"""What of an owner may run at once by its size, and the sums of what is kept of them: all of it exact."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, event, func, insert, select, text, update

from app.db.engine import reading, transaction
from app.executions.states import Cause
from app.executions.tables import Execution
from app.executions.waiting import WaitingOn
from app.logs.tables import LogHead
from app.quotas import repository
from app.quotas.model import Kept
from app.quotas.tables import Quota, kept_bytes
from support.racing import race, repeated, winners
from support.records import Records
from worker.claims import Claim

GIB = 2**30


async def bound(records: Records, **bounds: Any) -> str:
    """Somebody who may have so much."""
    owner = f"owner-{uuid4().hex}"
    async with transaction(records.process.database) as connection:
        await connection.execute(insert(Quota).values(owner=owner, **bounds))
    return owner


# What runs at once


@pytest.mark.parametrize(("limit", "size"), [("max_cpus", {"cpus": 0.1}), ("max_memory", {"memory": GIB})])
async def test_what_runs_is_as_large_as_may_be_and_the_rest_says_why_it_waits(
    records: Records, limit: str, size: dict[str, Any]
) -> None:
    owner = await bound(records, **{limit: 3 * next(iter(size.values()))})
    mine = [await records.submit(owner=owner, **size) for _ in range(4)]
    await records.submit(owner="free", **size)
    taken = await records.take(most=8)
    assert [claim.record.owner for claim in taken].count(owner) == 3
    assert "free" in [claim.record.owner for claim in taken]
    assert (await records.record(mine[3])).waiting_on == WaitingOn.QUOTA
    await records.finish(next(claim for claim in taken if claim.record.owner == owner))
    assert (await records.record(mine[3])).waiting_on == WaitingOn.SLOT
    assert [claim.lease.execution for claim in await records.take(most=8)] == [mine[3]]


async def test_a_large_one_is_not_passed_by_small_ones_of_its_owner(records: Records) -> None:
    owner = await bound(records, max_cpus=4.0)
    first, large, small = [await records.submit(owner=owner, cpus=cpus) for cpus in (2.0, 3.0, 1.0)]
    taken = await records.take(most=8)
    assert [claim.lease.execution for claim in taken] == [first]
    assert (await records.record(large)).waiting_on == WaitingOn.QUOTA
    # Others are not held up by it.
    other = await records.submit(owner="free")
    assert [claim.lease.execution for claim in await records.take(most=8)] == [other]
    await records.finish(taken[0])
    assert [claim.lease.execution for claim in await records.take(most=8)] == [large, small]


async def test_what_is_more_than_its_owner_may_ever_have_holds_nothing_up(records: Records) -> None:
    owner = await bound(records, max_memory=2 * GIB, max_running=5)
    vast = await records.submit(owner=owner, memory=3 * GIB)
    small = await records.submit(owner=owner, memory=GIB)
    assert [claim.lease.execution for claim in await records.take(most=8)] == [small]
    assert (await records.record(vast)).waiting_on == WaitingOn.QUOTA


async def test_who_has_no_room_left_costs_a_claim_nothing_each(records: Records) -> None:
    others = [await bound(records, max_cpus=1.0) for _ in range(6)]
    for owner in others:
        await records.submit(owner=owner, cpus=1.0, priority=1)
    assert len(await records.take(most=8)) == len(others)
    for owner in others:
        await records.submit(owner=owner, cpus=1.0, priority=1)
    # Whoever holds more comes after all of them.
    for _ in range(3):
        await records.submit(owner="much")
    assert len(await records.take(most=2)) == 2
    picks: list[str] = []
    engine = records.process.database.sync_engine

    def note(*told: Any) -> None:
        picks.extend(["pick"] if "next_owners" in told[2] else [])

    event.listen(engine, "before_cursor_execute", note)
    try:
        (claim,) = await records.take(most=1)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert claim.record.owner == "much"
    assert len(picks) == 1


@repeated
async def test_the_sum_holds_over_all_pools_however_many_claim_at_once(records: Records, repetitions: int) -> None:
    owner = await bound(records, max_cpus=2.0, max_memory=4 * GIB)
    pools = [records, *[await Records.of(records.process) for _ in range(3)]]
    chance = random.Random(repetitions)  # noqa: S311 - a schedule
    running: list[tuple[Records, Claim]] = []
    for _ in range(repetitions):
        for pool in pools:
            await pool.submit(owner=owner, cpus=chance.choice([0.5, 0.7, 1.2]), memory=chance.choice([GIB, 2 * GIB]))
        races = await race(records.process, *(pool.claiming(most=3) for pool in pools))
        running += [(pool, claim) for pool, won in zip(pools, winners(races), strict=True) for claim in won]
        async with reading(records.process.database) as connection:
            usage = await repository.count(connection, owner)
        sizes = [claim.record.limits for _, claim in running]
        assert usage.cpus == round(sum(size.cpus for size in sizes), 6) <= 2.0
        assert usage.memory == sum(int(size.memory) for size in sizes) <= 4 * GIB
        assert running
        for ended in chance.sample(running, chance.randint(1, len(running))):
            await ended[0].finish(ended[1])
            running.remove(ended)


# What is kept


async def kept(records: Records, owner: str) -> Kept:
    async with reading(records.process.database) as connection:
        return await repository.count_kept(connection, owner)


async def write_log(records: Records, execution: UUID, **columns: Any) -> None:
    await records.commit(
        lambda connection: connection.execute(
            update(LogHead).where(LogHead.execution_id == execution).values(**columns)
        )
    )


async def test_logs_count_while_they_are_written_and_until_they_are_gone(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    await records.submit(owner=owner, log_bytes=100_000)
    (claim,) = await records.take()
    execution = claim.lease.execution
    await write_log(records, execution, charged=1000)
    assert await kept(records, owner) == Kept(1000, 0)
    await records.finish(claim)
    assert await kept(records, owner) == Kept(1000, 0)
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    await write_log(records, execution, expires=tomorrow)
    assert await kept(records, owner) == Kept(1000, 0)
    await write_log(records, execution, expires=tomorrow - timedelta(days=5))
    assert await kept(records, owner) == Kept(0, 0)
    async with transaction(records.process.database) as connection:
        await repository.fold_kept(connection)
        assert not (await connection.execute(select(kept_bytes).where(kept_bytes.c.owner == owner))).all()
    await write_log(records, execution, expires=None)
    assert await kept(records, owner) == Kept(1000, 0)
    await records.commit(lambda connection: connection.execute(delete(Execution).where(Execution.id == execution)))
    assert await kept(records, owner) == Kept(0, 0)


async def test_of_a_log_that_was_cut_as_much_counts_as_may_be_kept(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    await records.submit(owner=owner, log_bytes=100_000)
    (claim,) = await records.take()
    await write_log(records, claim.lease.execution, charged=75_000, truncated=True)
    await records.end(claim.lease, Cause.ENGINE_ERROR)
    assert await kept(records, owner) == Kept(100_000, 0)


async def test_files_count_until_they_are_let_go(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    await records.submit(owner=owner)
    (claim,) = await records.take()
    execution = claim.lease.execution
    await records.finish(claim)
    await records.change(execution, outputs_bytes=70, checkpoint_bytes=30)
    assert await kept(records, owner) == Kept(0, 100)
    await records.change(execution, outputs_expired_at=func.now())
    assert await kept(records, owner) == Kept(0, 30)
    await records.change(execution, outputs_expired_at=None, archived_at=func.now())
    assert await kept(records, owner) == Kept(0, 100)
    await records.commit(lambda connection: connection.execute(delete(Execution).where(Execution.id == execution)))
    assert await kept(records, owner) == Kept(0, 0)


async def test_sums_are_folded_and_stay_what_they_are(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    for size in (10, 20, 30):
        await records.submit(owner=owner)
        (claim,) = await records.take()
        await write_log(records, claim.lease.execution, charged=size)
        await records.finish(claim)
        await records.change(claim.lease.execution, outputs_bytes=size)
    async with transaction(records.process.database) as connection:
        await repository.fold_kept(connection)
    assert await kept(records, owner) == Kept(60, 60)
    async with reading(records.process.database) as connection:
        rows = await connection.execute(
            select(kept_bytes.c.what, kept_bytes.c.n).where(kept_bytes.c.owner == owner).order_by(text("what"))
        )
        assert rows.all() == [("files", 60), ("log", 60)]
