"""Holding: a queued execution stays in the queue, whatever is free, until somebody releases it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.auth.service import Caller
from app.batches import pacing
from app.bootstrap import Process
from app.db.engine import transaction
from app.db.orm import clock
from app.events.protocol import BELL
from app.executions import repository
from app.executions.finding import get_record
from app.executions.operations import Operation, is_due
from app.executions.record import Record


async def hold(process: Process, caller: Caller, execution: UUID) -> Record:
    """Nobody claims it from now on. Raises `NotFound`, and `Conflict` when it is not queued."""
    # In a batch whose children take turns it gives its place back, and gets another one when it is released.
    changes = {"hold": True, "gated": pacing.IS_PACED}
    return await _set(process, caller, execution, Operation.HOLD, changes, f"Held by {caller.owner}.")


async def release(process: Process, caller: Caller, execution: UUID) -> Record:
    """From now on it waits for its turn, as if it was submitted now. What has left the queue is not held any more.

    Raises `NotFound`, and `Conflict` when it has ended.
    """
    changes = {"hold": False, "queued_at": clock()}
    return await _set(process, caller, execution, Operation.RELEASE, changes, f"Released by {caller.owner}.")


async def _set(
    process: Process, caller: Caller, execution: UUID, operation: Operation, changes: dict[str, Any], message: str
) -> Record:
    async with transaction(process.database) as connection:
        # The lock keeps it from being claimed in between.
        record = await get_record(connection, execution, caller.sees, lock=True)
        if not is_due(operation, record.status) or record.hold is changes["hold"]:
            return record
        await repository.note(connection, execution, actor=caller.owner, message=message, changes=changes)
        if record.batch_id is not None:
            # A place is free now, or it takes one.
            await pacing.open_all(connection, record.batch_id)
        return await get_record(connection, execution)


async def tell(process: Process, record: Record) -> None:
    """Hint those who follow all executions and, when it is released, the workers of its pool, after the commit."""
    if record.hold:
        await process.hints.publish([], to_all=BELL)
    else:
        await process.hints.ring(record.pool)
