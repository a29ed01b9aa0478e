"""The whole record of an execution as it stands in the database. A value: changing it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Label, RowMapping, Select, join, select

from app.executions.model import ExitMeaning, Lane, Limits, Pause, Retries, Spec, Stop
from app.executions.states import TERMINAL, Cause, PauseMode, Status, StopClock, StopReason
from app.executions.tables import Execution
from app.executions.waiting import WaitingOn, waiting_on
from app.logs.tables import LogHead
from app.retention import expiry
from app.retention.tables import Retention


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
    lane: Lane
    hold: bool
    image_id: str | None
    image_digest: str | None
    resumed_from: UUID | None
    rerun_of: UUID | None
    schedule_id: UUID | None
    batch_id: UUID | None
    batch_index: int | None
    batch_size: int | None
    batch_key: str | None
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
    pause: Pause | None
    ran_seconds: float
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
    log_expired_at: datetime | None
    outputs_files: int
    outputs_bytes: int
    outputs_partial: bool
    outputs_expired_at: datetime | None
    checkpoint_files: int
    checkpoint_bytes: int
    checkpoint_expired_at: datetime | None
    deadline: datetime | None
    created_at: datetime
    queued_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    archived_at: datetime | None
    delete_requested_at: datetime | None
    delete_requested_by: str | None
    imported: Any
    record_expires_at: datetime | None
    outputs_expire_at: datetime | None
    checkpoint_expires_at: datetime | None
    log_expires: date | None

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL

    @property
    def saves_checkpoints(self) -> bool:
        """Whether its program has said that it saves checkpoints, or its submission names an exit code for it."""
        return self.announced or ExitMeaning.CHECKPOINT in self.spec.exit_codes.values()

    @property
    def pause_mode(self) -> PauseMode | None:
        """How it is paused, or to be."""
        return self.pause.mode if self.pause else None


LOG_COLUMNS: tuple[Label[Any], ...] = (
    (LogHead.next_seq - 1).label("log_lines"),
    LogHead.total_bytes.label("log_bytes"),
    LogHead.truncated.label("log_truncated"),
    LogHead.expires.label("log_expires"),
)
_EXPIRY: tuple[Label[Any], ...] = (
    expiry.RECORD.at.label("record_expires_at"),
    expiry.OUTPUTS.at.label("outputs_expire_at"),
    expiry.CHECKPOINT.at.label("checkpoint_expires_at"),
)
_CONVERTED = {"lane", "spec", "limits", "retries", "status", "waiting_on", "cause", "stop", "pause"}
_EXPIRING = frozenset({"log_expires", "record_expires_at", "outputs_expire_at", "checkpoint_expires_at"})
_PLAIN = frozenset(field.name for field in fields(Record)) - _CONVERTED - _EXPIRING


# Built once: to build it takes longer than to execute it.
_RECORDS: Select[Any] = select(
    Execution.__table__, waiting_on(Execution.__table__), *LOG_COLUMNS, *_EXPIRY
).select_from(
    join(Execution, LogHead, LogHead.execution_id == Execution.id).join(Retention, Retention.one),
)


def select_records() -> Select[Any]:
    """Everything a `Record` needs; add `where` and `order_by`."""
    return _RECORDS


def record_of(row: RowMapping) -> Record:
    """The record in a row of `select_records()`."""
    plain: dict[str, Any] = {name: row[name] for name in _PLAIN}
    # Nothing of what has not ended expires: who writes of such need not ask.
    plain |= {name: row.get(name) for name in _EXPIRING}
    return Record(
        **plain,
        # All were validated when they were accepted.
        spec=Spec.read(row["spec"]),
        limits=Limits.read(row["limits"]),
        retries=Retries.read(row["retries"]),
        lane=Lane(row["lane"]),
        status=Status(row["status"]),
        waiting_on=WaitingOn(row["waiting_on"]) if row["waiting_on"] else None,
        cause=Cause(row["cause"]) if row["cause"] else None,
        stop=stop_of(row),
        pause=pause_of(row),
    )


def stop_of(row: RowMapping) -> Stop | None:
    """The pending request to stop, if there is one; else that to save and stop, for a pause."""
    if row["stop_reason"] is None:
        return _pause_as_stop(row)
    return Stop(
        reason=StopReason(row["stop_reason"]),
        by=row["stop_by"],
        requested_at=row["stop_requested_at"],
        deadline=row["stop_deadline"],
        force=row["stop_force"],
        final=row["stop_final"],
        clock=StopClock(row["stop_clock"]) if row["stop_clock"] else None,
        why=row["stop_why"],
    )


def pause_of(row: RowMapping) -> Pause | None:
    """The pause that is wanted or stands, if there is one."""
    if row["pause_mode"] is None:
        return None
    return Pause(
        mode=PauseMode(row["pause_mode"]),
        by=row["pause_by"],
        requested_at=row["pause_requested_at"],
        paused_at=row["paused_at"],
        resume_by=row["resume_by"],
    )


def _pause_as_stop(row: RowMapping) -> Stop | None:
    # In columns of its own: a worker of an older version takes whatever else is asked for as a reason to kill.
    if row["pause_deadline"] is None:
        return None
    return Stop(
        reason=StopReason.PAUSE,
        by=row["pause_by"],
        requested_at=row["pause_requested_at"],
        deadline=row["pause_deadline"],
        force=False,
        final=False,
    )
