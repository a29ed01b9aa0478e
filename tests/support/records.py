"""Executions that nobody runs, brought where a test wants them by the same code that API and worker use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from uuid_utils.compat import uuid7

from app.auth.service import Caller
from app.bootstrap import Process, open_process
from app.db.engine import Connection, reading, transaction
from app.executions import accepting, pausing, repository
from app.executions.model import NO_RETRIES, Event, Lane, Lease, Limits, Outcome, Retries, Spec
from app.executions.record import Record
from app.executions.states import Cause, PauseMode, Status, StopReason
from app.executions.tables import Attempt, Execution
from app.pools.tables import Pool
from app.settings import Settings
from worker import claims, ending, ledger, pauses, queue
from worker.claims import Claim, Identity
from worker.ending import End, Kept
from worker.engine.port import EngineInfo

T = TypeVar("T")

ANN = Caller("ann", frozenset())
NOTHING_KEPT = Kept(outputs=[], outputs_partial=False, checkpoint=[], log_complete=True, warnings=[])


@asynccontextmanager
async def opened(database_url: str, redis_url: str, data: Path, **settings: Any) -> AsyncIterator[Process]:
    """What a process of an installation holds; its names in Redis are its own."""
    prefix = f"test-{uuid4().hex}"
    given = {
        "database_url": database_url,
        "redis_url": redis_url,
        "redis_prefix": prefix,
        "data": data,
        **settings,
    }
    async with open_process(Settings(**given), role="test") as process:
        yield process


@dataclass(frozen=True)
class Records:
    """One registered worker with a pool that no other test uses, and what it and its users do."""

    process: Process
    worker: Identity

    @classmethod
    async def of(cls, process: Process, *, pool: str | None = None, engine: str | None = None) -> Records:
        worker = Identity(
            id=uuid7(),
            pool=pool or f"pool-{uuid4().hex}",
            host="here",
            pid=1,
            version="0",
            slots=8,
            engine=EngineInfo(id=engine or f"engine-{uuid4().hex}", name="e", version="20.10", api_version="1.41"),
        )
        async with transaction(process.database) as connection:
            await claims.register(connection, worker)
        return cls(process, worker)

    async def colleague(self, *, engine: str | None = None) -> Records:
        """Another worker of the same pool, and of the same engine unless another is named."""
        return await Records.of(self.process, pool=self.worker.pool, engine=engine or self.worker.engine.id)

    async def commit(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        async with transaction(self.process.database) as connection:
            return await act(connection)

    def a_submission(
        self,
        *command: str,
        retries: Retries = NO_RETRIES,
        owner: str = "ann",
        priority: int = 0,
        lane: Lane = Lane.NORMAL,
        **limits: Any,
    ) -> accepting.NewExecution:
        return accepting.NewExecution(
            id=uuid7(),
            owner=owner,
            source="api",
            name=None,
            note=None,
            labels={},
            pool=self.worker.pool,
            spec=Spec(image="busybox:local", command=command or None),
            limits=Limits(**limits),
            retries=retries,
            priority=priority,
            lane=lane,
            resumed_from=None,
        )

    async def submit(self, *command: str, **more: Any) -> UUID:
        new = self.a_submission(*command, **more)
        await self.commit(lambda connection: accepting.add(connection, new))
        return new.id

    async def take(self, *, most: int = 1) -> list[Claim]:
        return await self.commit(lambda connection: queue.claim(connection, self.worker, most=most))

    def claiming(self, *, most: int) -> Callable[[Connection], Awaitable[list[Claim]]]:
        """A claim, for a race."""
        return lambda connection: queue.claim(connection, self.worker, most=most)

    async def change(self, execution: UUID, **columns: Any) -> None:
        """Make something of its record so, whoever would do that."""
        await self.commit(
            lambda connection: connection.execute(update(Execution).where(Execution.id == execution).values(**columns))
        )

    async def limit(self, **limits: int | None) -> None:
        """Set limits of its pool."""
        await self.commit(
            lambda connection: connection.execute(update(Pool).where(Pool.name == self.worker.pool).values(**limits))
        )

    async def claim(self, *command: str, **limits: Any) -> Claim:
        """Submit one and claim it; the queue of the pool has to be empty before."""
        execution = await self.submit(*command, **limits)
        (claim,) = await self.take()
        assert claim.lease.execution == execution
        return claim

    async def start(self, lease: Lease) -> Event | None:
        """As if its container had been created and started."""
        if not await self.commit(lambda connection: ledger.intend_start(connection, lease, container_id="c")):
            return None
        return await self.commit(lambda connection: ledger.note_started(connection, lease, actor=self.worker.actor))

    async def run(self, *command: str, **limits: Any) -> Claim:
        """Submit, claim and start one."""
        claim = await self.claim(*command, **limits)
        await self.start(claim.lease)
        return claim

    async def move(self, execution: UUID, target: Status, **more: Any) -> Event:
        return await self.commit(
            lambda connection: repository.move(connection, execution, target, **{"actor": "test", **more})
        )

    async def stop(self, execution: UUID, *, grace: float = 10) -> Event:
        """As the API does when it is asked to cancel one that is prepared or runs."""
        changes = {
            "stop_reason": StopReason.CANCEL,
            "stop_by": "ann",
            "stop_requested_at": func.now(),
            "stop_deadline": repository.seconds_from_now(grace),
            "stop_final": True,
            "control_version": Execution.control_version + 1,
        }
        return await self.move(execution, Status.STOPPING, actor="ann", changes=changes)

    async def freeze(self, lease: Lease) -> Event | None:
        """Asked for, and done."""
        await pausing.pause(self.process, ANN, lease.execution, PauseMode.FREEZE)
        return await self.commit(lambda connection: pauses.note_frozen(connection, lease, actor=self.worker.actor))

    async def thaw(self, lease: Lease) -> Event | None:
        """Asked for, and done."""
        await pausing.resume(self.process, ANN, lease.execution)
        return await self.commit(lambda connection: pauses.note_thawed(connection, lease, actor=self.worker.actor))

    async def ask_to_save(self, lease: Lease) -> None:
        """Of a program that said it can; and it is told."""
        await self.commit(lambda connection: ledger.update_execution(connection, lease, {"announced": True}))
        await pausing.pause(self.process, ANN, lease.execution, PauseMode.CHECKPOINT)
        await self.commit(lambda connection: pauses.note_told(connection, lease))

    async def save(self, lease: Lease, *, kept: Kept = NOTHING_KEPT) -> Event:
        """Its program saved a checkpoint and stopped."""
        outcome = Outcome(Cause.EXIT_NONZERO, "It saved.", 85, saved=True)
        end = End(outcome=outcome, ran=True, kept=kept)
        return await self.commit(lambda connection: ending.conclude(connection, lease, end, actor=self.worker.actor))

    async def end(
        self,
        lease: Lease,
        cause: Cause = Cause.OK,
        *,
        kept: Kept | None = NOTHING_KEPT,
        ran: bool = True,
        code: int = 1,
    ) -> Event:
        outcome = Outcome(cause, "It ended.", 0 if cause is Cause.OK else code)
        end = End(outcome=outcome, ran=ran, kept=kept)
        return await self.commit(lambda connection: ending.conclude(connection, lease, end, actor=self.worker.actor))

    async def finish(self, claim: Claim) -> None:
        """Run it, as far as it has not begun, and end it well."""
        if (await self.record(claim.lease.execution)).status is Status.PREPARING:
            await self.start(claim.lease)
        await self.end(claim.lease)

    async def record(self, execution: UUID) -> Record:
        async with reading(self.process.database) as connection:
            record = await repository.find(connection, execution)
        assert record is not None
        return record

    async def events(self, execution: UUID) -> list[Event]:
        async with reading(self.process.database) as connection:
            return await repository.list_events(connection, execution)

    async def attempts(self, execution: UUID) -> Sequence[Any]:
        statement = select(Attempt.__table__).where(Attempt.execution_id == execution).order_by(Attempt.number)
        async with reading(self.process.database) as connection:
            return (await connection.execute(statement)).all()

    async def in_status(self, status: Status) -> Lease:
        """A new one that has come so far. Those that no worker ever held have epoch 0."""
        execution = await self.submit()
        if status is Status.QUEUED:
            return Lease(execution, 0)
        (claim,) = await self.take()
        assert claim.lease.execution == execution, "the queue of the pool was not empty"
        if status is Status.PREPARING:
            return claim.lease
        await self.start(claim.lease)
        match status:
            case Status.RUNNING:
                pass
            case Status.STOPPING:
                await self.stop(execution)
            case Status.PAUSED:
                await self.freeze(claim.lease)
            case _:
                await self.end(claim.lease, a_cause(status))
        return claim.lease


def a_cause(status: Status) -> Cause:
    """One of the causes of a terminal status."""
    return {
        Status.SUCCEEDED: Cause.OK,
        Status.FAILED: Cause.EXIT_NONZERO,
        Status.TIMED_OUT: Cause.RUN_TIMEOUT,
        Status.CANCELED: Cause.CANCELED_BY_USER,
        Status.CRASHED: Cause.ENGINE_ERROR,
    }[status]


def stale(lease: Lease) -> Lease:
    """What somebody holds whose epoch has passed."""
    return replace(lease, epoch=lease.epoch - 1)


def check_history(events: Sequence[Event], now: Status) -> None:
    """Numbers without holes, times in their order, and every move begins where the one before ended."""
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.from_status for event in events] == [None, *(event.to_status for event in events[:-1])]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[-1].to_status is now
    assert [event for event in events[:-1] if event.ends] == []
