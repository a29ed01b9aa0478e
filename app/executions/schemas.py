"""What clients get to see of executions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.executions import examples
from app.executions.causes import EXPLANATIONS
from app.executions.model import (
    Archive,
    DeclaredOutput,
    ExitMeaning,
    ImagePolicy,
    Lane,
    Limits,
    Network,
    Pause,
    Retries,
    Stage,
    Stop,
    Then,
)
from app.executions.outlook import UNKNOWN, Outlook
from app.executions.record import Record
from app.executions.revision import revision_of
from app.executions.states import Cause, PauseMode, Status, StopReason
from app.executions.vocabulary import (
    RetryReason,
)
from app.executions.waiting import WaitingOn
from app.files.model import FileSource
from app.secrets.model import SecretRef


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


class PauseView(BaseModel):
    """A pause: asked for, and since `paused_at` so. `resume_by` has asked for its end."""

    mode: PauseMode
    by: str
    requested_at: datetime
    paused_at: datetime | None
    resume_by: str | None

    @classmethod
    def of(cls, pause: Pause | None) -> Self | None:
        """From the record."""
        return None if pause is None else cls(**{name: getattr(pause, name) for name in cls.model_fields})


class ProgressView(BaseModel):
    """What the program says of its progress."""

    percent: int | None
    phase: str | None
    at: datetime


class BatchPlace(BaseModel):
    """Its place among those that it was submitted with."""

    id: UUID
    index: int
    size: int
    key: str | None

    @classmethod
    def of(cls, record: Record) -> Self | None:
        """From the record."""
        if record.batch_id is None or record.batch_index is None or record.batch_size is None:
            return None
        return cls(id=record.batch_id, index=record.batch_index, size=record.batch_size, key=record.batch_key)


class Lineage(BaseModel):
    """Where it comes from. Of one that was deleted since, nothing is left to name."""

    resumed_from: UUID | None
    rerun_of: UUID | None
    schedule: UUID | None = Field(description="That submitted it; it may be deleted since")
    batch: BatchPlace | None


class ImportView(BaseModel):
    """Where it ran, if not here: in which installation and whose it was, and its lineage there.

    `sealed`: it was sealed with a key of ours, so that nobody has changed it on its way.
    """

    at: datetime
    by: str
    instance: UUID
    exported_at: datetime
    owner: str
    sealed: bool
    lineage: dict[str, Any]


class MethodUsed(BaseModel):
    """The method that it is of, in this version, and by which of its presets."""

    name: str
    version: str
    profile: str | None

    @classmethod
    def of(cls, record: Record) -> Self | None:
        """From the record."""
        method = record.spec.method
        return None if method is None else cls(name=method.name, version=method.version, profile=method.profile)


class LogSummary(BaseModel):
    """The log so far. `complete` is known at the end: false if lines were lost."""

    lines: int
    bytes: int
    truncated: bool
    complete: bool | None
    expired_at: datetime | None = Field(description="When it was removed, being archived without it")


class OutputsSummary(BaseModel):
    """The files collected. `partial` if a limit left some out, or the program did not end by itself."""

    files: int
    bytes: int
    partial: bool
    expired_at: datetime | None = Field(description="When they were removed")


class CheckpointSummary(BaseModel):
    """The checkpoint that its last attempt left, of which another execution may start."""

    files: int
    bytes: int
    expired_at: datetime | None = Field(description="When it was removed")


class Expiry(BaseModel):
    """When something of it is removed; null is never. Not before, and soon after; a log by the end of that week."""

    record: datetime | None
    log: date | None
    outputs: datetime | None
    checkpoint: datetime | None

    @classmethod
    def of(cls, record: Record) -> Self:
        """From the record."""
        return cls(
            record=record.record_expires_at,
            log=record.log_expires if record.log_expired_at is None else None,
            outputs=record.outputs_expire_at,
            checkpoint=record.checkpoint_expires_at,
        )


class Links(BaseModel):
    """Paths on this host; `tail` is a WebSocket."""

    self: str
    events: str
    attempts: str
    logs: str
    outputs: str
    usage: str
    tail: str
    cancel: str
    pause: str
    resume: str
    rerun: str
    code: str
    bundle: str
    reruns: str = Field(description="What was run again from it")

    @classmethod
    def of(cls, execution: UUID) -> Self:
        """All links of one execution."""
        own = f"/v1/executions/{execution}"
        below = {name: f"{own}/{name}" for name in cls.model_fields}
        return cls(**below | {"self": own, "reruns": f"/v1/executions?rerun_of={execution}&archived=any"})


class Execution(BaseModel):
    """The record of one execution. Times are RFC 3339 in UTC, by the database's clock."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EXECUTION]})

    id: UUID
    name: str | None
    note: str | None
    labels: dict[str, str]
    owner: str
    source: str
    method: MethodUsed | None
    image: str
    image_id: str | None
    image_digest: str | None
    command: tuple[str, ...] | None
    entrypoint: tuple[str, ...] | None
    env: list[str] = Field(description="Names only")
    secrets: list[str] = Field(description="Names only")
    named_secrets: dict[str, SecretRef] = Field(description="By the file or variable in which the program finds them")
    inputs: dict[str, Any]
    files: dict[str, FileSource] = Field(description="Input files, by their path below `/tailrace/inputs`")
    workdir: str | None = Field(description="Null: the image's own")
    user: str | None = Field(description="Null: the image's own")
    stop_signal: str
    network: Network
    runtime: str | None = Field(description="What isolates its container, by its name at the engine; null: its default")
    image_policy: ImagePolicy = Field(description="When the image is pulled")
    logical_time: datetime | None = Field(description="The time that it is about, if it is about one")
    pool: str
    priority: int
    lane: Lane
    status: Status
    phase: str | None
    waiting_on: WaitingOn | None = Field(
        description="What a queued execution waits for: its release, or that of its method (`hold`), others of its "
        "batch (`needs`), its time (`not_before`), a worker that serves its `pool`, a limit (`quota`), or its turn "
        "(`slot`)"
    )
    queue_position: int | None = Field(
        description="How many would be started before it, and itself, if all slots became free now; up to 10,000. Told "
        "of a single record, null in lists, and while it is held or waits for its time"
    )
    expected_seconds: float | None = Field(
        description="How long it will run: the median of its owner's last 20 that succeeded, of the same method, or "
        "image and name, or without a name of the same command. Told of a single record that has not ended, null in "
        "lists, and when there are fewer than 3"
    )
    expected_seconds_p90: float | None = Field(description="Of the same: nine of ten were done by then")
    cause: Cause | None = Field(description="Why it ended")
    message: str | None
    hint: str | None = Field(description="What to do about the cause")
    stop: StopView | None
    pause: PauseView | None
    saves_checkpoints: bool = Field(
        description="Its program has said so, or one of its `exit_codes` means it: it can be paused by `checkpoint`"
    )
    attempt: int
    max_attempts: int
    retry_on: tuple[RetryReason, ...]
    on_timeout: Then
    on_interrupted: Then
    setup: Stage | None = Field(description="What runs before it, in the same container")
    teardown: Stage | None = Field(description="What runs after it")
    exit_codes: dict[str, ExitMeaning] = Field(description="What exit codes mean, by code; the others as ever")
    keep_workspace: bool
    declared_outputs: tuple[DeclaredOutput, ...] = Field(
        description="What it is to leave; the list of its outputs says what fills them"
    )
    hold: bool = Field(description="It stays in the queue until it is released")
    not_before: datetime | None = Field(description="A queued execution is not started before")
    progress: ProgressView | None
    warnings: list[Any] = Field(
        description="Of the program, as text; of ours, as `{code, message}`: `secret_not_masked`, "
        "`checkpoint_missed`, `checkpoint_not_kept`, `output_left_out`, `freeze_failed`, `teardown_failed`"
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
    revision: str = Field(
        description='Stands for its name, note, labels, priority and limits: with `If-Match: "<revision>"` a change is '
        "refused if somebody else has changed any of them since"
    )
    queue_seconds: float | None = Field(description="From `queued_at` until it started, or ended without a start")
    run_seconds: float | None = Field(description="From `started_at` to `finished_at`")
    limits: Limits
    lineage: Lineage
    imported: ImportView | None = Field(description="Null if it ran here")
    log: LogSummary
    outputs: OutputsSummary
    checkpoint: CheckpointSummary
    archive: Archive = Field(description="What is kept when it is archived")
    archived_at: datetime | None = Field(description="It is not listed unless asked for, and does not expire")
    delete_requested_at: datetime | None = Field(description="It is deleted as soon as it has ended")
    delete_requested_by: str | None
    expires_at: datetime | None = Field(description="When all of it is removed; null: never")
    retention: Expiry
    links: Links

    @classmethod
    def of(cls, record: Record, outlook: Outlook = UNKNOWN) -> Self:
        """From the record. Both were validated on their way in."""
        left_queue = record.started_at or record.finished_at
        # One that was queued anew has been started before.
        queued = record.created_at if left_queue and left_queue < record.queued_at else record.queued_at
        return cls(
            **{name: getattr(record, name) for name in _SAME_IN_RECORD},
            **{name: getattr(record.spec, name) for name in _SAME_IN_SPEC},
            **{name: getattr(record.retries, name) for name in Retries.model_fields},
            **{name: getattr(outlook, name) for name in Outlook.__slots__},
            method=MethodUsed.of(record),
            env=sorted(record.spec.env),
            declared_outputs=record.spec.outputs,
            secrets=sorted(record.spec.secrets),
            named_secrets=record.spec.named_secrets,
            message=record.message or (EXPLANATIONS[record.cause].sentence if record.cause else None),
            hint=(EXPLANATIONS[record.cause].hint or None) if record.cause else None,
            stop=StopView.of(record.stop),
            pause=PauseView.of(record.pause),
            saves_checkpoints=record.saves_checkpoints,
            progress=_progress_of(record),
            revision=revision_of(record),
            queue_seconds=_seconds(queued, left_queue),
            run_seconds=_seconds(record.started_at, record.finished_at),
            lineage=Lineage(
                resumed_from=record.resumed_from,
                rerun_of=record.rerun_of,
                schedule=record.schedule_id,
                batch=BatchPlace.of(record),
            ),
            log=LogSummary(
                lines=record.log_lines,
                bytes=record.log_bytes,
                truncated=record.log_truncated,
                complete=record.log_complete,
                expired_at=record.log_expired_at,
            ),
            outputs=OutputsSummary(
                files=record.outputs_files,
                bytes=record.outputs_bytes,
                partial=record.outputs_partial,
                expired_at=record.outputs_expired_at,
            ),
            checkpoint=CheckpointSummary(
                files=record.checkpoint_files,
                bytes=record.checkpoint_bytes,
                expired_at=record.checkpoint_expired_at,
            ),
            expires_at=record.record_expires_at,
            retention=Expiry.of(record),
            links=Links.of(record.id),
        )


_SAME_IN_SPEC = (
    "image",
    "command",
    "entrypoint",
    "inputs",
    "files",
    "workdir",
    "user",
    "stop_signal",
    "network",
    "runtime",
    "image_policy",
    "logical_time",
    "setup",
    "teardown",
    "exit_codes",
    "keep_workspace",
    "archive",
)
_SAME_IN_RECORD = tuple(
    name for name in Execution.model_fields if name in Record.__slots__ and name not in {"message", "stop", "pause"}
)


def _progress_of(record: Record) -> ProgressView | None:
    if record.progress_at is None:
        return None
    return ProgressView(percent=record.progress_percent, phase=record.progress_phase, at=record.progress_at)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None


class ExecutionList(BaseModel):
    """One page. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EXECUTION_LIST]})

    items: list[Execution]
    next: str | None

    @classmethod
    def of(cls, records: list[Record], *, next_: str | None) -> Self:
        """From the records of a page."""
        return cls(items=[Execution.of(record) for record in records], next=next_)


class Rehearsal(BaseModel):
    """The answer to a dry run. The execution is shown as it would be; its id is not kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REHEARSAL]})

    accepted: bool
    execution: Execution
