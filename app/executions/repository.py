"""SQL of the record. `move` is the only place where the status of an execution is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Select,
    SQLColumnExpression,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB

from app.batches import pacing
from app.db.engine import Connection
from app.db.orm import clock
from app.events.tables import EventPosition
from app.executions.model import Event
from app.executions.record import Record, record_of, select_records
from app.executions.states import STATUS_OF, TERMINAL, Cause, Status, sources
from app.executions.tables import READY, Execution, ExecutionEvent
from app.secrets import repository as secrets


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


def placing(events: CTE) -> CTE:
    """New events, by id and number, get their places among those of all executions."""
    places = select(events.c.execution_id, events.c.number)
    return insert(EventPosition).from_select(["execution_id", "number"], places).cte("places")


_OF_MOVED = (
    Execution.attempt,
    Execution.updated_at,
    Execution.spec["secrets"].label("secrets"),
    Execution.spec["named_secrets"].label("named_secrets"),
    Execution.batch_id,
)


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
    message = None if message is None else readable(message)
    values = {"status": target, **_beside(target, cause, message), **(changes or {})}
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
    returning = statement.values(values).returning(prior.c.status.label("from_status"), *_OF_MOVED)
    moved = (await connection.execute(returning)).one_or_none()
    if moved is None:
        raise await _why_refused(connection, execution, target, epoch)
    if target in TERMINAL and (moved.secrets or moved.named_secrets):
        await secrets.forget(connection, execution)
    event = await _add_event(
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
    if target not in TERMINAL or moved.batch_id is None:
        return event
    # Last, and of all rows only the batch's is waited for here.
    await pacing.go_on(connection, moved.batch_id, execution, target)
    return replace(event, batch=moved.batch_id)


async def note(
    connection: Connection, execution: UUID, *, actor: str, message: str, changes: Mapping[str, Any] | None = None
) -> Event:
    """Write into the history what was done to an active one without a change of its status, and make these `changes`.

    For whoever holds the row's lock.
    """
    values: dict[str, Any] = {"updated_at": clock(), **(changes or {})}
    statement = update(Execution).where(Execution.id == execution).values(values)
    noted = (
        await connection.execute(
            statement.returning(Execution.status, Execution.cause, Execution.attempt, Execution.updated_at)
        )
    ).one()
    return await _add_event(
        connection,
        execution,
        from_status=Status(noted.status),
        to_status=Status(noted.status),
        cause=Cause(noted.cause) if noted.cause else None,
        message=readable(message),
        actor=actor,
        attempt=noted.attempt,
        at=noted.updated_at,
    )


async def note_all(
    connection: Connection, executions: Collection[UUID], *, actor: str, message: str, changes: Mapping[str, Any]
) -> dict[UUID, Event]:
    """`note` for several at once, ended ones too."""
    ids = list(executions)
    statement = update(Execution).where(Execution.id == any_(literal(ids, ARRAY(Uuid))))
    await connection.execute(statement.values({"updated_at": clock(), **changes}))
    rows = await connection.execute(_ADD_NOTES, {"of": ids, "note": readable(message), "by": actor})
    return {row["execution_id"]: event_of(row) for row in rows.mappings()}


def _adding_events(from_status: SQLColumnExpression[Any], message: SQLColumnExpression[Any]) -> Select[Any]:
    """Write one for each of those in `of`, whose records say the rest, and give them."""
    # As after any move: the row locks make `max + 1` safe, but only for a statement of its own.
    last = func.coalesce(func.max(ExecutionEvent.number), 0)
    number = select(last + 1).where(ExecutionEvent.execution_id == Execution.id).scalar_subquery()
    columns = {
        "execution_id": Execution.id,
        "number": number,
        "from_status": from_status,
        "to_status": Execution.status,
        "cause": Execution.cause,
        "message": message,
        "actor": bindparam("by", type_=Text),
        "attempt": Execution.attempt,
        "at": Execution.updated_at,
    }
    of = select(*columns.values()).where(Execution.id == any_(bindparam("of", type_=ARRAY(Uuid))))
    adding = insert(ExecutionEvent).from_select(list(columns), of).returning(*ExecutionEvent.__table__.c)
    events = adding.cte("events")
    return select(events).add_cte(placing(events))


_ADD_EVENTS = _adding_events(bindparam("from", type_=Text), Execution.message)
_ADD_NOTES = _adding_events(Execution.status, bindparam("note", type_=Text))


async def move_queued(
    connection: Connection,
    executions: Collection[UUID],
    *,
    actor: str,
    changes: Mapping[str, Any],
    target: Status = Status.PREPARING,
    cause: Cause | None = None,
    messages: Mapping[UUID, str] | None = None,
) -> dict[UUID, Event]:
    """`move` to `preparing` or to an end for several at once, in a few statements; the events of those that were moved.
    At an end each has its message.

    Left out is what may not be claimed any more, or is not queued to begin with, and what somebody else is changing at
    this moment. What the end of one means for others of its batch is left to whoever calls.
    """
    by_id = {str(execution): readable(message) for execution, message in (messages or {}).items()}
    message = literal(by_id, JSONB)[cast(Execution.id, Text)].astext if by_id else None
    values = {"status": target, **_beside(target, cause, message), **changes}
    prior = (
        select(Execution.id)
        .where(
            Execution.id == any_(literal(list(executions), ARRAY(Uuid))),
            Execution.status == Status.QUEUED if target in TERMINAL else text(READY),
        )
        .with_for_update(skip_locked=True, key_share=True)
    ).subquery("prior")
    statement = update(Execution).where(Execution.id == prior.c.id).values(values)
    returning = statement.returning(Execution.id, Execution.batch_id)
    moved = {row.id: row.batch_id for row in await connection.execute(returning)}
    if target in TERMINAL:
        await secrets.forget_all(connection, moved)
    rows = await connection.execute(_ADD_EVENTS, {"of": list(moved), "from": Status.QUEUED, "by": actor})
    events = {row["execution_id"]: event_of(row) for row in rows.mappings()}
    if target not in TERMINAL:
        return events
    return {execution: replace(event, batch=moved[execution]) for execution, event in events.items()}


def _beside(target: Status, cause: Cause | None, message: ColumnElement[str] | str | None) -> dict[str, Any]:
    """What a move to this status writes with it. Raises `ValueError` for a cause that does not belong to it."""
    if (target in TERMINAL) != (cause is not None) or (cause is not None and STATUS_OF[cause] is not target):
        raise ValueError(f"cause {cause} does not belong to status {target}")
    end = {"cause": cause, "message": message, "finished_at": clock(), "phase": None} if target in TERMINAL else {}
    return {"updated_at": clock(), "paused_at": clock() if target is Status.PAUSED else None, **end}


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
    row = (await connection.execute(select(added.c.number).add_cte(placing(added)))).one()
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


async def find_all(connection: Connection, executions: Collection[UUID]) -> dict[UUID, Record]:
    """The records of those that there are."""
    statement = select_records().where(Execution.id == any_(literal(list(executions), ARRAY(Uuid))))
    return {row["id"]: record_of(row) for row in (await connection.execute(statement)).mappings()}


async def lock(connection: Connection, executions: Collection[UUID]) -> None:
    """These stay as they are until the transaction ends; whoever refers to them need not wait."""
    statement = select(Execution.id).where(Execution.id.in_(executions)).order_by(Execution.id)
    await connection.execute(statement.with_for_update(key_share=True))


async def keep(connection: Connection, executions: Collection[UUID]) -> set[UUID]:
    """Nobody deletes these until the transaction ends, in which somebody else is to refer to them; those there are."""
    statement = select(Execution.id).where(Execution.id == any_(literal(list(executions), ARRAY(Uuid))))
    statement = statement.order_by(Execution.id).with_for_update(read=True, key_share=True)
    return set((await connection.execute(statement)).scalars())


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
