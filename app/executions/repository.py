"""SQL of the record. `move` is the only place where the status of an execution is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Insert,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from app.db.engine import Connection
from app.db.orm import clock
from app.events.tables import EventPosition
from app.executions.model import NO_RETRIES, Event, Limits, Retries, Spec
from app.executions.record import Record, record_of, select_records
from app.executions.states import STATUS_OF, TERMINAL, Cause, Status, sources
from app.executions.tables import Execution, ExecutionEvent
from app.executions.waiting import waiting_on
from app.idempotency.model import Once
from app.idempotency.tables import IdempotencyKey
from app.logs.tables import LogHead
from app.pools.tables import Pool
from app.secrets import repository as secrets


class MoveRefused(Exception):
    """A move did not happen; nothing was written."""


class NoSuchExecution(MoveRefused):
    """There is no execution of this id."""


class StaleLease(MoveRefused):
    """Somebody holds a later epoch: stop acting on this execution."""


class NoSuchPool(Exception):
    """There is no pool of this name, or not any more."""


class IllegalMove(MoveRefused):
    """The status machine does not allow this move from the current status."""

    def __init__(self, current: Status, target: Status) -> None:
        super().__init__(f"{current} → {target} is not a move")
        self.current = current
        self.target = target


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
    retries: Retries = NO_RETRIES
    priority: int = 0
    warnings: Sequence[Any] = ()
    sealed: Mapping[str, bytes] = field(default_factory=dict)


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
    "resumed_from",
    "warnings",
    "status",
)
_NEW = {name: bindparam(f"new_{name}", type_=Execution.__table__.c[name].type) for name in _NEW_COLUMNS}


def _accepting(execution: Insert) -> Select[Any]:
    """The record, its first event and the head of its log, in one statement."""
    new = execution.returning(*Execution.__table__.c).cte("new")
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
    log = (literal(0).label("log_lines"), literal(0).label("log_bytes"), literal(False).label("log_truncated"))
    return select(new, waiting_on(new), *log).add_cte(_placing(first_event), log_head)


def _placing(events: CTE) -> CTE:
    """New events, by id and number, get their places among those of all executions."""
    places = select(events.c.execution_id, events.c.number)
    return insert(EventPosition).from_select(["execution_id", "number"], places).cte("places")


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
_ADD_ONCE = _accepting(insert(Execution).from_select(_NEW_COLUMNS, select(*_NEW.values()).select_from(_key)))


async def add(connection: Connection, new: NewExecution) -> Record:
    """Accept it. Raises `NoSuchPool`."""
    row = await connection.execute(_ADD, _parameters(new))
    added = row.mappings().one_or_none()
    if added is None:
        raise NoSuchPool(new.pool)
    await _keep_secrets(connection, new)
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
    await _keep_secrets(connection, new)
    return record_of(added)


async def _keep_secrets(connection: Connection, new: NewExecution) -> None:
    if new.sealed:
        await secrets.add(connection, new.id, new.sealed)


async def _is_pool(connection: Connection, name: str) -> bool:
    statement = select(exists().where(Pool.name == name, Pool.deleted_at.is_(None)))
    return bool((await connection.execute(statement)).scalar_one())


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
        "new_resumed_from": new.resumed_from,
        "new_warnings": list(new.warnings),
        "new_status": Status.QUEUED,
    }


async def move(
    connection: Connection,
    execution: UUID,
    target: Status,
    *,
    actor: str,
    epoch: int | None = None,
    only_from: Collection[Status] | None = None,
    cause: Cause | None = None,
    message: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Event:
    """Change the status by compare-and-set, and write the event, in the caller's transaction.

    With `epoch` it is a move of the lease holder; without one, of the API. `changes` are further columns of the same
    UPDATE. Raises `StaleLease`, `IllegalMove` or `NoSuchExecution` when nothing was changed.
    """
    if (target in TERMINAL) != (cause is not None) or (cause is not None and STATUS_OF[cause] is not target):
        raise ValueError(f"cause {cause} does not belong to status {target}")
    allowed = sources(target) if only_from is None else sources(target) & frozenset(only_from)
    prior = (
        select(Execution.id, Execution.status.label("status"))
        .where(Execution.id == execution)
        # Whoever writes the log of it, or anything else that refers to it, need not wait.
        .with_for_update(key_share=True)
    ).subquery("prior")
    statement = update(Execution).where(Execution.id == prior.c.id, prior.c.status.in_(sorted(allowed)))
    if epoch is not None:
        statement = statement.where(Execution.epoch == epoch)
    if message is not None:
        message = readable(message)
    values: dict[str, Any] = {"status": target, "updated_at": clock()}
    if target in TERMINAL:
        values |= {"cause": cause, "message": message, "finished_at": clock(), "phase": None}
    values |= changes or {}
    moved = (
        await connection.execute(
            statement.values(values).returning(
                prior.c.status.label("from_status"),
                Execution.attempt,
                Execution.updated_at,
                Execution.spec["secrets"].label("secrets"),
            ),
        )
    ).one_or_none()
    if moved is None:
        raise await _why_refused(connection, execution, target, epoch)
    if target in TERMINAL and moved.secrets:
        await secrets.forget(connection, execution)
    return await _add_event(
        connection,
        execution,
        from_status=Status(moved.from_status),
        to_status=target,
        cause=cause,
        message=message,
        actor=actor,
        attempt=moved.attempt,
        at=moved.updated_at,
    )


# As after any move: the row locks make `max + 1` safe, but only for a statement of its own.
_events = (
    insert(ExecutionEvent)
    .from_select(
        ["execution_id", "number", "from_status", "to_status", "actor", "attempt", "at"],
        select(
            Execution.id,
            select(func.coalesce(func.max(ExecutionEvent.number), 0) + 1)
            .where(ExecutionEvent.execution_id == Execution.id)
            .scalar_subquery(),
            bindparam("from", type_=Text),
            Execution.status,
            bindparam("by", type_=Text),
            Execution.attempt,
            Execution.updated_at,
        ).where(Execution.id == any_(bindparam("moved", type_=ARRAY(Uuid)))),
    )
    .returning(ExecutionEvent.execution_id, ExecutionEvent.number, ExecutionEvent.attempt, ExecutionEvent.at)
    .cte("events")
)
_ADD_EVENTS = select(_events).add_cte(_placing(_events))


async def move_queued(
    connection: Connection, executions: Collection[UUID], *, actor: str, changes: Mapping[str, Any]
) -> dict[UUID, Event]:
    """`move` to `preparing` for several at once, in two statements; the events of those that were moved.

    Left out is what is not queued any more, and what somebody else is changing at this moment.
    """
    prior = (
        select(Execution.id)
        .where(Execution.id == any_(literal(list(executions), ARRAY(Uuid))), Execution.status == Status.QUEUED)
        .with_for_update(skip_locked=True, key_share=True)
    ).subquery("prior")
    values: dict[str, Any] = {"status": Status.PREPARING, "updated_at": clock(), **changes}
    statement = update(Execution).where(Execution.id == prior.c.id).values(values).returning(Execution.id)
    moved = (await connection.execute(statement)).scalars().all()
    rows = await connection.execute(_ADD_EVENTS, {"moved": list(moved), "from": Status.QUEUED, "by": actor})
    return {
        row.execution_id: Event(
            number=row.number,
            from_status=Status.QUEUED,
            to_status=Status.PREPARING,
            cause=None,
            message=None,
            actor=actor,
            attempt=row.attempt,
            at=row.at,
        )
        for row in rows
    }


def readable(message: str) -> str:
    """A text of a program or a registry as Postgres takes it: without NUL."""
    return message.replace("\0", "\ufffd")


async def _why_refused(connection: Connection, execution: UUID, target: Status, epoch: int | None) -> MoveRefused:
    row = (
        await connection.execute(select(Execution.status, Execution.epoch).where(Execution.id == execution))
    ).one_or_none()
    if row is None:
        return NoSuchExecution(str(execution))
    if epoch is not None and row.epoch != epoch:
        return StaleLease(f"epoch {epoch} has passed, {row.epoch} holds")
    return IllegalMove(Status(row.status), target)


async def _add_event(
    connection: Connection,
    execution: UUID,
    *,
    from_status: Status,
    to_status: Status,
    cause: Cause | None,
    message: str | None,
    actor: str,
    attempt: int,
    at: datetime,
) -> Event:
    # The row lock of the move makes `max + 1` safe.
    number = (
        select(func.coalesce(func.max(ExecutionEvent.number), 0) + 1)
        .where(ExecutionEvent.execution_id == execution)
        .scalar_subquery()
    )
    added = (
        insert(ExecutionEvent)
        .values(
            execution_id=execution,
            number=number,
            from_status=from_status,
            to_status=to_status,
            cause=cause,
            message=message,
            actor=actor,
            attempt=attempt,
            at=at,
        )
        .returning(ExecutionEvent.execution_id, ExecutionEvent.number)
        .cte("added")
    )
    row = (await connection.execute(select(added.c.number).add_cte(_placing(added)))).one()
    return Event(
        number=row.number,
        from_status=from_status,
        to_status=to_status,
        cause=cause,
        message=message,
        actor=actor,
        attempt=attempt,
        at=at,
    )


_FIND = select_records().where(Execution.id == bindparam("execution", type_=Uuid))
_FIND_AND_LOCK = _FIND.with_for_update(of=Execution.__table__, key_share=True)


async def find(
    connection: Connection, execution: UUID, *, owner: str | None = None, lock: bool = False
) -> Record | None:
    """The record, if it exists and, with `owner`, is theirs; `lock` keeps it until the transaction ends."""
    row = (
        (await connection.execute(_FIND_AND_LOCK if lock else _FIND, {"execution": execution})).mappings().one_or_none()
    )
    if row is None or (owner is not None and row["owner"] != owner):
        return None
    return record_of(row)


async def list_page(
    connection: Connection,
    *,
    limit: int,
    before: UUID | None = None,
    owner: str | None = None,
    statuses: Collection[Status] = (),
    labels: Mapping[str, str] | None = None,
) -> list[Record]:
    """Newest first (ids are UUIDv7: their order is the order of submission), all older than `before`."""
    conditions: list[ColumnElement[bool]] = []
    if before is not None:
        conditions.append(Execution.id < before)
    if owner is not None:
        conditions.append(Execution.owner == owner)
    if statuses:
        conditions.append(Execution.status.in_(sorted(statuses)))
    if labels:
        conditions.append(Execution.labels.contains(dict(labels)))
    statement = select_records().where(*conditions).order_by(Execution.id.desc()).limit(limit)
    return [record_of(row) for row in (await connection.execute(statement)).mappings()]


async def list_events(connection: Connection, execution: UUID, *, after: int = 0) -> list[Event]:
    """The history, oldest first."""
    rows = await connection.execute(
        select(ExecutionEvent.__table__)
        .where(ExecutionEvent.execution_id == execution, ExecutionEvent.number > after)
        .order_by(ExecutionEvent.number),
    )
    return [event_of(row) for row in rows.mappings()]


def event_of(row: Mapping[Any, Any]) -> Event:
    """The event in a row that has its columns."""
    return Event(
        number=row["number"],
        from_status=Status(row["from_status"]) if row["from_status"] else None,
        to_status=Status(row["to_status"]),
        cause=Cause(row["cause"]) if row["cause"] else None,
        message=row["message"],
        actor=row["actor"],
        attempt=row["attempt"],
        at=row["at"],
    )


def seconds_from_now(seconds: float) -> ColumnElement[Any]:
    """A time on the database's clock."""
    return clock() + literal(f"{seconds} seconds").cast(INTERVAL)


async def make_stop_final(connection: Connection, execution: UUID) -> None:
    """However an attempt ends that is asked to stop, no other follows."""
    await connection.execute(
        update(Execution)
        .where(Execution.id == execution, Execution.stop_reason.is_not(None))
        .values(stop_final=True, updated_at=clock()),
    )


async def force_stop(connection: Connection, execution: UUID) -> None:
    """Bring SIGKILL of a pending stop forward to now."""
    await connection.execute(
        update(Execution)
        .where(Execution.id == execution, Execution.stop_reason.is_not(None))
        .values(
            stop_force=True,
            stop_deadline=clock(),
            control_version=Execution.control_version + 1,
            updated_at=clock(),
        ),
    )
