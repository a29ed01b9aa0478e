"""What the database has of one execution, in whichever table."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from app.bootstrap import Process
from app.db.engine import Connection, reading
from app.db.registry import metadata
from app.executions.tables import Execution

# Places outlive their events, and what is to be removed outlives what it belonged to.
OUTLIVING = {"event_positions", "artifact_removals"}


async def rows_below(process: Process, execution: UUID) -> set[str]:
    """The tables that have something of it, its own included."""
    async with reading(process.database) as connection:
        return {name for name in _tables() if await _has(connection, name, execution)}


def _tables() -> list[str]:
    named = [table.name for table in metadata.sorted_tables if "execution_id" in table.c]
    return [Execution.__tablename__, *(name for name in named if name not in OUTLIVING)]


async def _has(connection: Connection, table: str, execution: UUID) -> bool:
    column = "id" if table == Execution.__tablename__ else "execution_id"
    statement = text(f"SELECT EXISTS (SELECT FROM {table} WHERE {column} = :execution)")  # noqa: S608 - our own names
    return bool((await connection.execute(statement, {"execution": execution})).scalar_one())
