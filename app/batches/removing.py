"""Deleting a batch: what of it is active is stopped, its children go one after the other, and with the last it goes.

The batch says that it is to go; whatever is not done in the request, the sweep of the workers' leader does.
"""

from __future__ import annotations

from uuid import UUID

from app.auth.service import Caller
from app.batches import repository
from app.batches.model import BatchRecord
from app.batches.service import get_batch
from app.batches.settling import settle
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.errors import Conflict
from app.executions import deleting

# Children that go in a request, which is to be answered soon, and in one transaction.
AT_MOST = 1000
AT_ONCE = 100


async def delete(process: Process, caller: Caller, batch: UUID) -> BatchRecord | None:
    """Delete it with all its children, now or when they have ended; None if it is gone.

    Raises `NotFound`, and `Conflict` when an execution that is not of it, and active, needs one of its children.
    """
    async with transaction(process.database) as connection:
        await get_batch(connection, caller, batch)
        needing = await repository.find_needing(connection, batch)
        if needing is not None:
            raise Conflict(
                f"The execution {needing.id}, which is {needing.status}, needs what a child of this batch left.",
                hint="Wait until that has ended, or cancel it.",
            )
        await repository.ask_to_delete(connection, batch, by=caller.owner)
        await repository.ask_to_stop(
            connection, batch, by=caller.owner, message=f"Deleted by {caller.owner}.", force=False
        )
    await settle(process, batch)
    await _remove_ended(process, batch)
    async with transaction(process.database) as connection:
        await deleting.ask_of_batch(connection, caller, batch, most=AT_MOST)
    async with reading(process.database) as connection:
        return await repository.find(connection, batch)


async def _remove_ended(process: Process, batch: UUID) -> None:
    for _ in range(AT_MOST // AT_ONCE):
        async with transaction(process.database) as connection:
            gone = await deleting.remove_of_batches(connection, [batch], most=AT_ONCE)
        await deleting.tell_gone(process, gone)
        if not gone:
            return
