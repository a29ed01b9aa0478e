"""The whole record of an execution as it stands in the database. A value: changing it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Label, RowMapping, Select, select

from app.executions.model import Limits, Retries, Spec, Stop
from app.executions.states import TERMINAL, Cause, Status, StopReason
from app.executions.tables import Execution
from app.executions.waiting import WaitingOn, waiting_on
from app.logs.tables import LogHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One execution. `log_…` come from the log's head, `waiting_on` from its pool; times are the database's."""

    id: UUID
    owner: str
    source: str
    name: str | None
    note: str | None
    labels: dict[str, str]
    pool: str
    spec: Spec
    limits: Limits
    retries: Retries
    priority: int
    image_id: str | None
    image_digest: str | None
    resumed_from: UUID | None
    status: Status
    phase: str | None
    waiting_on: WaitingOn | None
    cause: Cause | None
    message: str | None
    exit_code: int | None
    oom_killed: bool
    epoch: int
    control_version: int
    worker_id: UUID | None
    attempt: int
    stop: Stop | None
    announced: bool
    progress_percent: int | None
    progress_phase: str | None
    progress_at: datetime | None
    warnings: list[Any]
    result: Any
    log_lines: int
    log_bytes: int
    log_truncated: bool
    log_complete: bool | None
    outputs_files: int
    outputs_bytes: int
    outputs_partial: bool
    deadline: datetime | None
    created_at: datetime
    queued_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL


LOG_COLUMNS: tuple[Label[Any], ...] = (
    (LogHead.next_seq - 1).label("log_lines"),
    LogHead.total_bytes.label("log_bytes"),
    LogHead.truncated.label("log_truncated"),
)
_CONVERTED = {"spec", "limits", "retries", "status", "waiting_on", "cause", "stop"}
_PLAIN = frozenset(field.name for field in fields(Record)) - _CONVERTED


# Built once: to build it takes longer than to execute it.
_RECORDS: Select[Any] = select(Execution.__table__, waiting_on(Execution.__table__), *LOG_COLUMNS).join(
    LogHead, LogHead.execution_id == Execution.id
)


def select_records() -> Select[Any]:
    """Everything a `Record` needs; add `where` and `order_by`."""
    return _RECORDS


def record_of(row: RowMapping) -> Record:
    """The record in a row of `select_records()`."""
    plain = {name: row[name] for name in _PLAIN}
    return Record(
        **plain,
        # All were validated when they were accepted.
        spec=Spec.read(row["spec"]),
        limits=Limits.read(row["limits"]),
        retries=Retries.read(row["retries"]),
        status=Status(row["status"]),
        waiting_on=WaitingOn(row["waiting_on"]) if row["waiting_on"] else None,
        cause=Cause(row["cause"]) if row["cause"] else None,
        stop=stop_of(row),
    )


def stop_of(row: RowMapping) -> Stop | None:
    """The pending request to stop, if there is one."""
    if row["stop_reason"] is None:
        return None
    return Stop(
        reason=StopReason(row["stop_reason"]),
        by=row["stop_by"],
        requested_at=row["stop_requested_at"],
        deadline=row["stop_deadline"],
        force=row["stop_force"],
        final=row["stop_final"],
    )
