"""One operation on all executions that a filter takes: each has the outcome that it has when it is asked alone.

A request works through so many, in the order of their submission, some in each transaction. Bells and hints are sent
once, after the last of them. Reruns go from the newest back, or they would meet, a request later, what they have made.
What is done to them is in `bulk_acts.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from uuid import UUID

from sqlalchemy import Select, select

from app.auth.service import Caller
from app.batches import settling
from app.bootstrap import Process
from app.db.engine import Connection, again_if_rolled_back, reading, transaction
from app.errors import Conflict, ServiceError
from app.events.protocol import BELL
from app.executions import repository, service
from app.executions.filters import Filter
from app.executions.listing import conditions
from app.executions.model import Event
from app.executions.operations import ANSWERS, Answer, Operation, Standing, is_due
from app.executions.record import Record
from app.executions.states import ACTIVE, PauseMode, Status
from app.executions.tables import Execution
from app.idempotency.model import Once
from app.logs.protocol import LOOK_MESSAGE, status_message

AT_MOST = 1000
# In one transaction, which holds the rows of all of them. What runs is asked to stop one by one, which takes as long as
# so many others do.
AT_ONCE = 100
ACTIVE_COUNTS = 5

Lock = Callable[[Connection, Sequence[UUID]], Awaitable[None]]


class Result(StrEnum):
    """`accepted`: it was asked to; `done`: it is so now; `unchanged`: it was so before; `refused`: see the error."""

    ACCEPTED = "accepted"
    DONE = "done"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one. `status` is how it stands, `rerun` what it was run again as."""

    id: UUID
    result: Result
    status: Status
    rerun: UUID | None = None
    error: ServiceError | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Of all in this request, in their order; whether there are more behind the last, and which that is. `replayed`
    says that the same request was carried out before, at least in part.
    """

    items: Sequence[Outcome]
    more: bool
    last: UUID | None = None
    replayed: bool = False


@dataclass
class Told:
    """Who is to be told afterwards, and what happened to the statuses."""

    workers: set[UUID] = field(default_factory=set)
    pools: set[str] = field(default_factory=set)
    frames: list[tuple[UUID, bytes]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def note(self, execution: UUID, event: Event | None) -> None:
        """Its watchers are to hear of this."""
        if event is not None:
            self.events.append(event)
            self.frames.append((execution, status_message(event)))

    def join(self, other: Told) -> None:
        """What is to be told of others, too."""
        self.workers |= other.workers
        self.pools |= other.pools
        self.frames += other.frames
        self.events += other.events

    def gone(self, execution: UUID) -> None:
        """Its watchers are to look."""
        self.frames.append((execution, LOOK_MESSAGE))

    async def send(self, process: Process) -> None:
        """Tell them, after the commits."""
        for worker in self.workers:
            await process.hints.control(worker)
        for pool in self.pools:
            await process.hints.ring(pool)
        await process.hints.publish(self.frames, to_all=BELL)
        await settling.follow(process, self.events)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for it, and what they leave to be told; with `once` what is to be done only once."""

    process: Process
    caller: Caller
    once: Once | None = None
    told: Told = field(default_factory=Told)


# Does it to some whose rows are locked, and in which there is something to do; what came of each, in any order.
Act = Callable[[Connection, Asking, Sequence[Record]], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """One of the operations; `act` does it to some, which `lock` has locked before. With `backwards` the newest come
    first.
    """

    operation: Operation
    act: Act
    lock: Lock = repository.lock
    backwards: bool = False


async def run(asking: Asking, bulk: Bulk, wanted: Filter, *, after: UUID | None, most: int) -> Outcomes:
    """Do it to the first of them behind `after`. Raises `InvalidRequest` for a filter that the caller may not use."""
    wanted = _within(wanted.within(asking.caller.sees), bulk.operation)
    order = Execution.id.desc() if bulk.backwards else Execution.id.asc()
    statement = select(Execution.id, Execution.status).where(*conditions(wanted)).order_by(order).limit(most + 1)
    if after is not None:
        statement = statement.where(Execution.id < after if bulk.backwards else Execution.id > after)
    async with reading(asking.process.database) as connection:
        found = await _find(connection, statement)
        # Looked for afterwards: whoever has met what it made finds it.
        newest = await _newest_of(connection, asking.caller, asking.once) if asking.once else None
        if newest is not None:
            found = await _find(connection, statement.where(Execution.id <= newest))
    executions = found[:most]
    outcomes = await carry_out(asking, bulk, executions)
    last = executions[-1][0] if executions else None
    return Outcomes(outcomes, more=len(found) > most, last=last, replayed=newest is not None)


async def carry_out(asking: Asking, bulk: Bulk, executions: Iterable[tuple[UUID, Status]]) -> list[Outcome]:
    """Do it to these, some in each transaction; what came of each that is still there."""
    outcomes: list[Outcome] = []
    for some in in_parts(executions, AT_ONCE):
        # Of those that go, others refer to some: their rows are changed last, in whatever order.
        outcomes += await again_if_rolled_back(partial(_some, asking, bulk, some))
    return outcomes


async def _find(connection: Connection, statement: Select[UUID, str]) -> list[tuple[UUID, Status]]:
    return [(row.id, Status(row.status)) for row in await connection.execute(statement)]


async def _newest_of(connection: Connection, caller: Caller, once: Once) -> UUID | None:
    """The newest that was run again when this was heard first, if it was: what has been made since is not meant.

    Raises `InvalidRequest` if another body had the key.
    """
    begun = await service.find_submitted(connection, caller, once)
    return (begun.record.rerun_of or begun.record.id) if begun else None


def _within(wanted: Filter, operation: Operation) -> Filter:
    """Whoever names no status means those in whose status there is something to do."""
    if wanted.statuses:
        return wanted
    due = {standing for standing, answer in ANSWERS[operation].items() if answer is Answer.DONE}
    statuses = {status for status in Status for mode in PauseMode if Standing.of(status, mode) in due}
    return replace(wanted, statuses=frozenset(statuses))


def in_parts(found: Iterable[tuple[UUID, Status]], at_once: int) -> Iterator[list[UUID]]:
    """As many at a time as one transaction is to hold. It may find them in another status than they were in here."""
    some: list[UUID] = []
    count = 0
    for execution, status in found:
        weight = ACTIVE_COUNTS if status in ACTIVE - {Status.QUEUED} else 1
        if some and count + weight > at_once:
            yield some
            some, count = [], 0
        some.append(execution)
        count += weight
    if some:
        yield some


async def _some(asking: Asking, bulk: Bulk, executions: Sequence[UUID]) -> list[Outcome]:
    # Nothing is told of what is not committed.
    these = replace(asking, told=Told())
    async with transaction(asking.process.database) as connection:
        await bulk.lock(connection, executions)
        # Without those that somebody deleted just now.
        records = await repository.find_all(connection, executions)
        outcomes = {execution: _why_not(bulk.operation, record) for execution, record in records.items()}
        due = [records[execution] for execution in executions if execution in records and not outcomes[execution]]
        if due:
            outcomes |= {outcome.id: outcome for outcome in await bulk.act(connection, these, due)}
    asking.told.join(these.told)
    return [outcome for execution in executions if (outcome := outcomes.get(execution)) is not None]


def _why_not(operation: Operation, record: Record) -> Outcome | None:
    """What comes of one in whose status there is nothing to do."""
    try:
        is_due_now = is_due(operation, record.status, record.pause_mode)
    except Conflict as refused:
        return Outcome(record.id, Result.REFUSED, record.status, error=refused)
    return None if is_due_now else Outcome(record.id, Result.UNCHANGED, record.status)
