"""Tables of usage: what an attempt has used in all and at most, and samples of how."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base


class AttemptUsage(Base):
    """An attempt that was measured: in all, at most, and at last, which was `at` that time. Kept for as long as its
    execution; of its samples every `stride`-th tick is.
    """

    __tablename__ = "attempt_usage"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    stride: Mapped[int]
    cpu_seconds: Mapped[float | None]
    cores: Mapped[float | None]
    memory: Mapped[int | None]
    pids: Mapped[int | None]
    disk: Mapped[int | None]
    cores_peak: Mapped[float | None]
    memory_peak: Mapped[int | None]
    pids_peak: Mapped[int | None]
    disk_peak: Mapped[int | None]
    missing: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class UsageSample(Base):
    """What an attempt used at the `tick`-th time; see `model.py`."""

    __tablename__ = "usage_samples"

    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tick: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    cpu_seconds: Mapped[float | None]
    cores: Mapped[float | None]
    memory: Mapped[int | None]
    pids: Mapped[int | None]
    disk: Mapped[int | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["execution_id", "attempt"], ["attempt_usage.execution_id", "attempt_usage.attempt"], ondelete="CASCADE"
        ),
    )
