"""Tables of triggers, and of what was posted to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.triggers.model import DeliveryStatus
from app.triggers.signatures import Signature

ACCEPTED = "status = 'accepted'"


class Trigger(Base):
    """An address, and what is submitted when somebody posts to it. Its row is the lock under which that is counted."""

    __tablename__ = "triggers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    note: Mapped[str | None]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    target: Mapped[dict[str, Any]]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    as_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    # Of whoever set the target, or switched it on, last: what they might, and the token. None: not known.
    scopes: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    set_by: Mapped[UUID | None]
    # The token of whoever has seen its own last.
    key_by: Mapped[UUID | None]
    payload_input: Mapped[str | None]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    max_per_minute: Mapped[int]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[str | None]
    # Its secret, sealed, and the one before that.
    signing: Mapped[bytes | None] = mapped_column(LargeBinary)
    signing_before: Mapped[bytes | None] = mapped_column(LargeBinary)
    before_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]

    __table_args__ = (
        UniqueConstraint("owner", "name"),
        CheckConstraint("max_per_minute > 0", name="max_per_minute"),
        CheckConstraint(f"signature IS NULL OR {one_of('signature', Signature)}", name="signature"),
        CheckConstraint("(signature IS NULL) = (signing IS NULL)", name="signed_by_a_secret"),
        CheckConstraint("(signing_before IS NULL) = (before_until IS NULL)", name="before_whole"),
        Index("ix_triggers_set_by", "set_by", postgresql_where=text("set_by IS NOT NULL")),
        Index("ix_triggers_key_by", "key_by", postgresql_where=text("key_by IS NOT NULL")),
    )


class TriggerDelivery(Base):
    """What came of one post, in the transaction of what was submitted for it. Of one key one is accepted, ever."""

    __tablename__ = "trigger_deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    trigger_id: Mapped[UUID] = mapped_column(ForeignKey("triggers.id", ondelete="CASCADE"))
    key: Mapped[str]
    status: Mapped[str]
    made: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    at: Mapped[Now]

    __table_args__ = (
        CheckConstraint(one_of("status", DeliveryStatus), name="status"),
        CheckConstraint("(status = 'accepted') = (made IS NOT NULL)", name="accepted_has_made"),
        Index("ix_trigger_deliveries_at", "trigger_id", "at"),
        Index("ix_trigger_deliveries_accepted", "trigger_id", "key", unique=True, postgresql_where=text(ACCEPTED)),
    )
