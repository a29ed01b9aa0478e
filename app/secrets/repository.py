"""SQL of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, insert, select

from app.db.engine import Connection
from app.secrets.tables import ExecutionSecret


async def add(connection: Connection, execution: UUID, sealed: Mapping[str, bytes]) -> None:
    """Keep the secrets of a new execution; there is at least one."""
    rows = [{"execution_id": execution, "name": name, "ciphertext": each} for name, each in sealed.items()]
    await connection.execute(insert(ExecutionSecret), rows)


async def read(connection: Connection, execution: UUID) -> dict[str, bytes]:
    """The secrets of an execution, sealed, by name."""
    statement = select(ExecutionSecret.name, ExecutionSecret.ciphertext).where(
        ExecutionSecret.execution_id == execution
    )
    return {row.name: row.ciphertext for row in await connection.execute(statement)}


async def forget(connection: Connection, execution: UUID) -> None:
    """Nobody needs them any more."""
    await connection.execute(delete(ExecutionSecret).where(ExecutionSecret.execution_id == execution))
