"""Tables of webhooks and of what is on its way to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.webhooks.model import DeliveryState, EventType

WAITING = "state = 'waiting'"
PROGRESS = f"event = '{EventType.PROGRESS}'"


class WebhookRow(Base):
    """A server that wants to hear of its owner's executions, of one, or of a batch. `app.secrets.vault` seals secrets.

    No foreign key to either: that one was deleted is told, too. `after` is the position of the last event before.
    """

    __tablename__ = "webhooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    execution_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    url: Mapped[str]
    description: Mapped[str | None]
    events: Mapped[list[Any]]
    chosen: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    disabled_reason: Mapped[str | None]
    after: Mapped[int] = mapped_column(server_default=text("0"))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_before: Mapped[bytes | None] = mapped_column(LargeBinary)
    before_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failing_since: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    dropped: Mapped[int] = mapped_column(server_default=text("0"))
    # The token of whoever said last where it leads, or switched it on.
    set_by: Mapped[UUID | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("(failures > 0) = (failing_since IS NOT NULL)", name="failing_whole"),
        CheckConstraint("(sealed_before IS NULL) = (before_until IS NULL)", name="before_whole"),
        CheckConstraint("disabled_reason IS NULL OR NOT enabled", name="disabled_is_not_enabled"),
        Index("ix_webhooks_owner", "owner", "id", postgresql_where=text("execution_id IS NULL AND batch_id IS NULL")),
        Index("ix_webhooks_execution", "execution_id", postgresql_where=text("execution_id IS NOT NULL")),
        Index("ix_webhooks_set_by", "set_by", postgresql_where=text("set_by IS NOT NULL")),
        Index("ix_webhooks_batch", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
    )


class DeliveryRow(Base):
    """One message to one webhook, with the log of its tries. `position` is that of its event."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    execution_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    event: Mapped[str]
    position: Mapped[int | None]
    said_at: Mapped[datetime | None]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text(f"'{DeliveryState.WAITING}'"))
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    log: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    next_at: Mapped[datetime | None]
    give_up_at: Mapped[datetime]
    created_at: Mapped[Now]
    done_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(one_of("state", DeliveryState), name="state"),
        CheckConstraint("(state = 'waiting') = (next_at IS NOT NULL)", name="next_if_waiting"),
        CheckConstraint("(state = 'waiting') = (done_at IS NULL)", name="done_if_not_waiting"),
        # Exactly one of each event, whoever else comes to the same idea.
        Index("uq_webhook_deliveries_event", "webhook_id", "position", "event", unique=True),
        Index("ix_webhook_deliveries_due", "webhook_id", "next_at", postgresql_where=text(WAITING)),
        Index("ix_webhook_deliveries_log", "webhook_id", "id"),
        Index("ix_webhook_deliveries_kept", "done_at", postgresql_where=text("done_at IS NOT NULL")),
        Index("ix_webhook_deliveries_progress", "execution_id", "webhook_id", "id", postgresql_where=text(PROGRESS)),
    )
