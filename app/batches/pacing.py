"""SQL of the gates between the children of a batch: which of them may go on when one has ended.

The lock of the batch's row makes what is counted here exact. It is taken by whoever holds rows of children, so nobody
who holds it waits for one of those: what somebody else is changing is passed over. That one ends it, and then comes
here too, or leaves it as it is, and then a sweep finds it (`settling.py`).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from app.batches.model import FAILURES, BatchStopReason
from app.batches.tables import Batch
from app.db.engine import Connection
from app.executions.states import Status
from app.executions.tables import Execution

SYSTEM = "system"
# Of an execution: whether it is one of a batch that lets only so many go.
_PACED = select(Batch.id).where(Batch.id == Execution.batch_id, Batch.max_parallel.is_not(None))
IS_PACED = _PACED.correlate(Execution).exists()

# Those whose children all start as soon as they can have nothing to wait for here.
_LOCK_PACED = text("""
    SELECT id, max_parallel, fail_fast, has_needs, stop_reason FROM batches
    WHERE id = :batch AND finished_at IS NULL AND (max_parallel IS NOT NULL OR fail_fast OR has_needs)
    FOR NO KEY UPDATE
""")
_STOP = text("""
    UPDATE batches SET stop_reason = :reason, stop_by = :by, stop_requested_at = clock_timestamp(), stop_message = (
        SELECT format('Child %s%s, %s, ended %s.', batch_index, ' (' || coalesce(batch_key, name) || ')', id, cause)
        FROM executions WHERE id = :child
    ) WHERE id = :batch
""")
# One that needs several is let through by the last of them to end. Waiting for its turn begins when it may have one.
_LET_THROUGH = """
    WITH met AS (
        SELECT id FROM executions AS child
        WHERE {candidates} AND status = 'queued' AND needs_left > 0 AND NOT EXISTS (
            SELECT FROM execution_needs LEFT JOIN executions AS needed ON needed.id = needed_id
            WHERE execution_id = child.id AND needed.status IS DISTINCT FROM 'succeeded'
        )
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE executions SET needs_left = 0, queued_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM met WHERE executions.id = met.id RETURNING pool
"""
_LET_THROUGH_BEHIND = text(
    _LET_THROUGH.format(candidates="id IN (SELECT execution_id FROM execution_needs WHERE needed_id = :child)")
)
_LET_THROUGH_ALL = text(_LET_THROUGH.format(candidates="batch_id = :batch"))
# Whoever was let go has a place until they have ended, whatever their status: also paused, or queued once more.
# Places are counted only if somebody waits for one: at most as many as there may be.
_LET_GO = text("""
    WITH following AS (
        SELECT id FROM executions
        WHERE batch_id = :batch AND status = 'queued' AND gated AND NOT hold AND needs_left = 0
        ORDER BY batch_index
        LIMIT CASE WHEN EXISTS (
            SELECT FROM executions
            WHERE batch_id = :batch AND status = 'queued' AND gated AND NOT hold AND needs_left = 0
        ) THEN
            greatest(0, CAST(:max_parallel AS bigint) - (
                SELECT count(*) FROM executions WHERE batch_id = :batch AND NOT gated
                    AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
            ))
        ELSE 0 END
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE executions SET gated = false, queued_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM following WHERE executions.id = following.id RETURNING pool
""")


async def go_on(connection: Connection, batch: UUID, child: UUID, ended: Status) -> None:
    """What the end of this child, which the caller's transaction has written, means for the others at once."""
    row = (await connection.execute(_LOCK_PACED, {"batch": batch})).one_or_none()
    if row is None or row.stop_reason is not None:
        return
    if row.fail_fast and ended in FAILURES:
        why = {"reason": BatchStopReason.FAIL_FAST, "by": SYSTEM}
        await connection.execute(_STOP, {"batch": batch, "child": child, **why})
        return
    if row.has_needs and ended is Status.SUCCEEDED:
        await connection.execute(_LET_THROUGH_BEHIND, {"child": child})
    await _let_go(connection, row)


async def open_all(connection: Connection, batch: UUID) -> set[str]:
    """Every gate of the batch that should be open; the pools in which something may start for it."""
    row = (await connection.execute(_LOCK_PACED, {"batch": batch})).one_or_none()
    if row is None or row.stop_reason is not None:
        return set()
    pools: set[str] = set()
    if row.has_needs:
        pools |= set((await connection.execute(_LET_THROUGH_ALL, {"batch": batch})).scalars())
    return pools | await _let_go(connection, row)


async def _let_go(connection: Connection, batch: Row[Any]) -> set[str]:
    """As many more as there is room for."""
    if batch.max_parallel is None:
        return set()
    rows = await connection.execute(_LET_GO, {"batch": batch.id, "max_parallel": batch.max_parallel})
    return set(rows.scalars())
