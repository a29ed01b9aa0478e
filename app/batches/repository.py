"""SQL of batches: their records, and who needs whom. Their gates are opened in `pacing.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, RowMapping, Uuid, any_, delete, func, insert, literal, select, text

from app.batches.model import BatchRecord, BatchStopReason, NewBatch
from app.batches.tables import Batch, ExecutionNeed
from app.db.engine import Connection
from app.executions.record import select_records
from app.executions.states import Status
from app.executions.tables import Execution

ROWS_PER_STATEMENT = 5000

# What has ended is counted once and for all; of the others only the index of their children is read.
_FIND = """
    SELECT batches.*, coalesce(ended, counted.children, '{{}}') AS children, CASE
        WHEN finished_at IS NOT NULL THEN finished_at
        WHEN NOT EXISTS (
            SELECT FROM executions WHERE batch_id = batches.id
                AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
        ) THEN (SELECT max(executions.finished_at) FROM executions WHERE batch_id = batches.id)
    END AS over_at
    FROM batches LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(status, number) AS children FROM (
            SELECT status, count(*) AS number FROM executions WHERE batch_id = batches.id GROUP BY status
        ) AS of_status
    ) AS counted ON batches.ended IS NULL
    WHERE {which}
"""
_FIND_ONE = text(_FIND.format(which="id = :batch AND (CAST(:owner AS text) IS NULL OR owner = :owner)"))
_LIST = text(
    _FIND.format(
        which="""id IN (
            SELECT id FROM batches
            WHERE (CAST(:owner AS text) IS NULL OR owner = :owner) AND (CAST(:before AS uuid) IS NULL OR id < :before)
            ORDER BY id DESC LIMIT :limit
        ) ORDER BY id DESC"""
    )
)
# The first word stands: what failed and is then canceled was stopped by its failure. Force is an order of its own.
_STOP = text("""
    UPDATE batches SET stop_reason = coalesce(stop_reason, 'cancel'), stop_by = coalesce(stop_by, :by),
        stop_message = coalesce(stop_message, :message),
        stop_requested_at = coalesce(stop_requested_at, clock_timestamp()), stop_force = stop_force OR :force
    WHERE id = :batch AND finished_at IS NULL
""")
_ASK_TO_DELETE = text("""
    UPDATE batches SET delete_requested_at = coalesce(delete_requested_at, clock_timestamp()),
        delete_requested_by = coalesce(delete_requested_by, :by)
    WHERE id = :batch
""")
_NEEDING = text("""
    SELECT other.id, other.status FROM executions AS child JOIN executions AS other ON other.resumed_from = child.id
    WHERE child.batch_id = :batch AND other.finished_at IS NULL AND other.batch_id IS DISTINCT FROM :batch
    UNION ALL
    SELECT other.id, other.status FROM executions AS child
    JOIN execution_needs ON needed_id = child.id JOIN executions AS other ON other.id = execution_id
    WHERE child.batch_id = :batch AND other.finished_at IS NULL AND other.batch_id IS DISTINCT FROM :batch
    LIMIT 1
""")
_LOOK = text("""
    SELECT id, stop_reason, stop_by, stop_message, stop_force, has_needs,
        max_parallel IS NOT NULL OR has_needs AS has_gates,
        NOT EXISTS (
            SELECT FROM executions WHERE batch_id = batches.id
                AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
        ) AS over
    FROM batches WHERE id = :batch AND finished_at IS NULL
""")
_GOES_ON = text("""
    SELECT EXISTS (
        SELECT FROM batches JOIN executions ON batch_id = batches.id
        WHERE batches.id = :batch AND batches.finished_at IS NULL
            AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
    )
""")
_QUEUED = text("""
    SELECT id FROM executions WHERE batch_id = :batch AND status = 'queued' ORDER BY batch_index
