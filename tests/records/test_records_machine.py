"""The status machine with several writers: whatever API and workers do to records, in any order and at once, a model in
plain Python foresees it, and what must hold of every record holds after each step.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, pairwise, permutations
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import ColumnElement, select, update
from typing_extensions import override
from uuid_utils.compat import uuid7

from app.bootstrap import Process
from app.db.engine import reading, snapshot, transaction
from app.db.orm import clock
from app.executions import accepting
from app.executions.model import RETRIABLE, Lease, Limits, Retries, Spec, Then
from app.executions.states import Cause, PauseMode
from app.executions.tables import Attempt, Execution, ExecutionEvent
from app.logs.protocol import Line
from support import acts
from support.acts import Act, ByHolder, Crew, Stories
from support.logbook import lines_of, read_parts
from support.model import HELD, Story, Try
from support.moves import MOVES, TERMINAL
from support.records import Records, opened
from worker import claims, evidence, invariants
from worker.invariants import RULES
from worker.ladder import Rung

T = TypeVar("T")

HERE, BESIDE, ELSEWHERE = WORKERS = ("here", "beside", "elsewhere")


class Held(NamedTuple):
    """A lease, perhaps of long ago, and who got it."""

    lease: Lease
    worker: str


Maker = Callable[[Held, Stories], Act]
RUNGS = {"stop_written_at": Rung.NOTICE, "signaled_at": Rung.SIGNAL, "killed_at": Rung.KILL}


class Aim(NamedTuple):
    """Which execution is meant, under which of its leases, and how far it is brought before, if it can be."""

    which: int
    age: int
    ready: str


def by_holder(kind: Callable[..., ByHolder], *arguments: Any) -> Maker:
    return lambda held, _: kind(held.lease, held.worker, *arguments)


def concluding(cause: Cause, exit_code: int | None) -> Maker:
    """As a worker does it, who knows whether it has started the program."""
    return lambda held, stories: acts.Conclude(
        held.lease, held.worker, cause, exit_code, ran=stories[held.lease.execution].tries[-1].meant
    )


# Few, so that policies meet ends.
CAUSES = [
    Cause.OK,
    Cause.EXIT_NONZERO,
    Cause.RUN_TIMEOUT,
    Cause.CANCELED_BY_USER,
    Cause.IMAGE_PULL_FAILED,
    Cause.ENGINE_ERROR,
    Cause.INTERRUPTED,
    Cause.OUTCOME_UNKNOWN,
]
CODES = [1, 137]
STEPS = [acts.SetPhase, acts.IntendCreate, acts.IntendStart, acts.NoteStarted, acts.TimeOut, acts.Requeue]
PAUSES = [acts.Announce, acts.NoteFrozen, acts.NoteThawed, acts.MissCheckpoint, acts.Save]

aims = st.builds(
    Aim, st.integers(0, 2), st.sampled_from([0, 0, 0, 1, 2]), st.sampled_from(["", "held", "started", "started"])
)
workers = st.sampled_from(WORKERS)
steps = st.sampled_from([*STEPS, acts.TakeAgain]).map(by_holder)
of_pauses = st.sampled_from(PAUSES).map(by_holder)
of_holders = st.one_of(
    steps,
    steps,
    of_pauses,
    st.builds(partial(by_holder, acts.Climb), st.sampled_from(list(RUNGS.values()))),
    st.builds(partial(by_holder, acts.Say), st.sampled_from(["one", "two"])),
    st.builds(concluding, st.sampled_from(CAUSES), st.sampled_from([None, 0, *CODES])),
)
of_others = st.one_of(
    st.builds(lambda force: lambda held, _: acts.Cancel(held.lease.execution, force), st.booleans()),
    st.builds(lambda mode: lambda held, _: acts.AskPause(held.lease.execution, mode), st.sampled_from(PauseMode)),
    st.just(lambda held, _: acts.AskResume(held.lease.execution)),
    st.builds(lambda worker: lambda held, _: acts.Adopt(worker, held.lease), workers),
    st.builds(lambda worker, most: lambda *_: acts.Claim(worker, most), workers, st.integers(1, 2)),
)
policies = st.builds(
    Retries,
    max_attempts=st.integers(1, 4),
    retry_on=st.lists(
        st.sampled_from([*(cause for cause in CAUSES if cause in RETRIABLE), *CODES]), min_size=2, max_size=6
    ).map(tuple),
    on_timeout=st.sampled_from(Then),
    on_interrupted=st.sampled_from(Then),
)


class World:
    """A loop of its own, on which every example of a machine asks the database."""

    def __init__(self, runner: asyncio.Runner, process: Process) -> None:
        self.runner = runner
        self.process = process

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(story)

    async def new_crew(self) -> Crew:
        """Workers of a new pool, two of them on one engine."""
        here = await Records.of(self.process)
        elsewhere = await Records.of(self.process, pool=here.worker.pool)
        return Crew({HERE: here, BESIDE: await here.colleague(), ELSEWHERE: elsewhere})


@pytest.fixture
def world(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[World]:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        process = runner.run(stack.enter_async_context(opened(database_url, redis_url, tmp_path)))
        yield World(runner, process)
        runner.run(stack.aclose())


class Machine(RuleBasedStateMachine):
    """A few executions in a pool of their own."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.run = world.run
        self.process = world.process
        self.crew = self.run(world.new_crew())
        self.names = {records.worker.id: name for name, records in self.crew.workers.items()}
        self.policies: Iterator[Retries] = iter(())
        self.stories: Stories = {}
        self.leases: dict[UUID, list[Held]] = defaultdict(list)
        self.over: dict[UUID, Facts] = {}

    @initialize(policies=st.lists(policies, min_size=2, max_size=3))
    def begin(self, policies: list[Retries]) -> None:
        self.policies = cycle(policies)
        self.submit()

    @rule()
    def submit(self) -> None:
        new = accepting.NewExecution(
            id=uuid7(),
            owner="ann",
            source="api",
            name=None,
            note=None,
            labels={},
            pool=self.crew.workers[HERE].worker.pool,
            spec=Spec(image="busybox:local"),
            limits=Limits(),
            resumed_from=None,
            retries=next(self.policies),
        )
        self.run(self.crew.workers[HERE].commit(lambda connection: accepting.add(connection, new)))
        self.stories[new.id] = Story(new.retries)

    @rule(aim=aims, act=st.one_of(of_holders, of_others))
    def act(self, aim: Aim, act: Maker) -> None:
        for held in self.meant(aim):
            self.do(act(held, self.stories))

    @rule(aim=aims, act=of_holders)
    def act_again_because_the_answer_was_lost(self, aim: Aim, act: Maker) -> None:
        for held in self.meant(aim):
            self.do(act(held, self.stories))
            self.do(act(held, self.stories))

    @rule(aim=aims, act=of_holders, other=st.one_of(of_holders, of_others))
    def act_at_once(self, aim: Aim, act: Maker, other: Maker) -> None:
        """Whatever comes of it must be what comes of one after the other."""
        for held in self.meant(aim):
            rival = self.leases[held.lease.execution][-1]
            self.do_together(act(held, self.stories), other(rival, self.stories))

    @rule(aim=aims, mode=st.sampled_from(PauseMode), done=st.booleans(), then=st.one_of(of_holders, of_others))
    def pause(self, aim: Aim, mode: PauseMode, done: bool, then: Maker) -> None:  # noqa: FBT001 - drawn
        """The way to a pause, which is long; and whatever comes then."""
        for held in self.meant(aim._replace(ready="started")):
            self.do(acts.Announce(*held))
            self.do(acts.AskPause(held.lease.execution, mode))
            if done:
                self.do((acts.NoteFrozen if mode is PauseMode.FREEZE else acts.Save)(*held))
            self.do(then(held, self.stories))

    @rule(times=st.integers(2, 4))
    def fail_in_vain(self, times: int) -> None:
        for _ in range(times):
            for held in self.meant(Aim(0, 0, "held")):
                self.do(concluding(Cause.IMAGE_PULL_FAILED, None)(held, self.stories))

    @rule(worker=workers, most=st.integers(1, 3))
    def look_into_the_queue(self, worker: str, most: int) -> None:
        self.do(acts.Claim(worker, most))

    @rule(worker=workers)
    def look_for_orphans(self, worker: str) -> None:
        of_its_engine = {HERE, BESIDE} if worker in {HERE, BESIDE} else {ELSEWHERE}
        orphans = self.run(self.orphans(worker))
        assert {(orphan.execution, orphan.epoch, self.names[orphan.worker]) for orphan in orphans} == {
            (execution, story.epoch, story.holder)
            for execution, story in self.stories.items()
            if story.held and story.holder in of_its_engine
        }

    @invariant()
    def every_record_is_as_foreseen(self) -> None:
        found = self.run(self.read())
        assert not differing(self.stories, found.stories)
        for execution, facts in found.facts.items():
            check(facts)
            if facts.execution.status in TERMINAL:
                assert self.over.setdefault(execution, facts) == facts

    @override
    def teardown(self) -> None:
        """The operator's check of a live system finds nothing wrong with what came of it."""
        for facts in self.run(self.gather()):
            assert [(name, why) for name, rule in RULES.items() for why in rule(facts)] == []

    def do(self, act: Act) -> None:
        """Let it happen, as foreseen."""
        (happened,) = self.run(self.perform(act))
        assert act.predict(self.stories, happened) == happened
        self.note([(act, happened)])

    def do_together(self, *acting: Act) -> None:
        happened = list(zip(acting, self.run(self.perform(*acting)), strict=True))
        found = self.run(self.read()).stories
        for order in permutations(happened):
            stories = deepcopy(self.stories)
            if all(act.predict(stories, outcome) == outcome for act, outcome in order) and stories == found:
                self.stories = stories
                self.note(happened)
                return
        raise AssertionError(f"{happened} in no order lead from here to there: {differing(self.stories, found)}")

    def note(self, happened: Sequence[tuple[Act, Any]]) -> None:
        """Who holds what now."""
        new: list[Held] = []
        for act, outcome in happened:
            match act, outcome:
                case acts.Claim(), frozenset():
                    new += [Held(lease, act.worker) for lease in outcome]
                case acts.Adopt(), int():
                    new.append(Held(Lease(act.seen.execution, outcome), act.worker))
                case acts.TakeAgain(), int():
                    new.append(Held(Lease(act.lease.execution, outcome), act.worker))
        for held in sorted(new, key=lambda held: held.lease.epoch):
            self.leases[held.lease.execution].append(held)

    def meant(self, aim: Aim) -> list[Held]:
        """The lease that is meant; none if nobody ever had one. What is drawn must not depend on what became of a race:
        that is seen to here.
        """
        live = [execution for execution, story in self.stories.items() if story.status not in TERMINAL]
        if not live:
            self.submit()
        execution = [*live[:2], list(self.stories)[-1]][aim.which % 3 % (len(live[:2]) + 1)]
        story = self.stories[execution]
        if aim.ready and story.status == "queued":
            self.run(self.reschedule(clock(), Execution.not_before.is_not(None)))
            for waiting in self.stories.values():
                waiting.waits = False
            self.do(acts.Claim(HERE, len(self.stories)))
        if aim.ready == "started" and story.status == "preparing":
            for step in (acts.IntendCreate, acts.IntendStart, acts.NoteStarted):
                self.do(step(*self.leases[execution][-1]))
        return self.leases[execution][-1 - aim.age :][:1]

    async def perform(self, *acts: Act) -> list[Any]:
        """All at once. What is to be tried again is then to wait for as long as an example may take."""
        happened = await asyncio.gather(*(act.perform(self.crew) for act in acts))
        await self.reschedule(clock() + timedelta(hours=1), Execution.not_before > clock())
        return happened

    async def reschedule(self, at: Any, which: ColumnElement[bool]) -> None:
        """As if another delay had been drawn."""
        ours = Execution.pool == self.crew.workers[HERE].worker.pool
        async with transaction(self.process.database) as connection:
            await connection.execute(
                update(Execution).where(ours, Execution.status == "queued", which).values(not_before=at)
            )

    async def orphans(self, worker: str) -> list[claims.Orphan]:
        async with reading(self.process.database) as connection:
            return await claims.find_orphans(connection, self.crew.workers[worker].worker)

    async def gather(self) -> list[invariants.Facts]:
        async with snapshot(self.process.database) as connection:
            return await evidence.gather(connection, list(self.stories))

    async def read(self) -> Found:
        """All that is written of these executions, as of one moment."""
        ours = list(self.stories)
        rows: dict[UUID, dict[Any, list[Any]]] = {execution: defaultdict(list) for execution in ours}
        async with snapshot(self.process.database) as connection:
            executions = await connection.execute(select(Execution.__table__).where(Execution.id.in_(ours)))
            by_id = {row.id: row for row in executions}
            for table in (Attempt, ExecutionEvent):
                statement = select(table.__table__).where(table.execution_id.in_(ours)).order_by(table.number)
                for row in await connection.execute(statement):
                    rows[row.execution_id][table].append(row)
            lines = {execution: lines_of(await read_parts(connection, execution)) for execution in ours}
        facts = {
            execution: Facts(by_id[execution], rows[execution][Attempt], rows[execution][ExecutionEvent])
            for execution in ours
        }
        stories = {execution: self.story(facts[execution], lines[execution]) for execution in ours}
        return Found(facts, stories)

    @staticmethod
    def is_late(at: datetime | None) -> bool:
        return at is not None and at > datetime.now(UTC) + timedelta(minutes=1)

    def story(self, facts: Facts, lines: Sequence[Line]) -> Story:
        """What is written, in the model's words."""
        execution = facts.execution
        return Story(
            retries=Retries.read(execution.retries),
            status=execution.status,
            epoch=execution.epoch,
            holder=self.names.get(execution.worker_id),
            stop=execution.stop_reason or ("pause" if execution.pause_deadline else None),
            forced=execution.stop_force,
            final=execution.stop_final,
            announced=execution.announced,
            pause=execution.pause_mode,
            resuming=execution.resume_by is not None,
            waits=execution.status == "queued" and self.is_late(execution.not_before),
            cause=execution.cause,
            tries=[
                Try(
                    worker=self.names[attempt.worker_id],
                    meant=attempt.start_intent_at is not None,
                    ran=attempt.may_have_run,
                    started=attempt.started_at is not None,
                    open=attempt.finished_at is None,
                    cause=attempt.cause,
                    rungs={rung for column, rung in RUNGS.items() if getattr(attempt, column) is not None},
                )
                for attempt in facts.attempts
            ],
            moves=[(event.from_status, event.to_status) for event in facts.events],
            lines=[line.data.decode() for line in lines],
        )


