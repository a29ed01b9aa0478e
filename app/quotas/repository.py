"""SQL of quotas, but for what the claim counts, which is in `worker/queue.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Connection
from app.db.orm import clock
from app.quotas.model import QuotaRecord, Usage
from app.quotas.tables import Quota

# What is archived has ended; that it is not archived is what the index of owners by status has.
_USAGE = text("""
    SELECT count(*) FILTER (WHERE status = 'queued') AS queued, count(*) FILTER (WHERE worker_id IS NOT NULL) AS running
    FROM executions
    WHERE owner = :owner AND archived_at IS NULL
        AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
""")
_LOCK_QUEUE = text("SELECT pg_advisory_xact_lock(hashtextextended('tailrace queue of ' || :owner, 0))")


async def lock_queue(connection: Connection, owner: str) -> None:
    """Until the transaction ends nothing else is submitted by this owner, as far as they have a limit."""
    await connection.execute(_LOCK_QUEUE, {"owner": owner})


async def count(connection: Connection, owner: str) -> Usage:
    """What they have now."""
    row = (await connection.execute(_USAGE, {"owner": owner})).one()
    return Usage(row.queued, row.running)


async def list_quotas(connection: Connection) -> list[QuotaRecord]:
    """Those who have limits of their own, by name."""
    rows = await connection.execute(select(Quota.__table__).order_by(Quota.owner))
    return [QuotaRecord(**row) for row in rows.mappings()]


async def find_quota(connection: Connection, owner: str) -> QuotaRecord:
    """The limits of this owner, whoever that is."""
    row = (await connection.execute(select(Quota.__table__).where(Quota.owner == owner))).mappings().one_or_none()
    return QuotaRecord(**row) if row else QuotaRecord(owner=owner, max_queued=None, max_running=None, updated_at=None)


async def set_quota(connection: Connection, owner: str, limits: Mapping[str, Any]) -> None:
    """Instead of what they had. Waits for a claim that counts what they run."""
    columns = {**limits, "updated_at": clock()}
    statement = insert(Quota).values(owner=owner, **columns)
    await connection.execute(statement.on_conflict_do_update(index_elements=[Quota.owner], set_=columns))


async def remove_quota(connection: Connection, owner: str) -> None:
    """Back to the defaults."""
    await connection.execute(delete(Quota).where(Quota.owner == owner))
