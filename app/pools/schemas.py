"""Bodies of pools, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.executions.vocabulary import Note
from app.pools.model import PoolName

_LIMITS: dict[str, Any] = {"max_running": 8, "max_running_per_owner": 2}
_EXAMPLE: dict[str, Any] = {
    "name": "gpu-1",
    "description": "One card per slot",
    **_LIMITS,
    "queued": 12,
    "running": 3,
    "workers": 1,
    "slots": 4,
    "created_at": "2026-01-15T09:00:00Z",
}

Most = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
_MAX_RUNNING = "How many of it may be prepared, run or stop at once; null: no limit; 0: nothing is started"
_MAX_RUNNING_PER_OWNER = "The same, of each owner"


class PoolChange(BaseModel):
    """What to change. A field that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"max_running": 4}]})

    description: Note | None = Field(default=None, description="For people")
    max_running: Most | None = Field(default=None, description=_MAX_RUNNING)
    max_running_per_owner: Most | None = Field(default=None, description=_MAX_RUNNING_PER_OWNER)


class NewPool(PoolChange):
    """A pool to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "gpu-1", "description": "One card per slot", **_LIMITS}]},
    )

    name: PoolName = Field(description="What submissions and workers (`TAILRACE_POOL`) call it")


class PoolView(BaseModel):
    """A named group of workers, and how it stands."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    description: str | None
    max_running: int | None = Field(description=_MAX_RUNNING)
    max_running_per_owner: int | None = Field(description=_MAX_RUNNING_PER_OWNER)
    queued: int
    running: int = Field(description="What is prepared, runs or stops")
    workers: int = Field(description="Workers that are present")
    slots: int = Field(description="Slots of those that take work")
    created_at: datetime


class PoolList(BaseModel):
    """All pools, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE]}]})

    items: list[PoolView]
