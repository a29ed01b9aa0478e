"""SQL of acceptance: the record of a new execution, its first event and the head of its log, in one statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Insert,
    Select,
    TableValuedAlias,
    bindparam,
    column,
    exists,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from app.audit import repository as audit
from app.audit.model import Entry
from app.batches.model import Membership
from app.db.engine import Connection
from app.executions.model import NO_RETRIES, Lane, Limits, Retries, Spec
from app.executions.record import Record, record_of
from app.executions.repository import placing
from app.executions.states import Status
from app.executions.tables import Execution, ExecutionEvent
from app.executions.waiting import waiting_on
from app.files import repository as files
from app.files.model import ids_of
from app.idempotency.model import Once
from app.idempotency.tables import IdempotencyKey
from app.logs.tables import LogHead
from app.pools.tables import Pool
from app.secrets import repository as secrets
from app.webhooks import repository as webhooks

ROWS_PER_STATEMENT = 1000


class NoSuchPool(Exception):
    """There is no pool of this name, or not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """What a submission becomes."""

    id: UUID
    owner: str
    source: str
    name: str | None
    note: str | None
    labels: Mapping[str, str]
    pool: str
    spec: Spec
    limits: Limits
    resumed_from: UUID | None
    rerun_of: UUID | None = None
    schedule: UUID | None = None
    retries: Retries = NO_RETRIES
    priority: int = 0
    lane: Lane = Lane.NORMAL
    hold: bool = False
    not_before: datetime | None = None
    warnings: Sequence[Any] = ()
    sealed: Mapping[str, bytes] = field(default_factory=dict)
    webhooks: Sequence[Mapping[str, Any]] = ()
    member: Membership | None = None
    gated: bool = False
    needs_left: int = 0


_NEW_COLUMNS = (
    "id",
    "owner",
    "source",
    "name",
    "note",
    "labels",
    "pool",
    "spec",
    "limits",
    "retries",
    "priority",
    "lane",
    "hold",
    "not_before",
    "resumed_from",
    "rerun_of",
    "schedule_id",
    "warnings",
    "status",
    "gated",
    "needs_left",
    "batch_id",
    "batch_index",
    "batch_size",
    "batch_key",
    "method_name",
    "method_version",
)
_NEW = {name: bindparam(f"new_{name}", type_=Execution.__table__.c[name].type) for name in _NEW_COLUMNS}


def _beginning(execution: Insert, *columns: ColumnElement[Any]) -> tuple[CTE, CTE, CTE]:
    """The record, of which these columns are wanted, its first event with its place, and the head of its log."""
    new = execution.returning(*columns).cte("new")
    first_event = (
        insert(ExecutionEvent)
        .from_select(
            ["execution_id", "number", "to_status", "actor", "attempt"],
            select(new.c.id, literal(1), new.c.status, new.c.owner, literal(0)),
        )
        .returning(ExecutionEvent.execution_id, ExecutionEvent.number)
        .cte("first_event")
    )
    log_head = insert(LogHead).from_select(["execution_id", "epoch"], select(new.c.id, literal(0))).cte("log_head")
    return new, placing(first_event), log_head


def _accepting(execution: Insert) -> Select[Any]:
    """All of that in one statement, which gives the record."""
    new, *beside = _beginning(execution, *Execution.__table__.c)
    log = (literal(0).label("log_lines"), literal(0).label("log_bytes"), literal(False).label("log_truncated"))
    return select(new, waiting_on(new), *log).add_cte(*beside)


def _rows() -> TableValuedAlias:
    """Many of what is new, as JSON."""
    columns = (column(name, Execution.__table__.c[name].type) for name in _NEW_COLUMNS)
    return (
        func.jsonb_to_recordset(bindparam("rows", type_=JSONB)).table_valued(*columns).render_derived(with_types=True)
    )


def _accepting_all() -> Select[Any]:
    """The same for many, which gives how many they are."""
    adding = insert(Execution).from_select(_NEW_COLUMNS, select(*_NEW_ROWS.c))
    new, *beside = _beginning(adding, *(Execution.__table__.c[name] for name in ("id", "owner", "status")))
    return select(func.count()).select_from(new).add_cte(*beside)


# Waits for whoever deletes the pool, and gives no row if they commit; whoever comes to delete it waits for us.
_pool = (
    select(Pool.name)
    .where(Pool.name == _NEW["pool"], Pool.deleted_at.is_(None))
    .with_for_update(read=True, key_share=True)
    .cte("pool")
)
# Waits for whoever writes the same key, and gives no row if they commit.
_key = (
    insert_or_not(IdempotencyKey)
    .from_select(
        ["owner", "key", "body_sha256", "execution_id"],
        select(
            _NEW["owner"],
            bindparam("key", type_=IdempotencyKey.key.type),
            bindparam("body_sha256", type_=IdempotencyKey.body_sha256.type),
            _NEW["id"],
        ).select_from(_pool),
    )
    .on_conflict_do_nothing(index_elements=["owner", "key"])
    .returning(IdempotencyKey.execution_id)
    .cte("key")
)
_ADD = _accepting(insert(Execution).from_select(_NEW_COLUMNS, select(*_NEW.values()).select_from(_pool)))
_NEW_ROWS = _rows()
_ADD_ALL = _accepting_all()
_ADD_TOGETHER = _accepting(
    insert(Execution).from_select(_NEW_COLUMNS, select(*_NEW_ROWS.c).join(_pool, true()))
).add_cte(audit.adding())
_ADD_ONCE = _accepting(insert(Execution).from_select(_NEW_COLUMNS, select(*_NEW.values()).select_from(_key)))


