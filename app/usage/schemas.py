"""Usage as clients see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from app.usage.model import NOT_MEASURED, TICK, UNMEASURED

_EXAMPLE: dict[str, Any] = {
    "execution": "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44",
    "attempt": 1,
    "running": True,
    "at": "2026-01-15T10:02:05.120Z",
    "cpu_seconds": 118.402,
    "now": {"cores": 0.98, "memory": 94371840, "pids": 3, "disk": 1048576},
    "peak": {"cores": 1.02, "memory": 121634816, "pids": 5, "disk": 1048576},
    "network": None,
    "missing": {"network": "It is not measured."},
    "every": 5.0,
    "samples": [
        {
            "at": "2026-01-15T10:02:05.120Z",
            "cpu_seconds": 118.402,
            "cores": 0.98,
            "memory": 94371840,
            "pids": 3,
            "disk": 1048576,
        }
    ],
}
_CORES = "Processors in use, on average since the sample before"
_MEMORY = "Bytes, without pages of files that the kernel would let go at once"
_DISK = "Bytes that it has on disk, counted as for `limits.disk`"


class UsageNow(BaseModel):
    """What it used when it was last looked at."""

    cores: float | None = Field(description=_CORES)
    memory: int | None = Field(description=_MEMORY)
    pids: int | None = Field(description="Processes and threads")
    disk: int | None = Field(description=_DISK)


class UsagePeak(BaseModel):
    """The most that it used, kept for as long as the record."""

    cores: float | None
    memory: int | None = Field(description="Bytes, by the kernel's own count where it has one: with pages of files")
    pids: int | None
    disk: int | None


class UsageSample(BaseModel):
    """One look."""

    at: datetime
    cpu_seconds: float | None = Field(description="Processor time from the start to here")
    cores: float | None = Field(description=_CORES)
    memory: int | None = Field(description=_MEMORY)
    pids: int | None
    disk: int | None = Field(description=_DISK)


class Usage(BaseModel):
    """What one attempt of an execution uses, or used. What could not be measured is null, and `missing` says why."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    execution: UUID
    attempt: int | None = Field(description="Null before the first")
    running: bool = Field(description="Whether more may come")
    at: datetime | None = Field(description="When it was last looked at")
    cpu_seconds: float | None = Field(description="Processor time in all")
    now: UsageNow | None = Field(description="Null when it does not run")
    peak: UsagePeak
    network: None = None
    missing: dict[str, str]
    every: float = Field(description="Seconds from one sample to the next; of long runs fewer are kept")
    samples: list[UsageSample]

    @classmethod
    def of(
        cls, execution: UUID, attempt: int, total: Row[Any] | None, samples: Sequence[Row[Any]], *, running: bool
    ) -> Self:
        """Of an attempt, from its row if it was measured, and its samples."""
        peaks = {name: None if total is None else getattr(total, f"{name}_peak") for name in UsagePeak.model_fields}
        return cls(
            execution=execution,
            attempt=attempt or None,
            running=running,
            at=total.at if total else None,
            cpu_seconds=total.cpu_seconds if total else None,
            now=UsageNow.model_validate(total, from_attributes=True) if total and running else None,
            peak=UsagePeak(**peaks),
            missing={**(total.missing if total else UNMEASURED), **NOT_MEASURED},
            every=TICK * (total.stride if total else 1),
            samples=[UsageSample.model_validate(sample, from_attributes=True) for sample in samples],
        )
