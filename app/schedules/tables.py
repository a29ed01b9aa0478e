"""Tables of schedules, and of what came of their firings."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.schedules.model import Overlap, RunStatus, SkipReason


class Schedule(Base):
    """A rule, and what it submits. Its row is the lock under which it fires."""

    __tablename__ = "schedules"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    note: Mapped[str | None]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    rule: Mapped[dict[str, Any]]
    # Without the values of their secrets, which are sealed beside them, all in one.
    targets: Mapped[list[Any]]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    as_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    # Of whoever set the targets, or switched it on, last: what they might, and the token. None: not known.
    scopes: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    set_by: Mapped[UUID | None]
    time_input: Mapped[str | None]
    overlap: Mapped[str] = mapped_column(server_default=text("'skip'"))
    catch_up: Mapped[int] = mapped_column(server_default=text("1"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    paused_reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    waiting: Mapped[bool] = mapped_column(server_default=text("false"))
    last_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[Now]
    updated_at: Mapped[Now]

    __table_args__ = (
        UniqueConstraint("owner", "name"),
        CheckConstraint(one_of("overlap", Overlap), name="overlap"),
        CheckConstraint("catch_up >= 0", name="catch_up"),
        CheckConstraint("(next_at IS NULL) = (due_at IS NULL)", name="due_whole"),
        CheckConstraint("enabled OR next_at IS NULL", name="due_if_enabled"),
        CheckConstraint("paused_reason IS NULL OR NOT enabled", name="paused_is_not_enabled"),
        Index("ix_schedules_set_by", "set_by", postgresql_where=text("set_by IS NOT NULL")),
        Index("ix_schedules_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )


class ScheduleRun(Base):
    """What came of one firing, in the transaction that made it: it cannot be made again."""

    __tablename__ = "schedule_runs"

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[str]
    manual: Mapped[bool] = mapped_column(server_default=text("false"))
    reason: Mapped[str | None]
    message: Mapped[str | None]
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    made: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    noted_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint(one_of("status", RunStatus), name="status"),
        CheckConstraint(f"reason IS NULL OR {one_of('reason', SkipReason)}", name="reason"),
        CheckConstraint("(status = 'skipped') = (reason IS NOT NULL)", name="skipped_for_a_reason"),
    )
