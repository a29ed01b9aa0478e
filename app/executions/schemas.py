"""What clients get to see of executions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.executions import examples
from app.executions.attempts import AttemptRecord
from app.executions.causes import EXPLANATIONS
from app.executions.model import Event, Limits, Retries, Stop, Then
from app.executions.record import Record
from app.executions.requests import encode_cursor
from app.executions.states import Cause, Status, StopReason
from app.executions.vocabulary import (
    RetryReason,
)
from app.executions.waiting import WaitingOn


class StopView(BaseModel):
    """A request to stop. `deadline` is when SIGKILL comes."""

    requested_at: datetime
    by: str
    reason: StopReason
    deadline: datetime

    @classmethod
    def of(cls, stop: Stop | None) -> Self | None:
        """From the record."""
        if stop is None:
            return None
        return cls(requested_at=stop.requested_at, by=stop.by, reason=stop.reason, deadline=stop.deadline)


class ProgressView(BaseModel):
    """What the program says of its progress."""

    percent: int | None
    phase: str | None
    at: datetime


class Lineage(BaseModel):
    """Where it comes from."""

    resumed_from: UUID | None


class LogSummary(BaseModel):
    """The log so far. `complete` is known at the end: false if lines were lost."""

    lines: int
    bytes: int
    truncated: bool
    complete: bool | None


class OutputsSummary(BaseModel):
    """The files collected. `partial` if a limit left some out, or the program did not end by itself."""

    files: int
    bytes: int
    partial: bool


class Links(BaseModel):
    """Paths on this host; `tail` is a WebSocket."""

    self: str
    events: str
    attempts: str
    logs: str
    outputs: str
    tail: str
    cancel: str

    @classmethod
    def of(cls, execution: UUID) -> Self:
        """All links of one execution."""
        own = f"/v1/executions/{execution}"
        return cls(self=own, **{name: f"{own}/{name}" for name in cls.model_fields if name != "self"})


class Execution(BaseModel):
    """The record of one execution. Times are RFC 3339 in UTC, by the database's clock."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EXECUTION]})

    id: UUID
    name: str | None
    note: str | None
    labels: dict[str, str]
    owner: str
    source: str
    image: str
    image_id: str | None
    image_digest: str | None
    command: tuple[str, ...] | None
    entrypoint: tuple[str, ...] | None
    env: list[str] = Field(description="Names only")
    secrets: list[str] = Field(description="Names only")
    inputs: dict[str, Any]
    pool: str
    priority: int
    status: Status
    phase: str | None
    waiting_on: WaitingOn | None = Field(
        description="What a queued execution waits for: its time (`not_before`), a worker that serves its `pool`, a "
        "limit of the pool (`quota`), or its turn (`slot`)"
    )
    cause: Cause | None = Field(description="Why it ended")
    message: str | None
    hint: str | None = Field(description="What to do about the cause")
    stop: StopView | None
    attempt: int
    max_attempts: int
    retry_on: tuple[RetryReason, ...]
    on_timeout: Then
    on_interrupted: Then
    not_before: datetime | None = Field(description="A queued execution is not started before")
    progress: ProgressView | None
    warnings: list[Any] = Field(
        description="Of the program, as text; of ours, as `{code, message}`: `secret_not_masked`"
    )
    result: Any
    exit_code: int | None
    oom_killed: bool
    deadline: datetime | None = Field(description="When `limits.timeout` ends it")
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    queue_seconds: float | None = Field(description="From `queued_at` until it started, or ended without a start")
    run_seconds: float | None = Field(description="From `started_at` to `finished_at`")
    limits: Limits
    lineage: Lineage
    log: LogSummary
    outputs: OutputsSummary
    links: Links

    @classmethod
    def of(cls, record: Record) -> Self:
        """From the record. Both were validated on their way in."""
        left_queue = record.started_at or record.finished_at
        # One that was queued anew has been started before.
        queued = record.created_at if left_queue and left_queue < record.queued_at else record.queued_at
        return cls(
            **{name: getattr(record, name) for name in _SAME_IN_RECORD},
            **{name: getattr(record.spec, name) for name in ("image", "command", "entrypoint", "inputs")},
            **{name: getattr(record.retries, name) for name in Retries.model_fields},
            env=sorted(record.spec.env),
            secrets=sorted(record.spec.secrets),
            message=record.message or (EXPLANATIONS[record.cause].sentence if record.cause else None),
            hint=(EXPLANATIONS[record.cause].hint or None) if record.cause else None,
            stop=StopView.of(record.stop),
            progress=_progress_of(record),
            queue_seconds=_seconds(queued, left_queue),
            run_seconds=_seconds(record.started_at, record.finished_at),
            lineage=Lineage(resumed_from=record.resumed_from),
            log=LogSummary(
                lines=record.log_lines,
                bytes=record.log_bytes,
                truncated=record.log_truncated,
                complete=record.log_complete,
            ),
            outputs=OutputsSummary(
                files=record.outputs_files, bytes=record.outputs_bytes, partial=record.outputs_partial
            ),
            links=Links.of(record.id),
        )


