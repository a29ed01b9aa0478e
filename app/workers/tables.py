"""Tables of workers: who is there, and who leads what."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.workers.model import Wanted


class Worker(Base):
    """One worker process, attached to one container engine; `engine_…` is what it last saw of that."""

    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    pool: Mapped[str] = mapped_column(ForeignKey("pools.name"))
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    engine_id: Mapped[str]
    engine_version: Mapped[str]
    engine_ok: Mapped[bool] = mapped_column(server_default=text("true"))
    engine_message: Mapped[str | None]
    engine_ok_at: Mapped[Now]
    slots: Mapped[int]
    wanted: Mapped[str] = mapped_column(server_default=text("'work'"))
    # Why it takes nothing new although it is wanted to.
    message: Mapped[str | None]
    started_at: Mapped[Now]
    heartbeat_at: Mapped[Now]
    gone_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(one_of("wanted", Wanted), name="wanted"),
        Index("ix_workers_present", "pool", postgresql_where=text("gone_at IS NULL")),
    )


class Leadership(Base):
    """Who does a duty that one worker at a time does. `until` is on the database's clock."""

    __tablename__ = "leaderships"

    duty: Mapped[str] = mapped_column(primary_key=True)
    worker_id: Mapped[UUID] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"))
    until: Mapped[datetime]
