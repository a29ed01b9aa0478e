"""One operation on all executions that a filter takes: each has the outcome that it has when it is asked alone.

A request works through so many, in the order of their submission, some in each transaction. Bells and hints are sent
once, after the last of them. Reruns go from the newest back, or they would meet, a request later, what they have made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from app.auth.service import Caller
from app.batches import settling
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import NotFound, ServiceError
from app.events.protocol import BELL
from app.executions import archiving, deleting, repository, rerun, service
from app.executions.filters import Filter
from app.executions.finding import get_record
from app.executions.listing import conditions
from app.executions.model import Event
from app.executions.operations import ANSWERS, Answer, Operation, Standing
from app.executions.record import Record
from app.executions.states import PauseMode, Status
from app.executions.tables import Execution
from app.logs.protocol import LOOK_MESSAGE, status_message

AT_MOST = 1000
# In one transaction, which holds the rows of all of them.
AT_ONCE = 20

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
    """Of all in this request, in their order; whether there are more behind the last, and which that is."""

    items: Sequence[Outcome]
    more: bool
    last: UUID | None = None


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
    """Who asks for it, and what they leave to be told."""

    process: Process
    caller: Caller
    told: Told = field(default_factory=Told)


# Does it to one whose row is locked. Raises `ServiceError`, before it has written anything.
Act = Callable[[Connection, Asking, Record], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """One of the operations; `act` does it, to as many in one transaction as `lock` has locked before.

    With `backwards` the newest come first.
    """

    operation: Operation
    act: Act
    lock: Lock = repository.lock
    at_once: int = AT_ONCE
    backwards: bool = False


async def run(asking: Asking, bulk: Bulk, wanted: Filter, *, after: UUID | None, most: int) -> Outcomes:
    """Do it to the first of them behind `after`. Raises `InvalidRequest` for a filter that the caller may not use."""
    wanted = _within(wanted.within(asking.caller.sees), bulk.operation)
    order = Execution.id.desc() if bulk.backwards else Execution.id.asc()
    statement = select(Execution.id).where(*conditions(wanted)).order_by(order).limit(most + 1)
    if after is not None:
        statement = statement.where(Execution.id < after if bulk.backwards else Execution.id > after)
    async with reading(asking.process.database) as connection:
        found = (await connection.execute(statement)).scalars().all()
    executions, outcomes = found[:most], list[Outcome]()
    for start in range(0, len(executions), bulk.at_once):
        outcomes += await _some(asking, bulk, executions[start : start + bulk.at_once])
    return Outcomes(outcomes, more=len(found) > most, last=executions[-1] if executions else None)


def _within(wanted: Filter, operation: Operation) -> Filter:
    """Whoever names no status means those in whose status there is something to do."""
    if wanted.statuses:
        return wanted
    due = {standing for standing, answer in ANSWERS[operation].items() if answer is Answer.DONE}
    statuses = {status for status in Status for mode in PauseMode if Standing.of(status, mode) in due}
    return replace(wanted, statuses=frozenset(statuses))


async def _some(asking: Asking, bulk: Bulk, executions: Sequence[UUID]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    # Nothing is told of what is not committed.
    these = replace(asking, told=Told())
    async with transaction(asking.process.database) as connection:
        await bulk.lock(connection, executions)
        for execution in executions:
            try:
                record = await get_record(connection, execution)
            except NotFound:
                continue  # somebody deleted it just now
            try:
                outcomes.append(await bulk.act(connection, these, record))
            except ServiceError as error:
                outcomes.append(Outcome(execution, Result.REFUSED, record.status, error=error))
    asking.told.join(these.told)
    return outcomes


def cancel(*, force: bool) -> Bulk:
    """As `service.cancel`."""

    async def act(connection: Connection, asking: Asking, record: Record) -> Outcome:
        canceled = await service.cancel_locked(connection, asking.caller, record, force=force)
        _tell_of_stop(asking.told, canceled)
        result = Result.UNCHANGED
        if canceled.changed:
            result = Result.DONE if canceled.record.is_terminal else Result.ACCEPTED
        return Outcome(record.id, result, canceled.record.status)

    return Bulk(Operation.FORCE_CANCEL if force else Operation.CANCEL, act)


def _tell_of_stop(told: Told, canceled: service.Cancellation) -> None:
    record = canceled.record
    if canceled.changed and record.worker_id is not None and not record.is_terminal:
        told.workers.add(record.worker_id)
    told.note(record.id, canceled.event)


def archive() -> Bulk:
    """As `archiving.archive`."""
    return Bulk(Operation.ARCHIVE, _putting(archiving.archive_locked))


def restore() -> Bulk:
    """As `archiving.restore`."""
    return Bulk(Operation.RESTORE, _putting(archiving.restore_locked))


def _putting(put: Callable[[Connection, Caller, Record], Awaitable[archiving.Archived]]) -> Act:
    async def act(connection: Connection, asking: Asking, record: Record) -> Outcome:
        archived = await put(connection, asking.caller, record)
        return Outcome(record.id, Result.DONE if archived.event else Result.UNCHANGED, archived.record.status)

    return act


def delete() -> Bulk:
    """As `deleting.delete_execution`."""

    async def act(connection: Connection, asking: Asking, record: Record) -> Outcome:
        deletion = await deleting.delete_locked(connection, asking.caller, record)
        if deletion.stopped is not None:
            _tell_of_stop(asking.told, deletion.stopped)
        if deletion.gone:
            asking.told.gone(record.id)
            return Outcome(record.id, Result.DONE, deletion.record.status)
        return Outcome(record.id, Result.ACCEPTED if deletion.changed else Result.UNCHANGED, deletion.record.status)

    return Bulk(Operation.DELETE, act, deleting.lock)


def rerun_as(draft_of: rerun.DraftOf) -> Bulk:
    """As `rerun.rerun`."""

    async def act(connection: Connection, asking: Asking, record: Record) -> Outcome:
        submitted = await rerun.rerun_within(connection, asking.process, asking.caller, record, draft_of)
        asking.told.pools.add(submitted.record.pool)
        return Outcome(record.id, Result.DONE, record.status, rerun=submitted.record.id)

    return Bulk(Operation.RERUN, act, _lock_nothing, at_once=1, backwards=True)


async def _lock_nothing(_connection: Connection, _executions: Sequence[UUID]) -> None:
    """A rerun locks what it refers to, in the order of ids, and what that is it finds out itself."""
