"""Value types of batches, and the rule by which the statuses of the children become one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.executions.states import ACTIVE, Status

MAX_CHILDREN = 10_000
# Of all children together: who needs whom.
MAX_NEEDS = 100_000
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise PydanticCustomError(
            "bad_key",
            "must be a key such as `train` or `fold-1`: at most 63 letters, digits, `.`, `_` and `-`, beginning with a "
            "letter or digit",
        )
    return value


# It names a directory, too.
ItemKey = Annotated[
    str, AfterValidator(_key), WithJsonSchema({"type": "string", "pattern": f"^{_KEY.pattern}$", "maxLength": 63})
]


class BatchStatus(StrEnum):
    """How a batch stands: what its children have in common."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class BatchStopReason(StrEnum):
    """Why a batch starts nothing more, and stops what runs."""

    CANCEL = "cancel"
    FAIL_FAST = "fail_fast"


FAILURES = frozenset({Status.FAILED, Status.TIMED_OUT, Status.CRASHED})


def status_of(children: Mapping[Status, int]) -> BatchStatus:
    """The status of a batch, from how many of its children are in each."""
    seen = {status for status, count in children.items() if count}
    active = seen & ACTIVE
    if seen == {Status.QUEUED}:
        return BatchStatus.QUEUED
    if active == {Status.PAUSED}:
        return BatchStatus.PAUSED
    if active == {Status.STOPPING}:
        return BatchStatus.STOPPING
    if active:
        return BatchStatus.RUNNING
    if seen & FAILURES:
        return BatchStatus.FAILED
    return BatchStatus.CANCELED if Status.CANCELED in seen else BatchStatus.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """An execution's place in its batch."""

    batch: UUID
    index: int
    size: int
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What a submission of many becomes, beside its children."""

    id: UUID
    owner: str
    name: str | None
    note: str | None
    labels: Mapping[str, str]
    size: int
    max_parallel: int | None
    fail_fast: bool
    has_needs: bool
    rerun_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """A batch as it stands. `children` counts them by status; those deleted since are not among them.

    It is kept with the event of its end: what a later version adds needs a default, else nobody gets past older events.
    """

    id: UUID
    owner: str
    name: str | None
    note: str | None
    labels: dict[str, str]
    size: int
    max_parallel: int | None
    fail_fast: bool
    stop_reason: BatchStopReason | None
    stop_by: str | None
    stop_message: str | None
    stop_requested_at: datetime | None
    delete_requested_at: datetime | None
    delete_requested_by: str | None
    rerun_of: UUID | None
    children: Mapping[Status, int]
    created_at: datetime
    finished_at: datetime | None

    @property
    def status(self) -> BatchStatus:
        """What its children have in common."""
        return status_of(self.children)

    @property
    def ended(self) -> int:
        """How many children have ended, or are deleted."""
        return self.size - sum(count for status, count in self.children.items() if status in ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedBatch:
    """A batch as it was when the last of its children had ended, and of which pools and methods these were."""

    record: BatchRecord
    pools: frozenset[str]
    methods: frozenset[str]


_ENDED = TypeAdapter(EndedBatch)


def ended_of(kept: Mapping[str, Any]) -> EndedBatch:
    """From the JSON that is kept with its event."""
    return _ENDED.validate_python(kept)
