"""What API and workers do to a record: as the real code does it, and as the model says.

`perform` says what happened: what the code returned, or the word for why it was refused. `predict` says what had to.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from typing_extensions import override

from app.auth.service import Caller
from app.db.engine import Connection
from app.errors import Conflict
from app.executions import pausing, service
from app.executions.model import Lease, Outcome, Stop
from app.executions.repository import IllegalMove, StaleLease
from app.executions.states import Cause, PauseMode, StopReason
from app.executions.tables import Execution
from support import model
from support.model import Refused, Story
from support.records import NOTHING_KEPT, Records
from support.values import NOON
from worker import claims, ending, ledger, pauses
from worker.claims import Orphan
from worker.ending import End
from worker.ladder import Rung
from worker.log_sink import Fenced, LogSink
from worker.log_writer import LogWriter

ANN = Caller("ann", frozenset())
Stories = dict[UUID, Story]


@dataclass
class Crew:
    """The workers of one pool, and their logs that are open."""

    workers: dict[str, Records]
    sinks: dict[Lease, LogSink] = field(default_factory=dict)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Act(ABC):
    """One transaction of somebody."""

    async def perform(self, crew: Crew) -> object:
        """What happened, with every refusal as a word."""
        try:
            return await self._perform(crew)
        except StaleLease:
            return model.STALE
        except IllegalMove:
            return model.ILLEGAL
        except Conflict:
            return model.ENDED
        except IntegrityError:
            return model.UNHEARD_OF

    def predict(self, stories: Stories, happened: object) -> object:
        """What must happen. Where the queue's order decides, `happened` tells it."""
        try:
            return self._predict(stories, happened)
        except Refused as refused:
            return str(refused)

    @abstractmethod
    async def _perform(self, crew: Crew) -> object: ...

    @abstractmethod
    def _predict(self, stories: Stories, happened: object) -> object: ...


@dataclass(frozen=True)
class Cancel(Act):
    """A user asks for a stop."""

    execution: UUID
    force: bool

    @override
    async def _perform(self, crew: Crew) -> object:
        process = next(iter(crew.workers.values())).process
        cancellation = await service.cancel(process, ANN, self.execution, force=self.force)
        return model.DONE if cancellation.changed else model.NOTHING

    @override
    def _predict(self, stories: Stories, happened: object) -> object:
        return stories[self.execution].cancel(force=self.force)


@dataclass(frozen=True)
class AskPause(Act):
    """A user asks for a pause."""

    execution: UUID
    mode: PauseMode

    @override
    async def _perform(self, crew: Crew) -> object:
        process = next(iter(crew.workers.values())).process
        asked = await pausing.pause(process, ANN, self.execution, self.mode)
        return model.DONE if asked.changed else model.NOTHING

    @override
    def _predict(self, stories: Stories, happened: object) -> object:
        return stories[self.execution].ask_pause(self.mode.value)


@dataclass(frozen=True)
class AskResume(Act):
    """A user asks that it goes on."""

    execution: UUID

    @override
    async def _perform(self, crew: Crew) -> object:
        process = next(iter(crew.workers.values())).process
        asked = await pausing.resume(process, ANN, self.execution)
        return model.DONE if asked.changed else model.NOTHING

    @override
    def _predict(self, stories: Stories, happened: object) -> object:
        return stories[self.execution].ask_resume()


@dataclass(frozen=True)
class Claim(Act):
    """A worker looks into the queue. The leases that it got."""

    worker: str
    most: int

    @override
    async def _perform(self, crew: Crew) -> object:
        return frozenset(claim.lease for claim in await crew.workers[self.worker].take(most=self.most))

    @override
    def _predict(self, stories: Stories, happened: object) -> object:
        queued = {execution: story for execution, story in stories.items() if story.status == "queued"}
        ready = [story for story in queued.values() if not story.waits]
        took = [lease.execution for lease in happened if lease.execution in queued]  # type: ignore[attr-defined]
        if any(stories[execution].waits for execution in took) or len(took) != min(self.most, len(ready)):
            return f"{min(self.most, len(ready))} of {ready}"
        return frozenset(Lease(execution, stories[execution].claim(self.worker)) for execution in took)


@dataclass(frozen=True)
class Adopt(Act):
    """A worker takes over what another was seen to hold."""

    worker: str
    seen: Lease

    @override
    async def _perform(self, crew: Crew) -> object:
        adopter = crew.workers[self.worker]
        orphan = Orphan(self.seen.execution, self.seen.epoch, adopter.worker.id, silent_for=60.0, gone=True)
        lease = await adopter.commit(lambda connection: claims.adopt(connection, orphan, adopter.worker))
        return lease.epoch if lease else model.NOTHING

    @override
    def _predict(self, stories: Stories, happened: object) -> object:
        return stories[self.seen.execution].take_over(self.seen.epoch, self.worker)


