"""Value types of workers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

# A worker that has been silent for so long is lost; seconds.
LOST_AFTER = 30.0


class Wanted(StrEnum):
    """What an operator wants of a worker."""

    WORK = "work"
    PAUSE = "pause"
    DRAIN = "drain"


class WorkerState(StrEnum):
    """How a worker stands. One that is lost may come back, one that is gone does not."""

    ACTIVE = "active"
    PAUSED = "paused"
    DRAINING = "draining"
    LOST = "lost"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """One worker process. `busy` counts what it holds, `executions` is what the caller may see of that."""

    id: UUID
    pool: str
    host: str
    pid: int
    version: str
    engine_id: str
    engine_version: str
    engine_ok: bool
    engine_message: str | None
    engine_ok_at: datetime
    slots: int
    busy: int
    executions: list[UUID]
    state: WorkerState
    message: str | None
    started_at: datetime
    heartbeat_at: datetime
    gone_at: datetime | None
