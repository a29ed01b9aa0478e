"""Changing an execution: what people call it in every status, its limits as far as they are not spent.

The clocks of one that runs move with its limits: the deadline in the same transaction, the rest when its worker hears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, text
from sqlalchemy.orm import InstrumentedAttribute

from app.auth.service import Caller, find_owner
from app.bootstrap import Process
from app.db.engine import transaction
from app.errors import Conflict, FieldError
from app.events.protocol import BELL
from app.executions import repository
from app.executions.caps import within_caps
from app.executions.finding import get_record
from app.executions.model import CLOCKS, Event, Limits
from app.executions.operations import Operation, is_due
from app.executions.record import Record
from app.executions.states import Status, StopReason
from app.executions.tables import Execution
from app.logs.protocol import status_message
from app.policy.judging import caps_for
from app.quotas import admission

# What has a meaning while it stops, and while it is prepared, runs or is paused.
WHILE_STOPPING = frozenset({"grace", "notice"})
# What a claim counts of it.
_SIZES = frozenset({"cpus", "memory"})
_CHANGEABLE = {Status.QUEUED: frozenset(Limits.model_fields), Status.STOPPING: WHILE_STOPPING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An execution as somebody wants it: all of it, `limits_named` being those that they spoke of, and `limits_asked`
    those for which they gave a value.
    """

    name: str | None
    note: str | None
    labels: Mapping[str, str]
    priority: int
    limits: Limits
    limits_named: frozenset[str]
    limits_asked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Patched:
    """The record after a change; `event` tells it, if there was anything to change."""

    record: Record
    event: Event | None = None


async def patch(
    process: Process,
    caller: Caller,
    execution: UUID,
    want: Callable[[Record], Wanted],
    *,
    check: Callable[[Record], None] = lambda _: None,
) -> Patched:
    """Change it as `want` says of its record, if `check` does not raise. All of it, or nothing.

    Raises `NotFound`, `InvalidRequest`, and `Conflict` when it is too late for something.
    """
    async with transaction(process.database) as connection:
        # The lock keeps whoever ends it, or lets one of its clocks run out, from doing so in between.
        record = await get_record(connection, execution, caller.sees, lock=True)
        check(record)
        wanted = want(record)
        is_due(Operation.DESCRIBE, record.status, record.pause_mode)
        if wanted.limits_named:
            is_due(Operation.ADJUST, record.status, record.pause_mode)
        # Its next attempt is judged by what its owner may, whoever changes it.
        judged = caller if caller.owner == record.owner else await find_owner(connection, record.owner)
        caps = caps_for(process, judged)
        limits = within_caps(wanted.limits, caps, asked=wanted.limits_asked, of=wanted.limits_named)
        _check_in_time(record, wanted, limits)
        if not _SIZES.isdisjoint(_moved(record, limits)):
            await admission.resize(connection, judged, limits)
        changes = _changes(record, wanted, limits)
        if not changes:
            return Patched(record)
        said = f"{caller.owner} changed {_told(record, wanted, limits)}."
        event = await repository.note(connection, execution, actor=caller.owner, message=said, changes=changes)
        return Patched(await get_record(connection, execution), event)


async def tell(process: Process, patched: Patched) -> None:
    """Hint the worker that holds it, and everybody who watches it, after the commit."""
    record, event = patched.record, patched.event
    if event is None:
        return
    if record.worker_id is not None and not record.is_terminal:
        await process.hints.control(record.worker_id)
    await process.hints.publish([(record.id, status_message(event))], to_all=BELL)


def _moved(record: Record, limits: Limits) -> list[str]:
    return [name for name in Limits.model_fields if getattr(limits, name) != getattr(record.limits, name)]


def _check_in_time(record: Record, wanted: Wanted, limits: Limits) -> None:
    """Raise `Conflict` for what cannot be changed any more, naming every field."""
    late = []
    if wanted.priority != record.priority and record.status is not Status.QUEUED:
        late.append(_too_late("priority", "only while it is queued", record))
    changeable = _CHANGEABLE.get(record.status, CLOCKS)
    for name in _moved(record, limits):
        if name not in changeable:
            until = "until it is asked to stop" if name in CLOCKS else "only while it is queued"
            late.append(_too_late(f"limits.{name}", until, record))
    if late:
        detail = "; ".join(f"`{field.field}` {field.message}" for field in late)
        raise Conflict(f"It is too late: {detail}.", hint="Nothing was changed.", fields=late)


def _too_late(field: str, until: str, record: Record) -> FieldError:
    return FieldError(field, "too_late", f"can be changed {until}: its status is {record.status}")


def _changes(record: Record, wanted: Wanted, limits: Limits) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in ("name", "note", "labels", "priority")
        if getattr(wanted, name) != getattr(record, name)
    }
    if limits != record.limits:
        changes["limits"] = limits.model_dump(mode="json")
    if changes.keys() & {"limits", "labels"}:
        changes["control_version"] = Execution.control_version + 1  # its worker has copies
    if limits.timeout != record.limits.timeout:
        # While nothing of it runs there is no deadline, and it stays so.
        changes["deadline"] = _later(Execution.deadline, limits.timeout - record.limits.timeout)
    if record.stop is not None and not record.stop.force and limits.grace != record.limits.grace:
        column = "pause_deadline" if record.stop.reason is StopReason.PAUSE else "stop_deadline"
        changes[column] = _later(getattr(Execution, column), limits.grace - record.limits.grace)
    return changes


def _later(moment: InstrumentedAttribute[Any], seconds: int) -> ColumnElement[Any]:
    return moment + text(f"interval '{seconds} seconds'")


def _told(record: Record, wanted: Wanted, limits: Limits) -> str:
    """What was changed, for the history: limits with their values, the rest by name."""
    plain = [name for name in ("name", "note", "labels") if getattr(wanted, name) != getattr(record, name)]
    values = [
        f"limits.{name} from {_shown(getattr(record.limits, name))} to {_shown(getattr(limits, name))}"
        for name in _moved(record, limits)
    ]
    if wanted.priority != record.priority:
        values.insert(0, f"priority from {record.priority} to {wanted.priority}")
    return ", ".join([*plain, *values])


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
