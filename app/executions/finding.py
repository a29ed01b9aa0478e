"""Finding one execution for whoever asked for it."""

from __future__ import annotations

from uuid import UUID

from app.db.engine import Connection
from app.errors import NotFound
from app.executions import repository
from app.executions.record import Record


async def get_record(
    connection: Connection, execution: UUID, owner: str | None = None, *, lock: bool = False
) -> Record:
    """The record; `lock` keeps it as it is until the transaction ends. Raises `NotFound`, also if it is not theirs."""
    record = await repository.find(connection, execution, owner=owner, lock=lock)
    if record is None:
        raise NotFound(f"There is no execution {execution}.")
    return record