""")
# With all that is behind them, by steps through indexes however long a chain is; of several that do not succeed, one is
# named.
_DOOMED = text("""
    WITH RECURSIVE doomed AS (
        SELECT child.id FROM executions AS child JOIN execution_needs ON execution_id = child.id
        LEFT JOIN executions AS needed ON needed.id = needed_id
        WHERE child.batch_id = :batch AND child.status = 'queued' AND child.needs_left > 0
            AND (needed_id IS NULL OR needed.status IN ('failed', 'timed_out', 'canceled', 'crashed'))
        UNION
        SELECT child.id FROM doomed
        CROSS JOIN LATERAL (SELECT execution_id FROM execution_needs WHERE needed_id = doomed.id OFFSET 0) AS behind
        CROSS JOIN LATERAL (SELECT id, status FROM executions WHERE id = execution_id OFFSET 0) AS child
        WHERE child.status = 'queued'
    )
    SELECT child.id, unmet.name AS needs, unmet.needed_id, coalesce(unmet.status, 'canceled') AS ended
    FROM doomed JOIN executions AS child USING (id) CROSS JOIN LATERAL (
        SELECT execution_needs.name, needed_id,
            CASE WHEN needed.finished_at IS NOT NULL THEN needed.status END AS status
        FROM execution_needs LEFT JOIN executions AS needed ON needed.id = needed_id
        WHERE execution_id = child.id AND (
            needed_id IS NULL OR needed.status IN ('failed', 'timed_out', 'canceled', 'crashed')
            OR needed_id IN (SELECT doomed.id FROM doomed)
        )
        ORDER BY needed.finished_at, execution_needs.name LIMIT 1
    ) AS unmet
    ORDER BY child.batch_index
""")
_ACTIVE = text("""
    SELECT id FROM executions WHERE batch_id = :batch AND status IN ('preparing', 'running', 'paused')
        OR batch_id = :batch AND status = 'stopping' AND :force AND NOT stop_force
    ORDER BY id
""")
_READY_POOLS = text("""
    SELECT DISTINCT pool FROM (
        SELECT pool FROM executions
        WHERE batch_id = :batch AND status = 'queued' AND NOT gated AND NOT hold AND needs_left = 0 LIMIT :most
    ) AS ready
""")
# With the event that tells of it, by whoever writes it down: one does.
_SEAL = text("""
    WITH sealed AS (
        UPDATE batches SET finished_at = coalesce(counted.finished_at, clock_timestamp()),
            ended = coalesce(counted.children, '{}')
        FROM (
            SELECT max(finished_at) AS finished_at, jsonb_object_agg(status, number) AS children FROM (
                SELECT status, count(*) AS number, max(finished_at) AS finished_at
                FROM executions WHERE batch_id = :batch GROUP BY status
            ) AS of_status
        ) AS counted
        WHERE id = :batch AND batches.finished_at IS NULL AND NOT EXISTS (
            SELECT FROM executions
            WHERE batch_id = :batch AND status IN ('queued', 'preparing', 'running', 'paused', 'stopping')
        )
        RETURNING batches.*
    )
    INSERT INTO event_positions (execution_id, number, batch)
    SELECT id, 0, jsonb_build_object(
        'record', to_jsonb(sealed) || jsonb_build_object('children', ended),
        'pools', (SELECT coalesce(jsonb_agg(DISTINCT pool), '[]') FROM executions WHERE batch_id = :batch),
        'methods', (
            SELECT coalesce(jsonb_agg(DISTINCT method_name), '[]') FROM executions
            WHERE batch_id = :batch AND method_name IS NOT NULL
        )
    ) FROM sealed
""")
_UNSEALED = text("""
    SELECT DISTINCT batches.id FROM batches JOIN executions ON batch_id = batches.id
    WHERE executions.id = ANY(:executions) AND batches.finished_at IS NULL ORDER BY batches.id
""")
_UNFINISHED = text("""
    SELECT id FROM batches WHERE finished_at IS NULL AND (CAST(:after AS uuid) IS NULL OR id > :after)
    ORDER BY id LIMIT :most
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An unfinished batch, as whoever settles it sees it. `over`: no child is active any more."""

    id: UUID
    stop_reason: BatchStopReason | None
    stop_by: str | None
    stop_message: str | None
    stop_force: bool
    has_needs: bool
    has_gates: bool
    over: bool


@dataclass(frozen=True, slots=True)
class Doomed:
    """A queued child that will never run, since `needs` ended so, or ends so too. None as `needed`: it was deleted."""

    child: UUID
    needs: str
    needed: UUID | None
    ended: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What an execution gets from another, under this name; None as `needed`: that was deleted."""

    execution: UUID
    name: str
    needed: UUID | None
    expired: bool

    @property
    def lost(self) -> str | None:
        """Why it cannot be had any more; None if it can."""
        if self.needed is None:
            return "was deleted"
        return "has left outputs that have expired" if self.expired else None


async def add(connection: Connection, new: NewBatch) -> None:
    """A new batch; its children follow in the same transaction."""
    columns = ("id", "owner", "name", "note", "size", "max_parallel", "fail_fast", "has_needs", "rerun_of")
    values = {name: getattr(new, name) for name in columns}
    await connection.execute(insert(Batch).values(**values, labels=dict(new.labels)))


