"""Waiting for something of one execution to change. No database connection is held between two looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from app.auth.service import Caller
from app.bootstrap import Process
from app.executions.record import Record
from app.executions.service import get
from app.listener import Missed, Subscription
from app.logs.protocol import Kind, unpack_message

# While hints arrive, looking now and then covers those that Redis lost; without hints, looking is all there is.
POLL_SECONDS = 2.0
POLL_SECONDS_UNHINTED = 0.5
ENDS = frozenset({Kind.STATUS})
# Lines come many a second, and nobody reads a record so often.
CHANGES = frozenset(Kind) - {Kind.LINES}

IsOver = Callable[[], Awaitable[bool]]


async def wait_for_end(process: Process, caller: Caller, execution: UUID, *, within: float, is_over: IsOver) -> Record:
    """The record once it is terminal, the time is over, or nobody wants it any more. Raises `NotFound`."""

    async def has_ended(record: Record) -> bool:
        return record.is_terminal

    return await _wait(process, caller, execution, has_ended, within=within, is_over=is_over, heeding=ENDS)


async def wait_for_change(
    process: Process,
    caller: Caller,
    execution: UUID,
    differs: Callable[[Record], Awaitable[bool]],
    *,
    within: float,
    is_over: IsOver,
) -> Record:
    """The record once it differs from what is known, or as `wait_for_end`. Raises `NotFound`."""
    return await _wait(process, caller, execution, differs, within=within, is_over=is_over, heeding=CHANGES)


async def _wait(
    process: Process,
    caller: Caller,
    execution: UUID,
    is_enough: Callable[[Record], Awaitable[bool]],
    *,
    within: float,
    is_over: IsOver,
    heeding: frozenset[Kind],
) -> Record:
    record = await get(process, caller, execution)
    if not within or await is_enough(record):
        return record
    clock = asyncio.get_running_loop().time
    until = clock() + within
    async with process.listener.subscribe(process.channels.execution(execution)) as messages:
        while True:
            record = await get(process, caller, execution)
            left = until - clock()
            if left <= 0 or await is_enough(record) or await is_over():
                return record
            poll = POLL_SECONDS if process.listener.connected else POLL_SECONDS_UNHINTED
            await _next_look(messages, heeding, within=min(left, poll))


async def _next_look(messages: Subscription, heeding: frozenset[Kind], *, within: float) -> None:
    """Return when something may have changed that we heed."""
    clock = asyncio.get_running_loop().time
    until = clock() + within
    while (left := until - clock()) > 0:
        try:
            message = await messages.get(left)
        except Missed:
            return
        if message is None or unpack_message(message).kind in heeding:
            return
