"""The clocks of a program that runs: its deadline, the warning ahead of that, and how long it has written nothing.

A deadline is a time of the database. How long a program has been silent is counted here, since whatever it writes comes
by; whoever takes over, or could not read for a while, asks the engine when the last line came.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import structlog

from app.executions.states import StopClock
from worker.context import WorkerContext
from worker.engine.port import EngineError
from worker.ledger import Order
from worker.story import Story
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

# An engine that could not tell when the last line came is asked again.
ASK_AGAIN_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """Which clock has run out, if any; else in how many seconds to look again at the latest."""

    ran_out: StopClock | None
    due_in: float = math.inf


class Clocks:
    """The clocks of one attempt, and what its mount says of them."""

    def __init__(self, context: WorkerContext, workspace: Workspace, story: Story) -> None:
        self._context = context
        self._workspace = workspace
        self._story = story
        self._told: float | None = None
        self._runs_since: float | None = None

    async def look(self, container: str, order: Order, *, thawed: float = -math.inf) -> Look:
        """How they stand; the program finds in its mount what has changed. It was `thawed` last then (monotonic)."""
        left = order.clock.until_deadline
        if left is None or order.deadline is None:
            return Look(None)
        deadline = order.deadline.timestamp()
        self._tell(deadline)
        if left <= 0:
            return Look(StopClock.TIMEOUT)
        unwarned = self._warn(deadline, left, order.limits.warn_before)
        silent_for = await self._silent_for(container, order, thawed)
        if silent_for <= 0:
            return Look(StopClock.IDLE_TIMEOUT)
        return Look(None, min(left, unwarned, silent_for))

    def _tell(self, deadline: float) -> None:
        if deadline == self._told:
            return
        try:
            self._workspace.write_deadline(deadline)
            self._told = deadline
        except OSError as error:
            # A full disk must not keep any clock from running.
            log.warning("deadline.not_written", error=str(error))

    def _warn(self, deadline: float, left: float, warn_before: int | None) -> float:
        """Let the warning stand when it is time for it, and only then; seconds until that."""
        unwarned = math.inf if warn_before is None else left - warn_before
        try:
            if unwarned > 0:
                self._workspace.withdraw_warning()
            elif self._workspace.write_warning(deadline=deadline, seconds=round(left)):
                self._story.say(f"The program is warned: its time is over in {left:.0f} s.")
        except OSError as error:
            log.warning("warning.not_written", error=str(error))
        return unwarned if unwarned > 0 else math.inf

    async def _silent_for(self, container: str, order: Order, thawed: float) -> float:
        """Seconds until it will have written nothing for too long; not counted is when it was frozen."""
        most = order.limits.idle_timeout
        if most is None:
            return math.inf
        if self._runs_since is None:
            self._runs_since = time.monotonic() - order.clock.running_for
        left = most - (time.monotonic() - max(self._runs_since, self._story.heard_at, thawed))
        if left > 0:
            return left
        # Perhaps it is we who have not read.
        try:
            newest = await self._context.runtime.last_line_at(container)
        except EngineError as error:
            log.warning("engine.cannot_tell_last_line", error=str(error))
            return ASK_AGAIN_AFTER
        return left if newest is None else max(left, most - (time.time() - newest / 1000))
