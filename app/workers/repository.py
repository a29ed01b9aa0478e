"""SQL of workers as the API sees them; what a worker writes of itself is in `worker/claims.py`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, literal_column, text, update

from app.db.engine import Connection
from app.db.orm import clock
from app.workers.model import LOST_AFTER, Wanted, WorkerRecord, WorkerState
from app.workers.tables import Worker

_WORKERS = text("""
    SELECT workers.*, held.busy, held.executions,
        CASE
            WHEN gone_at IS NOT NULL THEN 'gone'
            WHEN heartbeat_at <= clock_timestamp() - make_interval(secs => :lost_after) THEN 'lost'
            WHEN wanted = 'pause' THEN 'paused'
            WHEN wanted = 'drain' THEN 'draining'
            ELSE 'active'
        END AS state
    FROM workers CROSS JOIN LATERAL (
        SELECT count(*) AS busy, coalesce(
            array_agg(id ORDER BY id) FILTER (WHERE CAST(:owner AS text) IS NULL OR owner = :owner), '{}'
        ) AS executions
        FROM executions
        WHERE worker_id = workers.id AND status IN ('preparing', 'running', 'paused', 'stopping')
    ) AS held
    WHERE CASE
        WHEN CAST(:worker AS uuid) IS NOT NULL THEN workers.id = :worker
        ELSE gone_at IS NULL OR gone_at > clock_timestamp() - make_interval(secs => :gone_within)
    END
    ORDER BY workers.pool, workers.id
""")
_LOST_AFTER: ColumnElement[Any] = literal_column(f"interval '{LOST_AFTER:g} seconds'")
_FIELDS = tuple(field.name for field in fields(WorkerRecord))


def takes_work() -> ColumnElement[bool]:
    """Whether it is there, and starts something new."""
    return and_(Worker.wanted == Wanted.WORK, Worker.message.is_(None), is_present())


def is_present() -> ColumnElement[bool]:
    """Whether a worker has not signed off, and was heard of lately."""
    return and_(Worker.gone_at.is_(None), Worker.heartbeat_at > clock() - _LOST_AFTER)


async def list_workers(connection: Connection, *, owner: str | None, gone_within: float = 0.0) -> list[WorkerRecord]:
    """Those that are not gone, or went less than so many seconds ago. Of what they hold, `owner` sees their own."""
    return await _list(connection, worker=None, owner=owner, gone_within=gone_within)


async def find_worker(connection: Connection, worker: UUID, *, owner: str | None) -> WorkerRecord | None:
    """One worker, gone or not."""
    found = await _list(connection, worker=worker, owner=owner, gone_within=0.0)
    return found[0] if found else None


async def _list(
    connection: Connection, *, worker: UUID | None, owner: str | None, gone_within: float
) -> list[WorkerRecord]:
    parameters = {"worker": worker, "owner": owner, "gone_within": gone_within, "lost_after": LOST_AFTER}
    rows = (await connection.execute(_WORKERS, parameters)).mappings()
    return [
        WorkerRecord(**{**{name: row[name] for name in _FIELDS}, "state": WorkerState(row["state"])}) for row in rows
    ]


async def want(connection: Connection, worker: UUID, wanted: Wanted) -> bool:
    """Note what is wanted of a worker; False if it is gone, or never was."""
    noted = await connection.execute(
        update(Worker).where(Worker.id == worker, Worker.gone_at.is_(None)).values(wanted=wanted)
    )
    return noted.rowcount > 0
