"""Tables of notifications: to whom what is said, what fails in a row, and what is to be said."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.notifications.model import NotificationKind, NotificationState


class RuleRow(Base):
    """To whom what is said. The URL of the channel has passwords in it, so all of it is sealed."""

    __tablename__ = "notification_rules"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    channel: Mapped[str]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    description: Mapped[str | None]
    # Instead of single executions.
    batches: Mapped[bool] = mapped_column(server_default=text("false"))
    statuses: Mapped[list[Any]]
    causes: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    chosen: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    alert_after: Mapped[int | None]
    per: Mapped[str] = mapped_column(server_default=text("'name'"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    # The token of whoever said last where it leads, or switched it on.
    set_by: Mapped[UUID | None]
    after: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[Now]
    updated_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("alert_after > 0", name="alert_after"),
        Index("ix_notification_rules_owner", "owner", "id"),
        Index("ix_notification_rules_set_by", "set_by", postgresql_where=text("set_by IS NOT NULL")),
    )


class StreakRow(Base):
    """What has failed in a row, of what is alike; gone once one succeeds."""

    __tablename__ = "notification_streaks"

    rule_id: Mapped[UUID] = mapped_column(ForeignKey("notification_rules.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    alerted: Mapped[bool]


class NotificationRow(Base):
    """One message. It is claimed before it is sent, so that nobody else sends it, whatever becomes of who did."""

    __tablename__ = "notifications"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[UUID] = mapped_column(ForeignKey("notification_rules.id", ondelete="CASCADE"))
    execution_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    position: Mapped[int | None]
    kind: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text(f"'{NotificationState.WAITING}'"))
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    error: Mapped[str | None]
    created_at: Mapped[Now]
    done_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(one_of("state", NotificationState), name="state"),
        CheckConstraint(one_of("kind", NotificationKind), name="kind"),
        CheckConstraint("(state = 'waiting') = (next_at IS NOT NULL)", name="next_if_waiting"),
        CheckConstraint("(state IN ('waiting', 'sending')) = (done_at IS NULL)", name="done_if_over"),
        Index("uq_notifications_event", "rule_id", "position", unique=True),
        Index("ix_notifications_due", "rule_id", "next_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_notifications_sending", "claimed_at", postgresql_where=text("state = 'sending'")),
        Index("ix_notifications_log", "rule_id", "id"),
        Index("ix_notifications_kept", "done_at", postgresql_where=text("done_at IS NOT NULL")),
    )
