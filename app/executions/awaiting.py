"""Waiting for something of one execution to change. No database connection is held between two looks.

Hints say when to look. That none was lost is made sure of now and then by a glance, which all who wait share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import reading
from app.executions.glances import Glance, glance_at
from app.executions.record import Record
from app.executions.service import get
from app.listener import Missed, Subscription
from app.logs.protocol import Kind, unpack_message

# While hints arrive, a glance now and then covers those that Redis lost; without hints, there is nothing else.
POLL_SECONDS = 2.0
POLL_SECONDS_UNHINTED = 0.5
# Of the time between two glances, for others to share the next.
PATIENCE = 0.25
ENDS = frozenset({Kind.STATUS})
# Lines come many a second, and nobody reads a record so often.
CHANGES = frozenset(Kind) - {Kind.LINES}

IsOver = Callable[[], Awaitable[bool]]


async def wait_for_end(process: Process, caller: Caller, execution: UUID, *, within: float, is_over: IsOver) -> Record:
    """The record once it is terminal, the time is over, or nobody wants it any more.

    Raises `NotFound`, and `NotAuthenticated` when the caller's token ends meanwhile.
    """

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
    """The record once it differs from what is known, or as `wait_for_end`. Raises the same."""
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

    async def until_enough() -> Record:
        async with process.listener.subscribe(process.channels.execution(execution)) as messages:
            watch = _Watch(process, execution, messages, heeding)
            try:
                while True:
                    record = await get(process, caller, execution)
                    left = until - clock()
                    if left <= 0 or await is_enough(record) or await is_over():
                        return record
                    await watch.until_worth_a_look(within=left, is_over=is_over)
            finally:
                watch.end()

    return await process.holding.while_valid(caller, until_enough)


@dataclass(slots=True)
class _Watch:
    """Tells when the record of one execution may be another, as far as we heed that."""

    process: Process
    execution: UUID
    messages: Subscription
    heeding: frozenset[Kind]
    seen: Glance | None = None
    glancing: asyncio.Task[None] | None = None

    async def until_worth_a_look(self, *, within: float, is_over: IsOver) -> None:
        """Return when it is, the time is over, or nobody wants it any more."""
        clock = asyncio.get_running_loop().time
        until = clock() + within
        while (left := until - clock()) > 0:
            poll = POLL_SECONDS if self.process.listener.connected else POLL_SECONDS_UNHINTED
            # At the end the record itself is looked at.
            ends = left < poll * (1 + PATIENCE)
            if await self._hears(left if ends else poll) or ends or await is_over():
                return
            if self.glancing is None or self.glancing.done():
                self.glancing = asyncio.create_task(self._glance(PATIENCE * poll))

    def end(self) -> None:
        """Nobody waits any more."""
        if self.glancing is not None:
            self.glancing.cancel()

    async def _hears(self, within: float) -> bool:
        """Whether a hint came in this time."""
        clock = asyncio.get_running_loop().time
        until = clock() + within
        while (left := until - clock()) > 0:
            try:
                message = await self.messages.get(left)
            except Missed:
                return True
            if message is not None and unpack_message(message).kind in self.heeding:
                return True
        return False

    async def _glance(self, patience: float) -> None:
        """What no hint has told is heard like one that was lost. Of an outage the look that follows has to tell."""
        try:
            glance = await self.process.gathering.add(
                glance_at, self.execution, partial(_glance_at, self.process), patience=patience
            )
        except Exception:  # noqa: BLE001 - see above
            glance = None
        if self._is_news(glance):
            self.messages.miss()
        self.seen = glance

    def _is_news(self, glance: Glance | None) -> bool:
        if glance is None or glance.ended or self.heeding == ENDS:
            return glance is None or glance.ended
        # A place in the queue moves without anything being written of it.
        return glance.queued or glance != self.seen


async def _glance_at(process: Process, executions: list[UUID]) -> list[Glance | None]:
    async with reading(process.database) as connection:
        return await glance_at(connection, executions)
