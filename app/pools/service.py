"""Use cases of pools. Each is at most one short transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import Conflict, NotFound
from app.pools import repository
from app.pools.model import DEFAULT_POOL, PoolRecord


async def list_pools(process: Process) -> list[PoolRecord]:
    """All of them."""
    async with reading(process.database) as connection:
        return await repository.list_pools(connection)


async def get(process: Process, name: str) -> PoolRecord:
    """One pool. Raises `NotFound`."""
    async with reading(process.database) as connection:
        return await _get(connection, name)


async def add(process: Process, name: str, columns: Mapping[str, Any]) -> PoolRecord:
    """A new pool. Raises `Conflict` if there is one of this name."""
    async with transaction(process.database) as connection:
        if not await repository.add_pool(connection, name, columns):
            raise Conflict(f"There is a pool `{name}` already.", hint=f"Change it: PATCH /v1/pools/{name}.")
        return await _get(connection, name)


async def change(process: Process, name: str, columns: Mapping[str, Any]) -> PoolRecord:
    """Change its description or limits. A claim that begins after this keeps to them. Raises `NotFound`."""
    async with transaction(process.database) as connection:
        if not await repository.change_pool(connection, name, columns):
            raise _no_such_pool(name)
        return await _get(connection, name)


async def delete(process: Process, name: str) -> None:
    """Delete one that nothing and nobody uses. Raises `NotFound` and `Conflict`."""
    if name == DEFAULT_POOL:
        raise Conflict(f"`{DEFAULT_POOL}` cannot be deleted: what names no pool goes there.")
    async with transaction(process.database) as connection:
        await _delete(connection, name)


async def _delete(connection: Connection, name: str) -> None:
    if not await repository.lock_pool(connection, name):
        raise _no_such_pool(name)
    if await repository.is_in_use(connection, name):
        hint = "Its executions must have ended, and its workers must be gone."
        raise Conflict(f"The pool `{name}` is in use.", hint=hint)
    await repository.delete_pool(connection, name)


async def _get(connection: Connection, name: str) -> PoolRecord:
    pool = await repository.find_pool(connection, name)
    if pool is None:
        raise _no_such_pool(name)
    return pool


def _no_such_pool(name: str) -> NotFound:
    return NotFound(f"There is no pool `{name}`.", hint="Those that exist: GET /v1/pools.")
