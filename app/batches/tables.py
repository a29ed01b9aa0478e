"""Tables of batches. What a child has of its batch is on its own record."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.batches.model import BatchStopReason
from app.db.orm import Base, Now, one_of


class Batch(Base):
    """Executions that were submitted together. Its row is the lock under which its children are let go."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    note: Mapped[str | None]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    size: Mapped[int]
    max_parallel: Mapped[int | None]
    fail_fast: Mapped[bool] = mapped_column(server_default=text("false"))
    has_needs: Mapped[bool] = mapped_column(server_default=text("false"))
    rerun_of: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="SET NULL"))

    stop_reason: Mapped[str | None]
    stop_by: Mapped[str | None]
    stop_message: Mapped[str | None]
    stop_force: Mapped[bool] = mapped_column(server_default=text("false"))
    stop_requested_at: Mapped[datetime | None]
    # It goes with the last of its children.
    delete_requested_at: Mapped[datetime | None]
    delete_requested_by: Mapped[str | None]

    created_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
    # How many of its children ended in each status, once all have.
    ended: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        CheckConstraint("size > 0", name="size"),
        CheckConstraint("max_parallel > 0", name="max_parallel"),
        CheckConstraint(f"stop_reason IS NULL OR {one_of('stop_reason', BatchStopReason)}", name="stop_reason"),
        CheckConstraint(
            "(stop_reason IS NULL) = (stop_by IS NULL) AND (stop_reason IS NULL) = (stop_message IS NULL)"
            " AND (stop_reason IS NULL) = (stop_requested_at IS NULL)",
            name="stop_whole",
        ),
        CheckConstraint("(finished_at IS NULL) = (ended IS NULL)", name="finished_whole"),
        CheckConstraint("(delete_requested_at IS NULL) = (delete_requested_by IS NULL)", name="delete_whole"),
        Index("ix_batches_owner", "owner", "id"),
        Index("ix_batches_unfinished", "id", postgresql_where=text("finished_at IS NULL")),
        Index("ix_batches_to_delete", "delete_requested_at", postgresql_where=text("delete_requested_at IS NOT NULL")),
        Index("ix_batches_rerun_of", "rerun_of", postgresql_where=text("rerun_of IS NOT NULL")),
    )


class ExecutionNeed(Base):
    """An execution that another one of its batch waits for, and whose outputs it finds under this name."""

    __tablename__ = "execution_needs"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    # Null when that one was deleted, after it had ended.
    needed_id: Mapped[UUID | None] = mapped_column(ForeignKey("executions.id", ondelete="SET NULL"))

    __table_args__ = (Index("ix_execution_needs_needed", "needed_id", postgresql_where=text("needed_id IS NOT NULL")),)
