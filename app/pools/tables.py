"""Tables of pools."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class Pool(Base):
    """A named group of workers. Its row is the lock under which executions are claimed, so that its limits are exact.

    One that was deleted keeps its row: records of the past name it.
    """

    __tablename__ = "pools"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str | None]
    max_running: Mapped[int | None]
    max_running_per_owner: Mapped[int | None]
    created_at: Mapped[Now]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("max_running >= 0", name="max_running"),
        CheckConstraint("max_running_per_owner >= 0", name="max_running_per_owner"),
    )


class PoolTurn(Base):
    """When an owner was last served in a pool: among equals, whoever waited longest for a turn is next."""

    __tablename__ = "pool_turns"

    pool: Mapped[str] = mapped_column(ForeignKey("pools.name", ondelete="CASCADE"), primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    served_at: Mapped[Now]