async def add_needs(connection: Connection, needs: Mapping[UUID, Mapping[str, UUID]]) -> None:
    """Who of the accepted children needs whom."""
    rows = [
        {"execution_id": child, "name": name, "needed_id": needed}
        for child, those in needs.items()
        for name, needed in those.items()
    ]
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        await connection.execute(insert(ExecutionNeed), rows[start : start + ROWS_PER_STATEMENT])


async def copy_needs(connection: Connection, execution: UUID, again: UUID) -> None:
    """What is run again gets what the original got; it waits for nobody, since those have ended."""
    same = select(literal(again), ExecutionNeed.name, ExecutionNeed.needed_id)
    rows = same.where(ExecutionNeed.execution_id == execution)
    await connection.execute(insert(ExecutionNeed).from_select(["execution_id", "name", "needed_id"], rows))


async def find(connection: Connection, batch: UUID, *, owner: str | None = None) -> BatchRecord | None:
    """The batch, if it exists and, with `owner`, is theirs."""
    row = (await connection.execute(_FIND_ONE, {"batch": batch, "owner": owner})).mappings().one_or_none()
    return _record_of(row) if row else None


async def has_ended(connection: Connection, batch: UUID) -> bool:
    """Whether none of its children is active any more, or it is gone."""
    return not (await connection.execute(_GOES_ON, {"batch": batch})).scalar_one()


async def list_page(connection: Connection, *, limit: int, before: UUID | None, owner: str | None) -> list[BatchRecord]:
    """Newest first, all older than `before`."""
    rows = await connection.execute(_LIST, {"limit": limit, "before": before, "owner": owner})
    return [_record_of(row) for row in rows.mappings()]


async def list_children(connection: Connection, batch: UUID) -> Sequence[RowMapping]:
    """The rows of their records, first to last."""
    statement = select_records().where(Execution.batch_id == batch).order_by(Execution.batch_index)
    rows: Sequence[RowMapping] = (await connection.execute(statement)).mappings().all()
    return rows


async def list_children_with_outputs(connection: Connection, batch: UUID, *, after: int, most: int) -> Sequence[Any]:
    """Those with an index behind `after`: id, index, key, name, and when it was last changed."""
    changed_at = func.coalesce(Execution.finished_at, Execution.updated_at).label("changed_at")
    statement = (
        select(Execution.id, Execution.batch_index, Execution.batch_key, Execution.name, changed_at)
        .where(Execution.batch_id == batch, Execution.batch_index > after, Execution.outputs_files > 0)
        .order_by(Execution.batch_index)
        .limit(most)
    )
    return (await connection.execute(statement)).all()


async def list_places(connection: Connection, batch: UUID, *, after: int, limit: int) -> Sequence[Any]:
    """Children with an index behind `after`: id, index and key."""
    statement = (
        select(Execution.id, Execution.batch_index, Execution.batch_key)
        .where(Execution.batch_id == batch, Execution.batch_index > after)
        .order_by(Execution.batch_index)
        .limit(limit)
    )
    return (await connection.execute(statement)).all()


async def list_needs(connection: Connection, batch: UUID) -> dict[UUID, dict[str, UUID | None]]:
    """What each child needs, by name; None is what was deleted."""
    statement = (
        select(ExecutionNeed.execution_id, ExecutionNeed.name, ExecutionNeed.needed_id)
        .join(Execution, Execution.id == ExecutionNeed.execution_id)
        .where(Execution.batch_id == batch)
    )
    needs: dict[UUID, dict[str, UUID | None]] = {}
    for row in await connection.execute(statement):
        needs.setdefault(row.execution_id, {})[row.name] = row.needed_id
    return needs


async def list_needs_of(connection: Connection, execution: UUID) -> dict[str, UUID | None]:
    """The same of one execution."""
    statement = (
        select(ExecutionNeed.name, ExecutionNeed.needed_id)
        .where(ExecutionNeed.execution_id == execution)
        .order_by(ExecutionNeed.name)
    )
    return {row.name: row.needed_id for row in await connection.execute(statement)}


async def list_upstream(connection: Connection, executions: Collection[UUID]) -> list[Upstream]:
    """What these need, by name, and whether it still can be had."""
    statement = (
        select(
            ExecutionNeed.execution_id.label("execution"),
            ExecutionNeed.name,
            ExecutionNeed.needed_id.label("needed"),
            Execution.outputs_expired_at.is_not(None).label("expired"),
        )
        .outerjoin(Execution, Execution.id == ExecutionNeed.needed_id)
        .where(ExecutionNeed.execution_id == any_(literal(list(executions), ARRAY(Uuid))))
        .order_by(ExecutionNeed.execution_id, ExecutionNeed.name)
    )
    return [Upstream(**row) for row in (await connection.execute(statement)).mappings()]


