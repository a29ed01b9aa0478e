"""Bodies of workers, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.workers.model import WorkerRecord, WorkerState

_EXAMPLE: dict[str, Any] = {
    "id": "019a3e5b-0000-7000-8000-3b1c5f8f2a44",
    "pool": "default",
    "host": "vm",
    "pid": 15616,
    "version": "0.1.0",
    "engine": {
        "id": "V6NZ:FQ2X:5TQY:Z7SU",
        "version": "20.10.24",
        "ok": True,
        "message": None,
        "ok_at": "2026-01-15T10:00:00Z",
    },
    "slots": 4,
    "busy": 1,
    "free": 3,
    "executions": ["019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"],
    "state": "active",
    "message": None,
    "started_at": "2026-01-15T09:00:00Z",
    "heartbeat_at": "2026-01-15T10:00:00Z",
    "gone_at": None,
}


class EngineView(BaseModel):
    """The container engine, as its worker last saw it."""

    id: str
    version: str
    ok: bool = Field(description="Whether it answered when the worker last asked")
    message: str | None = Field(description="What is wrong with it")
    ok_at: datetime = Field(description="When it last answered")


class WorkerView(BaseModel):
    """One worker process, attached to one container engine. A new process is a new worker."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    pool: str
    host: str
    pid: int
    version: str
    engine: EngineView
    slots: int
    busy: int = Field(description="Executions that it holds, yours or not")
    free: int = Field(description="Slots that it could still fill, whether or not it takes new work")
    executions: list[UUID] = Field(description="Those that it holds, as far as you may see them")
    state: WorkerState = Field(
        description="`paused` and `draining` take nothing new; `lost` was silent for 30 s; `gone` does not come back"
    )
    message: str | None = Field(description="Why it takes nothing new although it is `active`: its disk is too full")
    started_at: datetime
    heartbeat_at: datetime
    gone_at: datetime | None

    @classmethod
    def of(cls, worker: WorkerRecord) -> Self:
        """From the record."""
        return cls(
            **{name: getattr(worker, name) for name in cls.model_fields if hasattr(worker, name)},
            engine=EngineView(**{name: getattr(worker, f"engine_{name}") for name in EngineView.model_fields}),
            free=max(0, worker.slots - worker.busy),
        )


class WorkerList(BaseModel):
    """All workers, by pool, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE]}]})

    items: list[WorkerView]


class WorkerQuery(BaseModel):
    """Options of the list."""

    model_config = ConfigDict(extra="forbid")

    all: bool = Field(default=False, description="Also those that went in the last 24 hours")
