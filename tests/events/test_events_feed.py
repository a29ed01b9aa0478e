"""The feed against real servers: whatever commits when, everybody hears of everything once, in one order."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from follower import Follower, Replica, replica
from sqlalchemy import delete, event, insert, text

from app.db.engine import transaction
from app.events import feed as feeding
from app.events import store
from app.events.protocol import BELL, Subject, pack_progress, progress_frame
from app.events.tables import EventCursor
from app.events.wanted import Wanted
from app.executions import accepting
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.listener import Heard, Subscription
from stack.redis import EmbeddedRedis
from support.eventually import eventually
from support.records import Records
from support.values import NOON

LIFE = ["queued", "preparing", "running", "succeeded"]


@asynccontextmanager
async def following(follower: Follower, replica: Replica) -> AsyncIterator[None]:
    """Somebody follows for as long as the block lasts."""
    before = follower.connected
    task = asyncio.create_task(follower.follow(replica))
    try:
        await eventually(lambda: follower.connected > before or task.done())
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def all_of(records: Records) -> Wanted:
    """Events of one test: each has a pool of its own."""
    return Wanted(pools=frozenset({records.worker.pool}))


async def live(records: Records, told: Replica | None = None) -> UUID:
    """A whole life, told to everybody if there is somebody to tell it."""
    claim = await records.claim()
    lease = claim.lease
    events = [claim.event, await records.start(lease), await records.end(lease)]
    for move in events:
        assert move is not None
        if told is not None:
            await told.tell(lease.execution, move)
    return lease.execution


async def history(records: Records, executions: list[UUID]) -> set[tuple[str, int]]:
    return {(str(each), move.number) for each in executions for move in await records.events(each)}


async def test_a_life_is_told_with_all_that_a_list_shows(replicas: list[Replica], records: Records) -> None:
    follower = Follower(all_of(records))
    async with following(follower, replicas[0]):
        execution = await live(records, replicas[0])
        await eventually(lambda: follower.statuses(execution) == LIFE)
    first, *_, last = follower.seen
    record = await records.record(execution)
    assert [(frame["from"], frame["number"]) for frame in follower.seen] == list(
        zip([None, *LIFE[:-1]], range(1, 5), strict=True)
    )
    assert (first["actor"], first["owner"], first["attempt"], first["exit_code"]) == ("ann", "ann", 0, None)
    assert (last["cause"], last["message"], last["exit_code"], last["attempt"]) == ("ok", "It ended.", 0, 1)
    for frame in follower.seen:
        assert (frame["pool"], frame["image"], frame["name"], frame["labels"]) == (
            records.worker.pool,
            "busybox:local",
            None,
            {},
        )
        assert frame["created_at"] == orjson.loads(orjson.dumps(record.created_at))
    assert [frame["at"] for frame in follower.seen] == [
        orjson.loads(orjson.dumps(move.at)) for move in await records.events(execution)
    ]


@pytest.mark.parametrize("seed", [1, 2])
async def test_whoever_comes_and_goes_hears_every_event_once(
    replicas: list[Replica], records: Records, seed: int
) -> None:
    """Two hundred executions, five clients, two processes; and hints that come or do not."""
    chance = random.Random(seed)  # noqa: S311
    followers = [Follower(all_of(records)) for _ in range(5)]
    for follower in followers:
        await follower.follow(replicas[0], frames=0)
    done = asyncio.Event()
    executions: list[UUID] = []
    turns = asyncio.Semaphore(8)

    async def one_life() -> None:
        async with turns:
            colleague = Records(records.process, records.worker)
            execution = await colleague.submit()
            executions.append(execution)
            for lease in [claim.lease for claim in await colleague.take(most=2)]:
                await colleague.start(lease)
                move = await colleague.end(lease, chance.choice([Cause.OK, Cause.EXIT_NONZERO]))
                if chance.random() < 0.7:
                    await replicas[0].tell(lease.execution, move)

    async def come_and_go(follower: Follower) -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0.01, 0.5)):
                    await follower.follow(chance.choice(replicas), frames=chance.randint(0, 60))

    coming = [asyncio.create_task(come_and_go(follower)) for follower in followers]
    await asyncio.gather(*(one_life() for _ in range(200)))
    while left := await records.take(most=8):
        for claim in left:
            await records.start(claim.lease)
            await records.end(claim.lease)
    done.set()
    await asyncio.gather(*coming)
    expected = await history(records, executions)
    assert len(expected) == 800
    for follower in followers:
        async with following(follower, chance.choice(replicas)):
            await eventually(lambda follower=follower: len(follower.seen) >= len(expected))
        assert len(follower.moves) == len(set(follower.moves))
        assert set(follower.moves) == expected
        assert follower.resyncs == 0
        assert all(follower.statuses(each)[:3] == LIFE[:3] for each in executions)
    assert len({tuple(follower.moves) for follower in followers}) == 1, "they heard it in different orders"


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_what_commits_late_is_neither_lost_nor_overtaken(
    replicas: list[Replica], records: Records, end: str
) -> None:
    follower = Follower(all_of(records))
    slow, quick = records.a_submission(), records.a_submission()
    async with following(follower, replicas[0]):
        async with records.process.database.connect() as connection:
            await accepting.add(connection, slow)
            await records.commit(lambda other: accepting.add(other, quick))
            await records.process.hints.ring(records.worker.pool)
            newcomer = Follower(all_of(records))
            joining = asyncio.create_task(newcomer.follow(replicas[1]))
            await eventually(lambda: replicas[1].feed._seats)
            assert follower.seen == []
            await getattr(connection, end)()
        expected = [str(slow.id), str(quick.id)] if end == "commit" else [str(quick.id)]
        await eventually(lambda: [frame["id"] for frame in follower.seen] == expected)
    await eventually(lambda: newcomer.connected)
    # Whoever comes is told nothing that was committed before they were greeted.
    assert newcomer.seen == []
    assert newcomer.greeting >= follower.seen[-1]["cursor"]
    joining.cancel()


async def test_a_cursor_of_one_replica_holds_at_the_other(replicas: list[Replica], records: Records) -> None:
    follower = Follower(all_of(records))
    await follower.follow(replicas[0], frames=0)
    executions = []
    for number in range(6):
        executions.append(await live(records))
        await follower.follow(replicas[number % 2], frames=4)
    assert follower.moves == [(str(each), number) for each in executions for number in range(1, 5)]
    assert follower.resyncs == 0


async def test_nobody_hears_of_what_is_somebody_else_s(replicas: list[Replica], records: Records) -> None:
    ann, bob = Follower(Wanted(owner="ann")), Follower(Wanted(owner=f"bob-{records.worker.pool}"))
    both = Follower(all_of(records))
    mine = bob.wanted.owner
    assert mine is not None
    await bob.follow(replicas[0], frames=0)
    theirs = [await records.submit() for _ in range(3)]
    own = await records.submit(owner=mine)
    async with following(ann, replicas[0]), following(bob, replicas[0]), following(both, replicas[0]):
        for owner, execution in (("ann", theirs[0]), (mine, own)):
            message = pack_progress(Subject(owner, records.worker.pool, {}), progress_frame(execution, 5, None, NOON))
            await records.process.hints.publish([(execution, b"")], to_all=message)
        later = await records.submit(owner=mine)
        await records.submit()
        await records.process.hints.ring(records.worker.pool)
        await eventually(lambda: len(both.seen) == 2 and len(both.progress) == 2)
        await eventually(lambda: [frame["id"] for frame in bob.seen] == [str(own), str(later)])
    assert {frame["owner"] for frame in bob.seen} == {mine}
    assert [frame["id"] for frame in bob.progress] == [str(own)]
    assert {str(own), str(later)}.isdisjoint(frame["id"] for frame in [*ann.seen, *ann.progress])
    hidden = [str(each) for each in theirs]
    assert not any(each in orjson.dumps([*bob.seen, *bob.progress]).decode() for each in hidden)


async def test_filters_hold_for_what_was_missed_and_what_comes_alike(replicas: list[Replica], records: Records) -> None:
    pools = frozenset({records.worker.pool})
    wanted = {
        "ended": Wanted(pools=pools, statuses=frozenset({Status.SUCCEEDED})),
        "running": Wanted(pools=pools, statuses=frozenset({Status.RUNNING})),
        "labelled": Wanted(pools=pools, labels={"team": "a"}),
        "elsewhere": Wanted(pools=frozenset({"elsewhere"})),
    }
    followers = {name: Follower(each) for name, each in wanted.items()}
    for follower in followers.values():
        await follower.follow(replicas[0], frames=0)
    expected = {"ended": ["succeeded"], "running": ["running", "succeeded"], "labelled": [], "elsewhere": []}
    for times in (1, 2):
        missed = await live(records)
        labelled = replace(records.a_submission(), labels={"team": "a", "x": "y"})
        await records.commit(partial(accepting.add, new=labelled))
        for name, follower in followers.items():
            async with following(follower, replicas[1]):
                await eventually(partial(_has_heard, follower, missed, expected[name]))
                await eventually(partial(_has_heard, follower, labelled.id, ["queued"] if name == "labelled" else []))
        assert len(followers["labelled"].seen) == times
        async with transaction(records.process.database) as connection:
            await connection.execute(delete(Execution).where(Execution.id == labelled.id))
    assert followers["elsewhere"].seen == []


def _has_heard(follower: Follower, execution: UUID, statuses: list[str]) -> bool:
    return follower.statuses(execution) == statuses


async def test_progress_is_told_to_those_who_want_what_runs(replicas: list[Replica], records: Records) -> None:
    pools = frozenset({records.worker.pool})
    everything = Follower(Wanted(pools=pools))
    queued = Follower(Wanted(pools=pools, statuses=frozenset({Status.QUEUED})))
    claim = await records.run()
    record = claim.record
    async with following(everything, replicas[1]), following(queued, replicas[1]):
        for percent in (10, 20):
            message = pack_progress(
                Subject(record.owner, record.pool, record.labels), progress_frame(record.id, percent, "half", NOON)
            )
            await records.process.hints.publish([(record.id, b"")], to_all=message)
        await eventually(lambda: len(everything.progress) == 2)
        await live(records, replicas[0])
        await eventually(lambda: queued.seen)
    assert everything.progress == [
        {"type": "progress", "id": str(record.id), "percent": percent, "phase": "half", "at": NOON.isoformat()}
        for percent in (10, 20)
    ]
    assert queued.progress == []


async def test_however_much_is_said_of_progress_it_looks_in_time(replicas: list[Replica], records: Records) -> None:
    hints = Subscription()
    execution = await records.submit()
    said = Heard(pack_progress(Subject("ann", records.worker.pool, {}), progress_frame(execution, 1, None, NOON)))

    async def flood() -> None:
        while True:
            hints.put(said)
            await asyncio.sleep(0)

    flooding = asyncio.create_task(flood())
    try:
        async with asyncio.timeout(60):
            await replicas[0].feed._until_next_look(hints)
            hints.put(Heard(BELL))
            await replicas[0].feed._until_next_look(hints)
    finally:
        flooding.cancel()
        hints.close()


async def test_a_socket_that_takes_nothing_for_a_while_gets_all_of_it_later(
    replicas: list[Replica], records: Records
) -> None:
    """More than its backlog holds: it is sent to the store, and nobody else waits for it."""
    wanted = all_of(records)
    quick = Follower(wanted)
    seat = await replicas[0].feed.join(wanted)
    frames = replicas[0].feed.follow(seat, None)
    cursor = orjson.loads(await anext(frames))["cursor"]
    count = feeding.BACKLOG + 200
    async with following(quick, replicas[0]):
        for _ in range(count // 100):
            async with transaction(records.process.database) as connection:
                for _ in range(100):
                    await accepting.add(connection, records.a_submission())
            await records.process.hints.ring(records.worker.pool)
        await eventually(lambda: len(quick.seen) == count, within=60)
    assert len(seat._items) <= feeding.BACKLOG
    slow = [orjson.loads(await anext(frames)) for _ in range(count)]
    assert slow == quick.seen
    assert slow[0]["cursor"] > cursor
    await frames.aclose()
    replicas[0].feed.leave(seat)


async def test_whoever_is_too_far_behind_is_told_to_list_again(replicas: list[Replica], records: Records) -> None:
    follower = Follower(all_of(records))
    await follower.follow(replicas[0], frames=0)
    async with transaction(records.process.database) as connection:
        await connection.execute(
            text("SELECT setval('event_positions_position_seq', last_value + :by) FROM event_positions_position_seq"),
            {"by": feeding.RESYNC_BEYOND},
        )
    execution = await records.submit()
    async with following(follower, replicas[1]):
        await eventually(lambda: follower.resyncs == 1)
        assert follower.seen == []
        await live_rest(records, execution, replicas[0])
        await eventually(lambda: follower.statuses(execution) == LIFE[1:])
    assert follower.resyncs == 1


async def live_rest(records: Records, execution: UUID, told: Replica) -> None:
    (claim,) = await records.take()
    assert claim.lease.execution == execution
    await records.start(claim.lease)
    await told.tell(execution, await records.end(claim.lease))


async def test_a_cursor_of_a_database_that_was_put_back_is_told_so(replicas: list[Replica], records: Records) -> None:
    follower = Follower(all_of(records), cursor=10**15)
    async with following(follower, replicas[0]):
        await eventually(lambda: follower.resyncs == 1)
        execution = await live(records, replicas[0])
        await eventually(lambda: follower.statuses(execution) == LIFE)


async def test_what_is_deleted_holds_nobody_up(replicas: list[Replica], records: Records) -> None:
    live_one, late = Follower(all_of(records)), Follower(all_of(records))
    await late.follow(replicas[0], frames=0)
    async with following(live_one, replicas[0]):
        kept = []
        for number in range(20):
            execution = await live(records, replicas[0])
            if number % 2:
                async with transaction(records.process.database) as connection:
                    await connection.execute(delete(Execution).where(Execution.id == execution))
            else:
                kept.append(execution)
        await eventually(lambda: all(live_one.statuses(each) == LIFE for each in kept))
    async with following(late, replicas[1]):
        await eventually(lambda: late.moves == [(str(each), number) for each in kept for number in range(1, 5)])


async def test_old_positions_are_forgotten_and_nothing_else(replicas: list[Replica], records: Records) -> None:
    execution = await live(records)
    follower = Follower(all_of(records))
    await follower.follow(replicas[0], frames=0)

    async with transaction(records.process.database) as connection:
        await connection.execute(delete(EventCursor))

    async def are_forgotten() -> bool:
        async with transaction(records.process.database) as connection:
            await store.forget_old(connection, kept=2)
            left = (await connection.execute(text("SELECT count(*) FROM event_positions"))).scalar_one()
        return int(left) <= 2

    # So many at a time.
    await eventually(are_forgotten)
    assert len(await records.events(execution)) == 4
    await live(records)
    async with following(follower, replicas[0]):
        await eventually(lambda: len(follower.seen) == 4)


async def test_what_somebody_has_still_to_follow_is_not_forgotten(records: Records) -> None:
    for _ in range(2):
        await live(records)
    async with transaction(records.process.database) as connection:
        top = await store.last_position(connection)
        await connection.execute(delete(EventCursor))
        await connection.execute(insert(EventCursor).values(name="slow", position=top - 5))
        await store.forget_old(connection, kept=2)
        kept = (await connection.execute(text("SELECT min(position) FROM event_positions"))).scalar_one()
        await connection.execute(delete(EventCursor))
    assert top - 5 < kept < top - 2


async def test_without_redis_it_is_slower_and_says_as_much(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    directory = tmp_path_factory.mktemp("redis")
    async with (
        EmbeddedRedis(directory / "data", directory / "run") as redis,
        replica(database_url, redis.url, tmp_path) as alone,
    ):
        records = await Records.of(alone.process)
        follower = Follower(all_of(records))
        async with following(follower, alone):
            before = await live(records, alone)
            await eventually(lambda: follower.statuses(before) == LIFE)
            await redis.stop()
            await eventually(lambda: not alone.process.listener.connected)
            without = await live(records, alone)
            await eventually(lambda: follower.statuses(without) == LIFE)
            claim = await records.run()
            async with transaction(alone.process.database) as connection:
                await connection.execute(
                    text("UPDATE executions SET progress_percent = 7, progress_at = clock_timestamp() WHERE id = :id"),
                    {"id": claim.lease.execution},
                )
            await eventually(lambda: [frame["percent"] for frame in follower.progress] == [7])
            await redis.start()
            await eventually(lambda: alone.process.listener.connected)
            after = await live(records, alone)
            await eventually(lambda: follower.statuses(after) == LIFE)
        assert len(follower.moves) == len(set(follower.moves))
        assert len(follower.progress) == 1


async def test_however_many_sockets_are_open_the_store_is_asked_as_often_as_for_one(
    replicas: list[Replica], records: Records
) -> None:
    asked: list[str] = []
    engine = records.process.database.sync_engine
    seats = [await replicas[0].feed.join(all_of(records)) for _ in range(100)]
    now = asyncio.get_running_loop().time

    def note(*call: object) -> None:
        asked.append(str(call[2]))

    event.listen(engine, "before_cursor_execute", note)
    began = now()
    await eventually(lambda: now() - began > 5)
    took = now() - began
    event.remove(engine, "before_cursor_execute", note)
    assert 1 <= len(asked) <= 2 * took, asked
    for seat in seats:
        replicas[0].feed.leave(seat)
    await eventually(lambda: replicas[0].feed._settled is None)
