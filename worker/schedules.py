"""Firing schedules, for the worker that leads this duty: it sleeps until the next firing, or until a hint.

One leads, so that the others need not look; that nothing is fired twice is seen to by the firing itself, so nothing
happens should two think that they lead.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from uuid import UUID

import structlog

from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.db.engine import reading, transaction
from app.schedules import repository
from app.schedules.firing import fire_due, go_back
from worker import estate
from worker.errands import Errands
from worker.metrics import WorkerMetrics
from worker.presence import Presence

log = structlog.get_logger(__name__)

# At least so often it is looked what is due; seconds.
LOOK_EVERY = 5.0
# A leader of whom nothing is heard for so long is not one any more; seconds.
LED_FOR = 20.0
# So many schedules fire side by side, each on a connection: a large batch keeps no other from its time.
SIDE_BY_SIDE = 4
# Of the schedules that are due, and of the firings of one, so many at a time: then all others have their turn.
AT_ONCE = 20
FIRINGS_AT_ONCE = 10
# One whose last firing is so many seconds ahead goes on from now.
AHEAD_BY = 60.0
# One that could not be looked at is looked at again after so many seconds.
AGAIN_AFTER = 30.0


class ScheduleKeeper:
    """Fires what is due. `wake` is set when there may be something."""

    def __init__(self, process: Process, worker: UUID, presence: Presence, metrics: WorkerMetrics) -> None:
        self._process = process
        self._worker = worker
        self._presence = presence
        self._metrics = metrics
        self._led_at: float | None = None
        self._firing = Errands(self._fire, most=SIDE_BY_SIDE, name="schedule")
        self.wake = asyncio.Event()

    async def look(self) -> None:
        """Begin to fire what is due, and wake up when something more is. Raises what the database raises."""
        if not self._presence.certain or not await self._lead():
            return
        async with reading(self._process.database) as connection:
            alarms = await repository.list_alarms(connection, most=AT_ONCE)
            ahead_of_clock = await repository.list_ahead(connection, seconds=AHEAD_BY, most=AT_ONCE)
        for schedule in ahead_of_clock:
            await go_back(self._process, schedule)
        # What finds no place now is looked for again as soon as there is one.
        for alarm in alarms:
            if alarm.seconds <= 0:
                self._firing.start(alarm.schedule)
        ahead = [alarm.seconds for alarm in alarms if alarm.seconds > 0]
        if len(ahead_of_clock) == AT_ONCE:
            self.wake.set()
        elif ahead and ahead[0] < LOOK_EVERY:
            asyncio.get_running_loop().call_later(ahead[0], self.wake.set)

    async def stop(self) -> None:
        """Fire nothing more; what is not committed is left to whoever leads next."""
        await self._firing.stop()

    async def _fire(self, schedule: UUID) -> None:
        try:
            for _ in range(FIRINGS_AT_ONCE):
                looked = await fire_due(self._process, schedule)
                self._metrics.looked_at_schedule(looked)
                if not looked.more:
                    break
            self.wake.set()
        except Exception:
            if being_cancelled():
                raise
            # What cannot be done in time, say, is not to keep others from theirs.
            log.exception("schedule.not_fired", schedule_id=str(schedule))
            # Else it is due still, and the next look tells what is wrong with the database.
            with suppress(Exception):
                async with transaction(self._process.database) as connection:
                    await repository.postpone(connection, schedule, seconds=AGAIN_AFTER)

    async def _lead(self) -> bool:
        """Whether it is ours to look. We ask seldom: the answer holds for longer."""
        now = time.monotonic()
        if self._led_at is not None and now - self._led_at < LOOK_EVERY:
            return True
        async with transaction(self._process.database) as connection:
            leads = await estate.lead(connection, "schedules", self._worker, seconds=LED_FOR)
        self._led_at = now if leads else None
        return leads
