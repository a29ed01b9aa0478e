"""The worker process: claims what its slots can take, runs each attempt as a task of its own, adopts what others left.

Hints make it fast, looking makes it sure: a bell, an intent or a freed slot only wakes a loop that would have looked
anyway. No arq job owns anything here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.crash_points import CrashPoint, crash_here
from app.db.engine import is_outage, open_engine, reading, transaction
from app.executions.model import Event, Lease
from app.executions.record import Record
from app.listener import Missed
from app.version import VERSION
from app.workers.model import Wanted
from worker import claims, ledger, queue
from worker.confided import unseal
from worker.context import WorkerContext
from worker.engine.port import ContainerRuntime
from worker.expiry import expire_overdue
from worker.free_disk import FreeDisk
from worker.log_writer import LogWriter
from worker.messenger import Messenger
from worker.metrics import WorkerMetrics
from worker.presence import EngineWatch, Presence, ProcessLock, bury, list_gone
from worker.pulse import Pulse
from worker.reconciler import Reconciler
from worker.runner import CLEAR_UP_WITHIN, Runner
from worker.schedules import LOOK_EVERY, ScheduleKeeper

log = structlog.get_logger(__name__)

CLAIM_ANYWAY_EVERY = 2.0
EXPIRE_EVERY = 2.0
INTENTS_EVERY = 1.0
ADOPT_EVERY = 5.0
RETRY_AFTER = 1.0
RETRY_AT_MOST_AFTER = 60.0
GIVE_UP_AFTER = 5
# A failure after so long is a new one.
STEADY_AFTER = 600.0
# Time to clear up what has ended, then a second word to whoever missed the first; seconds.
LET_GO_WITHIN = (CLEAR_UP_WITHIN + 0.1, 0.2)


class Supervisor:
    """One worker. `run` until cancelled; then every attempt is let go as it is, for the next worker to adopt."""

    def __init__(self, context: WorkerContext, presence: Presence) -> None:
        self._context = context
        self._worker = context.identity
        self._presence = presence
        self._reconciler = Reconciler(context, presence)
        self._schedules = ScheduleKeeper(context.process, self._worker.id, presence, context.metrics)
        self._messenger = Messenger(context, presence)
        self._runners: dict[UUID, Runner] = {}
        self._tasks: dict[asyncio.Task[None], UUID] = {}
        self._unattended: set[UUID] = set()
        self._bell = asyncio.Event()
        self._intent = asyncio.Event()
        self._intents: dict[UUID, int] = {}
        self._on_their_way = 0
        self._taken = asyncio.Event()
        self.pulse = Pulse()
        context.metrics.watch(
            attempts=lambda: len(self._tasks), silence=presence.silence, policy=context.process.policy
        )

    @property
    def free_slots(self) -> int:
        """How many more attempts it takes: none while it is paused, drains, or has no room on its disk."""
        return self._worker.slots - len(self._tasks) if self._presence.takes_work else 0

    @property
    def message(self) -> str | None:
        """Why it takes none although it is wanted to."""
        return self._presence.message

    def silence(self) -> float:
        """Seconds since our last heartbeat."""
        return self._presence.silence()

    def ring(self) -> None:
        """Something may be queued."""
        self._bell.set()

    def drain(self) -> None:
        """Take nothing new any more; `run` returns when nothing is left."""
        self._presence.leave()
        self.ring()

    async def run(self) -> None:
        """All loops of the worker, until it has drained."""
        channels = self._context.process.channels
        try:
            async with asyncio.TaskGroup() as group:
                loops = [
                    group.create_task(loop)
                    for loop in (
                        self._context.logs.run(),
                        self._context.usage.run(self._context.process.database),
                        self._presence.run(self.ring),
                        self._messenger.run(),
                        self._hear(channels.bell(self._worker.pool), self._bell),
                        self._hear(channels.control(self._worker.id), self._intent),
                        self._hear(channels.control(self._worker.id), self._presence.asked),
                        self._forever(partial(self._taking, self._adopt), ADOPT_EVERY),
                        self._forever(self._reconciler.sweep, self._context.process.settings.reconcile_every),
                        self._forever(partial(self._taking, self._claim), CLAIM_ANYWAY_EVERY, self._bell),
                        self._forever(partial(expire_overdue, self._context), EXPIRE_EVERY),
                        self._hear(channels.schedules, self._schedules.wake),
                        self._forever(self._schedules.look, LOOK_EVERY, self._schedules.wake),
                        self._forever(self._pass_intents_on, INTENTS_EVERY, self._intent),
                    )
                ]
                await self._drained()
                for loop in loops:
                    loop.cancel()
        finally:
            await self._schedules.stop()
            await self._let_go()

    async def _taking(self, take: Callable[[], Awaitable[None]]) -> None:
        """A drain waits for what is on its way to us. Whatever ends or changes rings, and so comes by here."""
        self._on_their_way += 1
        try:
            await take()
        finally:
            self._on_their_way -= 1
            self._taken.set()

    async def _drained(self) -> None:
        """Returns when we are to leave and nothing is left."""
        while self._presence.wanted is not Wanted.DRAIN or self._tasks or self._on_their_way:
            self._taken.clear()
            await self._taken.wait()
        log.info("worker.drained")

    async def _claim(self) -> None:
        self.pulse.beat()
        while self.free_slots > 0 and self._presence.certain:
            free = self.free_slots
            async with transaction(self._context.process.database) as connection:
                taken = await queue.claim(connection, self._worker, most=free)
            if taken:
                crash_here(CrashPoint.CLAIMED)
            for claim in taken:
                self._context.metrics.claimed(claim)
                self._begin(claim.lease, claim.record, claim.event)
            for claim in taken:
                await self._context.announce(claim.lease.execution, claim.event)
            if len(taken) < free:
                return

    async def _adopt(self) -> None:
        data = self._context.process.settings.data
        for worker in list_gone(data):
            async with transaction(self._context.process.database) as connection:
                await claims.sign_off(connection, worker)
            bury(data, worker)
        async with reading(self._context.process.database) as connection:
            orphans = await claims.find_orphans(connection, self._worker)
        for orphan in orphans:
            if self._is_lost(orphan) and self._presence.certain:
                await self._adopt_one(orphan)
        # A claim whose answer was lost is ours without our knowing; seen twice, it is not just about to begin.
        ours = {orphan.execution for orphan in orphans if orphan.worker == self._worker.id}
        self._unattended = ours - set(self._tasks.values())

    def _is_lost(self, orphan: claims.Orphan) -> bool:
        if orphan.worker == self._worker.id:
            return orphan.execution in self._unattended and orphan.execution not in self._tasks.values()
        return orphan.gone or (orphan.silent_for > claims.LOST_AFTER and self._presence.may_judge)

    async def _adopt_one(self, orphan: claims.Orphan) -> None:
        async with transaction(self._context.process.database) as connection:
            lease = await claims.adopt(connection, orphan, self._worker)
            if lease is None:
                return
            record, attempt = await claims.read_attempt(connection, lease)
        crash_here(CrashPoint.TAKEN_OVER)
        self._context.metrics.adopted()
        self._begin(lease, record, attempt)

    def _begin(self, lease: Lease, record: Record, point: Event | claims.AttemptState) -> None:
        """Give it a task of its own, from our claim of it or from where somebody else had come."""
        task = asyncio.create_task(self._attend(lease, record, point), name=f"attempt {lease.execution}")
        self._tasks[task] = lease.execution
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._bell.set()

    async def _attend(self, lease: Lease, record: Record, point: Event | claims.AttemptState) -> None:
        """See an attempt through. A mistake of ours is met like the death of a worker: by taking the attempt over."""
        structlog.contextvars.bind_contextvars(execution_id=str(lease.execution), attempt=record.attempt)
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._tell(lease, record, point, give_up=failures >= GIVE_UP_AFTER)
                return
            except Exception:
                if being_cancelled():
                    raise
                failures = failures + 1 if time.monotonic() - began < STEADY_AFTER else 1
                log.exception("attempt.failed", failures=failures)
            await asyncio.sleep(min(RETRY_AFTER * 2**failures, RETRY_AT_MOST_AFTER))
            taken = await self._context.commit(partial(claims.take_again, lease=lease))
            if taken is None:
                return
            self._context.metrics.taken_again()
            lease = taken
            record, point = await self._context.read(partial(claims.read_attempt, lease=lease))

    async def _tell(self, lease: Lease, record: Record, point: Event | claims.AttemptState, *, give_up: bool) -> None:
        log_bytes = int(record.limits.log_bytes)
        confided = await unseal(self._context, record)
        # Better no log than one with its secrets in it; all else about it is still to be seen to.
        blind = confided.trouble is not None and not isinstance(point, Event) and point.meant_to_start
        sink = await self._context.persist(
            lambda: self._context.logs.open(lease, log_bytes=log_bytes, masks=confided.masks, blind=blind)
        )
        runner = Runner(self._context, lease, record, sink, confided)
        self._runners[lease.execution] = runner
        try:
            if isinstance(point, Event):
                await runner.run(point)
            elif give_up:
                await runner.give_up(point)
            else:
                await runner.adopt(point)
        finally:
            self._context.logs.close(sink)
            if self._runners.get(lease.execution) is runner:
                del self._runners[lease.execution]

    async def _pass_intents_on(self) -> None:
        if not self._runners:
            return
        async with reading(self._context.process.database) as connection:
            intents = await ledger.list_intents(connection, self._worker.id)
        for execution, runner in self._runners.items():
            if intents.get(execution) != self._intents.get(execution):
                runner.notify()
        self._intents = intents

    async def _hear(self, channel: str, event: asyncio.Event) -> None:
        async with self._context.process.listener.subscribe(channel) as hints:
            while True:
                with suppress(Missed):
                    if await hints.get(within=60.0) is None:
                        continue
                event.set()

    async def _forever(
        self, act: Callable[[], Awaitable[None]], every: float, event: asyncio.Event | None = None
    ) -> None:
        """Act at the event or every so many seconds; an outage of the database only delays it."""
        wake = event or asyncio.Event()
        while True:
            wake.clear()
            try:
                await act()
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("database.away", error=repr(error))
                await asyncio.sleep(RETRY_AFTER)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await wake.wait()

    async def _let_go(self) -> None:
        """Containers run on; whoever comes next finds everything committed."""
        tasks = set(self._tasks)
        for patience in LET_GO_WITHIN:
            for task in tasks:
                task.cancel()
            if tasks:
                _, tasks = await asyncio.wait(tasks, timeout=patience)
        log.info("worker.let_go", stuck=len(tasks))


@asynccontextmanager
async def open_supervisor(
    process: Process, runtime: ContainerRuntime, metrics: WorkerMetrics
) -> AsyncIterator[Supervisor]:
    """Register a worker, and sign it off at the end, however it ends."""
    settings = process.settings
    worker = claims.Identity(
        id=uuid7(),
        pool=settings.pool,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=VERSION,
        slots=settings.slots,
        engine=await runtime.identify(),
    )
    lock = ProcessLock(settings.data, worker.id)
    try:
        disk = FreeDisk(settings.data, settings.min_free_disk)
        # It may be full already.
        await disk.look()
        metrics.watch_disk(disk)
        async with transaction(process.database) as connection:
            await claims.register(connection, worker)
        log.info("worker.started", worker_id=str(worker.id), pool=worker.pool, slots=worker.slots)
        logs = LogWriter(process.database, process.hints, metrics)
        context = WorkerContext(process, runtime, worker, logs, metrics)
        process.on_settled.append(metrics.settled)
        try:
            async with open_engine(settings.database_url, pool_size=1, application="tailrace-heartbeat") as heartbeats:
                watch = EngineWatch(runtime, worker.engine)
                yield Supervisor(context, Presence(heartbeats, worker.id, watch, disk))
        finally:
            with suppress(Exception):
                async with asyncio.timeout(1.0), transaction(process.database) as connection:
                    await claims.sign_off(connection, worker.id)
    finally:
        lock.release()
