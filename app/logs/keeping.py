"""How long logs are kept, as far as clients have a say: what is archived or restored belongs elsewhere, or goes now."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, delete, literal, text, update

from app.db.engine import Connection
from app.logs.store import TODAY
from app.logs.tables import LogChunk, LogHead, LogSegment


async def await_move(connection: Connection, executions: Collection[UUID]) -> None:
    """The worker that keeps the logs moves their segments: they may be many. From here on they are not dropped."""
    # As a reader does: whoever drops a week does it before this, or sees it.
    await connection.execute(text("LOCK TABLE ONLY log_segments IN ACCESS SHARE MODE"))
    of = LogHead.execution_id == any_(literal(list(executions), ARRAY(Uuid)))
    await connection.execute(update(LogHead).where(of).values(moving=True))


async def remove(connection: Connection, executions: Collection[UUID]) -> None:
    """Let go of the logs of these, which have ended and are held against whoever merges or moves them: as if they had
    expired. How long they were stays.
    """
    ids = any_(literal(list(executions), ARRAY(Uuid)))
    # In this order: what was merged until now is found among the segments.
    await connection.execute(delete(LogChunk).where(LogChunk.execution_id == ids))
    await connection.execute(delete(LogSegment).where(LogSegment.execution_id == ids))
    gone = {"expires": TODAY - 1, "moving": False}
    await connection.execute(update(LogHead).where(LogHead.execution_id == ids).values(gone))