_SAME_IN_RECORD = tuple(
    name for name in Execution.model_fields if name in Record.__slots__ and name not in {"message", "stop"}
)


def _progress_of(record: Record) -> ProgressView | None:
    if record.progress_at is None:
        return None
    return ProgressView(percent=record.progress_percent, phase=record.progress_phase, at=record.progress_at)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None


class ExecutionList(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EXECUTION_LIST]})

    items: list[Execution]
    next: str | None

    @classmethod
    def of(cls, records: list[Record], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(
            items=[Execution.of(record) for record in records],
            next=encode_cursor(records[-1].id) if more else None,
        )


class Rehearsal(BaseModel):
    """The answer to a dry run. The execution is shown as it would be; its id is not kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REHEARSAL]})

    accepted: bool
    execution: Execution


class EventView(BaseModel):
    """One move of the status."""

    number: int
    from_: Status | None = Field(serialization_alias="from")
    to: Status
    cause: Cause | None
    message: str | None
    actor: str
    attempt: int
    at: datetime

    @classmethod
    def of(cls, event: Event) -> Self:
        """From the history."""
        return cls(
            number=event.number,
            from_=event.from_status,
            to=event.to_status,
            cause=event.cause,
            message=event.message,
            actor=event.actor,
            attempt=event.attempt,
            at=event.at,
        )


class EventList(BaseModel):
    """The history, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EVENT_LIST]})

    items: list[EventView]


class AttemptLog(BaseModel):
    """Its lines in the log: those behind `after`, up to `last`, which is null until it has ended."""

    after: int
    last: int | None


class AttemptView(BaseModel):
    """One container of an execution."""

    number: int
    worker_id: UUID
    engine_id: str
    container_name: str | None
    container_id: str | None
    claimed_at: datetime
    started_at: datetime | None
    stop_written_at: datetime | None = Field(description="When the program was told to stop, by the file `stop`")
    signaled_at: datetime | None = Field(description="When it got its stop signal")
    killed_at: datetime | None = Field(description="When it got SIGKILL")
    exited_at: datetime | None = Field(description="When the container exited, by its engine's clock")
    finished_at: datetime | None
    exit_code: int | None
    oom_killed: bool | None
    cause: Cause | None
    message: str | None
    may_have_run: bool | None = Field(description="Whether its program may have started; null until it has ended")
    log: AttemptLog
    checkpoint_files: int
    checkpoint_bytes: int

    @classmethod
    def of(cls, attempt: AttemptRecord, log: AttemptLog) -> Self:
        """From its record."""
        same = {name: getattr(attempt, name) for name in cls.model_fields if name != "log"}
        return cls(**same, log=log)


class AttemptList(BaseModel):
    """The attempts, first to last."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ATTEMPT_LIST]})

    items: list[AttemptView]

    @classmethod
    def of(cls, attempts: list[AttemptRecord]) -> Self:
        """From the records of attempts. The log of each begins where that of the one before ended."""
        ends = [attempt.last_seq or 0 for attempt in attempts]
        return cls(
            items=[
                AttemptView.of(attempt, AttemptLog(after=after, last=attempt.last_seq))
                for attempt, after in zip(attempts, [0, *ends], strict=False)
            ]
        )
