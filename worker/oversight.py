"""While a program runs: obey what is wanted of it, keep its clock, and hear what it says of itself."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any, TypeVar

import structlog

from app.crash_points import CrashPoint, crash_here
from app.db.orm import clock
from app.events import protocol as events
from app.events.protocol import Subject, pack_progress
from app.executions.model import Lease, Stop
from app.executions.record import Record
from app.executions.states import StopReason
from app.logs.protocol import progress_message
from worker import claims, ledger, sentences
from worker.clocks import Clocks
from worker.context import WorkerContext
from worker.engine.port import EngineError
from worker.ladder import Rung, next_step
from worker.over import Over, stopped_before_start
from worker.pausing import Pausing
from worker.phases import FROZEN
from worker.program_events import NOTHING_HEARD, EventsFile, Heard, Said
from worker.stage_watch import StageWatch
from worker.story import Story
from worker.told import Step
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

T = TypeVar("T")
LISTEN_EVERY = 0.2
# So much of a flood becomes one commit, in which the last progress counts.
READS_AT_ONCE = 4
LAST_WORDS = 256
# The init of a container passes no signal on before the program runs: one in fifty was lost right after a start.
SIGNALS_ARRIVE_AFTER = 0.4
# When the engine did not take one.
SIGNAL_AGAIN_AFTER = 1.0
COMMITTED = {
    Rung.NOTICE: CrashPoint.NOTICE_COMMITTED,
    Rung.SIGNAL: CrashPoint.SIGNAL_COMMITTED,
    Rung.KILL: CrashPoint.KILL_COMMITTED,
}


class Oversight:
    """The governing side of one attempt. `notify` says that the record has a new intent."""

    def __init__(
        self,
        context: WorkerContext,
        lease: Lease,
        record: Record,
        workspace: Workspace,
        story: Story,
    ) -> None:
        self._context = context
        self._lease = lease
        self._record = record
        self._workspace = workspace
        self._story = story
        self._notified = asyncio.Event()
        self._rung = Rung.NONE
        # The stop signal is committed, and the engine has not said yet that it was sent.
        self._owes_signal = False
        self.announced = record.announced
        self.stages = StageWatch(context, lease, record, workspace, story)
        self.pausing = Pausing(context, lease, record, workspace, story, phase=lambda: self.stages.phase)
        self._events: EventsFile | None = None
        self._heard = NOTHING_HEARD
        self._hearing = asyncio.Lock()
        self._unnoted: Said | None = None
        self._watched_since = 0.0
        self._clocks = Clocks(context, workspace, story)
        self._noticed: datetime | None = None
        # As of the last look at the record: they may be changed.
        self.limits = record.limits
        self._labels: Mapping[str, str] = record.labels

    @property
    def signaled(self) -> bool:
        """Whether the program was sent a signal by us."""
        return self._rung >= Rung.SIGNAL

    def notify(self) -> None:
        """Look at the record again."""
        self._notified.set()

    def resume(self, attempt: claims.AttemptState, *, frozen: bool) -> None:
        """Go on where the worker that held this attempt before had come, from a container that is `frozen` or not."""
        self.pausing.resume(attempt, frozen=frozen)
        # The notice is a file, the same at every writing: whoever committed it may have died before it was there.
        self._rung = Rung.NONE if attempt.rung is Rung.NOTICE else attempt.rung
        self._owes_signal = attempt.rung is Rung.SIGNAL and not attempt.signal_sent
        self._heard = attempt.heard

    async def unless_stopped(self, step: Coroutine[Any, Any, T]) -> T:
        """A step of the preparation, given up when a stop is asked. Raises `Over` then."""
        task = asyncio.ensure_future(step)
        stopping = asyncio.ensure_future(self._until_stop())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise stopped_before_start(stopping.result())
        finally:
            for each in (task, stopping):
                each.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)

    async def refuse_start(self) -> Over:
        """A stop was committed before the start: the end that follows from it."""
        return stopped_before_start(await self._until_stop())

    async def obey(self, container: str) -> None:
        """Watch the deadline, and walk the ladder of a stop, until cancelled."""
        self._watched_since = time.monotonic()
        while True:
            self._notified.clear()
            order = await self._read_order()
            again_in = await self.pausing.follow(container, order)
            if again_in <= 0:
                continue
            if order.stop is None or order.stop.reason is StopReason.PAUSE:
                if self.pausing.frozen:
                    await self._notified_within(again_in)
                else:
                    await self._keep_time(container, order, within=again_in)
            else:
                if self._rung is Rung.NONE:
                    await self._story.catch_up()
                if self._rung < Rung.SIGNAL:
                    # What it announced just before the request decides when the signal comes.
                    await self._hear()
                await self._climb(container, order.stop, order.clock, within=again_in)

    async def _read_order(self) -> ledger.Order:
        order = await self._context.read(lambda connection: ledger.read_order(connection, self._lease))
        if order.limits != self.limits:
            await self._story.catch_up()
        self.limits, self._labels = order.limits, order.labels
        return order

    async def listen(self) -> None:
        """Hear the program's events file, until cancelled."""
        while True:
            await self._hear()
            await self.stages.look(frozen=self.pausing.frozen)
            await asyncio.sleep(LISTEN_EVERY)

    async def hear_out(self) -> None:
        """All that it said before it ended, within reason: its result may be the last line."""
        await self.stages.look(frozen=True)
        for _ in range(LAST_WORDS):
            if not await self._hear():
                return
            await asyncio.sleep(0)  # other attempts have their turn

    async def _hear(self) -> bool:
        """What it said since the last time; whether there is more.

        What was read from the file stays here until it is noted: whoever was about to may be cancelled.
        """
        async with self._hearing:
            if self._events is None:
                self._events = EventsFile(self._workspace.events, self._heard)
            said = self._unnoted = self._events.read(self._unnoted)
            for _ in range(READS_AT_ONCE - 1):
                if not said.more:
                    break
                await asyncio.sleep(0)  # other attempts have their turn
                said = self._unnoted = self._events.read(said)
            said = await self._story.clear(said)
            if said:
                await self._note(said, self._events.heard)
            self._unnoted = None
            return said.more

    async def note_engine(self, away: bool) -> None:  # noqa: FBT001 - a callback
        """For people: whether the engine answers."""
        self._story.say("The container engine does not answer." if away else "The container engine answers again.")
        phase = "engine_away" if away else FROZEN if self.pausing.frozen else self.stages.phase
        await self._context.commit(lambda connection: ledger.set_phase(connection, self._lease, phase))

    def close(self) -> None:
        """Let go of the events file."""
        if self._events is not None:
            self._events.close()
            self._events = None

    async def _until_stop(self) -> Stop:
        while True:
            self._notified.clear()
            order = await self._read_order()
            if order.stop is not None:
                return order.stop
            await self._notified.wait()

    async def _keep_time(self, container: str, order: ledger.Order, *, within: float) -> None:
        look = await self._clocks.look(container, order, thawed=self.pausing.thawed)
        ran_out = look.ran_out
        if ran_out is None:
            await self._notified_within(min(within, look.due_in))
            return
        event = await self._context.commit(
            lambda connection: ledger.run_out(connection, self._lease, ran_out, seen=order)
        )
        crash_here(CrashPoint.TIMED_OUT)
        await self._context.announce(self._lease.execution, event)

    async def _climb(self, container: str, stop: Stop, clock: ledger.Clock, *, within: float) -> None:
        if self._rung > Rung.NONE and stop.deadline != self._noticed:
            self._write_notice(stop)  # it has been moved
        step = next_step(
            done=self._rung,
            since_request=clock.since_stop_request,
            until_kill=clock.until_kill,
            notice=self._notice_seconds(),
            force=stop.force,
        )
        due_in = step.due_in
        if self._owes_signal and due_in > 0 and not self.stages.main_has_ended():
            await self._ask_to_end(container)
            if self._owes_signal:
                await self._notified_within(min(due_in, within, SIGNAL_AGAIN_AFTER))
            return
        if step.rung is Rung.SIGNAL:
            due_in = max(due_in, SIGNALS_ARRIVE_AFTER - (time.monotonic() - self._watched_since))
        if due_in > 0 and (await self._notified_within(min(due_in, within)) or within < due_in):
            return  # something changed: perhaps the stop is forced now
        if step.rung is Rung.SIGNAL and self.stages.main_has_ended():
            return
        await self._context.commit(lambda connection: ledger.climb(connection, self._lease, step.rung))
        crash_here(COMMITTED[step.rung])
        self._rung = step.rung
        log.info("stop.rung", rung=step.rung.name)
        await self._act_out(step.rung, container, stop, clock)

    async def _act_out(self, rung: Rung, container: str, stop: Stop, clock: ledger.Clock) -> None:
        match rung:
            case Rung.NOTICE:
                self._write_notice(stop)
                self._story.once(Step.NOTICE, sentences.of_notice(until_kill=clock.until_kill))
            case Rung.SIGNAL:
                self._owes_signal = True
                await self._ask_to_end(container)
            case Rung.KILL:
                # A program that was never asked may still find out why.
                self._write_notice(stop)
                await self._signal(container, "SIGKILL", Step.KILL)
            case Rung.NONE:
                pass

    def _notice_seconds(self) -> float:
        if self.stages.main_has_ended():
            return math.inf  # nobody is there to be told by a signal: the teardown is not disturbed
        return self.limits.notice_seconds(announced=self.announced or self._record.saves_checkpoints)

    def _write_notice(self, stop: Stop) -> None:
        self._noticed = stop.deadline
        try:
            self._workspace.write_stop(reason=stop.reason, by=stop.by, deadline=stop.deadline.timestamp())
        except OSError as error:
            # A full disk must not keep the rungs above from being climbed.
            log.warning("stop.not_written", error=str(error))

    async def _ask_to_end(self, container: str) -> None:
        """Send the stop signal. Who dies between sending and noting it has it sent once more, by the next worker."""
        if await self._signal(container, self._record.spec.stop_signal, Step.SIGNAL):
            await self._context.commit(lambda connection: ledger.note_signal_sent(connection, self._lease))
            self._owes_signal = False

    async def _signal(self, container: str, name: str, step: Step) -> bool:
        """Whether the engine says that it was sent."""
        self._story.once(step, f"{name} is sent.")
        try:
            await self._context.runtime.signal(container, name)
        except EngineError as error:
            # The watch on the exit notices when engine or container are gone; both signals are repeated.
            log.warning("stop.signal_failed", signal=name, error=str(error))
            return False
        return True

    async def _notified_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(None if seconds == math.inf else seconds):
                await self._notified.wait()
        except TimeoutError:
            return False
        return True

    async def _note(self, said: Said, heard: Heard) -> None:
        values: dict[str, Any] = {}
        if said.announced:
            values["announced"] = True
        if said.progressed:
            values |= {"progress_percent": said.percent, "progress_at": clock()}
            if said.phase is not None:
                values["progress_phase"] = said.phase
        if said.has_result:
            values["result"] = said.result
        noted = await self._context.commit(
            lambda connection: ledger.note_said(connection, self._lease, values, said.warnings or [], heard)
        )
        for warning in said.warnings or []:
            self._story.say(f"Warning: {warning}")
        if said.announced and not self.announced:
            self.announced = True
            self.notify()
        if said.progressed and noted.at is not None:
            message = progress_message(noted.percent, noted.phase, noted.at)
            record = self._record
            to_all = pack_progress(
                Subject(record.owner, record.pool, self._labels),
                events.progress_frame(record.id, noted.percent, noted.phase, noted.at),
            )
            await self._context.process.hints.publish([(record.id, message)], to_all=to_all)
