"""SQL of the record. `move` is the only place where the status of an execution is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import INTERVAL

from app.db.engine import Connection
from app.db.orm import clock
from app.executions.model import NO_RETRIES, Event, Limits, Retries, Spec
from app.executions.record import Record, record_of, select_records
from app.executions.states import STATUS_OF, TERMINAL, Cause, Status, sources
from app.executions.tables import Execution, ExecutionEvent
from app.logs.tables import LogHead


class MoveRefused(Exception):
    """A move did not happen; nothing was written."""


class NoSuchExecution(MoveRefused):
    """There is no execution of this id."""


class StaleLease(MoveRefused):
    """Somebody holds a later epoch: stop acting on this execution."""


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
    "status",
)
_new = (
    insert(Execution)
    .values({name: bindparam(f"new_{name}", type_=Execution.__table__.c[name].type) for name in _NEW_COLUMNS})
    .returning(*Execution.__table__.c)
    .cte("new")
)
_first_event = (
    insert(ExecutionEvent)
    .from_select(
        ["execution_id", "number", "to_status", "actor", "attempt"],
        select(_new.c.id, literal(1), _new.c.status, _new.c.owner, literal(0)),
    )
    .cte("first_event")
)
_log_head = insert(LogHead).from_select(["execution_id", "epoch"], select(_new.c.id, literal(0))).cte("log_head")
_ADD = select(
    _new, literal(0).label("log_lines"), literal(0).label("log_bytes"), literal(False).label("log_truncated")
).add_cte(_first_event, _log_head)


async def add(connection: Connection, new: NewExecution) -> Record:
    """Accept: the record, its first event and the head of its log, in one statement."""
    row = await connection.execute(
        _ADD,
        {
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
            "new_status": Status.QUEUED,
        },
    )
    return record_of(row.mappings().one())


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
        select(Execution.id, Execution.status.label("status")).where(Execution.id == execution).with_for_update()
    ).subquery("prior")
    statement = update(Execution).where(Execution.id == prior.c.id, prior.c.status.in_(sorted(allowed)))
    if epoch is not None:
        statement = statement.where(Execution.epoch == epoch)
    if message is not None:
        message = message.replace("\0", "\ufffd")  # texts of programs and registries; Postgres takes no NUL
    values: dict[str, Any] = {"status": target, "updated_at": clock(), **(changes or {})}
    if target in TERMINAL:
        values |= {"cause": cause, "message": message, "finished_at": clock(), "phase": None}
    moved = (
        await connection.execute(
            statement.values(values).returning(
                prior.c.status.label("from_status"), Execution.attempt, Execution.updated_at
            ),
        )
    ).one_or_none()
    if moved is None:
        raise await _why_refused(connection, execution, target, epoch)
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
    row = (
        await connection.execute(
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
            .returning(ExecutionEvent.number),
        )
    ).one()
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


async def find(
    connection: Connection, execution: UUID, *, owner: str | None = None, lock: bool = False
) -> Record | None:
    """The record, if it exists and, with `owner`, is theirs; `lock` keeps it until the transaction ends."""
    statement = select_records().where(Execution.id == execution)
    if owner is not None:
        statement = statement.where(Execution.owner == owner)
    if lock:
        statement = statement.with_for_update(of=Execution.__table__)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return record_of(row) if row else None


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
    return [
        Event(
            number=row["number"],
            from_status=Status(row["from_status"]) if row["from_status"] else None,
            to_status=Status(row["to_status"]),
            cause=Cause(row["cause"]) if row["cause"] else None,
            message=row["message"],
            actor=row["actor"],
            attempt=row["attempt"],
            at=row["at"],
        )
        for row in rows.mappings()
    ]


def seconds_from_now(seconds: float) -> ColumnElement[Any]:
    """A time on the database's clock."""
    return clock() + literal(f"{seconds} seconds").cast(INTERVAL)


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
