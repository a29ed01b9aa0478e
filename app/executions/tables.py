"""Tables of the record: executions, their attempts and their history. CHECKs repeat the rules of `states.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.executions.states import STATUS_OF, TERMINAL, Cause, Status, StopReason, causes_of

# Where an execution stands among those of its owner that are queued: a minute of waiting counts as much as a point of
# priority, so that this order does not change with time, and waiting begins when it may start. In UTC, since an index
# takes nothing that depends on a session's time zone.
TURN = "(timezone('UTC'::text, GREATEST(queued_at, not_before)) - priority::double precision * '00:01:00'::interval)"
HELD = frozenset({Status.PREPARING, Status.RUNNING, Status.STOPPING})
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
    image_id: Mapped[str | None]
    image_digest: Mapped[str | None]
    resumed_from: Mapped[UUID | None] = mapped_column(ForeignKey("executions.id", ondelete="SET NULL"))

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

    announced: Mapped[bool] = mapped_column(server_default=text("false"))
    progress_percent: Mapped[int | None] = mapped_column(SmallInteger)
    progress_phase: Mapped[str | None]
    progress_at: Mapped[datetime | None]
    warnings: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    result: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))

    log_complete: Mapped[bool | None]
    outputs_files: Mapped[int] = mapped_column(server_default=text("0"))
    outputs_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    outputs_partial: Mapped[bool] = mapped_column(server_default=text("false"))

    deadline: Mapped[datetime | None]
    created_at: Mapped[Now]
    queued_at: Mapped[Now]
    not_before: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[Now]

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
        CheckConstraint("progress_percent BETWEEN 0 AND 100", name="progress_percent"),
        CheckConstraint("priority BETWEEN -100 AND 100", name="priority"),
        Index("ix_executions_queue", "pool", "owner", text(TURN), "id", postgresql_where=text("status = 'queued'")),
        Index("ix_executions_held", "pool", "owner", postgresql_where=text(one_of("status", HELD))),
        Index(
            "ix_executions_active",
            "worker_id",
            "control_version",
            postgresql_where=text("status IN ('preparing', 'running', 'paused', 'stopping')"),
        ),
        Index("ix_executions_owner", "owner", "id"),
        Index("ix_executions_status", "status", "id"),
        Index("ix_executions_labels", "labels", postgresql_using="gin"),
        Index("ix_executions_resumed_from", "resumed_from", postgresql_where=text("resumed_from IS NOT NULL")),
    )


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
    stop_written_at: Mapped[datetime | None]
    signaled_at: Mapped[datetime | None]
    killed_at: Mapped[datetime | None]
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
