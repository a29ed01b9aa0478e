"""What lies ahead of an execution: its place in the queue, which is that in the next claim, and its duration."""

import random
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, insert, text

from app.db.engine import reading, transaction
from app.executions import outlook
from app.executions.model import Lane
from app.executions.outlook import COUNT_AT_MOST, Outlook, foresee
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.pools.tables import PoolTurn
from support.migrations import NewDatabase
from support.records import Records, opened


async def ahead_of(records: Records, execution: UUID) -> Outlook:
    record = await records.record(execution)
    async with reading(records.process.database) as connection:
        return await foresee(connection, record)


async def place(records: Records, execution: UUID) -> int | None:
    return (await ahead_of(records, execution)).queue_position


# Its place


async def a_queue(records: Records, chance: random.Random) -> list[UUID]:
    """A pool in some state; what may start in it."""
    names = [f"owner-{number}" for number in range(chance.randint(1, 6))]
    for name in chance.choices(names, k=chance.randint(0, 6)):
        await records.submit(owner=name)
        await records.take()
    async with transaction(records.process.database) as connection:
        await connection.execute(delete(PoolTurn).where(PoolTurn.pool == records.worker.pool))
        for name in chance.sample(names, chance.randint(0, len(names))):
            served_at = func.now() - timedelta(hours=chance.random())
            turn = {"pool": records.worker.pool, "owner": name, "served_at": served_at}
            await connection.execute(insert(PoolTurn).values(**turn))
    queued = []
    for _ in range(chance.randint(2, 12)):
        execution = await records.submit(owner=chance.choice(names), priority=chance.choice([0, 0, 9]))
        away = chance.choice([{}, {}, {}, {"hold": True}, {"not_before": func.now() + timedelta(hours=1)}])
        await records.change(execution, queued_at=func.now() - timedelta(minutes=chance.uniform(0, 30)), **away)
        queued += [] if away else [execution]
    return queued


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 100))])
async def test_a_place_is_that_in_which_it_would_be_claimed(records: Records, seed: int) -> None:
    queued = await a_queue(records, random.Random(seed))  # noqa: S311 - a schedule
    places = {execution: await place(records, execution) for execution in queued}
    claimed = [claim.lease.execution for claim in await records.take(most=len(queued) + 1)]
    assert places == {execution: number for number, execution in enumerate(claimed, start=1)}


async def test_what_waits_in_a_higher_lane_is_before_it(records: Records) -> None:
    low, normal, high = [await records.submit(lane=lane) for lane in (Lane.LOW, Lane.NORMAL, Lane.HIGH)]
    await records.change(await records.submit(lane=Lane.HIGH), hold=True)
    assert [await place(records, each) for each in (high, normal, low)] == [1, 2, 3]


async def test_what_is_held_or_waits_for_its_time_or_runs_has_no_place(records: Records) -> None:
    held, later, gated = [await records.submit() for _ in range(3)]
    await records.change(held, hold=True)
    await records.change(later, not_before=func.now() + timedelta(hours=1))
    await records.change(gated, gated=True)
    assert [await place(records, each) for each in (held, later, gated)] == [None, None, None]
    running = await records.run()
    assert await place(records, running.lease.execution) is None


async def test_a_place_costs_little_in_a_long_queue(new_database: NewDatabase, redis_url: str, tmp_path: Path) -> None:
    """Counted in pages, which do not depend on how busy the machine is."""
    many = text("""
        INSERT INTO executions (id, owner, pool, spec, limits, status, queued_at)
        SELECT gen_random_uuid(), 'owner-' || i % 3, :pool, jsonb_build_object('image', 'i'), '{}', 'queued',
            now() - i * interval '1 second'
        FROM generate_series(1, 12000) AS i
    """)
    async with opened(await new_database(), redis_url, tmp_path) as process:
        records = await Records.of(process)
        async with transaction(process.database) as connection:
            await connection.execute(many.bindparams(pool=records.worker.pool))
        last, first = await records.submit(owner="owner-1"), await records.submit(owner="bob")
        assert await place(records, last) == COUNT_AT_MOST
        # The others have waited longer for the first turn that each of them gets.
        assert await place(records, first) == 4
        asked = {"execution": last, "pool": records.worker.pool, "lane": Lane.NORMAL}
        explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {outlook._POSITION.text}")
        async with reading(process.database) as connection:
            answer = await connection.execute(explained, asked | {"most": COUNT_AT_MOST})
        plan = answer.scalar_one()[0]["Plan"]
    # Three parts, each of which looks at no more than that many; the queue has 12,000.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 3 * COUNT_AT_MOST


