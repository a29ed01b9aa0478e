"""Bodies of quotas, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.executions.model import Size
from app.quotas.model import QuotaRecord
from app.quotas.rates import Rate
from app.quotas.service import Standing

_LIMITS: dict[str, Any] = {
    "max_queued": 100,
    "max_running": 4,
    "max_cpus": 8,
    "max_memory": 17_179_869_184,
    "max_log_bytes": 10_737_418_240,
    "max_storage": 107_374_182_400,
}
_OWN: dict[str, Any] = {"owner": "ann", **_LIMITS, "updated_at": "2026-01-15T09:00:00Z"}
_SHARES: dict[str, Any] = {
    "queued": {"used": 12, "limit": 100},
    "running": {"used": 4, "limit": 4},
    "cpus": {"used": 5.5, "limit": 8},
    "memory": {"used": 4_294_967_296, "limit": 17_179_869_184},
    "log_bytes": {"used": 73_400_320, "limit": 10_737_418_240},
    "storage": {"used": 6_442_450_944, "limit": 107_374_182_400},
    "file_bytes": {"used": 52_428_800, "limit": 10_737_418_240},
}
_ME: dict[str, Any] = {
    "owner": "ann",
    "scopes": ["cancel", "read", "submit"],
    "token_id": "019aa2c4-7b1e-7c51-9c0f-2f5d8a6b1c30",
    "token_name": "nightly jobs",
    "expires_at": "2026-02-14T09:00:00Z",
    "quota": _SHARES,
    "rate": {"limit": 600, "seconds": 60, "left": 594},
}

Most = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
_MAX_QUEUED = "How many may be queued at once, over all pools; null: as many as `TAILRACE_MAX_QUEUED_PER_OWNER` says"
_MAX_RUNNING = "How many may take a slot at once, over all pools; null: as many as the pools allow"
_MAX_CPUS = "CPU cores of what takes a slot at once, by `limits.cpus`, over all pools; null: any number"
_MAX_MEMORY = "Memory of what takes a slot at once, by `limits.memory`, over all pools; null: any amount"
_MAX_LOG_BYTES = "Bytes of logs that are kept, beyond which nothing is accepted; null: any amount"
_MAX_STORAGE = (
    "Bytes of outputs, checkpoints and uploaded files that are kept, beyond which nothing is accepted; null: any amount"
)
Bytes = Annotated[Size, Field(ge=0, le=2**60)]


class NewQuota(BaseModel):
    """The limits of an owner. What is left out is the default."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_LIMITS]})

    max_queued: Most | None = Field(default=None, description=_MAX_QUEUED)
    max_running: Most | None = Field(default=None, description=_MAX_RUNNING)
    max_cpus: float | None = Field(
        default=None, ge=0, le=1_000_000, strict=True, allow_inf_nan=False, description=_MAX_CPUS
    )
    max_memory: Bytes | None = Field(default=None, description=_MAX_MEMORY)
    max_log_bytes: Bytes | None = Field(default=None, description=_MAX_LOG_BYTES)
    max_storage: Bytes | None = Field(default=None, description=_MAX_STORAGE)


class Share(BaseModel):
    """What is used of a limit; null is no limit."""

    used: int
    limit: int | None


class CpuShare(BaseModel):
    """The same of CPU cores."""

    used: float
    limit: float | None


class Shares(BaseModel):
    """What an owner has over all pools."""

    queued: Share
    running: Share
    cpus: CpuShare
    memory: Share
    log_bytes: Share
    storage: Share = Field(description="Outputs, checkpoints and uploaded files")
    file_bytes: Share = Field(description="Uploaded files, and those of imported executions; uploads under way, too")

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """From how they stand."""
        return cls(
            queued=Share(used=standing.usage.queued, limit=standing.max_queued),
            running=Share(used=standing.usage.running, limit=standing.quota.max_running),
            cpus=CpuShare(used=standing.usage.cpus, limit=standing.quota.max_cpus),
            memory=Share(used=standing.usage.memory, limit=standing.quota.max_memory),
            log_bytes=Share(used=standing.kept.log_bytes, limit=standing.quota.max_log_bytes),
            storage=Share(used=standing.kept.storage, limit=standing.quota.max_storage),
            file_bytes=Share(used=standing.file_bytes, limit=standing.max_file_bytes),
        )


class QuotaLimits(BaseModel):
    """The limits that somebody gave an owner."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_OWN]})

    owner: str
    max_queued: int | None = Field(description=_MAX_QUEUED)
    max_running: int | None = Field(description=_MAX_RUNNING)
    max_cpus: float | None = Field(description=_MAX_CPUS)
    max_memory: int | None = Field(description=_MAX_MEMORY)
    max_log_bytes: int | None = Field(description=_MAX_LOG_BYTES)
    max_storage: int | None = Field(description=_MAX_STORAGE)
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


class RateView(BaseModel):
    """How often the token may ask."""

    model_config = ConfigDict(from_attributes=True)

    limit: int = Field(description="So many requests")
    seconds: int = Field(description="in so many seconds")
    left: int | None = Field(description="So many of them now; null where that cannot be told")


class Me(BaseModel):
    """Who is calling, as the token says."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ME]})

    owner: str
    scopes: list[Scope]
    token_id: UUID | None = Field(description="Of the token, or of the session, that you ask with")
    token_name: str | None = Field(description="What the token is for; of an issuer's, whose it is")
    expires_at: datetime | None = Field(description="When the token ends; null: never")
    quota: Shares
    rate: RateView | None = Field(description="null: as often as you like")

    @classmethod
    def of(cls, caller: Caller, standing: Standing, rate: Rate | None) -> Self:
        """From the caller and how they stand."""
        return cls(
            owner=caller.owner,
            scopes=sorted(caller.scopes),
            token_id=caller.token_id,
            token_name=caller.token_name,
            expires_at=caller.expires_at,
            quota=Shares.of(standing),
            rate=RateView.model_validate(rate) if rate else None,
        )
