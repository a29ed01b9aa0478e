"""Deleting: the record goes with all that belongs to it, and what still runs is stopped first.

Files are not removed in the transaction, only noted to be: the leader of the workers does that afterwards, whoever dies
in between (`app/artifacts/removals.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    SQLColumnExpression,
    Uuid,
    any_,
    delete,
    literal,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from app.artifacts import removals
from app.auth.service import Caller
from app.batches import repository as batches
from app.batches import settling
from app.batches.tables import Batch, ExecutionNeed
from app.bootstrap import Process
from app.db.engine import Connection, again_if_rolled_back, transaction
from app.db.orm import clock
from app.errors import Conflict
from app.events.protocol import BELL
from app.events.store import note_deleted
from app.executions import repository, service
from app.executions.finding import get_record
from app.executions.operations import Operation, is_due
from app.executions.record import Record
from app.executions.service import Cancellation
from app.executions.tables import Execution
from app.logs.protocol import LOOK_MESSAGE


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of a request to delete: it is `gone`, or goes when it has ended and nobody needs it any more."""

    record: Record
    gone: bool
    stopped: Cancellation | None = None
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Needing:
    """An execution that has not ended, and may still start from the checkpoint of another or read its outputs."""

    id: UUID
    status: str
    owner: str


async def delete_execution(process: Process, caller: Caller, execution: UUID) -> Deletion:
    """Delete it, now or when it has ended. Raises `NotFound`, and `Conflict` when another that is active needs it."""
    return await again_if_rolled_back(partial(_delete, process, caller, execution))


async def _delete(process: Process, caller: Caller, execution: UUID) -> Deletion:
    async with transaction(process.database) as connection:
        await get_record(connection, execution, caller.sees)
        await lock(connection, [execution])
        return await delete_locked(connection, caller, await get_record(connection, execution, caller.sees))


async def lock(connection: Connection, executions: Collection[UUID]) -> None:
    """Nobody refers to these, or writes anything below them, until the transaction ends."""
    await connection.execute(
        select(Execution.id).where(Execution.id.in_(executions)).order_by(Execution.id).with_for_update()
    )


async def delete_locked(connection: Connection, caller: Caller, record: Record) -> Deletion:
    """`delete_execution` for whoever holds the row by `lock`. Raises `Conflict`."""
    is_due(Operation.DELETE, record.status, record.pause_mode)
    needing = await find_needing(connection, [record.id])
    if record.is_terminal and needing:
        raise needed_by(needing[record.id], caller)
    stopped = None
    if not record.is_terminal:
        stopped = await service.cancel_locked(connection, caller, record, force=False)
    after = stopped.record if stopped else record
    if after.is_terminal and not needing:
        await remove(connection, [record.id])
        return Deletion(after, gone=True, stopped=stopped)
    if record.delete_requested_at is not None:
        return Deletion(after, gone=False, stopped=stopped, changed=False)
    await ask(connection, caller, [record.id])
    return Deletion(await get_record(connection, record.id), gone=False, stopped=stopped)


async def ask(connection: Connection, caller: Caller, executions: Collection[UUID]) -> None:
    """These are to go as soon as they have ended and nobody needs them; their rows are locked."""
    await repository.note_all(
        connection,
        executions,
        actor=caller.owner,
        message=f"{caller.owner} asked to delete it as soon as it has ended.",
        changes={"delete_requested_at": clock(), "delete_requested_by": caller.owner},
    )


def needed_by(needing: Needing, caller: Caller) -> Conflict:
    """Why one cannot go that has ended, in words for who asked: what is not theirs they do not get to know."""
    if caller.sees not in {None, needing.owner}:
        return Conflict(
            "Another execution, which has not ended, needs what this one left.", hint="Wait until that has ended."
        )
    return Conflict(
        f"The execution {needing.id}, which is {needing.status}, needs what this one left.",
        hint="Wait until that has ended, or cancel it.",
    )


async def find_needing(connection: Connection, executions: Collection[UUID]) -> dict[UUID, Needing]:
    """Of these, those whose checkpoint or outputs one may still get that has not ended, each with one that may."""
    needing = union_all(*_needing(any_(literal(list(executions), ARRAY(Uuid))))).subquery()
    statement = select(needing).ext(distinct_on(needing.c.needed)).order_by(needing.c.needed)
    return {row.needed: Needing(row.id, row.status, row.owner) for row in await connection.execute(statement)}


def is_needed() -> ColumnElement[bool]:
    """The same as a condition on `executions`."""
    return or_(*(needing.correlate(Execution).exists() for needing in _needing(Execution.id)))