async def add(connection: Connection, new: NewExecution) -> Record:
    """Accept it. Raises `NoSuchPool`."""
    row = await connection.execute(_ADD, _parameters(new))
    added = row.mappings().one_or_none()
    if added is None:
        raise NoSuchPool(new.pool)
    await _keep_beside(connection, new)
    return record_of(added)


async def add_once(connection: Connection, new: NewExecution, once: Once) -> Record | None:
    """Accept it under this key of its owner; None, and nothing is written, if the key stands for another already.

    Raises `NoSuchPool`.
    """
    row = await connection.execute(_ADD_ONCE, _parameters(new) | {"key": once.key, "body_sha256": once.body_sha256})
    added = row.mappings().one_or_none()
    if added is None and not await _is_pool(connection, new.pool):
        raise NoSuchPool(new.pool)
    if added is None:
        return None
    await _keep_beside(connection, new)
    return record_of(added)


async def add_together(
    connection: Connection, pool: str, many: Sequence[NewExecution], entries: Sequence[Entry]
) -> list[Record]:
    """Accept them all, which are of this pool and have nothing beside their records, and write who did that.

    Raises `NoSuchPool`.
    """
    parameters = {"new_pool": pool, "rows": list(map(_row, many)), "acts": audit.rows_of(entries)}
    added = await connection.execute(_ADD_TOGETHER, parameters)
    records = {row["id"]: record_of(row) for row in added.mappings()}
    if not records:
        raise NoSuchPool(pool)
    return [records[new.id] for new in many]


async def add_all(connection: Connection, many: Sequence[NewExecution]) -> None:
    """Accept all of them, whose pools are locked."""
    for start in range(0, len(many), ROWS_PER_STATEMENT):
        await connection.execute(_ADD_ALL, {"rows": list(map(_row, many[start : start + ROWS_PER_STATEMENT]))})
    await secrets.add_all(connection, {new.id: new.sealed for new in many if new.sealed})
    await webhooks.add_asked(connection, [row for new in many for row in new.webhooks])
    await files.refer(connection, {new.id: ids_of(new.spec.files).values() for new in many if new.spec.files})


async def lock_pools(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of these pools that exist; they are not deleted until the transaction ends."""
    statement = (
        select(Pool.name)
        .where(Pool.name.in_(names), Pool.deleted_at.is_(None))
        .order_by(Pool.name)
        .with_for_update(read=True, key_share=True)
    )
    return set((await connection.execute(statement)).scalars())


async def add_key(connection: Connection, owner: str, once: Once, execution: UUID) -> bool:
    """Let the key stand for an execution that is accepted already; False if it stands for another."""
    statement = (
        insert_or_not(IdempotencyKey)
        .values(owner=owner, key=once.key, body_sha256=once.body_sha256, execution_id=execution)
        .on_conflict_do_nothing(index_elements=["owner", "key"])
    )
    return (await connection.execute(statement)).rowcount > 0


async def _keep_beside(connection: Connection, new: NewExecution) -> None:
    if new.sealed:
        await secrets.add(connection, new.id, new.sealed)
    if new.webhooks:
        await webhooks.add_asked(connection, new.webhooks)
    if new.spec.files:
        await files.refer(connection, {new.id: ids_of(new.spec.files).values()})


async def _is_pool(connection: Connection, name: str) -> bool:
    statement = select(exists().where(Pool.name == name, Pool.deleted_at.is_(None)))
    return bool((await connection.execute(statement)).scalar_one())


def _row(new: NewExecution) -> dict[str, Any]:
    """As JSON, whose keys are the columns."""
    return {
        # A driver's own kind of UUID is one too, but not to who writes JSON.
        name.removeprefix("new_"): str(value) if isinstance(value, UUID) else value
        for name, value in _parameters(new).items()
    }


def _parameters(new: NewExecution) -> dict[str, Any]:
    return {
        "new_id": new.id,
        "new_owner": new.owner,
        "new_source": new.source,
        "new_name": new.name,
        "new_note": new.note,
        "new_labels": dict(new.labels),
        "new_pool": new.pool,
        "new_spec": new.spec.model_dump(mode="json"),
        "new_limits": new.limits.model_dump(mode="json"),
        "new_retries": new.retries.model_dump(mode="json"),
        "new_priority": new.priority,
        "new_lane": new.lane,
        "new_hold": new.hold,
        "new_not_before": new.not_before,
        "new_resumed_from": new.resumed_from,
        "new_rerun_of": new.rerun_of,
        "new_schedule_id": new.schedule,
        "new_warnings": list(new.warnings),
        "new_status": Status.QUEUED,
        "new_gated": new.gated,
        "new_needs_left": new.needs_left,
        "new_batch_id": new.member.batch if new.member else None,
        "new_batch_index": new.member.index if new.member else None,
        "new_batch_size": new.member.size if new.member else None,
        "new_batch_key": new.member.key if new.member else None,
        "new_method_name": new.spec.method.name if new.spec.method else None,
        "new_method_version": new.spec.method.version if new.spec.method else None,
    }
