"""Archiving: what has ended is put aside, whole or in part. It is not listed unless asked for, and does not expire."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.artifacts.model import Kind
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.db.orm import clock
from app.events.protocol import BELL
from app.executions import deleting, repository
from app.executions.deleting import Needing
from app.executions.finding import get_record
from app.executions.model import Archive, Event
from app.executions.operations import Operation, is_due
from app.executions.record import Record
from app.executions.tables import Execution
from app.logs import keeping as logs
from app.retention.repository import forget_files

# What the history says of each level.
_WITH = {Archive.ALL: "", Archive.OUTPUTS: ", its record and its outputs only,", Archive.RECORD: ", its record only,"}


@dataclass(frozen=True, slots=True)
class Archived:
    """The record after a request to archive or restore it; `event` is what was written, if anything changed."""

    record: Record
    event: Event | None = None


async def archive(process: Process, caller: Caller, execution: UUID, *, level: Archive | None = None) -> Archived:
    """Put it aside, and keep of it what is asked for, by default by its submission; the rest goes now.

    Raises `NotFound`, and `Conflict` when it has not ended, or when another needs what would go.
    """
    async with transaction(process.database) as connection:
        await get_record(connection, execution, caller.sees)
        await deleting.lock(connection, [execution])
        record = await get_record(connection, execution, caller.sees)
        if not is_due(Operation.ARCHIVE, record.status, record.pause_mode):
            return Archived(record)
        needing = await find_needing(connection, [record], level=level)
        if needing:
            raise deleting.needed_by(needing[execution], caller)
        events = await put_aside(connection, caller, [record], level=level)
        return Archived(await get_record(connection, execution), events.get(execution))


async def restore(process: Process, caller: Caller, execution: UUID) -> Archived:
    """Take it back: it is listed, and what is left of it expires as if it ended now. Raises `NotFound`."""
    async with transaction(process.database) as connection:
        record = await get_record(connection, execution, caller.sees, lock=True)
        if not is_due(Operation.RESTORE, record.status, record.pause_mode):
            return Archived(record)
        events = await take_back(connection, caller, [record])
        return Archived(await get_record(connection, execution), events.get(execution))


async def find_needing(
    connection: Connection, ended: Collection[Record], *, level: Archive | None
) -> dict[UUID, Needing]:
    """Of these, those of which something would go that another needs, each with one that does."""
    less = [record.id for record in ended if (level or record.spec.archive) is not Archive.ALL]
    return await deleting.find_needing(connection, less) if less else {}


async def put_aside(
    connection: Connection, caller: Caller, ended: Collection[Record], *, level: Archive | None = None
) -> dict[UUID, Event]:
    """Archive those that are not archived, and of those that are keep less, if that is asked for; what was written of
    each. For whoever holds them by `deleting.lock`.
    """
    events: dict[UUID, Event] = {}
    for kept in Archive:
        records = [record for record in ended if (level or record.spec.archive) is kept]
        new = [record.id for record in records if record.archived_at is None]
        less = [record.id for record in records if record.archived_at is not None and level and _has_more(record, kept)]
        events |= await _note(connection, caller, new, f"Archived{_WITH[kept]}", {"archived_at": clock()})
        events |= await _note(connection, caller, less, f"In the archive reduced{_WITH[kept]}", {})
        if kept is Archive.ALL:
            if new:
                await logs.await_move(connection, new)
        elif new or less:
            await _let_go(connection, [*new, *less], kept)
    return events


async def take_back(connection: Connection, caller: Caller, ended: Collection[Record]) -> dict[UUID, Event]:
    """Restore those that are archived, for whoever holds their rows' locks; what was written of each."""
    archived = [record for record in ended if record.archived_at is not None]
    changes = {"archived_at": None, "restored_at": clock()}
    events = await _note(connection, caller, [record.id for record in archived], "Restored", changes)
    with_log = [record.id for record in archived if record.log_expired_at is None]
    if with_log:
        await logs.await_move(connection, with_log)
    return events


def _has_more(record: Record, kept: Archive) -> bool:
    """Whether there is anything of it that is not to be kept."""
    outputs = record.outputs_files and record.outputs_expired_at is None
    checkpoint = record.checkpoint_files and record.checkpoint_expired_at is None
    return kept is not Archive.ALL and bool(
        record.log_expired_at is None or checkpoint or (outputs and kept is Archive.RECORD)
    )


async def _let_go(connection: Connection, executions: Collection[UUID], kept: Archive) -> None:
    await logs.remove(connection, executions)
    with_log = Execution.id.in_(executions) & Execution.log_expired_at.is_(None)
    await connection.execute(update(Execution).where(with_log).values(log_expired_at=clock()))
    await forget_files(connection, Kind.CHECKPOINT, executions)
    if kept is Archive.RECORD:
        await forget_files(connection, Kind.OUTPUT, executions)


async def _note(
    connection: Connection, caller: Caller, executions: Collection[UUID], done: str, changes: Mapping[str, Any]
) -> dict[UUID, Event]:
    if not executions:
        return {}
    message = f"{done} by {caller.owner}."
    return await repository.note_all(connection, executions, actor=caller.owner, message=message, changes=changes)


async def tell(process: Process, archived: Archived) -> None:
    """Hint those who follow all executions, after the commit."""
    if archived.event is not None:
        await process.hints.publish([], to_all=BELL)
