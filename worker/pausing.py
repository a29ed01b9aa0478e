"""Pausing one attempt: freeze its container and let it go on, or ask its program to save a checkpoint and stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from app.crash_points import CrashPoint, crash_here
from app.executions.model import Lease, Stop
from app.executions.record import Record
from app.executions.states import Status, StopReason
from worker import claims, pauses, sentences
from worker.context import WorkerContext
from worker.engine.port import EngineError, NoSuchContainer
from worker.ledger import Order
from worker.phases import FROZEN
from worker.story import Story
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

# Somebody may let a frozen container go on behind our back: it is frozen again so often, in seconds.
FREEZE_AGAIN_EVERY = 15.0
# An engine that refuses to let it go on is asked again so often, in seconds.
THAW_AGAIN_EVERY = 5.0


class Pausing:
    """The pausing side of one attempt. `frozen`: its processes stand still. `asked_to_save`: its program was asked to
    save and stop, whatever became of that. `thawed` is when it last went on, by `time.monotonic()`. `phase` tells
    that of its record while it runs.
    """

    def __init__(
        self,
        context: WorkerContext,
        lease: Lease,
        record: Record,
        workspace: Workspace,
        story: Story,
        *,
        phase: Callable[[], str] = lambda: "running",
    ) -> None:
        self._context = context
        self._phase = phase
        self._lease = lease
        self._workspace = workspace
        self._story = story
        self._record = record
        # The request of which the file `stop` speaks.
        self._told: datetime | None = None
        self.asked_to_save = False
        self.frozen = False
        self.thawed = -math.inf
        self._refused = False

    def resume(self, attempt: claims.AttemptState, *, frozen: bool) -> None:
        """Go on where the worker that held this attempt before had come; `inspect` says whether it is frozen."""
        # Who let it go may have died before its record said so: that is done once more.
        self.frozen = frozen or self._record.phase == FROZEN
        self.asked_to_save = attempt.pause_written_at is not None
        if self.asked_to_save and self._record.stop is None:
            # Whoever took the request back may have died before it was done.
            self._workspace.withdraw_stop()

    async def follow(self, container: str, order: Order) -> float:
        """Do what is wanted. In how many seconds to look again at the latest; 0 when the order has changed by this."""
        if order.stop is None and self._told is not None:
            await self._withdraw()
        if order.stop is None and order.pause is not None and order.pause.freezes:
            return await self._freeze(container, order)
        if self.frozen or order.status is Status.PAUSED:
            return 0.0 if await self._thaw(container, order) else THAW_AGAIN_EVERY
        if order.stop is not None and order.stop.reason is StopReason.PAUSE:
            return await self._let_save(order.stop, until_missed=order.clock.until_kill)
        return math.inf

    async def _freeze(self, container: str, order: Order) -> float:
        try:
            self.frozen = await self._context.ask_engine(lambda: self._context.runtime.pause(container))
        except NoSuchContainer:
            raise
        except EngineError as error:
            why = str(error)
            await self._context.commit(lambda connection: pauses.fail_to_freeze(connection, self._lease, why))
            await self._story.catch_up()
            return 0.0
        if self.frozen and order.status is Status.RUNNING:
            crash_here(CrashPoint.FROZEN)
            actor = self._context.identity.actor
            event = await self._context.commit(
                lambda connection: pauses.note_frozen(connection, self._lease, actor=actor)
            )
            if event is None:
                return 0.0  # no more wanted
            log.info("attempt.frozen")
            await self._story.catch_up()
            await self._context.announce(self._lease.execution, event)
        return FREEZE_AGAIN_EVERY

    async def _thaw(self, container: str, order: Order) -> bool:
        """It goes on, to run or to be stopped; it finds in its mount what it has to know then. False when the engine
        would not: a stop walks on all the same, for SIGKILL is felt by what is frozen, too.
        """
        if order.stop is not None:
            self._write(order.stop)
        else:
            # Its clock goes on if the pause was taken back before it was on record.
            left = order.clock.until_deadline
            self._write_deadline(order.clock.time_left if left is None else left)
        try:
            await self._context.ask_engine(lambda: self._context.runtime.unpause(container))
        except NoSuchContainer:
            raise
        except EngineError as error:
            log.warning("attempt.not_thawed", error=str(error))
            if not self._refused:
                self._story.say(f"The container engine does not let it go on; it is asked again. It says: {error}")
            self._refused = True
            return False
        self.frozen, self.thawed, self._refused = False, time.monotonic(), False
        crash_here(CrashPoint.THAWED)
        noted = partial(pauses.note_thawed, lease=self._lease, actor=self._context.identity.actor, phase=self._phase())
        event = await self._context.commit(noted)
        if event is not None:
            log.info("attempt.thawed")
            await self._story.catch_up()
            await self._context.announce(self._lease.execution, event)
        return True

    async def _let_save(self, stop: Stop, *, until_missed: float) -> float:
        """Tell the program, and wait for its exit; no signal is sent."""
        if until_missed <= 0:
            if await self._context.commit(lambda connection: pauses.miss_checkpoint(connection, self._lease, stop)):
                await self._withdraw()
            return 0.0
        if self._told != stop.requested_at:
            await self._context.commit(lambda connection: pauses.note_told(connection, self._lease))
            crash_here(CrashPoint.PAUSE_COMMITTED)
            self.asked_to_save, self._told = True, stop.requested_at
            self._write(stop)
            await self._story.catch_up()
            self._story.say(sentences.of_notice_to_save(until_missed=until_missed))
        return until_missed

    def _write(self, stop: Stop) -> None:
        try:
            self._workspace.write_stop(reason=stop.reason, by=stop.by, deadline=stop.deadline.timestamp())
        except OSError as error:
            # A full disk: the program does not hear of it, and the time to save passes.
            log.warning("stop.not_written", error=str(error))

    def _write_deadline(self, left: float) -> None:
        try:
            self._workspace.write_deadline(time.time() + left)
        except OSError as error:
            # A full disk: it goes on all the same.
            log.warning("deadline.not_written", error=str(error))

    async def _withdraw(self) -> None:
        self._told = None
        self._workspace.withdraw_stop()
        await self._story.catch_up()
