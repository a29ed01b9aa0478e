"""The logs of what was archived or restored since: their segments are brought to where they belong now.

Archived ones go to where logs are kept for ever. Restored ones go to the week in which they would expire had they ended
when they were restored. As long as a log is `moving`, the week that it may still be in is not dropped.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import reading, transaction

LOGS_AT_ONCE = 50
SEGMENTS_AT_ONCE = 16

# The day on which a log expires that has ended; NULL is never. `expires` is the day that was decided before.
DAY = """
    CASE WHEN archived_at IS NULL THEN
        CAST(timezone('UTC', coalesce(restored_at, finished_at)) AS date) + nullif(CAST(:days AS integer), 0)
    END
"""
_MOVING = text(f"""
    SELECT id, {DAY} AS day FROM log_heads JOIN executions ON id = execution_id
    WHERE moving AND id > :after ORDER BY id LIMIT :most
""")  # noqa: S608 - our own words
# The day is looked up again: nobody archives or restores it while the row is held.
_HELD = text(f"SELECT id, {DAY} AS day FROM executions WHERE id = :id FOR SHARE")  # noqa: S608
_MOVE = text("""
    UPDATE log_segments SET expires = coalesce(CAST(:day AS date), 'infinity')
    WHERE execution_id = :id AND (execution_id, last_seq, expires) IN (
        SELECT execution_id, last_seq, expires FROM log_segments
        WHERE execution_id = :id AND expires <> coalesce(CAST(:day AS date), 'infinity') LIMIT :most
    )
""")
_MOVED = text("UPDATE log_heads SET expires = :day, moving = false WHERE execution_id = :id")


async def list_moving(database: AsyncEngine, *, days: int | None, after: UUID) -> list[Row[Any]]:
    """Logs that are to be moved, behind this one, and the day on which each expires."""
    async with reading(database) as connection:
        return list((await connection.execute(_MOVING, {"days": days, "after": after, "most": LOGS_AT_ONCE})).all())


async def move_log(database: AsyncEngine, execution: UUID, day: date | None, *, days: int | None) -> None:
    """Bring its segments to this day, some at a time. If it belongs elsewhere by now, it stays for the next look."""
    moved = True
    while moved:
        async with transaction(database) as connection:
            held = (await connection.execute(_HELD, {"id": execution, "days": days})).one_or_none()
            if held is None or held.day != day:
                return
            asked = {"id": execution, "day": day, "most": SEGMENTS_AT_ONCE}
            moved = (await connection.execute(_MOVE, asked)).rowcount > 0
            if not moved:
                await connection.execute(_MOVED, {"id": execution, "day": day})
