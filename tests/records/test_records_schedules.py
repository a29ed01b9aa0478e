"""Firing: once per logical time, whoever tries; what is made up, what gives way, and what is noted when it fails."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, update

from app.auth.tables import Token
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import transaction
from app.executions.repository import list_events
from app.executions.states import Cause, Status
from app.pools.tables import Pool
from app.quotas.tables import Quota
from app.schedules import firing, repository, service
from app.schedules.firing import PAUSED_AFTER, Looked, fire_due
from app.schedules.model import Overlap, Rule, RunStatus
from app.schedules.repository import RUNS_KEPT
from app.schedules.tables import ScheduleRun
from support.eventually import eventually
from support.racing import is_blocked_by, repeated
from support.records import Records
from support.schedules import HOUR, SCOPES, Schedules
from worker import claims, estate
from worker.metrics import WorkerMetrics
from worker.presence import Presence
from worker.schedules import SIDE_BY_SIDE, ScheduleKeeper


@pytest.fixture
async def schedules(process: Process, records: Records) -> Schedules:
    return await Schedules.of(process, records.worker.pool)


async def end_all(records: Records) -> None:
    """Everything that is queued in the pool is run, and ends well."""
    for claim in await records.take(most=8):
        await records.finish(claim)


async def test_a_firing_submits_and_is_noted_with_its_logical_time(schedules: Schedules) -> None:
    schedule = await schedules.add(schedules.submission(inputs={"a": 1}, name="first"), time_input="AT")
    at = await schedules.come_due(schedule)
    await schedules.fire(schedule)
    (execution,) = await schedules.executions(schedule)
    assert execution.owner == schedules.caller.owner
    assert (execution.source, execution.name, execution.status) == ("schedule", "first", Status.QUEUED)
    assert execution.spec.logical_time == at
    assert execution.spec.inputs == {"a": 1, "AT": at.isoformat().replace("+00:00", "Z")}
    (run,) = await schedules.runs(schedule)
    assert (run.at, run.status, run.made) == (at, RunStatus.FIRED, [{"execution": str(execution.id)}])
    record = await schedules.record(schedule)
    assert (record.next_at, record.due_at, record.last_at) == (at + HOUR, at + HOUR, at)


async def test_it_submits_all_its_targets(schedules: Schedules) -> None:
    batch = {"defaults": schedules.submission()["execution"], "matrix": {"inputs": {"site": ["north", "south"]}}}
    schedule = await schedules.add(schedules.submission(), {"batch": batch}, time_input="at")
    at = await schedules.come_due(schedule)
    await schedules.fire(schedule)
    alone, *together = sorted(await schedules.executions(schedule), key=lambda each: each.batch_id is not None)
    assert alone.batch_id is None
    assert [child.spec.inputs["site"] for child in together] == ["north", "south"]
    assert {child.spec.logical_time for child in together} == {at}
    assert all("at" in child.spec.inputs for child in together)
    (run,) = await schedules.runs(schedule)
    assert run.made == [{"execution": str(alone.id)}, {"batch": str(together[0].batch_id)}]


@repeated
async def test_of_many_who_try_at_once_one_fires(schedules: Schedules, repetitions: int) -> None:
    schedule = await schedules.add(overlap=Overlap.ALLOW)
    first = await schedules.come_due(schedule, hours_ago=repetitions)
    await schedules.change(schedule, catch_up=repetitions + 1)
    looks: list[Looked] = []
    while any(look.more for look in looks[-4:] or [Looked(more=True)]):
        looks += await asyncio.gather(*(fire_due(schedules.process, schedule) for _ in range(4)))
    times = [each.spec.logical_time for each in await schedules.executions(schedule)]
    assert times == [first + number * HOUR for number in range(repetitions + 1)]
    assert sorted(run.at for look in looks for run in look.runs) == times, "whoever made it says so, and nobody else"


async def test_a_clock_that_goes_back_fires_nothing_twice(schedules: Schedules) -> None:
    schedule = await schedules.add(overlap=Overlap.ALLOW, catch_up=5)
    at = await schedules.come_due(schedule, hours_ago=1)
    await schedules.fire(schedule)
    assert [each.spec.logical_time for each in await schedules.executions(schedule)] == [at, at + HOUR]
    # Whoever computes anew what comes next, by a clock that went back, comes to the same firings again.
    await schedules.come_due(schedule, hours_ago=1)
    await schedules.fire(schedule)
    assert len(await schedules.executions(schedule)) == 2
    record = await schedules.record(schedule)
    assert record.next_at == at + 2 * HOUR


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [(0, ["missed"]), (1, ["missed", "fired"]), (3, ["missed", "fired", "fired", "fired"]), (9, ["fired"] * 6)],
)
async def test_what_was_missed_is_made_up_to_a_limit(schedules: Schedules, catch_up: int, expected: list[str]) -> None:
    """As after a clock that went forwards, or a night without any worker; the last was due half an hour ago."""
    schedule = await schedules.add(overlap=Overlap.ALLOW, catch_up=catch_up)
    offset = ((await schedules.record(schedule)).rule.offset + 1800) % 3600
    await schedules.change(schedule, rule={"every": 3600, "offset": offset})
    first = await schedules.come_due(schedule, hours_ago=5)
    await schedules.fire(schedule)
    assert await schedules.names_in_order(schedule) == expected
    times = [each.spec.logical_time for each in await schedules.executions(schedule)]
    assert times == [first + number * HOUR for number in range(6)][6 - len(times) :]
    assert (await schedules.record(schedule)).next_at == first + 6 * HOUR


@pytest.mark.parametrize("ended", [True, False])
async def test_a_firing_is_skipped_while_the_one_before_runs(
    schedules: Schedules, records: Records, *, ended: bool
) -> None:
    schedule = await schedules.add(overlap=Overlap.SKIP, catch_up=2)
    await schedules.come_due(schedule, hours_ago=1)
    assert (await fire_due(schedules.process, schedule)).more
    if ended:
        await end_all(records)
    await schedules.fire(schedule)
    assert await schedules.names_in_order(schedule) == ["fired", "fired" if ended else "overlap"]


async def test_a_firing_waits_until_the_one_before_has_ended(schedules: Schedules, records: Records) -> None:
    schedule = await schedules.add(overlap=Overlap.QUEUE, catch_up=2)
    at = await schedules.come_due(schedule, hours_ago=1)
    await schedules.fire(schedule)
    waiting = await schedules.record(schedule)
    assert waiting.due_at is not None
    assert (waiting.waiting, waiting.next_at, waiting.due_at > waiting.now) == (True, at + HOUR, True)
    # However long that takes, it was there in time.
    await schedules.change(schedule, catch_up=0)
    await schedules.look_again(schedule)
    await schedules.fire(schedule)
    assert await schedules.names_in_order(schedule) == ["fired"]
    await end_all(records)
    await schedules.look_again(schedule)
    await schedules.fire(schedule)
    assert await schedules.names_in_order(schedule) == ["fired", "fired"]
    first, second = await schedules.executions(schedule)
    assert (first.status, second.status) == (Status.SUCCEEDED, Status.QUEUED)
    assert second.spec.logical_time == at + HOUR


async def test_a_firing_stops_the_one_before_and_comes_after_it(schedules: Schedules, records: Records) -> None:
    batch = {"batch": {"defaults": schedules.submission()["execution"], "count": 2}}
    schedule = await schedules.add(schedules.submission(), batch, overlap=Overlap.REPLACE, rule=Rule(every=1))

    async def has_made(number: int) -> bool:
        await schedules.fire(schedule)
        return len(await schedules.executions(schedule)) == number

    async def has_stopped() -> bool:
        await schedules.fire(schedule)
        return {each.status for each in await schedules.executions(schedule)} == {Status.STOPPING, Status.CANCELED}

    await eventually(lambda: has_made(3))
    (running,) = await records.take()
    await records.start(running.lease)
    await eventually(has_stopped)
    made = await schedules.executions(schedule)
    assert {each.cause for each in made} == {None, Cause.CANCELED_BY_SYSTEM}
    assert len(made) == 3, "nothing comes before what is stopped has ended"
    await records.end(running.lease, Cause.CANCELED_BY_SYSTEM)
    await schedules.look_again(schedule)
    await eventually(lambda: has_made(6))


async def test_what_is_replaced_is_told_why_and_is_asked_once(schedules: Schedules, records: Records) -> None:
    batch = {"batch": {"defaults": schedules.submission(hold=True)["execution"], "count": 1}}
    schedule = await schedules.add(schedules.submission(), schedules.submission(), batch, overlap=Overlap.REPLACE)
    await firing.fire_now(schedules.process, await schedules.record(schedule))
    (running,) = await records.take()
    await records.start(running.lease)
    await schedules.come_due(schedule)
    await schedules.fire(schedule)
    made = await schedules.executions(schedule)
    assert sorted(each.status for each in made) == [Status.CANCELED, Status.CANCELED, Status.STOPPING]
    for each in made:
        history = await records.commit(partial(list_events, execution=each.id))
        told = "Its schedule has fired again, and replaces it." in str(history[-1].message)
        assert told is (each.batch_id is None)
    # Of thousands, those behind have their turn, too.
    left = await records.commit(lambda connection: repository.list_unstopped(connection, schedule, most=9))
    assert left == ([], [])


async def delete_pool(schedules: Schedules) -> None:
    async with transaction(schedules.process.database) as connection:
        deleted = update(Pool).where(Pool.name == schedules.pool).values(deleted_at=Pool.created_at)
        await connection.execute(deleted)


async def test_a_firing_that_fails_is_noted_and_after_some_in_a_row_it_is_paused(schedules: Schedules) -> None:
    batch = {"batch": {"defaults": {"image": "busybox:local"}, "count": 2}}
    schedule = await schedules.add(batch, schedules.submission(), overlap=Overlap.ALLOW, catch_up=PAUSED_AFTER)
    await delete_pool(schedules)
    await schedules.come_due(schedule, hours_ago=PAUSED_AFTER - 1)
    assert (await fire_due(schedules.process, schedule)).more
    record = await schedules.record(schedule)
    assert (record.enabled, record.failures) == (True, 1)
    await schedules.fire(schedule)
    before, record = record, await schedules.record(schedule)
    assert (record.enabled, record.next_at, record.failures) == (False, None, PAUSED_AFTER)
    # Whoever would change it as it was has to look at it again.
    assert (record.version, record.updated_at > before.updated_at) == (before.version + 1, True)
    assert record.paused_reason is not None
    assert "`targets[1].execution.pool` names a pool that does not exist" in record.paused_reason
    runs = await schedules.runs(schedule)
    assert [run.status for run in runs] == [RunStatus.FAILED] * PAUSED_AFTER
    assert runs[0].problem is not None
    assert [error["field"] for error in runs[0].problem["errors"]] == ["targets[1].execution.pool"]
    assert await schedules.executions(schedule) == [], "all of it or nothing"


async def test_a_quota_fails_a_firing_and_one_that_succeeds_ends_the_row(schedules: Schedules) -> None:
    schedule = await schedules.add(overlap=Overlap.ALLOW, catch_up=2)
    async with transaction(schedules.process.database) as connection:
        await connection.execute(insert(Quota).values(owner=schedules.caller.owner, max_queued=0))
    await schedules.come_due(schedule, hours_ago=1)
    assert (await fire_due(schedules.process, schedule)).more
    (run,) = await schedules.runs(schedule)
    assert run.problem is not None
    assert run.problem["status"] == 429
    assert (await schedules.record(schedule)).failures == 1
    async with transaction(schedules.process.database) as connection:
        await connection.execute(update(Quota).values(max_queued=9).where(Quota.owner == schedules.caller.owner))
    await schedules.fire(schedule)
    assert await schedules.names_in_order(schedule) == ["failed", "fired"]
    assert (await schedules.record(schedule)).failures == 0


async def test_without_a_token_of_its_owner_that_may_submit_it_fires_nothing(schedules: Schedules) -> None:
    schedule = await schedules.add()
    async with transaction(schedules.process.database) as connection:
        theirs = update(Token).where(Token.owner == schedules.caller.owner)
        await connection.execute(theirs.values(scopes=[Scope.READ]))
    await schedules.come_due(schedule)
    await schedules.fire(schedule)
    (run,) = await schedules.runs(schedule)
    assert run.problem is not None
    assert run.problem["status"] == 403


async def test_a_batch_about_nothing_is_no_failure(schedules: Schedules) -> None:
    about = {"defaults": {"image": "busybox:local", "pool": schedules.pool}, "query": {"label": {"none": "such"}}}
    schedule = await schedules.add({"batch": about})
    await schedules.come_due(schedule)
    await schedules.fire(schedule)
    assert await schedules.names_in_order(schedule) == ["nothing_matches"]
    assert (await schedules.record(schedule)).failures == 0


async def test_a_time_zone_that_is_not_known_any_more_pauses_it(schedules: Schedules) -> None:
    schedule = await schedules.add()
    await schedules.come_due(schedule)
    await schedules.change(schedule, rule={"cron": "@hourly", "time_zone": "Middle/Earth"})
    await schedules.fire(schedule)
    record = await schedules.record(schedule)
    assert (record.enabled, record.version) == (False, 2)
    assert record.paused_reason == "The time zone `Middle/Earth` is not known here any more."


async def test_a_rule_that_is_over_fires_no_more(schedules: Schedules) -> None:
    now = await service.read_now(schedules.process)
    rule = Rule(every=3600, offset=int(now.timestamp()) % 3600, end=now + timedelta(hours=1, minutes=30))
    schedule = await schedules.add(rule=rule)
    assert (await schedules.record(schedule)).next_at is not None
    last = Rule(every=3600, offset=rule.offset, end=now + timedelta(minutes=30))
    await schedules.change(schedule, rule=last.model_dump(mode="json"))
    await schedules.come_due(schedule)
    await schedules.fire(schedule)
    record = await schedules.record(schedule)
    assert (await schedules.names_in_order(schedule), record.next_at, record.enabled) == (["fired"], None, True)


async def test_one_that_is_fired_by_hand_keeps_its_own_firings(schedules: Schedules) -> None:
    schedule = await schedules.add(enabled=False)
    run = await firing.fire_now(schedules.process, await schedules.record(schedule))
    assert (run.manual, run.status, len(run.made)) == (True, RunStatus.FIRED, 1)
    assert (await schedules.record(schedule)).next_at is None
    (execution,) = await schedules.executions(schedule)
    assert execution.spec.logical_time == run.at


async def test_of_its_runs_the_newest_are_kept(schedules: Schedules) -> None:
    schedule = await schedules.add(overlap=Overlap.ALLOW)
    at = await schedules.come_due(schedule)
    old = [{"schedule_id": schedule, "at": at - number * HOUR, "status": "fired"} for number in range(1, RUNS_KEPT + 1)]
    async with transaction(schedules.process.database) as connection:
        await connection.execute(insert(ScheduleRun).values(old))
    await schedules.fire(schedule)
    async with transaction(schedules.process.database) as connection:
        runs = await repository.list_runs(connection, schedule, limit=2 * RUNS_KEPT, before=None, status=None)
    assert [len(runs), runs[0].at, runs[-1].at] == [RUNS_KEPT, at, at - (RUNS_KEPT - 1) * HOUR]


async def test_one_keeper_leads_and_fires_what_is_due(schedules: Schedules, records: Records) -> None:
    workers = [records.worker.id, (await records.colleague()).worker.id]
    database = schedules.process.database
    metrics = WorkerMetrics()
    keepers = [ScheduleKeeper(schedules.process, worker, Presence(database, worker), metrics) for worker in workers]
    wanted = [await schedules.add() for _ in range(SIDE_BY_SIDE + 1)]
    for schedule in wanted:
        await schedules.come_due(schedule)
    # The clock has gone back since one of these had its last firing.
    ahead, far = await schedules.add(), await schedules.add()
    now = (await schedules.record(ahead)).now
    await schedules.change(ahead, last_at=now + 48 * HOUR, next_at=now + 49 * HOUR)
    await schedules.change(far, last_at=now, next_at=now + 49 * HOUR)

    async def have_fired(these: list[UUID]) -> bool:
        await asyncio.gather(*(keeper.look() for keeper in keepers))
        return all([await schedules.executions(schedule) for schedule in these])

    # One of them is held up, and holds up none of the others.
    async with database.connect() as connection:
        await repository.find(connection, wanted[0], lock=True)
        await eventually(lambda: have_fired(wanted[1:]))
        assert await is_blocked_by(schedules.process, connection)
    await eventually(lambda: have_fired(wanted))
    assert [len(await schedules.executions(schedule)) for schedule in wanted] == [1] * len(wanted)
    # Others may have left schedules in this database that have come due.
    fired = metrics.registry.get_sample_value("tailrace_schedule_firings_total", {"result": "fired"})
    late = metrics.registry.get_sample_value("tailrace_schedule_lateness_seconds_count")
    assert fired is not None
    assert late is not None
    assert late >= fired >= len(wanted)
    brought_back = (await schedules.record(ahead)).next_at
    assert brought_back is not None
    assert brought_back < now + 2 * HOUR
    assert (await schedules.record(far)).next_at == now + 49 * HOUR


async def test_scopes_of_an_owner_are_those_of_all_their_tokens(process: Process, records: Records) -> None:
    admin = await Schedules.of(process, records.worker.pool, scopes=SCOPES | {Scope.ADMIN})
    schedule = await admin.add(admin.submission(lane="high"))
    await admin.come_due(schedule)
    await admin.fire(schedule)
    assert await admin.names_in_order(schedule) == ["fired"]


async def test_who_is_gone_leads_no_more(records: Records) -> None:
    duty, other = f"duty-{uuid4().hex}", await records.colleague()

    async def leads(who: Records) -> bool:
        return await records.commit(lambda connection: estate.lead(connection, duty, who.worker.id, seconds=60))

    assert [await leads(records), await leads(other)] == [True, False]
    await records.commit(lambda connection: claims.sign_off(connection, records.worker.id))
    assert [await leads(other), await leads(records)] == [True, False]
