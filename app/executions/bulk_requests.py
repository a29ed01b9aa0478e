"""Operations by filter as clients ask for them, and their answers."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from app.errors import ServiceError
from app.executions.bulk import AT_MOST, Outcome, Outcomes, Result
from app.executions.model import Archive
from app.executions.query import FilterBody, Shelf
from app.executions.rerun_body import RerunRequest
from app.executions.states import Status
from app.idempotency.model import Once
from app.secrets.vault import Vault

_ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
_OTHER = "019a3e5c-7d21-7a02-8c44-52f0c1d7b9e3"


class Many(FilterBody):
    """Which executions: the filters of the list. Without `status`, those in whose status there is something to do."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": ["queued"], "label": {"team": "a"}}]})

    all: StrictBool = Field(default=False, description="A body without filters is refused unless this is true")
    after: UUID | None = Field(default=None, description="Those behind this one: the `next` of the answer before")
    limit: int = Field(default=AT_MOST, ge=1, le=AT_MOST, strict=True, description="At most so many")

    @model_validator(mode="after")
    def _check_filter(self) -> Self:
        if self.is_empty and not self.all:
            raise PydanticCustomError(
                "no_filter", "must be true where no filter is given: it would be all that you can see", {"at": "all"}
            )
        return self


class CancelMany(Many):
    """Which executions to cancel, and how."""

    force: StrictBool = Field(default=False, description="SIGKILL now, without notice or grace")


class RerunMany(Many):
    """Which executions to run again, and how otherwise."""

    changes: RerunRequest = Field(default=RerunRequest(), description="As the body of a single rerun")

    def once(self, key: str, vault: Vault) -> Once:
        """What tells this request from others with the same key."""
        fields, secrets = self.changes.parted(vault)
        return Once.of(key, self.model_copy(update={"changes": RerunRequest(fields)}), secrets, vault)

    def once_of(self, key: str, execution: UUID, vault: Vault) -> Once:
        """The same of one of them; no client can send such a key."""
        return self.changes.once(f"{key} {execution}", execution, vault)


class ArchiveMany(Many):
    """Which executions to archive, and what is kept of them."""

    archive: Archive | None = Field(default=None, description="As the body of a single one")


class RestoreMany(Many):
    """Which executions to restore: of those that are archived."""

    archived: Shelf = Field(default=Shelf.TRUE, description="Those in the archive")


class BulkError(BaseModel):
    """Why it was refused: `code` and `detail` as in the problem of a single request."""

    code: str
    detail: str
    hint: str | None

    @classmethod
    def of(cls, error: ServiceError | None) -> Self | None:
        """From the error."""
        return None if error is None else cls(code=error.code, detail=error.detail, hint=error.hint or None)


class BulkItem(BaseModel):
    """What came of one execution."""

    id: UUID
    result: Result = Field(
        description="`accepted`: it was asked to stop; `done`; `unchanged`: it was so before; `refused`: see `error`"
    )
    status: Status = Field(description="How it stands; of one that was deleted, how it ended")
    rerun: UUID | None = Field(description="What it was run again as")
    error: BulkError | None

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """From what came of it."""
        return cls(
            id=outcome.id,
            result=outcome.result,
            status=outcome.status,
            rerun=outcome.rerun,
            error=BulkError.of(outcome.error),
        )


EXAMPLE: dict[str, Any] = {
    "items": [
        {"id": _ID, "result": "done", "status": "canceled", "rerun": None, "error": None},
        {"id": _OTHER, "result": "accepted", "status": "stopping", "rerun": None, "error": None},
    ],
    "more": False,
    "next": None,
}


class BulkAnswer(BaseModel):
    """A result for each, the oldest first; of reruns the newest. If there are `more`: again, with `next` as `after`."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    items: list[BulkItem]
    more: bool
    next: UUID | None

    @classmethod
    def of(cls, outcomes: Outcomes) -> Self:
        """From what came of them."""
        items = [BulkItem.of(each) for each in outcomes.items]
        return cls(items=items, more=outcomes.more, next=outcomes.last if outcomes.more else None)
