"""Archiving: what has ended is put aside. It is not listed unless asked for, and nothing of it expires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.db.orm import clock
from app.events.protocol import BELL
from app.executions import repository
from app.executions.finding import get_record
from app.executions.model import Event
from app.executions.operations import Operation, is_due
from app.executions.record import Record
from app.logs.tables import LogHead


@dataclass(frozen=True, slots=True)
class Archived:
    """The record after a request to archive or restore it; `event` is what was written, if anything changed."""

    record: Record
    event: Event | None = None


async def archive(process: Process, caller: Caller, execution: UUID) -> Archived:
    """Put it aside. Raises `NotFound`, and `Conflict` when it has not ended."""
    async with transaction(process.database) as connection:
        return await archive_locked(connection, caller, await get_record(connection, execution, caller.sees, lock=True))


async def restore(process: Process, caller: Caller, execution: UUID) -> Archived:
    """Take it back: it is listed, and expires as if it ended now. Raises `NotFound`."""
    async with transaction(process.database) as connection:
        return await restore_locked(connection, caller, await get_record(connection, execution, caller.sees, lock=True))


async def archive_locked(connection: Connection, caller: Caller, record: Record) -> Archived:
    """`archive` for whoever holds the row's lock. Raises `Conflict`."""
    if not is_due(Operation.ARCHIVE, record.status, record.pause_mode) or record.archived_at is not None:
        return Archived(record)
    return await _change(connection, record, {"archived_at": clock()}, caller, f"Archived by {caller.owner}.")


async def restore_locked(connection: Connection, caller: Caller, record: Record) -> Archived:
    """`restore` for whoever holds the row's lock."""
    if not is_due(Operation.RESTORE, record.status, record.pause_mode) or record.archived_at is None:
        return Archived(record)
    changes = {"archived_at": None, "restored_at": clock()}
    return await _change(connection, record, changes, caller, f"Restored by {caller.owner}.")


async def _change(
    connection: Connection, record: Record, changes: dict[str, Any], caller: Caller, message: str
) -> Archived:
    event = await repository.note(connection, record.id, actor=caller.owner, message=message, changes=changes)
    # The worker that keeps the logs moves its segments: they may be many.
    await connection.execute(update(LogHead).where(LogHead.execution_id == record.id).values(moving=True))
    return Archived(await get_record(connection, record.id), event)


async def tell(process: Process, archived: Archived) -> None:
    """Hint those who follow all executions, after the commit."""
    if archived.event is not None:
        await process.hints.publish([], to_all=BELL)
