"""What every attempt of one worker shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import structlog

from app.batches import settling
from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.db.engine import Connection, is_outage, reading, transaction
from app.events.protocol import BELL
from app.executions.model import Event
from app.logs.protocol import status_message
from worker.claims import Identity
from worker.engine.port import ContainerRuntime, EngineUnreachable
from worker.log_writer import LogWriter
from worker.metrics import WorkerMetrics
from worker.usage import UsageMeter

log = structlog.get_logger(__name__)

T = TypeVar("T")
RETRY_AFTER_OUTAGE = 0.5
ENGINE_RETRY_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The process, its engine, who it is, the writer of all its logs, what is counted, and what containers use."""

    process: Process
    runtime: ContainerRuntime
    identity: Identity
    logs: LogWriter
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)
    usage: UsageMeter = field(default_factory=UsageMeter)

    async def commit(self, write: Callable[[Connection], Awaitable[T]]) -> T:
        """One transaction, repeated while the database is away. Only for what is fenced and safe to repeat."""
        return await self.persist(lambda: self._in_transaction(write))

    async def read(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        """Statements that only read, repeated while the database is away."""
        return await self.persist(lambda: self._reading(look))

    async def ask_engine(self, ask: Callable[[], Awaitable[T]]) -> T:
        """A question or order that may be repeated, while the engine does not answer."""
        while True:
            try:
                return await ask()
            except EngineUnreachable as error:
                log.warning("engine.unreachable", error=str(error))
                await asyncio.sleep(ENGINE_RETRY_AFTER)

    async def announce(self, execution: UUID, event: Event | None) -> None:
        """Tell the watchers of a committed move, and see to what it means for others of its batch."""
        if event is None:
            return
        await self.process.hints.publish([(execution, status_message(event))], to_all=BELL)
        try:
            await settling.follow(self.process, [event])
        except Exception as error:
            if being_cancelled():
                raise
            # A sweep does it later: what becomes of the others is nothing that this one could fail at.
            log.warning("batch.not_settled", batch=str(event.batch), error=repr(error), exc_info=not is_outage(error))

    async def _in_transaction(self, write: Callable[[Connection], Awaitable[T]]) -> T:
        async with transaction(self.process.database) as connection:
            return await write(connection)

    async def _reading(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        async with reading(self.process.database) as connection:
            return await look(connection)

    async def persist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Anything with the database that may be repeated, repeated while that is away."""
        while True:
            try:
                return await act()
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("database.away", error=repr(error))
                await asyncio.sleep(RETRY_AFTER_OUTAGE)
