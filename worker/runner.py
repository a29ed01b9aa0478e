"""THE STORY of one attempt: prepare, start, watch over it, keep what it left, finish.

Every step is load → act → apply: what we are about to do is committed, then the engine is asked, then the fact is
committed. Whoever adopts an attempt goes on from what was committed. A lost lease (`StaleLease`, `Fenced`) ends the
story at once and leaves the container alone: somebody else is telling it now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial

import structlog

from app.crash_points import CrashPoint, crash_here
from app.executions import deleting
from app.executions.model import Event, Lease, Stop
from app.executions.record import Record
from app.executions.repository import IllegalMove, StaleLease
from app.executions.states import TERMINAL, Cause, Status, StopReason
from worker import claims, ledger, sentences
from worker.collect import NO_CHECKPOINT, keep
from worker.concurrency import beside, to_the_end
from worker.confided import NOTHING_CONFIDED, Confided
from worker.container import container_name
from worker.context import WorkerContext
from worker.disk import DiskWatch
from worker.ending import End, Kept, conclude, count_given_back, requeue
from worker.engine.port import (
    ContainerState,
    EngineError,
    EngineUnreachable,
    Inspection,
    NoSuchContainer,
    StartRefused,
)
from worker.log_sink import Fenced, LogSink
from worker.outcome import Exit, read_exit
from worker.over import Over, stopped_before_start
from worker.oversight import Oversight
from worker.phases import COLLECTING
from worker.preparation import Preparation
from worker.stages import read_stages, warning_of
from worker.story import Story
from worker.told import Step
from worker.verdict import find_complaint, find_end, find_interruption, was_withdrawn, withdraw
from worker.watch import Watch
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

# So many workers may go away while they prepare it: perhaps it is the execution that kills them.
GIVE_BACK_AT_MOST = 10
CLEAR_UP_WITHIN = 1.2
RUNS = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


class Runner:
    """One attempt of one execution, on behalf of the holder of `lease`. `log` is the attempt's open log."""

    def __init__(
        self,
        context: WorkerContext,
        lease: Lease,
        record: Record,
        sink: LogSink,
        confided: Confided = NOTHING_CONFIDED,
    ) -> None:
        self._context = context
        self._runtime = context.runtime
        self._lease = lease
        self._record = record
        self._sink = sink
        self._confided = confided
        self._container: str | None = None
        self._meant_to_start = False
        self._started = False
        self._keeps_workspace = False
        self._began = time.monotonic()
        self._workspace = Workspace(
            context.process.settings.data, lease.execution, record.attempt, secrets=context.process.settings.secrets
        )
        self._story = Story(context, record, sink)
        self._oversight = Oversight(context, lease, record, self._workspace, self._story)
        self._disk = DiskWatch(context, lease, self._workspace, self._story, most=int(record.limits.disk))
        self._preparation = Preparation(
            context, lease, record, self._workspace, self._story, lambda: self._oversight.limits, confided
        )

    def notify(self) -> None:
        """The record has a new intent for us."""
        self._oversight.notify()

    async def run(self, claimed: Event) -> None:
        """From the claim to the end."""
        log.info("attempt.claimed", image=self._record.spec.image)
        await self._tell(self._from_the_claim(claimed))

    async def adopt(self, attempt: claims.AttemptState) -> None:
        """From where another worker left off to the end."""
        log.info("attempt.adopted", container=attempt.container_name)
        await self._tell(self._from_the_middle(attempt))

    async def give_up(self, attempt: claims.AttemptState) -> None:
        """We failed at it again and again: let nothing of it run, and say so."""
        await self._tell(self._to_a_forced_end(attempt))

    async def _from_the_claim(self, claimed: Event) -> None:
        await self._story.begin(claimed)
        self._confided.check()
        await self._preparation.judge()
        unless_stopped = self._oversight.unless_stopped
        # Not to be given up half-way, since a thread works on it; the image may be looked for meanwhile.
        making = asyncio.create_task(self._preparation.make_workspace())
        try:
            image = await unless_stopped(self._preparation.obtain_image())
        finally:
            await making
        await unless_stopped(self._preparation.restore_checkpoint())
        await unless_stopped(self._preparation.fetch_inputs())
        self._container = container_name(self._lease, self._record.attempt)
        container = await unless_stopped(self._preparation.create(image))
        watch = Watch(self._runtime, container, self._sink, self._oversight, self._measure)
        try:
            ended = await watch.run(partial(self._start, container))
        except NoSuchContainer:
            ended = await self._find_end(container)
        await self._conclude(ended, log_complete=watch.log_complete)

    async def _from_the_middle(self, attempt: claims.AttemptState) -> None:
        if attempt.started_at is not None:
            self._story.start(at=attempt.started_at)
        await self._story.catch_up()
        self._story.say(f"Taken over by {self._context.identity.actor}.")
        if self._sink.blind:
            await self._context.commit(lambda connection: ledger.note_log_incomplete(connection, self._lease))
        if not attempt.meant_to_start or attempt.container_name is None:
            # Its program provably never ran: what there is of it goes, and it is queued anew.
            self._container = attempt.container_name
            await self._give_back()
            return
        self._disk.over = attempt.over_disk
        try:
            found = await self._inspect(attempt.container_name)
            self._container = found.id
            if attempt.started_at is None and await withdraw(self._context, found.id):
                await self._give_back()
                return
            if attempt.started_at is None:
                await self._note_started()
            self._oversight.resume(attempt, frozen=found.state is ContainerState.PAUSED)
            watch = Watch(self._runtime, found.id, self._sink, self._oversight, self._measure)
            ended = await watch.run(None)
            log_complete = watch.log_complete
        except NoSuchContainer:
            self._meant_to_start, self._started = True, attempt.started_at is not None or self._started
            container = attempt.container_id or attempt.container_name
            if not self._started and await was_withdrawn(self._context, container):
                await self._give_back()
                return
            ended = await self._find_end(container)
            log_complete = False
        await self._conclude(ended, log_complete=log_complete)

    async def _to_a_forced_end(self, attempt: claims.AttemptState) -> None:
        if attempt.container_name is not None:
            await self._let_nothing_run(attempt.container_name)
        why = "The worker failed repeatedly at running it; the worker's own log says why."
        raise Over(Cause.ENGINE_ERROR, why, ran=attempt.meant_to_start)

    async def _let_nothing_run(self, container: str) -> None:
        try:
            await self._runtime.remove(container, force=True)
        except EngineUnreachable:
            raise
        except EngineError as error:
            # An engine may fail to remove what is long dead: that is for the reconciler.
            with suppress(NoSuchContainer):
                if (await self._runtime.inspect(container)).state in RUNS:
                    raise
            log.warning("container.not_removed", container=container, error=str(error))

    async def _start(self, container: str) -> None:
        """The point of no return: from the intent on the program may have run."""
        self._workspace.write_deadline(time.time() + self._record.limits.timeout - self._record.ran_seconds)
        may_start = await self._context.commit(
            lambda connection: ledger.intend_start(connection, self._lease, container_id=container)
        )
        if not may_start:
            raise await self._oversight.refuse_start()
        self._meant_to_start = True
        crash_here(CrashPoint.START_INTENDED)
        self._story.start()
        try:
            await self._runtime.start(container)
        except StartRefused as error:
            # A missing command is told by the container's init; this is something else, a bad `workdir` for instance.
            raise Over(Cause.SPEC_REJECTED, f"The engine refused to start the container: {error}") from error
        except EngineError as error:
            # Whether it runs is open: never ask twice, see what came of it.
            if await withdraw(self._context, container):
                raise Over(Cause.ENGINE_ERROR, f"The container could not be started: {error}") from error
        crash_here(CrashPoint.STARTED)
        await self._note_started()
        self._context.metrics.started(after=time.monotonic() - self._began)

    async def _note_started(self) -> None:
        event = await self._context.commit(
            lambda connection: ledger.note_started(connection, self._lease, actor=self._context.identity.actor)
        )
        self._started = True
        crash_here(CrashPoint.START_NOTED)
        self._story.start()
        await self._context.announce(self._lease.execution, event)
        log.info("attempt.started")

    async def _measure(self, container: str) -> None:
        measuring = self._context.usage.follow(self._runtime, self._lease, container, self._disk)
        await beside(self._disk.follow(container), measuring)

    async def _find_end(self, container: str) -> Inspection:
        """How one ended that was removed behind our back. Raises `Over` when nobody knows."""
        if not self._meant_to_start:
            raise Over(Cause.ENGINE_ERROR, "Its container was removed before it was started.")
        ended = await find_end(self._context, container)
        if not self._started:
            await self._note_started()
        return ended

    async def _conclude(self, ended: Inspection, *, log_complete: bool) -> None:
        """No process runs any more: read the exit, keep what it left, commit the end."""
        crash_here(CrashPoint.EXIT_SEEN)
        await self._oversight.hear_out()
        order = await self._context.read(lambda connection: ledger.read_order(connection, self._lease))
        self._context.metrics.exited(ended, order)
        exit_, stop = await self._examine(ended, order.stop)
        await self._context.commit(lambda connection: ledger.set_phase(connection, self._lease, COLLECTING))
        crash_here(CrashPoint.COLLECTING)
        if order.stop is not None:
            await self._story.catch_up()
        kept = await self._keep(log_complete=log_complete)
        exit_ = replace(exit_, missing=kept.missing, lost=kept.lost, partly_kept=kept.outputs_partial)
        outcome = read_exit(exit_, stop, order.limits)
        if outcome.saved and not kept.checkpoint:
            nothing = {"code": NO_CHECKPOINT, "message": sentences.NOTHING_SAVED}
            kept = replace(kept, warnings=[*kept.warnings, nothing])
        crash_here(CrashPoint.COLLECTED)
        await self._finish(End(outcome=outcome, ran=True, kept=kept, exited_at=ended.finished_at))

    async def _examine(self, ended: Inspection, stop: Stop | None) -> tuple[Exit, Stop | None]:
        """All that can be known of the exit, and the request to stop that it answers, if there is one."""
        exit_ = Exit(
            code=-1 if ended.exit_code is None else ended.exit_code,
            oom_killed=ended.oom_killed,
            signaled=self._oversight.signaled,
            announced=self._oversight.announced,
            asked_to_save=self._oversight.pausing.asked_to_save,
            init_complaint=await find_complaint(self._context, ended, self._sink),
            meaning=self._record.spec.meaning_of(ended.exit_code),
            over_disk=self._disk.over,
        )
        if self._record.spec.has_stages:
            exit_, stop = read_stages(exit_, self._oversight.stages.course, stop, self._record.spec)
        unasked = (stop is None or stop.reason is StopReason.PAUSE) and not exit_.killed_for_disk
        if exit_.ended_well or exit_.code != ended.exit_code or not unasked:
            return exit_, stop
        return replace(exit_, interruption=await find_interruption(self._context, ended)), stop

    async def _keep(self, *, log_complete: bool) -> Kept:
        kept = await keep(self._context.process.artifacts, self._record, self._workspace, log_complete=log_complete)
        if wrong := warning_of(self._record.spec, self._oversight.stages.course):
            kept = replace(kept, warnings=[*kept.warnings, {"code": "teardown_failed", "message": wrong}])
        for warning in kept.warnings:
            self._story.say(f"Warning: {warning['message']}")
        self._sink.flush()
        if text := sentences.of_kept(kept):
            self._story.once(Step.KEPT, text)
        return kept

    async def _finish(self, end: End) -> None:
        """The log first, then the end: whoever sees the end has the whole log."""
        end = replace(end, outcome=replace(end.outcome, message=self._sink.hide(end.outcome.message)))
        self._sink.flush()
        self._story.once(Step.ENDED, sentences.of_end(end.outcome))
        await self._sink.drain()
        try:
            event = await self._context.commit(
                lambda connection: conclude(connection, self._lease, end, actor=self._context.identity.actor)
            )
        except IllegalMove as refused:
            if refused.current not in TERMINAL:
                raise
            # Our own commit whose answer was lost: the end is there already.
            status = refused.current
            log.warning("attempt.ended_already", status=status)
            self._context.metrics.concluded(end.outcome.cause, status)
        else:
            if not end.outcome.saved:
                self._context.metrics.concluded(end.outcome.cause, event.to_status)
            crash_here(CrashPoint.FINISHED)
            log.info("attempt.ended", cause=end.outcome.cause, exit_code=end.outcome.exit_code, status=event.to_status)
            await self._context.announce(self._lease.execution, event)
            if end.outcome.saved and event.to_status is Status.QUEUED:
                await self._context.process.hints.ring(self._record.pool)
            status = event.to_status
        self._keeps_workspace = self._record.spec.keep_workspace and status in TERMINAL
        # Nobody comes back to what has ended: a worker that is asked to go clears up first.
        await to_the_end(self._clear_up(), within=CLEAR_UP_WITHIN)
        await self._delete_if_asked()

    async def _delete_if_asked(self) -> None:
        """Somebody deleted it while it ran. Should we die before this, the leader does it."""
        execution = self._lease.execution
        if await self._context.commit(partial(deleting.remove_asked, only=execution)):
            log.info("execution.deleted")
            await deleting.tell_gone(self._context.process, [execution])

    async def _give_back(self) -> None:
        """Queue it anew, unless it is to stop: then this is its end."""
        given_back = await self._context.read(lambda connection: count_given_back(connection, self._lease))
        if given_back >= GIVE_BACK_AT_MOST:
            raise Over(Cause.ENGINE_ERROR, "It could not be prepared, again and again; the worker's own log says why.")
        why = "The worker that prepared it went away before it was started."
        await self._sink.drain()
        if self._container is not None:
            # Before anybody can claim it anew: if it was started after all, this is refused.
            container = self._container
            await self._context.ask_engine(lambda: self._runtime.remove(container))
        crash_here(CrashPoint.GIVING_BACK)
        try:
            event = await self._context.commit(
                lambda connection: requeue(connection, self._lease, actor=self._context.identity.actor, why=why)
            )
        except IllegalMove:
            raise await self._oversight.refuse_start() from None
        crash_here(CrashPoint.GIVEN_BACK)
        self._context.metrics.given_back()
        await self._clear_up()
        await self._context.announce(self._lease.execution, event)
        await self._context.process.hints.ring(self._record.pool)

    async def _clear_up(self) -> None:
        """The end is committed: what cannot be removed now is not worth failing for."""
        if self._container is not None:
            await self._preparation.discard(self._container)
        crash_here(CrashPoint.CONTAINER_REMOVED)
        leave = self._workspace.forget_secrets if self._keeps_workspace else self._workspace.remove
        try:
            await asyncio.to_thread(leave)
        except (OSError, RecursionError) as error:
            log.warning("workspace.not_removed", error=str(error))

    async def _tell(self, story: Coroutine[object, object, None]) -> None:
        try:
            try:
                await story
            except Over as over:
                await self._finish_early(over)
        except (StaleLease, Fenced) as error:
            log.warning("attempt.lease_lost", error=str(error))
            self._context.metrics.fenced()
        finally:
            self._oversight.close()

    async def _finish_early(self, over: Over) -> None:
        """There is no exit to read. A cancellation that came meanwhile is the reason, if the program never ran."""
        kept = await self._keep(log_complete=False) if over.ran else None
        order = await self._context.read(lambda connection: ledger.read_order(connection, self._lease))
        if order.stop is not None:
            await self._story.catch_up()
        if order.stop is not None and not over.ran:
            over = stopped_before_start(order.stop)
        await self._finish(End(outcome=over.outcome, ran=over.ran, kept=kept))

    async def _inspect(self, container: str) -> Inspection:
        return await self._context.ask_engine(lambda: self._runtime.inspect(container))