class Facts(NamedTuple):
    """The rows of one execution."""

    execution: Any
    attempts: list[Any]
    events: list[Any]


class Found(NamedTuple):
    """What the database says of all of them."""

    facts: dict[UUID, Facts]
    stories: Stories


def differing(foreseen: Stories, found: Stories) -> list[tuple[Story, Story]]:
    """What an example that failed shows: the pairs that are not the same."""
    return [(foreseen[execution], story) for execution, story in found.items() if story != foreseen[execution]]


def saved(attempt: Any) -> bool:
    """Whether it ended for a pause."""
    return attempt.cause is None and attempt.exit_code == 85


def check(facts: Facts) -> None:
    """What holds of every record at any time, whatever the model says."""
    execution, attempts, events = facts
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert (events[0].from_status, events[0].to_status) == (None, "queued")
    for before, after in pairwise(events):
        assert after.from_status == before.to_status
        assert (after.from_status, after.to_status) in MOVES or after.from_status == after.to_status
        assert before.at <= after.at
    assert (events[-1].to_status, events[-1].cause) == (execution.status, execution.cause)
    held = execution.status in HELD or (execution.status == "paused" and execution.pause_mode == "freeze")
    assert held <= (execution.worker_id is not None)
    assert (execution.status in {"queued", "paused"} and not held) <= (execution.worker_id is None)
    assert [attempt.number for attempt in attempts] == list(range(1, execution.attempt + 1))
    is_open = [attempt.finished_at is None for attempt in attempts]
    assert is_open == [False] * (len(attempts) - 1) + [held] * bool(attempts)
    policy = Retries.read(execution.retries)
    for attempt in attempts[:-1]:
        assert attempt.message, "another attempt without a reason"
        if saved(attempt):
            continue
        asked_for = attempt.cause is not None and policy.allows(Cause(attempt.cause), attempt.exit_code)
        assert asked_for or not attempt.may_have_run, "it may have run, and nobody asked for another attempt"
    may_have_run = sum(attempt.may_have_run is not False and not saved(attempt) for attempt in attempts)
    assert may_have_run <= policy.max_attempts
    if execution.status in TERMINAL and events[-1].from_status in HELD:
        assert (execution.cause, execution.exit_code) == (attempts[-1].cause, attempts[-1].exit_code)


# To shrink what fails takes minutes.
FAST = settings(
    max_examples=25,
    stateful_step_count=20,
    phases=set(Phase) - {Phase.shrink},
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
SLOW = settings(FAST, max_examples=100, stateful_step_count=40, phases=Phase)


def test_whatever_is_done_to_records_in_any_order_was_foreseen(world: World) -> None:
    run_state_machine_as_test(lambda: Machine(world), settings=FAST)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whatever_is_done_to_records_for_long_in_any_order_was_foreseen(world: World) -> None:
    run_state_machine_as_test(lambda: Machine(world), settings=SLOW)
