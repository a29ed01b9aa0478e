"""What a receiver gets to read: the type, the time, and the record as a GET gave it just then."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.batches.model import EndedBatch
from app.batches.schemas import Batch
from app.events.store import Happened
from app.executions.history_schemas import EventView
from app.executions.record import Record
from app.executions.schemas import Execution
from app.webhooks.model import EventType

# Beyond that the largest fields are left out.
LARGEST = 256 * 1024
LARGE = ("inputs", "env", "command", "entrypoint", "result", "warnings")


def of_event(type_: EventType, happened: Happened, record: Record) -> str:
    """Something in the history of an execution."""
    event = EventView.of(happened.event).model_dump(mode="json", by_alias=True)
    return _body(type_, happened.event.at, {"event": event}, record)


def of_progress(record: Record, at: datetime) -> str:
    """What the program says of its progress."""
    return _body(EventType.PROGRESS, at, {}, record)


def of_deletion(happened: Happened, at: datetime) -> str:
    """Nothing else is left of it."""
    subject = happened.subject
    was = {
        "id": str(happened.execution),
        "status": happened.event.to_status,
        "owner": subject.owner,
        "pool": subject.pool,
        "labels": subject.labels,
    }
    return _encode({"type": EventType.DELETED, "timestamp": at, "data": {"execution": was}})


def of_batch(batch: EndedBatch) -> str:
    """All of its children have ended."""
    record = Batch.of(batch.record).model_dump(mode="json", by_alias=True)
    return _encode({"type": EventType.BATCH_ENDED, "timestamp": batch.record.finished_at, "data": {"batch": record}})


def of_ping(webhook: UUID, at: datetime) -> str:
    """Nothing has happened."""
    return _encode({"type": EventType.PING, "timestamp": at, "data": {"webhook": str(webhook)}})


def _body(type_: EventType, at: datetime, data: dict[str, Any], record: Record) -> str:
    execution = Execution.of(record).model_dump(mode="json", by_alias=True)
    message = {"type": type_, "timestamp": at}
    body = _encode(message | {"data": {**data, "execution": execution}})
    if len(body) <= LARGEST:
        return body
    left_out = [name for name in LARGE if execution.pop(name, None) is not None]
    return _encode(message | {"data": {**data, "execution": execution, "left_out": left_out}})


def _encode(message: dict[str, Any]) -> str:
    return orjson.dumps(message).decode()
