"""Bodies of quotas, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.quotas.model import QuotaRecord
from app.quotas.service import Standing

_LIMITS: dict[str, Any] = {"max_queued": 100, "max_running": 4}
_OWN: dict[str, Any] = {"owner": "ann", **_LIMITS, "updated_at": "2026-01-15T09:00:00Z"}
_SHARES: dict[str, Any] = {
    "queued": {"used": 12, "limit": 100},
    "running": {"used": 4, "limit": 4},
    "file_bytes": {"used": 52_428_800, "limit": 10_737_418_240},
}

Most = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
_MAX_QUEUED = "How many may be queued at once, over all pools; null: as many as `TAILRACE_MAX_QUEUED_PER_OWNER` says"
_MAX_RUNNING = "How many may take a slot at once, over all pools; null: as many as the pools allow"


class NewQuota(BaseModel):
    """The limits of an owner. What is left out is the default."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_LIMITS]})

    max_queued: Most | None = Field(default=None, description=_MAX_QUEUED)
    max_running: Most | None = Field(default=None, description=_MAX_RUNNING)


class Share(BaseModel):
    """What is used of a limit; null is no limit."""

    used: int
    limit: int | None


class Shares(BaseModel):
    """What an owner has over all pools."""

    queued: Share
    running: Share
    file_bytes: Share = Field(description="Uploaded files, and those of imported executions; uploads under way, too")

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """From how they stand."""
        return cls(
            queued=Share(used=standing.usage.queued, limit=standing.max_queued),
            running=Share(used=standing.usage.running, limit=standing.quota.max_running),
            file_bytes=Share(used=standing.file_bytes, limit=standing.max_file_bytes),
        )


class QuotaLimits(BaseModel):
    """The limits that somebody gave an owner."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_OWN]})

    owner: str
    max_queued: int | None = Field(description=_MAX_QUEUED)
    max_running: int | None = Field(description=_MAX_RUNNING)
    updated_at: datetime | None = Field(description="null: nobody gave them any")


class QuotaView(QuotaLimits):
    """The limits of an owner, and how they stand."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_OWN, "quota": _SHARES}]})

    quota: Shares

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """From how they stand."""
        limits = QuotaLimits.model_validate(standing.quota)
        return cls(**limits.model_dump(), quota=Shares.of(standing))


class QuotaList(BaseModel):
    """All who have limits of their own, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OWN]}]})

    items: list[QuotaLimits]

    @classmethod
    def of(cls, quotas: list[QuotaRecord]) -> Self:
        """From the records."""
        return cls(items=[QuotaLimits.model_validate(quota) for quota in quotas])


class Me(BaseModel):
    """Who is calling, as the token says."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"owner": "ann", "scopes": ["cancel", "read", "submit"], "quota": _SHARES}]}
    )

    owner: str
    scopes: list[Scope]
    quota: Shares

    @classmethod
    def of(cls, caller: Caller, standing: Standing) -> Self:
        """From the caller and how they stand."""
        return cls(owner=caller.owner, scopes=sorted(caller.scopes), quota=Shares.of(standing))
