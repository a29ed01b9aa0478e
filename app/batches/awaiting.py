"""Waiting for a batch to end. No database connection is held between two looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from app.auth.service import Caller
from app.batches import repository
from app.batches.model import BatchRecord
from app.batches.service import get
from app.bootstrap import Process
from app.db.engine import reading

# A batch takes longer than an execution.
POLL_SECONDS = 1.0


async def wait_for_end(
    process: Process, caller: Caller, batch: UUID, *, within: float, is_over: Callable[[], Awaitable[bool]]
) -> BatchRecord:
    """The batch once all of it has ended, the time (seconds) is over, or nobody wants it any more.

    Raises `NotFound`, and `NotAuthenticated` when the caller's token ends meanwhile.
    """
    record = await get(process, caller, batch)
    if not within or record.finished_at is not None:
        return record
    clock = asyncio.get_running_loop().time
    until = clock() + within

    async def until_ended() -> BatchRecord:
        while True:
            await asyncio.sleep(min(POLL_SECONDS, max(until - clock(), 0)))
            if await _has_ended(process, batch) or clock() >= until or await is_over():
                return await get(process, caller, batch)

    return await process.holding.while_valid(caller, until_ended)


async def _has_ended(process: Process, batch: UUID) -> bool:
    """Whether it has, or is gone. Its children, of whom there may be thousands, are counted for the answer only."""
    async with reading(process.database) as connection:
        return await repository.has_ended(connection, batch)