# How long it will run


async def a_run(
    records: Records, owner: str, seconds: float, *, cause: Cause = Cause.OK, name: str | None = None
) -> None:
    """One that ran for so long and ended."""
    execution = await records.submit("work", owner=owner)
    (claim,) = await records.take()
    assert claim.lease.execution == execution
    await records.start(claim.lease)
    await records.end(claim.lease, cause)
    await records.change(execution, name=name, started_at=Execution.finished_at - timedelta(seconds=seconds))


async def expected(records: Records, owner: str, *, name: str | None = None, command: str = "work") -> float | None:
    execution = await records.submit(command, owner=owner)
    await records.change(execution, name=name)
    found = await ahead_of(records, execution)
    await records.move(execution, Status.CANCELED, cause=Cause.CANCELED_BY_USER)
    return found.expected_seconds


async def test_what_ran_often_is_expected_to_take_as_long_again(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    for seconds in (10, 30):
        await a_run(records, owner, seconds)
    assert await expected(records, owner) is None, "two are too few"
    for seconds in (20, 20, 100):
        await a_run(records, owner, seconds)
    waiting = await ahead_of(records, await records.submit("work", owner=owner))
    assert waiting.expected_seconds == pytest.approx(20)
    # Between the last but one and the last of five.
    assert waiting.expected_seconds_p90 == pytest.approx(72)
    (claim,) = await records.take()
    await records.start(claim.lease)
    assert (await ahead_of(records, claim.lease.execution)).expected_seconds == pytest.approx(20)


async def test_only_its_like_counts(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    for _ in range(3):
        await a_run(records, owner, 50)
        await a_run(records, owner, 70, name="nightly")
        await a_run(records, owner, 1, cause=Cause.EXIT_NONZERO)
    assert await expected(records, owner) == pytest.approx(50)
    # By the name, whatever the command is.
    assert await expected(records, owner, name="nightly", command="other") == pytest.approx(70)
    assert await expected(records, owner, command="other") is None
    assert await expected(records, f"other-{owner}") is None


async def test_only_the_last_runs_count(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    for seconds in [500] * 5 + [5] * outlook.RUNS:
        await a_run(records, owner, seconds)
    found = await ahead_of(records, await records.submit("work", owner=owner))
    assert (found.expected_seconds, found.expected_seconds_p90) == (pytest.approx(5), pytest.approx(5))


async def test_past_runs_are_found_without_a_scan(new_database: NewDatabase, redis_url: str, tmp_path: Path) -> None:
    many = text("""
        INSERT INTO executions (id, owner, pool, spec, limits, status, cause, name, started_at, finished_at)
        SELECT gen_random_uuid(), 'ann', :pool, jsonb_build_object('image', 'busybox:local'), '{}', 'succeeded', 'ok',
            'job-' || i % 10, now() - interval '5 seconds', now()
        FROM generate_series(1, 6000) AS i
    """)
    async with opened(await new_database(), redis_url, tmp_path) as process:
        records = await Records.of(process)
        async with transaction(process.database) as connection:
            await connection.execute(many.bindparams(pool=records.worker.pool))
        execution = await records.submit(owner="ann")
        await records.change(execution, name="job-3")
        assert (await ahead_of(records, execution)).expected_seconds == pytest.approx(5)
        explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {outlook._EXPECTED.text}")
        async with reading(process.database) as connection:
            answer = await connection.execute(explained, {"execution": execution, "runs": 20, "at_least": 3})
        plan = answer.scalar_one()[0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200
