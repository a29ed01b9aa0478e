"""What becomes of the logs of executions that have ended: merged whole, kept for as long as is set, then let go.

For the worker that leads this duty. What it leaves half done the next sweep finds again: chunks are there for as long
as something of a log that has ended is still to be done.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from datetime import date, timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cancellation import being_cancelled
from app.db.engine import Connection, is_outage, reading, transaction
from worker.log_merge import Expiries, MergedAlready, hold, merge_ended, move
from worker.log_moving import DAY, list_moving, move_log
from worker.log_weeks import WEEK, add_week, drop_week, list_weeks, read_today, week_of

log = structlog.get_logger(__name__)

# In one transaction, or one statement.
ENDED_AT_ONCE = 50
MOVED_AT_ONCE = 16
# A sweep has other things to do; seconds.
SWEEP_AT_MOST = 5.0
LOCK_NOT_HAD = "55P03"
# Until a log that could not be merged is tried again, and at most; seconds.
AGAIN_AFTER = 60.0
AGAIN_AT_MOST_AFTER = 3600.0

# From one execution that has chunks to the next: few have any, and the executions are many. The day on which a log
# expires is decided once: all of it goes together, whatever is set meanwhile.
_ENDED = text(f"""
    WITH RECURSIVE open (id) AS (
        (SELECT execution_id FROM log_chunks ORDER BY execution_id LIMIT 1)
        UNION ALL
        SELECT (SELECT execution_id FROM log_chunks WHERE execution_id > id ORDER BY execution_id LIMIT 1)
        FROM open WHERE id IS NOT NULL
    )
    SELECT id, CASE WHEN archived_at IS NULL THEN coalesce(log_heads.expires, {DAY}) END AS expires
    FROM open JOIN executions USING (id) JOIN log_heads ON execution_id = id
    WHERE finished_at IS NOT NULL AND id <> ALL (CAST(:but AS uuid[])) LIMIT :most
""")  # noqa: S608 - our own words
_NOTE_EXPIRY = text("""
    UPDATE log_heads SET expires = day FROM unnest(CAST(:ids AS uuid[]), CAST(:days AS date[])) AS ended (id, day)
    WHERE execution_id = id AND expires IS NULL AND day IS NOT NULL
""")


class _Setbacks:
    """What failed, and is left alone for a while: `after` seconds, and twice as long each time."""

    def __init__(self, after: float) -> None:
        self._after = after
        # How long each is left alone, and until when.
        self._failed: dict[UUID, tuple[float, float]] = {}

    def note(self, id_: UUID) -> None:
        """It failed, perhaps not for the first time."""
        before, _ = self._failed.get(id_, (self._after / 2, 0.0))
        wait = min(2 * before, AGAIN_AT_MOST_AFTER)
        self._failed[id_] = wait, time.monotonic() + wait

    def pending(self) -> set[UUID]:
        """What is not to be tried yet."""
        return {id_ for id_, (_, until) in self._failed.items() if until > time.monotonic()}

    def forget_due(self) -> None:
        """What is not pending is dealt with."""
        pending = self.pending()
        self._failed = {id_: each for id_, each in self._failed.items() if id_ in pending}


class LogKeeper:
    """Keeps the logs of what has ended."""

    def __init__(self, database: AsyncEngine, *, again_after: float = AGAIN_AFTER) -> None:
        """A log that cannot be merged is tried again after `again_after` seconds, then less and less often."""
        self._database = database
        self._setbacks = _Setbacks(again_after)

    async def sweep(self, *, days: int | None) -> None:
        """Drop the weeks that are over, make room for those that come, and merge what has ended, to be kept for so many
        days or, with None, for ever.
        """
        weeks = await self._turn_weeks(days)
        await self._move_archived(weeks, days)
        until = time.monotonic() + SWEEP_AT_MOST
        without_room: set[UUID] = set()
        while time.monotonic() < until:
            async with reading(self._database) as connection:
                asked = {"days": days, "most": ENDED_AT_ONCE}
                but = list(self._setbacks.pending() | without_room)
                ended = {row.id: row.expires for row in await connection.execute(_ENDED, {**asked, "but": but})}
            if not ended:
                self._setbacks.forget_due()
                return
            # What ended long ago may expire in a week that nobody has made room for.
            await self._make_room({week_of(day) for day in ended.values() if day is not None}, weeks)
            waiting = {id_ for id_, day in ended.items() if day is not None and week_of(day) not in weeks}
            without_room |= waiting
            await self._merge({id_: day for id_, day in ended.items() if id_ not in waiting})

    async def _turn_weeks(self, days: int | None) -> set[date]:
        """The weeks that there are."""
        async with reading(self._database) as connection:
            today = await read_today(connection)
            weeks = set(await list_weeks(connection))
        for week in sorted(week for week in weeks if week + WEEK <= today):
            if await self._change(drop_week, week):
                log.info("log.week_dropped", week=str(week))
                weeks.discard(week)
        if days is not None:
            soon = week_of(today + timedelta(days=days))
            await self._make_room({soon, soon + WEEK}, weeks)
        return weeks

    async def _move_archived(self, weeks: set[date], days: int | None) -> None:
        """Bring what was archived or restored to where it belongs now."""
        last, until = UUID(int=0), time.monotonic() + SWEEP_AT_MOST
        while time.monotonic() < until and (moving := await list_moving(self._database, days=days, after=last)):
            await self._make_room({week_of(row.day) for row in moving if row.day is not None}, weeks)
            for row in moving:
                if row.day is None or week_of(row.day) in weeks:
                    await self._move(row.id, row.day, days)
            last = moving[-1].id

    async def _move(self, execution: UUID, day: date | None, days: int | None) -> None:
        try:
            await move_log(self._database, execution, day, days=days)
        except Exception as error:
            if is_outage(error) or being_cancelled():
                raise
            # Something is wrong with this one: it must hold up neither the others nor what is to be merged.
            log.exception("log.move_failed", execution_id=str(execution))

    async def _make_room(self, wanted: Collection[date], weeks: set[date]) -> None:
        for week in sorted(wanted):
            if week not in weeks and await self._change(add_week, week):
                weeks.add(week)

    async def _change(self, act: Callable[[Connection, date], Awaitable[bool]], week: date) -> bool:
        try:
            async with transaction(self._database) as connection:
                return await act(connection, week)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_HAD:
                raise
            log.info("log.week_busy", week=str(week))
            return False

    async def _merge(self, ended: Expiries) -> None:
        if not ended:
            return
        try:
            await self._set_expiry(ended)
            await merge_ended(self._database, ended)
        except MergedAlready:
            pass  # by somebody who has just led this; the next look tells what is left
        except Exception as error:
            if is_outage(error) or being_cancelled():
                raise
            if len(ended) > 1:
                # Something is wrong with one of them: it must not hold up the others.
                for id_, day in ended.items():
                    await self._merge({id_: day})
            else:
                log.exception("log.merge_failed", execution_id=str(next(iter(ended))))
                self._setbacks.note(next(iter(ended)))

    async def _set_expiry(self, ended: Expiries) -> None:
        """First of what was merged while it ran: as long as chunks are left, it is not forgotten."""
        async with transaction(self._database) as connection:
            await hold(connection, ended)
            await connection.execute(_NOTE_EXPIRY, {"ids": list(ended), "days": list(ended.values())})
        moved = True
        while moved:
            async with transaction(self._database) as connection:
                moved = await move(connection, ended, most=MOVED_AT_ONCE) > 0
