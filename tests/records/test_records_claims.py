"""Whose turn it is: owners by turns, priority and age within an owner, limits that hold exactly."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, event, func, insert, text, update

from app.db.engine import reading, transaction
from app.executions import repository
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.pools.tables import Pool, PoolTurn
from app.workers.model import Wanted
from app.workers.tables import Worker
from support.migrations import NewDatabase
from support.racing import overtaken, race, repeated, winners
from support.records import Records, check_history, opened
from worker import claims, queue
from worker.claims import Claim


async def change(records: Records, execution: UUID, **columns: Any) -> None:
    async with transaction(records.process.database) as connection:
        await connection.execute(update(Execution).where(Execution.id == execution).values(**columns))


async def limit(records: Records, **limits: int | None) -> None:
    async with transaction(records.process.database) as connection:
        await connection.execute(update(Pool).where(Pool.name == records.worker.pool).values(**limits))


async def owners_of_next(records: Records, most: int) -> list[str]:
    """Take so many; whose they are, in the order in which they were picked."""
    return [claim.record.owner for claim in await records.take(most=most)]


async def finish(records: Records, claim: Claim) -> None:
    if (await records.record(claim.lease.execution)).status is Status.PREPARING:
        await records.start(claim.lease)
    await records.end(claim.lease)


async def serve(records: Records, owner: str) -> None:
    """Run one of theirs, whole."""
    await records.submit(owner=owner)
    (claim,) = await records.take()
    await finish(records, claim)


def ago(**time: float) -> Any:
    return func.now() - timedelta(**time)


# Turns


async def test_somebodys_one_waits_for_no_more_than_a_turn_behind_anothers_five_hundred(records: Records) -> None:
    for _ in range(500):
        await records.submit(owner="ann")
    running = await records.take(most=4)
    mine = await records.submit(owner="bob")
    await finish(records, running[0])
    (claim,) = await records.take(most=1)
    assert claim.lease.execution == mine
    # And then it is the other's turn again.
    await finish(records, running[1])
    assert await owners_of_next(records, 2) == ["ann", "ann"]


async def test_four_free_slots_go_to_four_owners(records: Records) -> None:
    for owner in ("ann", "ann", "ann", "ann", "bob", "bob", "cy", "dee"):
        await records.submit(owner=owner)
    assert await owners_of_next(records, 4) == ["ann", "bob", "cy", "dee"]
    assert await owners_of_next(records, 4) == ["ann", "bob", "ann", "ann"]


@pytest.mark.parametrize("status", [Status.PREPARING, Status.RUNNING, Status.STOPPING])
async def test_whoever_holds_least_is_next(records: Records, status: Status) -> None:
    await records.in_status(status)
    await records.submit(owner="ann")
    await records.submit(owner="bob")
    await records.submit(owner="bob")
    assert await owners_of_next(records, 3) == ["bob", "ann", "bob"]


@pytest.mark.parametrize("most", [1, 4])
async def test_among_equals_whoever_waited_longest_for_a_turn_is_next(records: Records, most: int) -> None:
    for owner in ("ann", "bob", "cy"):
        await serve(records, owner)
    for owner in ("cy", "bob", "dee", "ann"):
        await records.submit(owner=owner)
    # Dee was never served; the others were in this order.
    order = [owner for _ in range(4 // most) for owner in await owners_of_next(records, most)]
    assert order == ["dee", "ann", "bob", "cy"]


async def test_who_had_several_turns_at_once_had_the_last_of_them_last(records: Records) -> None:
    await records.submit(owner="bob")
    await records.take()
    for owner in ("ann", "bob", "ann", "bob", "ann"):
        await records.submit(owner=owner)
    assert await owners_of_next(records, 3) == ["ann", "bob", "ann"]
    assert await owners_of_next(records, 1) == ["bob"]


async def test_turns_are_counted_in_each_pool_for_itself(records: Records) -> None:
    elsewhere = await Records.of(records.process)
    for owner in ("ann", "bob"):
        await serve(records, owner)
    for owner in ("bob", "ann"):
        await serve(elsewhere, owner)
    for each in (records, elsewhere):
        await each.submit(owner="ann")
        await each.submit(owner="bob")
    assert await owners_of_next(records, 2) == ["ann", "bob"]
    assert await owners_of_next(elsewhere, 2) == ["bob", "ann"]


# Within an owner


async def test_a_point_of_priority_is_worth_a_minute_of_waiting(records: Records) -> None:
    urgent = await records.submit(priority=5)
    older, old = await records.submit(), await records.submit()
    lazy = await records.submit(priority=-100)
    await change(records, older, queued_at=ago(minutes=6))
    await change(records, old, queued_at=ago(minutes=4))
    await change(records, lazy, queued_at=ago(minutes=99))
    assert [claim.lease.execution for claim in await records.take(most=4)] == [older, urgent, old, lazy]


async def test_priority_is_of_no_use_against_others(records: Records) -> None:
    await serve(records, "ann")
    await records.submit(owner="ann", priority=100)
    await records.submit(owner="bob", priority=-100)
    assert await owners_of_next(records, 1) == ["bob"]


async def test_what_may_not_start_yet_is_left_alone_and_holds_nobody_up(records: Records) -> None:
    later, now, others = await records.submit(priority=100), await records.submit(), await records.submit(owner="bob")
    await change(records, later, not_before=func.now() + timedelta(seconds=30))
    assert [claim.lease.execution for claim in await records.take(most=4)] == [now, others]
    await change(records, later, not_before=ago(seconds=1))
    assert [claim.lease.execution for claim in await records.take(most=4)] == [later]


async def test_waiting_begins_when_it_may_start(records: Records) -> None:
    retried, other = await records.submit(), await records.submit()
    await change(records, retried, queued_at=ago(hours=1), not_before=ago(minutes=1))
    await change(records, other, queued_at=ago(minutes=2))
    assert [claim.lease.execution for claim in await records.take(most=2)] == [other, retried]


# Limits


async def test_no_more_run_than_the_pool_allows(records: Records) -> None:
    await limit(records, max_running=3)
    for owner in ("ann", "bob", "cy", "dee", "eve"):
        await records.submit(owner=owner)
    taken = await records.take(most=2)
    assert len(taken) == 2
    await records.start(taken[0].lease)
    taken += await records.take(most=4)
    assert len(taken) == 3
    assert await records.take(most=4) == []
    await finish(records, taken[0])
    assert len(await records.take(most=4)) == 1
    await limit(records, max_running=1)
    await finish(records, taken[1])
    assert await records.take(most=4) == []
    await limit(records, max_running=None)
    assert len(await records.take(most=4)) == 1


async def test_no_more_run_of_an_owner_than_the_pool_allows(records: Records) -> None:
    await limit(records, max_running_per_owner=2)
    for owner in ("ann", "ann", "ann", "bob"):
        await records.submit(owner=owner)
    taken = await records.take(most=4)
    assert [claim.record.owner for claim in taken] == ["ann", "bob", "ann"]
    assert await records.take(most=4) == []
    await finish(records, taken[0])
    assert await owners_of_next(records, 4) == ["ann"]


@pytest.mark.parametrize("which", ["max_running", "max_running_per_owner"])
async def test_a_limit_of_nothing_stops_the_queue_until_it_is_lifted(records: Records, which: str) -> None:
    await limit(records, **{which: 0})
    await records.submit()
    assert await records.take(most=4) == []
    await limit(records, **{which: None})
    assert len(await records.take(most=4)) == 1


async def test_another_pool_has_limits_of_its_own(records: Records) -> None:
    elsewhere = await Records.of(records.process)
    await limit(records, max_running=1)
    for each in (records, elsewhere):
        await each.submit()
        await each.submit()
    assert len(await records.take(most=2)) == 1
    assert len(await elsewhere.take(most=2)) == 2


@repeated
async def test_limits_hold_exactly_however_many_claim_at_once(records: Records, repetitions: int) -> None:
    crew = [records, *[await records.colleague() for _ in range(4)]]
    await limit(records, max_running=5, max_running_per_owner=2)
    chance = random.Random(repetitions)  # noqa: S311 - a schedule
    running: list[Claim] = []
    for _ in range(repetitions):
        for owner in chance.choices(["ann", "bob", "cy", "dee"], k=4):
            await records.submit(owner=owner)
        races = await race(
            records.process, *(claiming(each, most=chance.randint(1, 4)) for each in chance.sample(crew, 3))
        )
        running += [claim for won in winners(races) for claim in won]
        by_owner = Counter(claim.record.owner for claim in running)
        assert len(running) <= 5
        assert max(by_owner.values()) <= 2
        assert len({claim.lease.execution for claim in running}) == len(running)
        for claim in chance.sample(running, chance.randint(1, len(running))):
            await finish(records, claim)
            running.remove(claim)
    for claim in running:
        check_history(await records.events(claim.lease.execution), Status.PREPARING)


def claiming(records: Records, *, most: int) -> Any:
    return lambda connection: queue.claim(connection, records.worker, most=most)


async def test_a_limit_that_is_lowered_at_that_moment_holds(records: Records) -> None:
    for _ in range(4):
        await records.submit()
    lower = update(Pool).where(Pool.name == records.worker.pool).values(max_running=1)
    _, taken = await overtaken(records.process, lambda connection: connection.execute(lower), claiming(records, most=4))
    assert len(winners([taken])[0]) == 1  # type: ignore[arg-type]


# Beside others


async def test_the_turn_of_one_that_is_being_canceled_goes_to_the_next(records: Records) -> None:
    await limit(records, max_running=2, max_running_per_owner=1)
    first, second, others = await records.submit(), await records.submit(), await records.submit(owner="bob")
    async with records.process.database.connect() as connection:
        await repository.move(connection, first, Status.CANCELED, actor="ann", cause=Cause.CANCELED_BY_USER, message="")
        taken = [(await records.take(most=1))[0].lease.execution for _ in range(2)]
        assert await records.take(most=4) == []
        await connection.commit()
    assert sorted(taken) == sorted([second, others])


async def test_a_submission_waits_for_no_claim_and_no_claim_for_a_submission(records: Records) -> None:
    await records.submit()
    async with records.process.database.connect() as claimer, records.process.database.connect() as submitter:
        assert len(await queue.claim(claimer, records.worker, most=1)) == 1
        async with asyncio.timeout(5):
            await records.submit()
        await claimer.commit()
        await submitter.execute(
            text("SELECT FROM pools WHERE name = :name FOR KEY SHARE").bindparams(name=records.worker.pool)
        )
        async with asyncio.timeout(5):
            assert len(await records.take(most=4)) == 1


@pytest.mark.parametrize("wanted", [Wanted.PAUSE, Wanted.DRAIN])
async def test_a_worker_that_is_to_take_nothing_takes_nothing(records: Records, wanted: Wanted) -> None:
    await records.submit()
    await want(records, wanted=wanted)
    assert await records.take() == []
    colleague = await records.colleague()
    assert len(await colleague.take()) == 1
    await want(records, wanted=Wanted.WORK)
    await records.submit()
    assert len(await records.take()) == 1


async def test_a_worker_that_has_signed_off_takes_nothing(records: Records) -> None:
    await records.submit()
    await records.commit(lambda connection: claims.sign_off(connection, records.worker.id))
    assert await records.take() == []


async def want(records: Records, *, wanted: Wanted) -> None:
    async with transaction(records.process.database) as connection:
        await connection.execute(update(Worker).where(Worker.id == records.worker.id).values(wanted=wanted))


# The order as a whole, against a second telling of it


@dataclass
class Story:
    """A pool, and whom it picks next: one by one, by hand. `queued` has `(turn, age, id)`, in minutes."""

    held: Counter[str]
    served: list[str]
    queued: dict[str, list[tuple[float, float, UUID]]]
    max_running: int | None
    max_running_per_owner: int | None

    def pick(self) -> UUID | None:
        if self.max_running is not None and sum(self.held.values()) >= self.max_running:
            return None
        most = self.max_running_per_owner
        waiting = [name for name, items in self.queued.items() if items and (most is None or self.held[name] < most)]
        if not waiting:
            return None
        owner = min(waiting, key=self._order)
        self.held[owner] += 1
        self.served = [*(name for name in self.served if name != owner), owner]
        return self.queued[owner].pop(0)[2]

    def _order(self, owner: str) -> tuple[int, int, float]:
        last_turn = self.served.index(owner) if owner in self.served else -1
        return self.held[owner], last_turn, -self.queued[owner][0][1]


async def tell(records: Records, chance: random.Random) -> Story:
    """A pool in some state, in the database and by hand."""
    names = [f"owner-{number}" for number in range(chance.randint(1, 6))]
    held = Counter({name: chance.choice([0, 0, 1, 2, 3]) for name in names})
    for name in names:
        for _ in range(held[name]):
            await records.submit(owner=name)
            await records.take()
    served = chance.sample(names, chance.randint(0, len(names)))
    queued: dict[str, list[tuple[float, float, UUID]]] = {name: [] for name in names}
    for _ in range(chance.randint(0, 14)):
        name, priority, age = chance.choice(names), chance.choice([0, 0, 7, -9, 100]), chance.uniform(0, 30)
        execution = await records.submit(owner=name, priority=priority)
        await change(records, execution, queued_at=ago(minutes=age))
        queued[name].append((-age - priority, age, execution))
    limits = {which: chance.choice([None, None, 1, 2, 5, 9]) for which in ("max_running", "max_running_per_owner")}
    await limit(records, **limits)
    async with transaction(records.process.database) as connection:
        await connection.execute(delete(PoolTurn).where(PoolTurn.pool == records.worker.pool))
        for place, name in enumerate(served):
            turn = {"pool": records.worker.pool, "owner": name, "served_at": ago(minutes=100 - place)}
            await connection.execute(insert(PoolTurn).values(**turn))
    return Story(held, served, {name: sorted(items) for name, items in queued.items()}, **limits)


@pytest.mark.parametrize("seed", [*range(15), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(15, 200))])
async def test_many_at_once_are_picked_as_one_by_one(records: Records, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a schedule
    story = await tell(records, chance)
    for most in (chance.randint(1, 5), chance.randint(1, 9)):
        picked = [execution for execution in (story.pick() for _ in range(most)) if execution is not None]
        assert [claim.lease.execution for claim in await records.take(most=most)] == picked


# What it costs


@contextmanager
def counting_statements(records: Records) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = records.process.database.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_claim_of_many_takes_no_more_statements_than_of_one(records: Records) -> None:
    for number in range(9):
        await records.submit(owner=f"owner-{number % 3}")
    counts = []
    for most in (1, 8, 1):
        with counting_statements(records) as seen:
            await records.take(most=most)
        counts.append(len(seen))
    # The third finds an empty queue, and does not even take the lock.
    assert counts == [5, 5, 1]


async def test_a_claim_reads_little_of_a_long_queue(new_database: NewDatabase, redis_url: str, tmp_path: Path) -> None:
    """Counted in pages, which do not depend on how busy the machine is."""
    many = text("""
        INSERT INTO executions (id, owner, pool, spec, limits, status, queued_at)
        SELECT gen_random_uuid(), 'owner-' || greatest(0, i - 19900), :pool, '{}', '{}', 'queued',
            now() - i * interval '1 second'
        FROM generate_series(1, 20000) AS i
    """)
    async with opened(await new_database(), redis_url, tmp_path) as process:
        records = await Records.of(process)
        async with transaction(process.database) as connection:
            await connection.execute(many.bindparams(pool=records.worker.pool))
        asked = {"pool": records.worker.pool, "most": 4, "most_in_pool": 9, "most_per_owner": 3, "passed_over": []}
        async with reading(process.database) as connection:
            explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queue._PICK.text}")
            plan = (await connection.execute(explained, asked)).scalar_one()[0]["Plan"]
    assert plan["Actual Rows"] == 4
    # Some four for a step from owner to owner, of whom there are 101; the queue itself has hundreds.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1500
