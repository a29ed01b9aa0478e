"""The database engine, and transactions in two kinds: those that read, and those that commit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakSet

import orjson
from sqlalchemy import event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.asyncio import AsyncConnection as Connection
from sqlalchemy.pool import ConnectionPoolEntry

from app.cancellation import being_cancelled

T = TypeVar("T")
# Seconds.
STATEMENT_TIMEOUT = 15.0
LOCK_TIMEOUT_MS = 10_000
IDLE_TRANSACTION_TIMEOUT_MS = 30_000
# Connections that died without a word would be waited for, one after the other. Seconds.
CLOSE_WITHIN = 0.5
_UNSETTLED = "unsettled"
# SQLSTATEs that say nothing against a statement: connection lost, rolled back for another's sake, too little of
# something, starting up or shutting down or taking too long, a lock not had in time, read-only (after a failover).
TRANSIENT = ("08", "40", "53", "57", "55P03", "25006")
# A deadlock, a serialisation failure: nothing of the transaction happened, and the same again may well succeed.
ROLLED_BACK = frozenset({"40P01", "40001"})
TRIES = 5
AGAIN_AFTER = 0.05


@asynccontextmanager
async def open_engine(
    url: str, *, pool_size: int, application: str, statement_timeout: float = STATEMENT_TIMEOUT
) -> AsyncIterator[AsyncEngine]:
    """An engine that gives up instead of waiting for ever: every statement, lock and connection has its time.

    At the end it has no connection left, whoever still holds one.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_use_lifo=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": 5,
            # The server says by itself when it gives up; a server that says nothing is given up by us.
            "command_timeout": statement_timeout + 5,
            "server_settings": {
                "application_name": application,
                "statement_timeout": str(round(statement_timeout * 1000)),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_TRANSACTION_TIMEOUT_MS),
                # Both take longer to begin than our statements last.
                "jit": "off",
                "max_parallel_workers_per_gather": "0",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_broken)
    event.listen(engine.sync_engine, "handle_error", _mark_unsettled)
    opened: WeakSet[Any] = WeakSet()
    event.listen(engine.sync_engine, "connect", lambda _, record: opened.add(record.driver_connection))
    try:
        yield engine
    finally:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN):
                    await engine.dispose()
        finally:
            for connection in list(opened):
                connection.terminate()


def _mark_unsettled(context: ExceptionContext) -> None:
    """Note an error that the driver raised by itself, such as for an argument that is not of its type.

    By then it has had the statement parsed, and says nothing more: to the server it has begun, and its time runs out
    on whoever is next on this connection.
    """
    cause = getattr(context.original_exception, "__cause__", None)
    if context.connection is not None and getattr(cause, "severity", None) is None:
        context.connection.info[_UNSETTLED] = True


def _refuse_broken(_connection: Any, record: ConnectionPoolEntry, _taken: Any) -> None:
    """A connection that the server has closed meanwhile gives way to a new one. To ask it would be a transaction.

    So does one whose last statement the driver has left half said, and one whose BEGIN failed, in too little time for
    instance: the driver would take every other for a savepoint.
    """
    driver: Any = record.driver_connection
    if driver is None or driver.is_closed() or _UNSETTLED in record.info:
        raise DisconnectionError
    if driver._top_xact is not None:  # noqa: SLF001 - nothing else tells
        raise DisconnectionError


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One short transaction, committed at the end of the block. No network call but the database's inside it."""
    async with engine.begin() as connection:
        yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One or more statements without a transaction around them: each sees what is committed when it starts."""
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")


async def again_if_rolled_back(act: Callable[[], Awaitable[T]]) -> T:
    """A transaction of many rows, done again, a few times, when the server rolled it back for another's sake.

    Each time from the beginning: what it leaves anywhere else must be of that one try.
    """
    for number in range(1, TRIES):
        try:
            return await act()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in ROLLED_BACK:
                raise
        await asyncio.sleep(number * random.uniform(AGAIN_AFTER / 2, AGAIN_AFTER))  # noqa: S311 - jitter, no secret
    return await act()


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Several statements that see one and the same state."""
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def is_outage(error: BaseException) -> bool:
    """Whether the database was not there, broke off or was too busy, so that trying again later is right."""
    if being_cancelled():
        return False
    if isinstance(error, OperationalError | NoFreeConnection | OSError | TimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state.startswith(TRANSIENT)


async def is_reachable(engine: AsyncEngine) -> bool:
    """Whether the database answers."""
    try:
        async with reading(engine) as connection:
            await connection.execute(text("SELECT 1"))
    except (DBAPIError, NoFreeConnection, OSError, TimeoutError):
        return False
    return True


__all__ = [
    "Connection",
    "again_if_rolled_back",
    "is_outage",
    "is_reachable",
    "open_engine",
    "reading",
    "transaction",
]