async def list_expired(connection: Connection, executions: Collection[UUID]) -> set[UUID]:
    """Of these, those whose outputs were let go."""
    statement = select(Execution.id).where(
        Execution.id == any_(literal(list(executions), ARRAY(Uuid))), Execution.outputs_expired_at.is_not(None)
    )
    return set((await connection.execute(statement)).scalars())


async def ask_to_stop(connection: Connection, batch: UUID, *, by: str, message: str, force: bool) -> None:
    """From now on nothing of it is let go, and what is active is to be stopped; not if all has ended."""
    await connection.execute(_STOP, {"batch": batch, "by": by, "message": message, "force": force})


async def ask_to_delete(connection: Connection, batch: UUID, *, by: str) -> None:
    """It goes with the last of its children, and they go as soon as they have ended."""
    await connection.execute(_ASK_TO_DELETE, {"batch": batch, "by": by})


async def find_needing(connection: Connection, batch: UUID) -> Row[Any] | None:
    """An execution that is not of it, has not ended, and needs what a child left: its id and status."""
    return (await connection.execute(_NEEDING, {"batch": batch})).one_or_none()


async def list_to_delete(connection: Connection, *, most: int) -> Sequence[UUID]:
    """Those that are to go, the first that were asked to."""
    to_delete = select(Batch.id).where(Batch.delete_requested_at.is_not(None)).order_by(Batch.delete_requested_at)
    return (await connection.execute(to_delete.limit(most))).scalars().all()


async def remove_childless(connection: Connection, batches: Collection[UUID]) -> None:
    """Let go of those of these that have no children any more."""
    # Two that delete the last two children see each other's only one after the other.
    await connection.execute(select(Batch.id).where(Batch.id.in_(batches)).order_by(Batch.id).with_for_update())
    child = select(Execution.id).where(Execution.batch_id == Batch.id)
    await connection.execute(delete(Batch).where(Batch.id.in_(batches), ~child.exists()))


async def look(connection: Connection, batch: UUID) -> Look | None:
    """The batch, unless it is finished."""
    row = (await connection.execute(_LOOK, {"batch": batch})).mappings().one_or_none()
    if row is None:
        return None
    reason = BatchStopReason(row["stop_reason"]) if row["stop_reason"] else None
    return Look(**{**row, "stop_reason": reason})


async def list_queued(connection: Connection, batch: UUID) -> list[UUID]:
    """Children that wait, first to last."""
    return list((await connection.execute(_QUEUED, {"batch": batch})).scalars())


async def list_doomed(connection: Connection, batch: UUID) -> list[Doomed]:
    """Children that wait for what did not succeed, and those behind them."""
    rows = await connection.execute(_DOOMED, {"batch": batch})
    return [Doomed(row.id, row.needs, row.needed_id, row.ended) for row in rows]


async def list_active(connection: Connection, batch: UUID, *, force: bool) -> list[UUID]:
    """Children that have left the queue and are not asked to stop; with `force` also those not yet to be killed."""
    return list((await connection.execute(_ACTIVE, {"batch": batch, "force": force})).scalars())


async def list_ready_pools(connection: Connection, batch: UUID, *, most: int) -> list[str]:
    """Where children wait that may be claimed, looking at so many of them."""
    return list((await connection.execute(_READY_POOLS, {"batch": batch, "most": most})).scalars())


async def seal(connection: Connection, batch: UUID) -> bool:
    """Write down how it ended, and tell of it, once no child is active any more; whether we did."""
    return bool((await connection.execute(_SEAL, {"batch": batch})).rowcount)


async def seal_all_of(connection: Connection, executions: Collection[UUID]) -> None:
    """Seal the batches of these that are over, before these go and do not count any more."""
    for batch in (await connection.execute(_UNSEALED, {"executions": list(executions)})).scalars().all():
        await seal(connection, batch)


async def list_unfinished(connection: Connection, *, after: UUID | None, most: int) -> Sequence[UUID]:
    """The oldest behind `after`."""
    return (await connection.execute(_UNFINISHED, {"after": after, "most": most})).scalars().all()


def _record_of(row: RowMapping) -> BatchRecord:
    same: dict[str, Any] = {name: row[name] for name in BatchRecord.__slots__ if name in row and name != "children"}
    return BatchRecord(
        **same
        | {
            "stop_reason": BatchStopReason(row["stop_reason"]) if row["stop_reason"] else None,
            "children": {Status(status): count for status, count in row["children"].items()},
            "finished_at": row["over_at"],
        }
    )
