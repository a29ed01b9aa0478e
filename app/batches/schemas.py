"""What clients get to see of batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.batches import examples
from app.batches.model import BatchRecord, BatchStatus, BatchStopReason
from app.batches.repository import Upstream
from app.executions.states import Status


class BatchProgress(BaseModel):
    """How far its children are. Those deleted before all had ended count as ended, and are in no status."""

    total: int
    ended: int
    percent: int = Field(description="Of the children that have ended, rounded down")
    by_status: dict[Status, int]


class BatchStop(BaseModel):
    """Why nothing more of it starts, and what runs was stopped."""

    reason: BatchStopReason
    by: str
    message: str
    requested_at: datetime


class BatchLineage(BaseModel):
    """Where it comes from."""

    rerun_of: UUID | None


class BatchLinks(BaseModel):
    """Paths on this host."""

    self: str
    executions: str
    cancel: str
    rerun: str
    outputs: str


_SAME_IN_RECORD = (
    "id",
    "name",
    "note",
    "labels",
    "owner",
    "status",
    "max_parallel",
    "fail_fast",
    "created_at",
    "delete_requested_at",
    "delete_requested_by",
    "finished_at",
)


class Batch(BaseModel):
    """Executions that were submitted together. Its status follows from theirs."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BATCH]})

    id: UUID
    name: str | None
    note: str | None
    labels: dict[str, str]
    owner: str
    status: BatchStatus
    progress: BatchProgress
    max_parallel: int | None
    fail_fast: bool
    stop: BatchStop | None
    lineage: BatchLineage
    created_at: datetime
    delete_requested_at: datetime | None = Field(description="It goes with the last of its children")
    delete_requested_by: str | None
    finished_at: datetime | None = Field(description="When the last of its children ended")
    links: BatchLinks

    @classmethod
    def of(cls, record: BatchRecord) -> Self:
        """From the record."""
        own = f"/v1/batches/{record.id}"
        return cls(
            **{name: getattr(record, name) for name in _SAME_IN_RECORD},
            progress=BatchProgress(
                total=record.size,
                ended=record.ended,
                percent=100 * record.ended // record.size,
                by_status={status: record.children.get(status, 0) for status in Status},
            ),
            stop=_stop_of(record),
            lineage=BatchLineage(rerun_of=record.rerun_of),
            links=BatchLinks(
                self=own,
                executions=f"/v1/executions?batch={record.id}&archived=any",
                cancel=f"{own}/cancel",
                rerun=f"{own}/rerun",
                outputs=f"{own}/outputs.zip",
            ),
        )


def _stop_of(record: BatchRecord) -> BatchStop | None:
    if record.stop_reason is None or record.stop_requested_at is None:
        return None
    return BatchStop(
        reason=record.stop_reason,
        by=record.stop_by or "",
        message=record.stop_message or "",
        requested_at=record.stop_requested_at,
    )


class BatchList(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BATCH_LIST]})

    items: list[Batch]
    next: str | None

    @classmethod
    def of(cls, records: list[BatchRecord], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[Batch.of(record) for record in records], next=str(records[-1].id) if more else None)


class NeedView(BaseModel):
    """What a child waits for, and finds in `/tailrace/inputs/<name>`."""

    name: str
    execution: UUID | None = Field(description="Null: it was deleted since")


class ChildNeeds(BaseModel):
    """A child, and what it needs."""

    execution: UUID
    index: int
    key: str | None
    needs: list[NeedView]

    @classmethod
    def of(cls, place: Any, needs: Sequence[Upstream]) -> Self:
        """From its row, and those of what it needs."""
        views = [NeedView(name=each.name, execution=each.needed) for each in needs]
        return cls(execution=place.id, index=place.batch_index, key=place.batch_key, needs=views)


class NeedsList(BaseModel):
    """One page, by index. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEEDS]})

    items: list[ChildNeeds]
    next: int | None

    @classmethod
    def of(cls, needs: list[ChildNeeds], *, more: bool) -> Self:
        """From the children of a page."""
        return cls(items=needs, next=needs[-1].index if more else None)


class BatchRehearsal(BaseModel):
    """The answer to a dry run. The batch is shown as it would be; its id is not kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REHEARSAL]})

    accepted: bool
    batch: Batch
