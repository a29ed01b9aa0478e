"""Frames of `WS /v1/events` as clients see them, and the form in which progress travels over Redis. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

import orjson

from app.batches.model import BatchStatus, EndedBatch
from app.executions.model import Event
from app.executions.states import Cause, Status

PROTOCOL = 1


class Hello(TypedDict):
    """The first frame. What is committed after `cursor` is told from here on."""

    type: Literal["hello"]
    protocol: int
    cursor: int


# What happened to one execution; functional form, since `from` is a keyword. Where it left the status as it is, `from`
# is that status. What does not belong to it never changes, but for `exit_code`, which is there once the execution has
# ended, and `name` and `labels`, which are those of now.
ExecutionFrame = TypedDict(
    "ExecutionFrame",
    {
        "type": Literal["execution"],
        "cursor": int,
        "id": UUID,
        "number": int,
        "from": Status | None,
        "status": Status,
        "cause": Cause | None,
        "message": str | None,
        "actor": str,
        "attempt": int,
        "at": datetime,
        "exit_code": int | None,
        "name": str | None,
        "owner": str,
        "pool": str,
        "labels": dict[str, str],
        "image": str,
        "created_at": datetime,
    },
)


class Deleted(TypedDict):
    """An execution was deleted, with all that belonged to it. `status` is how it had ended."""

    type: Literal["deleted"]
    cursor: int
    id: UUID
    status: Status
    owner: str
    pool: str
    labels: dict[str, str]


class BatchFrame(TypedDict):
    """All children of a batch have ended: how many in which status, but for those that were deleted before."""

    type: Literal["batch"]
    cursor: int
    id: UUID
    status: BatchStatus
    at: datetime
    total: int
    by_status: dict[Status, int]
    name: str | None
    owner: str
    pools: list[str]
    labels: dict[str, str]


class Progress(TypedDict):
    """What a program says of its progress. One may be left out: the newest counts."""

    type: Literal["progress"]
    id: UUID
    percent: int | None
    phase: str | None
    at: datetime


class Resync(TypedDict):
    """Too much has happened since `after`, or it is of another database: list the executions again."""

    type: Literal["resync"]
    cursor: int


FRAMES: dict[str, Any] = {
    "hello": Hello,
    "execution": ExecutionFrame,
    "deleted": Deleted,
    "batch": BatchFrame,
    "progress": Progress,
    "resync": Resync,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """By what an execution is chosen, beside its status."""

    owner: str
    pool: str
    labels: Mapping[str, str]


def hello_frame(cursor: int) -> bytes:
    """See `Hello`."""
    return orjson.dumps({"type": "hello", "protocol": PROTOCOL, "cursor": cursor})


def execution_frame(
    cursor: int,
    execution: UUID,
    event: Event,
    subject: Subject,
    *,
    name: str | None,
    image: str,
    created_at: datetime,
    exit_code: int | None,
) -> bytes:
    """See `ExecutionFrame`."""
    return orjson.dumps(
        {
            "type": "execution",
            "cursor": cursor,
            "id": str(execution),
            "number": event.number,
            "from": event.from_status,
            "status": event.to_status,
            "cause": event.cause,
            "message": event.message,
            "actor": event.actor,
            "attempt": event.attempt,
            "at": event.at,
            "exit_code": exit_code if event.ends else None,
            "name": name,
            "owner": subject.owner,
            "pool": subject.pool,
            "labels": subject.labels,
            "image": image,
            "created_at": created_at,
        }
    )


def deleted_frame(cursor: int, execution: UUID, status: Status, subject: Subject) -> bytes:
    """See `Deleted`."""
    return orjson.dumps(
        {
            "type": "deleted",
            "cursor": cursor,
            "id": str(execution),
            "status": status,
            "owner": subject.owner,
            "pool": subject.pool,
            "labels": subject.labels,
        }
    )


def batch_frame(cursor: int, batch: EndedBatch) -> bytes:
    """See `BatchFrame`."""
    record = batch.record
    return orjson.dumps(
        {
            "type": "batch",
            "cursor": cursor,
            "id": str(record.id),
            "status": record.status,
            "at": record.finished_at,
            "total": record.size,
            "by_status": {status.value: count for status, count in record.children.items()},
            "name": record.name,
            "owner": record.owner,
            "pools": sorted(batch.pools),
            "labels": record.labels,
        }
    )


def progress_frame(execution: UUID, percent: int | None, phase: str | None, at: datetime) -> bytes:
    """See `Progress`."""
    return orjson.dumps({"type": "progress", "id": str(execution), "percent": percent, "phase": phase, "at": at})


def resync_frame(cursor: int) -> bytes:
    """See `Resync`."""
    return orjson.dumps({"type": "resync", "cursor": cursor})


# A move travels over Redis as a bell only: its order is in the store.
BELL = b""


def pack_progress(subject: Subject, frame: bytes) -> bytes:
    """Progress on its way to whoever may see it."""
    head = orjson.dumps([subject.owner, subject.pool, dict(subject.labels)])
    return head + b"\n" + frame


def unpack_progress(message: bytes) -> tuple[Subject, bytes]:
    """The other way round."""
    head, _, frame = message.partition(b"\n")
    return Subject(*orjson.loads(head)), frame
