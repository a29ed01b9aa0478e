"""Value types of the core, filled in where a test does not care."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from app.executions.model import NO_RETRIES, Lane, Limits, Spec
from app.executions.record import Record
from app.executions.states import Cause, Status

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_record(**changes: Any) -> Record:
    """A queued execution, but for what is changed."""
    by_type = {field.name: str(field.type) for field in fields(Record)}
    nothing = {name: None for name, kind in by_type.items() if "None" in kind or kind == "Any"}
    counts = {name: 0 for name, kind in by_type.items() if kind in {"int", "float"}}
    flags = {name: False for name, kind in by_type.items() if kind == "bool"}
    return Record(
        **{
            **nothing,
            **counts,
            **flags,
            "id": uuid4(),
            "owner": "ann",
            "source": "api",
            "labels": {},
            "pool": "default",
            "spec": Spec(image="busybox:local"),
            "limits": Limits(),
            "retries": NO_RETRIES,
            "status": Status.QUEUED,
            "lane": Lane.NORMAL,
            "warnings": [],
            "created_at": NOON,
            "queued_at": NOON,
            "updated_at": NOON,
            **changes,
        },
    )


def an_id(number: int) -> UUID:
    """The same one for the same number."""
    return UUID(int=number)


RUNNING = a_record(status=Status.RUNNING)
DONE = a_record(status=Status.FAILED, cause=Cause.EXIT_NONZERO, exit_code=3, log_lines=9, log_bytes=70)
