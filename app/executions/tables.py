"""Tables of the record: executions, their attempts and their history. CHECKs repeat the rules of `states.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.executions.model import Lane
from app.executions.states import STATUS_OF, TERMINAL, Cause, PauseMode, Status, StopClock, StopReason, causes_of

# Where an execution stands among those of its owner that are queued: a minute of waiting counts as much as a point of
# priority, so that this order does not change with time, and waiting begins when it may start. In UTC, since an index
# takes nothing that depends on a session's time zone.
TURN = "(timezone('UTC'::text, GREATEST(queued_at, not_before)) - priority::double precision * '00:01:00'::interval)"
# What is queued and may be claimed, but for its time: all that the index of the queue has. The columns are gates that
# close it to everybody: it is held, it is one too many of its batch, or others have to end first.
READY = "status = 'queued' AND NOT hold AND NOT gated AND needs_left = 0"
# What is queued but kept out by a gate. No index has both: a claim could take that one, and read past all of this.
CLOSED = "status = 'queued' AND (hold OR gated OR needs_left > 0)"
# What only waits for a place in its batch. Those behind a need or a hold would be passed over at every end of another.
NEXT_OF_BATCH = "status = 'queued' AND gated AND NOT hold AND needs_left = 0"
# What is of the same kind takes about as long: the same method, or else the same image under the same name, or without
# one the same command. And what of the past is looked at for that.
KIND = (
    "md5(COALESCE('@'::text || method_name, ((spec ->> 'image'::text) || '|'::text)"
    " || COALESCE(name, spec ->> 'command'::text, ''::text)))"
)
PAST_RUNS = "status = 'succeeded' AND resumed_from IS NULL"
# When one that waits has waited for its `queue_timeout`, in UTC; only for those that have one.
EXPIRY = (
    "(timezone('UTC'::text, GREATEST(queued_at, not_before))"
    " + ((limits ->> 'queue_timeout'::text)::integer)::double precision * '00:00:01'::interval)"
)
EXPIRES = f"{READY} AND (limits ->> 'queue_timeout'::text) IS NOT NULL"
HELD = frozenset({Status.PREPARING, Status.RUNNING, Status.STOPPING})
# What takes a slot, and counts for the limits of a pool: what is paused by its checkpoint has no worker.
TAKES_A_SLOT = "status IN ('preparing', 'running', 'paused', 'stopping') AND worker_id IS NOT NULL"
OF_A_METHOD = "method_name IS NOT NULL"
# From when on the days count for which something of an execution is kept, and of what that is looked for.
KEPT_SINCE = "COALESCE(restored_at, finished_at)"
MAY_EXPIRE = "finished_at IS NOT NULL AND archived_at IS NULL"
OUTPUTS_MAY_EXPIRE = f"{MAY_EXPIRE} AND outputs_files > 0 AND outputs_expired_at IS NULL"
CHECKPOINT_MAY_EXPIRE = f"{MAY_EXPIRE} AND checkpoint_files > 0 AND checkpoint_expired_at IS NULL"
# What the list has unless it is asked for the archive, and the orders of it. What these indexes are partial by changes
# at most once at an end, so that the other moves of an execution do not write to them.
LISTED = "archived_at IS NULL"
# What a schedule has submitted and has not ended.
SCHEDULED = "schedule_id IS NOT NULL AND finished_at IS NULL"
ENDED = "finished_at IS NOT NULL AND archived_at IS NULL"
RAN = f"started_at IS NOT NULL AND {ENDED}"
RAN_FOR = "(finished_at - started_at)"
_CAUSE_FITS = " OR ".join(f"(status = '{end}' AND {one_of('cause', causes_of(end))})" for end in sorted(TERMINAL))


class Instance(Base):
    """One row: who we are. Containers and Redis keys carry this id, so that no two installations meet."""

    __tablename__ = "instance"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    one: Mapped[bool] = mapped_column(server_default=text("true"), unique=True)

    __table_args__ = (CheckConstraint("one", name="one"),)


class Execution(Base):
    """One request to run one image."""

    __tablename__ = "executions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    source: Mapped[str] = mapped_column(server_default=text("'api'"))
    name: Mapped[str | None]
    note: Mapped[str | None]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    pool: Mapped[str] = mapped_column(ForeignKey("pools.name"))

    spec: Mapped[dict[str, Any]]
    limits: Mapped[dict[str, Any]]
    retries: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    lane: Mapped[str] = mapped_column(server_default=text("'normal'"))
    hold: Mapped[bool] = mapped_column(server_default=text("false"))
    gated: Mapped[bool] = mapped_column(server_default=text("false"))
    needs_left: Mapped[int] = mapped_column(server_default=text("0"))
    image_id: Mapped[str | None]
    image_digest: Mapped[str | None]
    resumed_from: Mapped[UUID | None] = mapped_column(ForeignKey("executions.id", ondelete="SET NULL"))
    rerun_of: Mapped[UUID | None] = mapped_column(ForeignKey("executions.id", ondelete="SET NULL"))
    # It outlives its schedule.
    schedule_id: Mapped[UUID | None]
    # With its type, since the other table may not be known yet when that is needed.
    batch_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("batches.id"))
    batch_index: Mapped[int | None]
    batch_size: Mapped[int | None]
    batch_key: Mapped[str | None]
    # Of the specification, for filters and limits.
    method_name: Mapped[str | None]
    method_version: Mapped[str | None]

    status: Mapped[str]
    phase: Mapped[str | None]
    cause: Mapped[str | None]
    message: Mapped[str | None]
    exit_code: Mapped[int | None]
    oom_killed: Mapped[bool] = mapped_column(server_default=text("false"))

    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    control_version: Mapped[int] = mapped_column(server_default=text("0"))
    worker_id: Mapped[UUID | None] = mapped_column(ForeignKey("workers.id"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))

    stop_reason: Mapped[str | None]
    stop_by: Mapped[str | None]
    stop_requested_at: Mapped[datetime | None]
    stop_deadline: Mapped[datetime | None]
    stop_force: Mapped[bool] = mapped_column(server_default=text("false"))
    stop_final: Mapped[bool] = mapped_column(server_default=text("false"))
    stop_clock: Mapped[str | None]
    stop_why: Mapped[str | None]

    pause_mode: Mapped[str | None]
    pause_by: Mapped[str | None]
    pause_requested_at: Mapped[datetime | None]
    pause_deadline: Mapped[datetime | None]
    resume_by: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    # Of the attempts and stretches that pauses have joined, before the one that runs now; seconds.
    ran_seconds: Mapped[float] = mapped_column(server_default=text("0"))

    announced: Mapped[bool] = mapped_column(server_default=text("false"))
    progress_percent: Mapped[int | None] = mapped_column(SmallInteger)
    progress_phase: Mapped[str | None]
    progress_at: Mapped[datetime | None]
    warnings: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    result: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))

    log_complete: Mapped[bool | None]
    # When it was archived without its log; of one whose week is over its head knows.
    log_expired_at: Mapped[datetime | None]
    outputs_files: Mapped[int] = mapped_column(server_default=text("0"))
    outputs_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    outputs_partial: Mapped[bool] = mapped_column(server_default=text("false"))
    outputs_expired_at: Mapped[datetime | None]
    checkpoint_files: Mapped[int] = mapped_column(server_default=text("0"))
    checkpoint_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    checkpoint_expired_at: Mapped[datetime | None]

    deadline: Mapped[datetime | None]
    created_at: Mapped[Now]
    queued_at: Mapped[Now]
    not_before: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[Now]
    archived_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    delete_requested_at: Mapped[datetime | None]
    delete_requested_by: Mapped[str | None]
    # Where it ran, if that was in another installation.
    imported: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        CheckConstraint(one_of("status", Status), name="status"),
        CheckConstraint(f"cause IS NULL OR {one_of('cause', Cause)}", name="cause"),
        CheckConstraint(f"({one_of('status', TERMINAL)}) = (cause IS NOT NULL)", name="cause_iff_terminal"),
        CheckConstraint(f"({one_of('status', TERMINAL)}) = (finished_at IS NOT NULL)", name="finished_iff_terminal"),
        CheckConstraint(f"cause IS NULL OR {_CAUSE_FITS}", name="cause_fits_status"),
        CheckConstraint(f"NOT ({one_of('status', HELD)}) OR worker_id IS NOT NULL", name="held_by_a_worker"),
        CheckConstraint(f"stop_reason IS NULL OR {one_of('stop_reason', StopReason)}", name="stop_reason"),
        CheckConstraint("status <> 'stopping' OR stop_reason IS NOT NULL", name="stopping_has_reason"),
        CheckConstraint(
            "(stop_reason IS NULL) = (stop_by IS NULL) AND (stop_reason IS NULL) = (stop_requested_at IS NULL)"
            " AND (stop_reason IS NULL) = (stop_deadline IS NULL)",
            name="stop_whole",
        ),
        CheckConstraint(f"stop_clock IS NULL OR {one_of('stop_clock', StopClock)}", name="stop_clock"),
        CheckConstraint(f"pause_mode IS NULL OR {one_of('pause_mode', PauseMode)}", name="pause_mode"),
        CheckConstraint(
            "(pause_mode IS NULL) = (pause_by IS NULL) AND (pause_mode IS NULL) = (pause_requested_at IS NULL)",
            name="pause_whole",
        ),
        CheckConstraint("pause_deadline IS NULL OR pause_mode = 'checkpoint'", name="pause_deadline"),
        CheckConstraint(
            "status <> 'paused' OR (paused_at IS NOT NULL AND pause_mode IS NOT NULL AND deadline IS NULL"
            " AND (pause_mode = 'freeze') = (worker_id IS NOT NULL))",
            name="paused_in_a_mode",
        ),
        CheckConstraint("progress_percent BETWEEN 0 AND 100", name="progress_percent"),
        CheckConstraint("priority BETWEEN -100 AND 100", name="priority"),
        CheckConstraint(one_of("lane", Lane), name="lane"),
        CheckConstraint("needs_left >= 0", name="needs_left"),
        CheckConstraint(
            "(batch_id IS NULL) = (batch_index IS NULL) AND (batch_id IS NULL) = (batch_size IS NULL)",
            name="batch_whole",
        ),
        Index("ix_executions_queue", "pool", "lane", "owner", text(TURN), "id", postgresql_where=text(READY)),
        Index("ix_executions_expiry", text(EXPIRY), postgresql_where=text(EXPIRES)),
        Index("ix_executions_kind", "owner", text(KIND), "finished_at", postgresql_where=text(PAST_RUNS)),
        Index("ix_executions_closed", "pool", postgresql_where=text(CLOSED)),
        Index("ix_executions_held", "pool", "owner", postgresql_where=text(TAKES_A_SLOT)),
        Index(
            "ix_executions_active",
            "worker_id",
            "control_version",
            postgresql_where=text("status IN ('preparing', 'running', 'paused', 'stopping')"),
        ),
        Index("ix_executions_listed", "id", postgresql_where=text(LISTED)),
        Index("ix_executions_owner", "owner", "id", postgresql_where=text(LISTED)),
        Index("ix_executions_status", "status", "id", postgresql_where=text(LISTED)),
        Index("ix_executions_owner_status", "owner", "status", "id", postgresql_where=text(LISTED)),
        Index("ix_executions_pool", "pool", "id", postgresql_where=text(LISTED)),
        Index("ix_executions_archived", "id", postgresql_where=text("archived_at IS NOT NULL")),
        Index("ix_executions_owner_archived", "owner", "id", postgresql_where=text("archived_at IS NOT NULL")),
        Index("ix_executions_cause", "cause", "id", postgresql_where=text("cause <> 'ok'")),
        Index("ix_executions_warned", "id", postgresql_where=text("warnings <> '[]'")),
        Index("ix_executions_finished", "finished_at", "id", postgresql_where=text(ENDED)),
        Index("ix_executions_owner_finished", "owner", "finished_at", "id", postgresql_where=text(ENDED)),
        Index("ix_executions_ran_for", text(RAN_FOR), "id", postgresql_where=text(RAN)),
        Index("ix_executions_owner_ran_for", "owner", text(RAN_FOR), "id", postgresql_where=text(RAN)),
        Index("ix_executions_batch", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_executions_of_batch", "batch_id", "status", "gated", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_executions_gated", "batch_id", "batch_index", postgresql_where=text(NEXT_OF_BATCH)),
        Index("ix_executions_method", "method_name", "id", postgresql_where=text(OF_A_METHOD)),
        Index("ix_executions_owner_method", "owner", "method_name", "id", postgresql_where=text(OF_A_METHOD)),
        Index("ix_executions_method_queue", "pool", "method_name", postgresql_where=text(f"{READY} AND {OF_A_METHOD}")),
        Index("ix_executions_method_held", "method_name", postgresql_where=text(f"{TAKES_A_SLOT} AND {OF_A_METHOD}")),
        Index("ix_executions_resumed_from", "resumed_from", postgresql_where=text("resumed_from IS NOT NULL")),
        Index("ix_executions_schedule", "schedule_id", "id", postgresql_where=text("schedule_id IS NOT NULL")),
        Index("ix_executions_scheduled", "schedule_id", postgresql_where=text(SCHEDULED)),
        Index("ix_executions_imported", "owner", postgresql_where=text("imported IS NOT NULL")),
        Index("ix_executions_rerun_of", "rerun_of", postgresql_where=text("rerun_of IS NOT NULL")),
        CheckConstraint("archived_at IS NULL OR finished_at IS NOT NULL", name="archived_has_ended"),
        CheckConstraint("(delete_requested_at IS NULL) = (delete_requested_by IS NULL)", name="delete_whole"),
        Index(
            "ix_executions_to_delete",
            "delete_requested_at",
            postgresql_where=text("delete_requested_at IS NOT NULL"),
        ),
        Index("ix_executions_record_kept", "status", text(KEPT_SINCE), postgresql_where=text(MAY_EXPIRE)),
        Index("ix_executions_outputs_kept", text(KEPT_SINCE), postgresql_where=text(OUTPUTS_MAY_EXPIRE)),
        Index("ix_executions_checkpoint_kept", text(KEPT_SINCE), postgresql_where=text(CHECKPOINT_MAY_EXPIRE)),
    )


class ExecutionWords(Base):
    """What an execution is found by: the words of its name, note and labels; each label as `=key=value`; its image as
    `@image`. Triggers on `executions` write and delete it, so that it is not written again at every move; a foreign key
    would look for the execution that a submission has just written.
    """

    __tablename__ = "execution_words"

    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(TSVECTOR)

    __table_args__ = (Index("ix_execution_words_words", "words", postgresql_using="gin"),)


class Attempt(Base):
    """One container of an execution. The `…_intent_at` columns are committed before the engine is asked."""

    __tablename__ = "attempts"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker_id: Mapped[UUID] = mapped_column(ForeignKey("workers.id"))
    engine_id: Mapped[str]
    claimed_at: Mapped[Now]
    container_name: Mapped[str | None]
    container_id: Mapped[str | None]
    create_intent_at: Mapped[datetime | None]
    start_intent_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    events_offset: Mapped[int] = mapped_column(server_default=text("0"))
    events_lines: Mapped[int] = mapped_column(server_default=text("0"))
    pause_written_at: Mapped[datetime | None]
    thawed_at: Mapped[datetime | None]
    stop_written_at: Mapped[datetime | None]
    signaled_at: Mapped[datetime | None]
    # The engine says that it was; `signaled_at` is from before it was asked.
    signal_sent_at: Mapped[datetime | None]
    killed_at: Mapped[datetime | None]
    over_disk_at: Mapped[datetime | None]
    exited_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    oom_killed: Mapped[bool | None]
    cause: Mapped[str | None]
    message: Mapped[str | None]
    may_have_run: Mapped[bool | None]
    last_seq: Mapped[int | None]
    checkpoint_files: Mapped[int] = mapped_column(server_default=text("0"))
    checkpoint_bytes: Mapped[int] = mapped_column(server_default=text("0"))

    __table_args__ = (
        CheckConstraint(f"cause IS NULL OR {one_of('cause', frozenset(STATUS_OF))}", name="cause"),
        CheckConstraint("started_at IS NULL OR start_intent_at IS NOT NULL", name="start_was_meant"),
    )


class ExecutionEvent(Base):
    """One move of an execution; append-only, written in the transaction of the move."""

    __tablename__ = "execution_events"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    cause: Mapped[str | None]
    message: Mapped[str | None]
    actor: Mapped[str]
    attempt: Mapped[int]
    at: Mapped[Now]
