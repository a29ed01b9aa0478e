"""Attempts as the API shows them: one per container of an execution."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.db.engine import Connection
from app.executions.states import Cause
from app.executions.tables import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One container: when it was claimed, started, asked to stop and killed, and how it ended."""

    number: int
    worker_id: UUID
    engine_id: str
    container_name: str | None
    container_id: str | None
    claimed_at: datetime
    started_at: datetime | None
    stop_written_at: datetime | None
    signaled_at: datetime | None
    killed_at: datetime | None
    exited_at: datetime | None
    finished_at: datetime | None
    exit_code: int | None
    oom_killed: bool | None
    cause: Cause | None
    message: str | None
    may_have_run: bool | None
    last_seq: int | None
    checkpoint_files: int
    checkpoint_bytes: int


_COLUMNS = [Attempt.__table__.c[field.name] for field in fields(AttemptRecord)]


async def list_attempts(connection: Connection, execution: UUID) -> list[AttemptRecord]:
    """All attempts, first to last."""
    rows = await connection.execute(
        select(*_COLUMNS).where(Attempt.execution_id == execution).order_by(Attempt.number),
    )
    return [AttemptRecord(**{**row, "cause": Cause(row["cause"]) if row["cause"] else None}) for row in rows.mappings()]
