"""Transactions against each other, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from sqlalchemy import text

from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.executions.repository import MoveRefused
from support.eventually import eventually

T = TypeVar("T")
Act = Callable[[Connection], Awaitable[T]]

# How often a race is run: enough to see it, and in the slow tier enough to believe it.
repeated = pytest.mark.parametrize("repetitions", [12, pytest.param(100, marks=pytest.mark.slow)])


async def race(process: Process, *acts: Act[T]) -> list[T | BaseException]:
    """Run each in a transaction of its own, all at once; what they return or raise."""
    connections = [await process.database.connect() for _ in acts]
    try:
        # Connected beforehand, so that they truly start together.
        return await asyncio.gather(
            *(_commit(connection, act) for connection, act in zip(connections, acts, strict=True)),
            return_exceptions=True,
        )
    finally:
        for connection in connections:
            await connection.close()


async def _commit(connection: Connection, act: Act[T]) -> T:
    async with connection.begin():
        return await act(connection)


async def overtaken(process: Process, first: Act[T], second: Act[T], *, undo: bool = False) -> list[T | BaseException]:
    """The worst moment: the second waits for the row lock of the first, which then commits (or, `undo`, rolls back)."""
    async with process.database.connect() as connection:
        begun = await first(connection)
        waiting = asyncio.create_task(_within(process, second))
        await eventually(lambda: is_blocked_by(process, connection))
        await (connection.rollback() if undo else connection.commit())
        return [begun, *await asyncio.gather(waiting, return_exceptions=True)]


async def _within(process: Process, act: Act[T]) -> T:
    async with transaction(process.database) as connection:
        return await act(connection)


async def is_blocked_by(process: Process, holder: Connection) -> bool:
    """Whether somebody waits for a lock of this connection."""
    pid = (await holder.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    blocked = text("SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid))")
    async with transaction(process.database) as connection:
        return bool((await connection.execute(blocked.bindparams(pid=pid))).scalar_one())


def winners(outcomes: Sequence[T | BaseException]) -> list[T]:
    """Those that returned; an error that is no refusal is raised."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, MoveRefused):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
