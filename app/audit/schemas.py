"""Bodies and queries of who did what, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.audit.exporting import ExportFormat
from app.audit.model import MAX_OBJECT_CHARS, Kept, Wanted
from app.executions.query import Time

_ENTRY: dict[str, Any] = {
    "id": 4711,
    "at": "2026-01-15T09:00:00.123456Z",
    "action": "cancel_execution",
    "object": "executions/019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44",
    "owner": "ann",
    "actor": "admin",
    "token_id": "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a45",
    "token_name": "bootstrap",
    "address": "192.0.2.7",
    "request_id": "5a0f2b5ad1f24b6f8f5a1b7a0a3f7d11",
    "status": 202,
}

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_OBJECT_CHARS, pattern=r"^[^\x00]*$")]


class AuditEntry(BaseModel):
    """One request that changed something, or was refused."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_ENTRY]})

    id: int
    at: datetime
    action: str = Field(description="The operation, as this document names it")
    object: str | None = Field(
        description="What was made, or else changed, as its path below `/v1/`; null for none in particular"
    )
    owner: str | None = Field(description="Whose object that is; null if it is nobody's")
    actor: str = Field(description="Who asked: the owner of the token")
    token_id: UUID | None
    token_name: str | None
    address: str | None = Field(description="Where the request came from, as the API saw it")
    request_id: str | None = Field(description="`X-Request-Id` of the answer, as in our log")
    status: int = Field(description="Of the answer; from 400 on nothing was changed, but for 500")


class AuditPage(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ENTRY], "next": None}]})

    items: list[AuditEntry]
    next: int | None

    @classmethod
    def of(cls, entries: list[Kept], *, more: bool) -> Self:
        """From the rows."""
        return cls(items=[AuditEntry.model_validate(entry) for entry in entries], next=entries[-1].id if more else None)


class AuditFilter(BaseModel):
    """Which of them."""

    model_config = ConfigDict(extra="forbid")

    actor: Text | None = Field(default=None, description="Who asked")
    owner: Text | None = Field(default=None, description="Whose object")
    token: UUID | None = Field(default=None, description="With which token, by its id")
    action: Text | None = Field(default=None, description="The operation, such as `cancel_execution`")
    object: Text | None = Field(
        default=None, description="The object, such as `methods/train`, and what is below it; not all of a kind"
    )
    refused: bool | None = Field(default=None, description="Only those that were refused, or only those that were not")
    since: Time | None = Field(default=None, description="From then on")
    until: Time | None = Field(default=None, description="Before then")

    @property
    def wanted(self) -> Wanted:
        """Of everybody's."""
        return Wanted(
            sees=None,
            actor=self.actor,
            owner=self.owner,
            token=self.token,
            action=self.action,
            object=self.object,
            refused=self.refused,
            since=self.since,
            until=self.until,
        )


class AuditQuery(AuditFilter):
    """Which of them, page by page."""

    limit: int = Field(default=50, ge=1, le=200, description="Items per page")
    cursor: int | None = Field(default=None, ge=1, le=2**63 - 1, description="The `next` of the page before")


class ExportQuery(AuditFilter):
    """Which of them, and how."""

    format: ExportFormat = Field(
        default=ExportFormat.NDJSON, description="One JSON object per line, or CSV with a head"
    )
