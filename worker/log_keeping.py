"""What becomes of the logs of executions that have ended: merged whole, kept for as long as is set, then let go.

For the worker that leads this duty. What it leaves half done the next sweep finds again: chunks are there for as long
as something of a log that has ended is still to be done.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cancellation import being_cancelled
from app.db.engine import Connection, is_outage, reading, transaction
from worker.log_merge import MergedAlready, merge_ended
from worker.log_weeks import WEEK, add_week, drop_week, list_weeks, read_today, week_of

log = structlog.get_logger(__name__)

# In one transaction, or one statement.
ENDED_AT_ONCE = 50
MOVED_AT_ONCE = 16
# A sweep has other things to do; seconds.
SWEEP_AT_MOST = 5.0
LOCK_NOT_HAD = "55P03"

# From one execution that has chunks to the next: few have any, and the executions are many. The day on which a log
# expires is decided once: all of it goes together, whatever is set meanwhile.
_ENDED = text("""
    WITH RECURSIVE open (id) AS (
        (SELECT execution_id FROM log_chunks ORDER BY execution_id LIMIT 1)
        UNION ALL
        SELECT (SELECT execution_id FROM log_chunks WHERE execution_id > id ORDER BY execution_id LIMIT 1)
        FROM open WHERE id IS NOT NULL
    )
    SELECT id, coalesce(
        log_heads.expires, CAST(timezone('UTC', finished_at) AS date) + nullif(CAST(:days AS integer), 0)
    ) AS expires
    FROM open JOIN executions USING (id) JOIN log_heads ON execution_id = id
    WHERE finished_at IS NOT NULL AND id <> ALL (CAST(:but AS uuid[])) LIMIT :most
""")
_NOTE_EXPIRY = text("""
    UPDATE log_heads SET expires = day FROM unnest(CAST(:ids AS uuid[]), CAST(:days AS date[])) AS ended (id, day)
    WHERE execution_id = id AND expires IS NULL AND day IS NOT NULL
""")
_MOVE = text("""
    UPDATE log_segments SET expires = day FROM unnest(CAST(:ids AS uuid[]), CAST(:days AS date[])) AS ended (id, day)
    WHERE execution_id = id AND expires = 'infinity' AND (execution_id, last_seq) IN (
        SELECT execution_id, last_seq FROM log_segments
        WHERE execution_id = ANY (CAST(:ids AS uuid[])) AND expires = 'infinity' LIMIT :most
    )
""")

# When the log of each expires; None: never.
Ended = Mapping[UUID, date | None]


class LogKeeper:
    """Keeps the logs of what has ended for `retention_days` days, or for ever if that is 0."""

    def __init__(self, database: AsyncEngine, *, retention_days: int) -> None:
        self._database = database
        self._retention_days = retention_days
        self._unmergeable: set[UUID] = set()

    async def sweep(self) -> None:
        """Drop the weeks that are over, make room for those that come, and merge what has ended."""
        weeks = await self._turn_weeks()
        until = time.monotonic() + SWEEP_AT_MOST
        without_room: set[UUID] = set()
        while time.monotonic() < until:
            async with reading(self._database) as connection:
                asked = {"days": self._retention_days, "most": ENDED_AT_ONCE}
                but = list(self._unmergeable | without_room)
                ended = {row.id: row.expires for row in await connection.execute(_ENDED, {**asked, "but": but})}
            if not ended:
                return
            # What ended long ago may expire in a week that nobody has made room for.
            await self._make_room({week_of(day) for day in ended.values() if day is not None}, weeks)
            waiting = {id_ for id_, day in ended.items() if day is not None and week_of(day) not in weeks}
            without_room |= waiting
            await self._merge({id_: day for id_, day in ended.items() if id_ not in waiting})

    async def _turn_weeks(self) -> set[date]:
        """The weeks that there are."""
        async with reading(self._database) as connection:
            today = await read_today(connection)
            weeks = set(await list_weeks(connection))
        for week in sorted(weeks):
            if week + WEEK <= today and await self._change(drop_week, week):
                log.info("log.week_dropped", week=str(week))
                weeks.discard(week)
        if self._retention_days:
            soon = week_of(date.fromordinal(today.toordinal() + self._retention_days))
            await self._make_room({soon, soon + WEEK}, weeks)
        return weeks

    async def _make_room(self, wanted: Collection[date], weeks: set[date]) -> None:
        for week in sorted(wanted):
            if week not in weeks and await self._change(add_week, week):
                weeks.add(week)

    async def _change(self, act: Callable[[Connection, date], Awaitable[None]], week: date) -> bool:
        try:
            async with transaction(self._database) as connection:
                await act(connection, week)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_HAD:
                raise
            log.info("log.week_busy", week=str(week))
            return False
        return True

    async def _merge(self, ended: Ended) -> None:
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
                self._unmergeable |= ended.keys()

    async def _set_expiry(self, ended: Ended) -> None:
        """First of what was merged while it ran: as long as chunks are left, it is not forgotten."""
        asked = {"ids": list(ended), "days": list(ended.values())}
        async with transaction(self._database) as connection:
            await connection.execute(_NOTE_EXPIRY, asked)
        dated = {id_: day for id_, day in ended.items() if day is not None}
        asked = {"ids": list(dated), "days": list(dated.values()), "most": MOVED_AT_ONCE}
        moved = bool(dated)
        while moved:
            async with transaction(self._database) as connection:
                moved = (await connection.execute(_MOVE, asked)).rowcount > 0
