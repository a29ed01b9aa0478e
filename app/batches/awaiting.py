"""Waiting for a batch to end. No database connection is held between two looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from app.auth.service import Caller
from app.batches.model import BatchRecord
from app.batches.service import get
from app.bootstrap import Process

# A batch takes longer than an execution, and to count its children more than to look at one.
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
            record = await get(process, caller, batch)
            if record.finished_at is not None or clock() >= until or await is_over():
                return record

    return await process.holding.while_valid(caller, until_ended)