@dataclass(frozen=True)
class ByHolder(Act):
    """Something that only who holds the lease may do."""

    lease: Lease
    worker: str
    repeatable: ClassVar[bool] = True

    @override
    async def _perform(self, crew: Crew) -> object:
        worker = crew.workers[self.worker]
        return await worker.commit(partial(self._write, by=worker))

    @override
    def _predict(self, stories: Stories, happened: object) -> object:
        return self._foresee(stories[self.lease.execution], self.lease.epoch)

    async def _write(self, connection: Connection, *, by: Records) -> object:
        raise NotImplementedError

    @abstractmethod
    def _foresee(self, story: Story, epoch: int) -> object: ...


class TakeAgain(ByHolder):
    """Its own telling of the story failed: it takes over from itself."""

    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        lease = await claims.take_again(connection, self.lease)
        return lease.epoch if lease else model.NOTHING

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.take_over(epoch, story.holder or "")


class SetPhase(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        await ledger.set_phase(connection, self.lease, "pulling")
        return model.DONE

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.set_phase(epoch)


class IntendCreate(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        name = f"tailrace-{self.lease.execution}-{self.lease.epoch}"
        await ledger.intend_create(connection, self.lease, container_name=name, image_id="i", image_digest=None)
        return model.DONE

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.set_phase(epoch)


class IntendStart(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        return model.DONE if await ledger.intend_start(connection, self.lease, container_id="c") else model.NOTHING

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.intend_start(epoch)


class NoteStarted(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        event = await ledger.note_started(connection, self.lease, actor=by.worker.actor)
        return model.DONE if event else model.NOTHING

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.note_started(epoch)


class TimeOut(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        return model.DONE if await ledger.time_out(connection, self.lease, grace=10) else model.NOTHING

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.time_out(epoch)


class Announce(ByHolder):
    """Its program says that it saves checkpoints."""

    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        await ledger.update_execution(connection, self.lease, {"announced": True})
        return model.DONE

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.announce(epoch)


class NoteFrozen(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        event = await pauses.note_frozen(connection, self.lease, actor=by.worker.actor)
        return model.DONE if event else model.NOTHING

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.note_frozen(epoch)


class NoteThawed(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        event = await pauses.note_thawed(connection, self.lease, actor=by.worker.actor)
        return model.DONE if event else model.NOTHING

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.note_thawed(epoch)


class MissCheckpoint(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        pending = (Execution.id == self.lease.execution) & Execution.pause_deadline.is_not(None)
        await connection.execute(update(Execution).where(pending).values(pause_deadline=Execution.pause_requested_at))
        stop = Stop(StopReason.PAUSE, "ann", NOON, NOON, force=False, final=False)
        missed = await pauses.miss_checkpoint(connection, self.lease, stop)
        return model.DONE if missed else model.NOTHING

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.miss_checkpoint(epoch)


class Save(ByHolder):
    """The program saves a checkpoint and stops."""

    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        outcome = Outcome(Cause.EXIT_NONZERO, "It saved.", 85, saved=True)
        end = End(outcome=outcome, ran=True, kept=NOTHING_KEPT)
        event = await ending.conclude(connection, self.lease, end, actor=by.worker.actor)
        return event.to_status.value

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.save(epoch)


@dataclass(frozen=True)
class Climb(ByHolder):
    rung: Rung

    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        await ledger.climb(connection, self.lease, self.rung)
        return model.DONE

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.climb(epoch, self.rung)


class Requeue(ByHolder):
    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        await ending.requeue(connection, self.lease, actor=by.worker.actor, why="It never ran.")
        return model.DONE

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.requeue(epoch)


@dataclass(frozen=True)
class Conclude(ByHolder):
    """The attempt ends. `ran`: its program may have run."""

    cause: Cause
    exit_code: int | None
    ran: bool

    @override
    async def _write(self, connection: Connection, *, by: Records) -> object:
        end = End(outcome=Outcome(self.cause, "It ended.", self.exit_code), ran=self.ran, kept=NOTHING_KEPT)
        event = await ending.conclude(connection, self.lease, end, actor=by.worker.actor)
        return event.to_status.value

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.conclude(epoch, self.cause, self.exit_code, ran=self.ran)


@dataclass(frozen=True)
class Say(ByHolder):
    """A line of the log, by the real writer of logs."""

    line: str

    @override
    async def _perform(self, crew: Crew) -> object:
        process = crew.workers[self.worker].process
        writer = LogWriter(process.database, process.hints)
        async with crew.writing:  # a worker writes all its logs in one task
            if self.lease not in crew.sinks:
                crew.sinks[self.lease] = await writer.open(self.lease, log_bytes=2**20)
            sink = crew.sinks[self.lease]
            sink.system(self.line)
            try:
                # Whose row somebody else has is passed over.
                while (batch := sink.take(0.0)) is not None:
                    await writer._commit([(sink, batch)])
                await sink.drain()
            except Fenced:
                return model.STALE
            return model.DONE

    @override
    def _foresee(self, story: Story, epoch: int) -> object:
        return story.say(epoch, self.line)
