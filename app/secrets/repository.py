"""SQL of secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, delete, insert, literal, select

from app.db.engine import Connection
from app.executions.tables import Execution
from app.secrets.tables import ExecutionSecret


async def add(connection: Connection, execution: UUID, sealed: Mapping[str, bytes]) -> None:
    """Keep the secrets of a new execution; there is at least one."""
    rows = [{"execution_id": execution, "name": name, "ciphertext": each} for name, each in sealed.items()]
    await connection.execute(insert(ExecutionSecret), rows)


async def add_all(connection: Connection, sealed: Mapping[UUID, Mapping[str, bytes]]) -> None:
    """The same for many, if there are any."""
    rows = [
        {"execution_id": execution, "name": name, "ciphertext": each}
        for execution, those in sealed.items()
        for name, each in those.items()
    ]
    if rows:
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


async def forget_ended(connection: Connection) -> int:
    """Those of executions that have ended are not there any more; how many that were.

    They go with the end already; a version that does not know of them may have written it.
    """
    ended = ExecutionSecret.execution_id == Execution.id, Execution.finished_at.is_not(None)
    return (await connection.execute(delete(ExecutionSecret).where(*ended))).rowcount


async def forget_all(connection: Connection, executions: Collection[UUID]) -> None:
    """The same for many."""
    ended = ExecutionSecret.execution_id == any_(literal(list(executions), ARRAY(Uuid)))
    await connection.execute(delete(ExecutionSecret).where(ended))
