"""THE STORY of one attempt: prepare, start, watch over it, keep what it left, finish.

Every step is load → act → apply: what we are about to do is committed, then the engine is asked, then the fact is
committed. Whoever adopts an attempt goes on from what was committed. A lost lease (`StaleLease`, `Fenced`) ends the
story at once and leaves the container alone: somebody else is telling it now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from functools import partial

import structlog

from app.executions.model import Lease, Outcome
from app.executions.record import Record
from app.executions.repository import IllegalMove, StaleLease
from app.executions.states import Cause
from worker import claims, ledger
from worker.collect import keep
from worker.concurrency import to_the_end
from worker.container import container_name
from worker.context import WorkerContext
from worker.engine.port import (
    ContainerState,
    EngineError,
    Inspection,
    NoSuchContainer,
    StartRefused,
)
from worker.log_sink import Fenced, LogSink
from worker.outcome import Exit, init_complaint, read_exit
from worker.over import Over
from worker.oversight import Oversight
from worker.preparation import Preparation
from worker.watch import Watch
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

# Attempts that were prepared in vain, the last one included.
GIVE_BACK_AT_MOST = 3
CLEAR_UP_WITHIN = 1.2


class Runner:
    """One attempt of one execution, on behalf of the holder of `lease`. `log` is the attempt's open log."""

    def __init__(self, context: WorkerContext, lease: Lease, record: Record, sink: LogSink) -> None:
        self._context = context
        self._runtime = context.runtime
        self._lease = lease
        self._record = record
        self._sink = sink
        self._container: str | None = None
        self._workspace = Workspace(context.process.settings.data, lease.execution, record.attempt)
        self._oversight = Oversight(context, lease, record, self._workspace, sink.system)
        self._preparation = Preparation(context, lease, record, self._workspace, sink.system)

    def notify(self) -> None:
        """The record has a new intent for us."""
        self._oversight.notify()

    async def run(self) -> None:
        """From the claim to the end."""
        log.info("attempt.claimed", image=self._record.spec.image)
        await self._tell(self._from_the_claim())

    async def adopt(self, attempt: claims.AttemptState) -> None:
        """From where another worker left off to the end."""
        log.info("attempt.adopted", container=attempt.container_name)
        await self._tell(self._from_the_middle(attempt))

    async def give_up(self, attempt: claims.AttemptState) -> None:
        """We failed at it again and again: let nothing of it run, and say so."""
        await self._tell(self._to_a_forced_end(attempt))

    async def _from_the_claim(self) -> None:
        self._sink.system(f"Attempt {self._record.attempt} is prepared by {self._context.identity.actor}.")
        unless_stopped = self._oversight.unless_stopped
        # Not to be given up half-way, since a thread works on it; the image may be looked for meanwhile.
        making = asyncio.create_task(self._preparation.make_workspace())
        try:
            image = await unless_stopped(self._preparation.obtain_image())
        finally:
            await making
        await unless_stopped(self._preparation.restore_checkpoint())
        self._container = container_name(self._lease, self._record.attempt)
        container = await unless_stopped(self._preparation.create(image))
        watch = Watch(self._runtime, container, self._sink, self._oversight)
        try:
            ended = await watch.run(partial(self._start, container))
        except NoSuchContainer:
            raise Over(Cause.OUTCOME_UNKNOWN, "Its container was removed behind our back.", ran=True) from None
        await self._conclude(ended, log_complete=watch.log_complete)

    async def _from_the_middle(self, attempt: claims.AttemptState) -> None:
        self._sink.system(f"Taken over by {self._context.identity.actor}.")
        if not attempt.meant_to_start or attempt.container_name is None:
            # Its program provably never ran: what there is of it goes, and it is queued anew.
            self._container = attempt.container_name
            await self._give_back()
            return
        try:
            found = await self._inspect(attempt.container_name)
            self._container = found.id
            if found.state is ContainerState.CREATED and attempt.started_at is None:
                await self._give_back()
                return
            if attempt.started_at is None:
                await self._note_started()
            self._oversight.resume(attempt)
            watch = Watch(self._runtime, found.id, self._sink, self._oversight)
            ended = await watch.run(None)
        except NoSuchContainer:
            raise Over(Cause.OUTCOME_UNKNOWN, "Its container is gone, and nobody saw how it ended.", ran=True) from None
        await self._conclude(ended, log_complete=watch.log_complete)

    async def _to_a_forced_end(self, attempt: claims.AttemptState) -> None:
        if attempt.container_name is not None:
            await self._runtime.remove(attempt.container_name, force=True)
        why = "The worker failed repeatedly at running it; the worker's own log says why."
        raise Over(Cause.ENGINE_ERROR, why, ran=attempt.meant_to_start)

    async def _start(self, container: str) -> None:
        """The point of no return: from the intent on the program may have run."""
        self._workspace.write_deadline(time.time() + self._record.limits.timeout)
        may_start = await self._context.commit(
            lambda connection: ledger.intend_start(connection, self._lease, container_id=container)
        )
        if not may_start:
            raise await self._oversight.refuse_start()
        try:
            await self._runtime.start(container)
        except StartRefused as error:
            # A missing command is told by the container's init; this is something else, a bad `workdir` for instance.
            raise Over(Cause.SPEC_REJECTED, f"The engine refused to start the container: {error}") from error
        except EngineError as error:
            # Whether it runs is open: never ask twice, see what came of it.
            if (await self._inspect(container)).state is ContainerState.CREATED:
                raise Over(Cause.ENGINE_ERROR, f"The container could not be started: {error}") from error
        await self._note_started()

    async def _note_started(self) -> None:
        event = await self._context.commit(
            lambda connection: ledger.note_started(
                connection,
                self._lease,
                run_for=self._record.limits.timeout,
                actor=self._context.identity.actor,
            )
        )
        await self._context.announce(self._lease.execution, event)
        log.info("attempt.started")

    async def _conclude(self, ended: Inspection, *, log_complete: bool) -> None:
        """No process runs any more: read the exit, keep what it left, commit the end."""
        await self._oversight.hear_out()
        order = await self._context.read(lambda connection: ledger.read_order(connection, self._lease))
        exit_ = Exit(
            code=-1 if ended.exit_code is None else ended.exit_code,
            oom_killed=ended.oom_killed,
            signaled=self._oversight.signaled,
            announced=self._oversight.announced,
            init_complaint=init_complaint(self._sink.first_error_line),
        )
        outcome = read_exit(exit_, order.stop, timeout=self._record.limits.timeout)
        await self._context.commit(lambda connection: ledger.set_phase(connection, self._lease, "collecting"))
        await self._finish(outcome, await self._keep(log_complete=log_complete))

    async def _keep(self, *, log_complete: bool) -> ledger.Kept:
        return await keep(self._context.process.artifacts, self._record, self._workspace, log_complete=log_complete)

    async def _finish(self, outcome: Outcome, kept: ledger.Kept | None = None) -> None:
        """The log first, then the end: whoever sees the end has the whole log."""
        self._sink.flush()
        self._sink.system(f"Ended, {outcome.cause}: {outcome.message}")
        await self._sink.drain()
        try:
            event = await self._context.commit(
                lambda connection: ledger.finish(
                    connection, self._lease, outcome, actor=self._context.identity.actor, kept=kept
                )
            )
        except IllegalMove as refused:
            # Our own commit whose answer was lost: the end is there already.
            log.warning("attempt.ended_already", status=refused.current)
        else:
            await self._context.announce(self._lease.execution, event)
        log.info("attempt.ended", cause=outcome.cause, exit_code=outcome.exit_code)
        # Nobody comes back to what has ended: a worker that is asked to go clears up first.
        await to_the_end(self._clear_up(), within=CLEAR_UP_WITHIN)

    async def _give_back(self) -> None:
        """Queue it anew, unless it is to stop: then this is its end."""
        if self._record.attempt > GIVE_BACK_AT_MOST:
            raise Over(Cause.ENGINE_ERROR, "It could not be prepared, again and again; the worker's own log says why.")
        why = "The worker that prepared it went away before it was started."
        await self._sink.drain()
        if self._container is not None:
            # Before anybody can claim it anew: if it was started after all, this is refused.
            container = self._container
            await self._context.ask_engine(lambda: self._runtime.remove(container))
        try:
            event = await self._context.commit(
                lambda connection: ledger.requeue(connection, self._lease, actor=self._context.identity.actor, why=why)
            )
        except IllegalMove:
            raise await self._oversight.refuse_start() from None
        await self._clear_up()
        await self._context.announce(self._lease.execution, event)
        await self._context.process.hints.ring(self._record.pool)

    async def _clear_up(self) -> None:
        """The end is committed: what cannot be removed now is not worth failing for."""
        if self._container is not None:
            await self._preparation.discard(self._container)
        try:
            await asyncio.to_thread(self._workspace.remove)
        except (OSError, RecursionError) as error:
            log.warning("workspace.not_removed", error=str(error))

    async def _tell(self, story: Coroutine[object, object, None]) -> None:
        try:
            await story
        except Over as over:
            await self._finish(over.outcome, await self._keep(log_complete=False) if over.ran else None)
        except (StaleLease, Fenced) as error:
            log.warning("attempt.lease_lost", error=str(error))
        finally:
            self._oversight.close()

    async def _inspect(self, container: str) -> Inspection:
        return await self._context.ask_engine(lambda: self._runtime.inspect(container))
