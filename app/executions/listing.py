"""SQL of the list."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import ColumnElement

from app.db.engine import Connection
from app.executions.record import Record, record_of, select_records
from app.executions.states import Status
from app.executions.tables import Execution


async def list_page(
    connection: Connection,
    *,
    limit: int,
    before: UUID | None = None,
    owner: str | None = None,
    statuses: Collection[Status] = (),
    labels: Mapping[str, str] | None = None,
) -> list[Record]:
    """Newest first (ids are UUIDv7: their order is the order of submission), all older than `before`."""
    conditions: list[ColumnElement[bool]] = []
    if before is not None:
        conditions.append(Execution.id < before)
    if owner is not None:
        conditions.append(Execution.owner == owner)
    if statuses:
        conditions.append(Execution.status.in_(sorted(statuses)))
    if labels:
        conditions.append(Execution.labels.contains(dict(labels)))
    statement = select_records().where(*conditions).order_by(Execution.id.desc()).limit(limit)
    return [record_of(row) for row in (await connection.execute(statement)).mappings()]
