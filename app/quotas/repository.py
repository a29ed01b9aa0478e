"""SQL of quotas, but for what the claim counts, which is in `worker/queue.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Connection
from app.db.orm import clock
from app.quotas.model import Kept, QuotaRecord, Usage
from app.quotas.tables import Quota

# What is archived has ended; that it is not archived is what the index of owners by status has.
_USAGE = text("""
    SELECT count(*) FILTER (WHERE status = 'queued') AS queued,
        count(*) FILTER (WHERE worker_id IS NOT NULL) AS running,
        coalesce(sum((limits ->> 'cpus')::float8) FILTER (WHERE worker_id IS NOT NULL), 0) AS cpus,
        coalesce(sum((limits ->> 'memory')::bigint) FILTER (WHERE worker_id IS NOT NULL), 0)::bigint AS memory
    FROM executions
    WHERE owner = :owner AND archived_at IS NULL
        AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
""")
# The log of what has not ended is looked up, the rest is summed up. An expired log is none, though its week is there.
_KEPT = text("""
    SELECT (
        SELECT coalesce(sum(n), 0) FROM kept_bytes
        WHERE owner = :owner AND what = 'log'
            AND coalesce(until >= CAST(timezone('UTC', clock_timestamp()) AS date), true)
    ) + (
        SELECT coalesce(sum(kept_log(charged, truncated, limits)), 0)
        FROM executions JOIN log_heads ON execution_id = id
        WHERE owner = :owner AND archived_at IS NULL AND attempt > 0
            AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
    ) AS log_bytes, (
        SELECT coalesce(sum(n), 0) FROM kept_bytes WHERE owner = :owner AND what = 'files'
    ) + (
        SELECT coalesce(sum(bytes), 0) FROM files WHERE owner = :owner
    ) AS storage
""")
# What has expired counts no more, also what will be taken from it.
_FORGET = text("DELETE FROM kept_bytes WHERE until < CAST(timezone('UTC', clock_timestamp()) AS date)")
# Rows that differ in nothing but `n` become one.
_FOLD = text("""
    WITH crowded AS (
        SELECT owner, what, until FROM kept_bytes GROUP BY owner, what, until HAVING count(*) > 1
    ), gone AS (
        DELETE FROM kept_bytes WHERE ctid = ANY (ARRAY(
            SELECT each.ctid FROM kept_bytes AS each JOIN crowded USING (owner, what)
            WHERE each.until IS NOT DISTINCT FROM crowded.until LIMIT :most
        )) RETURNING owner, what, until, n
    )
    INSERT INTO kept_bytes (owner, what, until, n) SELECT owner, what, until, sum(n) FROM gone
    GROUP BY owner, what, until HAVING sum(n) <> 0
""")
_LOCK_QUEUE = text("SELECT pg_advisory_xact_lock(hashtextextended('tailrace queue of ' || :owner, 0))")


async def lock_queue(connection: Connection, owner: str) -> None:
    """Until the transaction ends nothing else is submitted by this owner, as far as they have a limit."""
    await connection.execute(_LOCK_QUEUE, {"owner": owner})


async def hold_quota(connection: Connection, owner: str) -> None:
    """Until the transaction ends nobody claims anything of theirs by its size, nor changes what they may have."""
    await connection.execute(select(Quota.owner).where(Quota.owner == owner).with_for_update(read=True))


async def count(connection: Connection, owner: str) -> Usage:
    """What they have now."""
    row = (await connection.execute(_USAGE, {"owner": owner})).one()
    return Usage(row.queued, row.running, round(row.cpus, 6), row.memory)


async def count_kept(connection: Connection, owner: str) -> Kept:
    """What is kept of them now."""
    row = (await connection.execute(_KEPT, {"owner": owner})).one()
    return Kept(int(row.log_bytes), int(row.storage))


async def fold_kept(connection: Connection, *, most: int = 50_000) -> int:
    """Make fewer rows of the same sums; how many it made. To be called now and then, when nobody waits for it."""
    await connection.execute(_FORGET)
    return (await connection.execute(_FOLD, {"most": most})).rowcount


async def list_quotas(connection: Connection) -> list[QuotaRecord]:
    """Those who have limits of their own, by name."""
    rows = await connection.execute(select(Quota.__table__).order_by(Quota.owner))
    return [QuotaRecord(**row) for row in rows.mappings()]


async def find_quota(connection: Connection, owner: str) -> QuotaRecord:
    """The limits of this owner, whoever that is."""
    row = (await connection.execute(select(Quota.__table__).where(Quota.owner == owner))).mappings().one_or_none()
    return QuotaRecord(**row) if row else QuotaRecord(owner=owner)


async def set_quota(connection: Connection, owner: str, limits: Mapping[str, Any]) -> None:
    """Instead of what they had. Waits for a claim that counts what they run."""
    columns = {**limits, "updated_at": clock()}
    statement = insert(Quota).values(owner=owner, **columns)
    await connection.execute(statement.on_conflict_do_update(index_elements=[Quota.owner], set_=columns))


async def remove_quota(connection: Connection, owner: str) -> None:
    """Back to the defaults."""
    await connection.execute(delete(Quota).where(Quota.owner == owner))
