"""The dry run of retention, as clients see it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.retention.model import Policy
from app.retention.preview import SHOWN, Part

_ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
EXAMPLE: dict[str, Any] = {
    "policy": {
        "succeeded": 30,
        "failed": 90,
        "canceled": 7,
        "outputs": 14,
        "checkpoints": None,
        "logs": 30,
        "files": None,
    },
    "since": "2026-01-15T10:00:00Z",
    "in_force_at": "2026-01-16T10:00:00Z",
    "days": 7,
    "records": {
        "now": {"count": 0, "bytes": 0, "ids": []},
        "within_days": {"count": 1, "bytes": 1237, "ids": [_ID]},
    },
    "outputs": {"now": {"count": 0, "bytes": 0, "ids": []}, "within_days": {"count": 0, "bytes": 0, "ids": []}},
    "checkpoints": {"now": {"count": 0, "bytes": 0, "ids": []}, "within_days": {"count": 0, "bytes": 0, "ids": []}},
    "logs": {"now": {"count": 0, "bytes": 0, "ids": []}, "within_days": {"count": 0, "bytes": 0, "ids": []}},
}


class RetentionQuery(BaseModel):
    """How far to look ahead."""

    model_config = ConfigDict(extra="forbid")

    days: int = Field(default=7, ge=0, le=3650, description="What goes within so many days")


class PolicyView(BaseModel):
    """Days; null is for ever. Records by how they ended; `failed` are also those that timed out or crashed."""

    succeeded: int | None
    failed: int | None
    canceled: int | None
    outputs: int | None
    checkpoints: int | None
    logs: int | None
    files: int | None = Field(description="Uploaded files, unless an execution on record has them among its inputs")

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """From the policy."""
        return cls(**asdict(policy))


class PartView(BaseModel):
    """What would be removed."""

    count: int = Field(description="Executions")
    bytes: int
    ids: list[UUID] = Field(description=f"The first of them, at most {SHOWN}")

    @classmethod
    def of(cls, part: Part) -> Self:
        """From what was counted."""
        return cls(count=part.count, bytes=part.bytes, ids=list(part.ids))


class Due(BaseModel):
    """`within_days` has what goes now, too."""

    now: PartView
    within_days: PartView


class RetentionView(BaseModel):
    """The policy, and what it lets go of. A record takes its log and its files with it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    policy: PolicyView
    since: datetime = Field(description="When the policy was changed last")
    in_force_at: datetime = Field(description="Nothing goes by it before")
    days: int
    records: Due
    outputs: Due
    checkpoints: Due
    logs: Due = Field(description="Their days are decided when they end, and they go by the end of that week")
