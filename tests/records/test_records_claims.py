"""Whose turn it is: lanes, owners by turns, priority and age within an owner, and what is kept out of the queue."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, event, func, insert, text, update

from app.db.engine import Connection, reading, transaction
from app.executions import repository
from app.executions.model import Lane
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.pools.tables import PoolTurn
from app.quotas.tables import Quota
from app.workers.model import Wanted
from app.workers.tables import Worker
from support.migrations import NewDatabase
from support.records import Records, opened
from worker import claims, queue


async def owners_of_next(records: Records, most: int) -> list[str]:
    """Take so many; whose they are, in the order in which they were picked."""
    return [claim.record.owner for claim in await records.take(most=most)]


async def serve(records: Records, owner: str) -> None:
    """Run one of theirs, whole."""
    await records.submit(owner=owner)
    (claim,) = await records.take()
    await records.finish(claim)


def ago(**time: float) -> Any:
    return func.now() - timedelta(**time)


# Turns


async def test_somebodys_one_waits_for_no_more_than_a_turn_behind_anothers_five_hundred(records: Records) -> None:
    for _ in range(500):
        await records.submit(owner="ann")
    running = await records.take(most=4)
    mine = await records.submit(owner="bob")
    await records.finish(running[0])
    (claim,) = await records.take(most=1)
    assert claim.lease.execution == mine
    # And then it is the other's turn again.
    await records.finish(running[1])
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


# Lanes


async def test_a_higher_lane_comes_before_all_turns(records: Records) -> None:
    await serve(records, "bob")
    low, normal = await records.submit(lane=Lane.LOW, priority=100), await records.submit()
    high = await records.submit(owner="bob", lane=Lane.HIGH)
    assert [claim.lease.execution for claim in await records.take(most=1)] == [high]
    assert [claim.lease.execution for claim in await records.take(most=4)] == [normal, low]


async def test_a_lane_in_which_nothing_may_start_holds_up_no_other(records: Records) -> None:
    later, held = await records.submit(lane=Lane.HIGH), await records.submit(lane=Lane.HIGH)
    await records.change(later, not_before=func.now() + timedelta(seconds=30))
    await records.change(held, hold=True)
    low = await records.submit(lane=Lane.LOW)
    assert [claim.lease.execution for claim in await records.take(most=4)] == [low]


async def test_limits_count_what_runs_of_all_lanes(records: Records) -> None:
    await records.limit(max_running=3, max_running_per_owner=2)
    for lane in (Lane.HIGH, Lane.HIGH, Lane.HIGH, Lane.NORMAL, Lane.LOW):
        await records.submit(lane=lane)
    await records.submit(owner="bob", lane=Lane.LOW)
    await records.submit(owner="bob", lane=Lane.LOW)
    assert await owners_of_next(records, 9) == ["ann", "ann", "bob"]


# Within an owner


async def test_a_point_of_priority_is_worth_a_minute_of_waiting(records: Records) -> None:
    urgent = await records.submit(priority=5)
    older, old = await records.submit(), await records.submit()
    lazy = await records.submit(priority=-100)
    await records.change(older, queued_at=ago(minutes=6))
    await records.change(old, queued_at=ago(minutes=4))
    await records.change(lazy, queued_at=ago(minutes=99))
    assert [claim.lease.execution for claim in await records.take(most=4)] == [older, urgent, old, lazy]


async def test_priority_is_of_no_use_against_others(records: Records) -> None:
    await serve(records, "ann")
    await records.submit(owner="ann", priority=100)
    await records.submit(owner="bob", priority=-100)
    assert await owners_of_next(records, 1) == ["bob"]


async def test_what_may_not_start_yet_is_left_alone_and_holds_nobody_up(records: Records) -> None:
    later, now, others = await records.submit(priority=100), await records.submit(), await records.submit(owner="bob")
    await records.change(later, not_before=func.now() + timedelta(seconds=30))
    assert [claim.lease.execution for claim in await records.take(most=4)] == [now, others]
    await records.change(later, not_before=ago(seconds=1))
    assert [claim.lease.execution for claim in await records.take(most=4)] == [later]


async def test_waiting_begins_when_it_may_start(records: Records) -> None:
    retried, other = await records.submit(), await records.submit()
    await records.change(retried, queued_at=ago(hours=1), not_before=ago(minutes=1))
    await records.change(other, queued_at=ago(minutes=2))
    assert [claim.lease.execution for claim in await records.take(most=2)] == [other, retried]


# Gates

GATES: list[dict[str, Any]] = [{"hold": True}, {"gated": True}, {"needs_left": 2}]


@pytest.mark.parametrize("gate", GATES)
async def test_what_a_gate_keeps_out_of_the_queue_is_left_alone_and_holds_nobody_up(
    records: Records, gate: dict[str, Any]
) -> None:
    kept, now = await records.submit(priority=100), await records.submit()
    await records.change(kept, **gate)
    assert [claim.lease.execution for claim in await records.take(most=4)] == [now]
    await records.change(kept, hold=False, gated=False, needs_left=0)
    assert [claim.lease.execution for claim in await records.take(most=4)] == [kept]


async def test_it_waits_for_the_first_of_its_gates(records: Records) -> None:
    execution = await records.submit()
    await records.change(execution, hold=True, needs_left=1, gated=True, not_before=func.now() + timedelta(hours=1))
    words = []
    for opened_gate in ({"hold": False}, {"needs_left": 0}, {"not_before": None}, {"gated": False}, {}):
        words.append((await records.record(execution)).waiting_on)
        await records.change(execution, **opened_gate, updated_at=func.now())
    assert words == ["hold", "needs", "not_before", "quota", "slot"]


@pytest.mark.parametrize("gate", GATES)
async def test_a_gate_that_closes_after_the_pick_holds(records: Records, gate: dict[str, Any]) -> None:
    kept, now = await records.submit(), await records.submit()

    async def close(connection: Connection) -> None:
        await connection.execute(update(Execution).where(Execution.id == kept).values(**gate))

    async def move(connection: Connection) -> Collection[UUID]:
        return await repository.move_queued(
            connection, [kept, now], actor="worker", changes={"worker_id": records.worker.id}
        )

    await records.commit(close)
    assert list(await records.commit(move)) == [now]


# Beside others


async def test_the_turn_of_one_that_is_being_canceled_goes_to_the_next(records: Records) -> None:
    await records.limit(max_running=2, max_running_per_owner=1)
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
        async with asyncio.timeout(30):
            await records.submit()
        await claimer.commit()
        await submitter.execute(
            text("SELECT FROM pools WHERE name = :name FOR KEY SHARE").bindparams(name=records.worker.pool)
        )
        async with asyncio.timeout(30):
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
    """A pool, and whom it picks next: one by one, by hand. `lanes` have `(turn, age, id)` by owner, in minutes."""

    held: Counter[str]
    served: list[str]
    lanes: list[dict[str, list[tuple[float, float, UUID]]]]
    max_running: int | None
    max_running_per_owner: int | None

    def pick(self) -> UUID | None:
        if self.max_running is not None and sum(self.held.values()) >= self.max_running:
            return None
        most = self.max_running_per_owner
        for queued in self.lanes:
            waiting = [name for name, items in queued.items() if items and (most is None or self.held[name] < most)]
            if waiting:
                return self._serve(min(waiting, key=lambda owner: self._order(owner, queued)), queued)
        return None

    def _serve(self, owner: str, queued: dict[str, list[tuple[float, float, UUID]]]) -> UUID:
        self.held[owner] += 1
        self.served = [*(name for name in self.served if name != owner), owner]
        return queued[owner].pop(0)[2]

    def _order(self, owner: str, queued: dict[str, list[tuple[float, float, UUID]]]) -> tuple[int, int, float]:
        last_turn = self.served.index(owner) if owner in self.served else -1
        return self.held[owner], last_turn, -queued[owner][0][1]


async def tell(records: Records, chance: random.Random) -> Story:
    """A pool in some state, in the database and by hand."""
    names = [f"owner-{number}" for number in range(chance.randint(1, 6))]
    held = Counter({name: chance.choice([0, 0, 1, 2, 3]) for name in names})
    for name in names:
        for _ in range(held[name]):
            await records.submit(owner=name)
            await records.take()
    served = chance.sample(names, chance.randint(0, len(names)))
    queued: dict[Lane, dict[str, list[tuple[float, float, UUID]]]]
    queued = {lane: {name: [] for name in names} for lane in Lane}
    for _ in range(chance.randint(0, 14)):
        name, priority, age = chance.choice(names), chance.choice([0, 0, 7, -9, 100]), chance.uniform(0, 30)
        lane = chance.choice([*Lane, Lane.NORMAL, Lane.NORMAL])
        execution = await records.submit(owner=name, priority=priority, lane=lane)
        await records.change(execution, queued_at=ago(minutes=age))
        queued[lane][name].append((-age - priority, age, execution))
    limits = {which: chance.choice([None, None, 1, 2, 5, 9]) for which in ("max_running", "max_running_per_owner")}
    await records.limit(**limits)
    async with transaction(records.process.database) as connection:
        await connection.execute(delete(PoolTurn).where(PoolTurn.pool == records.worker.pool))
        for place, name in enumerate(served):
            turn = {"pool": records.worker.pool, "owner": name, "served_at": ago(minutes=100 - place)}
            await connection.execute(insert(PoolTurn).values(**turn))
    in_order = [{name: sorted(items) for name, items in of_lane.items()} for of_lane in queued.values()]
    return Story(held, served, in_order, **limits)


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 100))])
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


@pytest.mark.parametrize(
    ("gated", "pages"),
    # Some four for a step from owner to owner, of whom there are 101; the queue itself has hundreds.
    [pytest.param(0, 1500, id="open"), pytest.param(19996, 100, id="gated")],
)
async def test_a_claim_reads_little_of_a_long_queue(
    gated: int, pages: int, new_database: NewDatabase, redis_url: str, tmp_path: Path
) -> None:
    """Counted in pages, which do not depend on how busy the machine is."""
    many = text(r"""
        INSERT INTO executions (id, owner, pool, spec, limits, status, queued_at, gated)
        SELECT gen_random_uuid(), 'owner-' || greatest(0, i - 19900), :pool, '{"image"\: "i"}', '{}', 'queued',
            now() - i * interval '1 second', i <= :gated
        FROM generate_series(1, 20000) AS i
    """)
    async with opened(await new_database(), redis_url, tmp_path) as process:
        records = await Records.of(process)
        async with transaction(process.database) as connection:
            await connection.execute(many.bindparams(pool=records.worker.pool, gated=gated))
        asked = {"pool": records.worker.pool, "lane": Lane.NORMAL, "most": 4, "most_in_pool": 9}
        asked |= {"most_per_owner": 3, "passed_over": [], "rooms": "{}", "methods": []}
        async with reading(process.database) as connection:
            explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queue._PICK.text}")
            plan = (await connection.execute(explained, asked)).scalar_one()[0]["Plan"]
        assert plan["Actual Rows"] == 4
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < pages
        # Whoever has a quota and waits elsewhere costs a step through the index.
        async with transaction(process.database) as connection:
            await connection.execute(insert(Quota), [{"owner": f"away-{i}", "max_running": 1} for i in range(50)])
            asked = {"pool": records.worker.pool, "worker": records.worker.id, "lanes": list(Lane)}
            explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queue._LOCK.text}")
            plan = (await connection.execute(explained, asked)).scalar_one()[0]["Plan"]
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1000
