"""Tables of the order in which all events were written, and of those who go through it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Identity
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base


class EventPosition(Base):
    """The place of one event among those of all executions and batches; written with it, and forgotten after a while.

    No foreign key: to delete an execution must not be writing here for long, or everybody would wait for it (`store`).
    """

    __tablename__ = "event_positions"

    position: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    execution_id: Mapped[UUID]
    number: Mapped[int]
    # What was deleted, for those who may know of it: nothing else is left of it, and `number` is 0.
    deleted: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # How a batch was when the last of its children had ended: `execution_id` is its id then, and `number` is 0.
    batch: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class EventCursor(Base):
    """How far somebody has come who acts once on every event. Moved in the transaction of what they did."""

    __tablename__ = "event_cursors"

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
