"""SQL of a glance at executions: as much of each as tells whether it is worth looking at the whole record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Label, Uuid, any_, bindparam, literal_column, select

from app.db.engine import Connection
from app.executions.states import Status
from app.executions.tables import Execution
from app.logs.tables import LogHead


@dataclass(frozen=True, slots=True)
class Glance:
    """How an execution stands; `version` is another after any change of what is written of it and of its log's head."""

    ended: bool
    queued: bool
    version: str


# The transactions that wrote the rows: no column is written at every change.
_VERSION: Label[str] = literal_column("executions.xmin || ' ' || log_heads.xmin").label("version")
_GLANCES = (
    select(Execution.id, Execution.status, Execution.finished_at, _VERSION)
    .join(LogHead, LogHead.execution_id == Execution.id)
    .where(Execution.id == any_(bindparam("executions", type_=ARRAY(Uuid))))
)


async def glance_at(connection: Connection, executions: Sequence[UUID]) -> list[Glance | None]:
    """At each of these, in their order; None for one that does not exist."""
    rows = await connection.execute(_GLANCES, {"executions": list(set(executions))})
    glances = {row.id: Glance(row.finished_at is not None, row.status == Status.QUEUED, row.version) for row in rows}
    return [glances.get(each) for each in executions]