def _needing(execution: SQLColumnExpression[Any]) -> tuple[Select[Any], Select[Any]]:
    other = aliased(Execution, name="other")
    active = select(other.id, other.status, other.owner).where(other.finished_at.is_(None))
    by_need = active.join(ExecutionNeed, ExecutionNeed.execution_id == other.id)
    return (
        active.add_columns(other.resumed_from.label("needed")).where(other.resumed_from == execution),
        by_need.add_columns(ExecutionNeed.needed_id.label("needed")).where(ExecutionNeed.needed_id == execution),
    )


async def lock_unneeded(connection: Connection, wanted: Select[UUID]) -> list[UUID]:
    """Lock those of these that nobody needs; what somebody else is at is left for later."""
    found = await connection.execute(wanted.where(~is_needed()).with_for_update(skip_locked=True))
    locked = list(found.scalars())
    return await drop_needed(connection, locked) if locked else []


async def drop_needed(connection: Connection, locked: Collection[UUID]) -> list[UUID]:
    """Of these, which are locked, those that nobody needs by now.

    Whoever came to need one between the look for it and its lock was not seen by that look.
    """
    unneeded = select(Execution.id).where(Execution.id.in_(locked), ~is_needed())
    return list((await connection.execute(unneeded)).scalars())


async def remove(connection: Connection, executions: Collection[UUID]) -> None:
    """Let go of these and all that belongs to them; they have ended, nobody needs them, and they are locked. A batch
    goes with the last of its children.
    """
    await batches.seal_all_of(connection, executions)
    await removals.ask(connection, {str(execution): execution for execution in executions})
    deleted = delete(Execution).where(Execution.id.in_(executions))
    columns = (Execution.id, Execution.status, Execution.owner, Execution.pool, Execution.labels, Execution.batch_id)
    gone = (await connection.execute(deleted.returning(*columns))).all()
    if left := {row.batch_id for row in gone if row.batch_id is not None}:
        await batches.remove_childless(connection, left)
    await note_deleted(connection, gone)


async def remove_asked(connection: Connection, *, only: UUID | None = None, most: int = 100) -> list[UUID]:
    """Remove what was to be deleted as soon as it has ended, and has; those that were."""
    ended = select(Execution.id).where(Execution.finished_at.is_not(None))
    if only is not None:
        with_batch = Execution.batch_id.in_(select(Batch.id).where(Batch.delete_requested_at.is_not(None)))
        is_asked = or_(Execution.delete_requested_at.is_not(None), with_batch)
        return await _remove_unneeded(connection, ended.where(Execution.id == only, is_asked))
    asked = ended.where(text("delete_requested_at IS NOT NULL")).order_by(Execution.id).limit(most)
    if gone := await _remove_unneeded(connection, asked):
        return gone
    to_delete = await batches.list_to_delete(connection, most=most)
    return await remove_of_batches(connection, to_delete, most=most) if to_delete else []


async def remove_of_batches(connection: Connection, of: Collection[UUID], *, most: int) -> list[UUID]:
    """Remove children of these that have ended; those that were."""
    ended = select(Execution.id).where(Execution.batch_id.in_(of), Execution.finished_at.is_not(None))
    return await _remove_unneeded(connection, ended.limit(most))


async def _remove_unneeded(connection: Connection, wanted: Select[UUID]) -> list[UUID]:
    executions = await lock_unneeded(connection, wanted)
    if executions:
        await remove(connection, executions)
    return executions


async def ask_of_batch(connection: Connection, caller: Caller, batch: UUID, *, most: int) -> None:
    """Children that are still active are to go as soon as they have ended; what somebody is changing goes anyway."""
    active = select(Execution.id).where(
        Execution.batch_id == batch, Execution.finished_at.is_(None), Execution.delete_requested_at.is_(None)
    )
    found = await connection.execute(active.limit(most).with_for_update(skip_locked=True, key_share=True))
    if executions := list(found.scalars()):
        await ask(connection, caller, executions)


async def tell(process: Process, deletion: Deletion) -> None:
    """Hint the worker that holds it, and everybody who watches it, after the commit; and others of its batch."""
    if deletion.gone:
        await tell_gone(process, [deletion.record.id])
    if deletion.stopped is not None:
        await settling.tell(process, deletion.stopped)


async def tell_gone(process: Process, executions: Collection[UUID]) -> None:
    """Whoever watches one of these looks, and finds that it is gone."""
    await process.hints.publish([(execution, LOOK_MESSAGE) for execution in executions], to_all=BELL)
