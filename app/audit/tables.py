"""Table of who did what."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, SmallInteger, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.audit.model import REFUSED
from app.db.orm import Base


class AuditEntry(Base):
    """One request that changes something; a trigger refuses to change it, and to delete it before its time."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    action: Mapped[str]
    # In the order of bytes, so that what is below an object is a range.
    object: Mapped[str | None] = mapped_column(Text(collation="C"))
    owner: Mapped[str | None]
    actor: Mapped[str]
    token_id: Mapped[UUID | None]
    token_name: Mapped[str | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    status: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (
        Index(None, "owner", "id"),
        Index(None, "actor", "id"),
        Index(None, "object", "id"),
        Index(None, "action", "id"),
        Index("ix_audit_entries_token", "token_id", "id", postgresql_where=text("token_id IS NOT NULL")),
        Index("ix_audit_entries_refused", "id", postgresql_where=text(f"status >= {REFUSED}")),
        # Rows come in the order of time, more or less: a few bytes per thousand of them.
        Index(None, "at", postgresql_using="brin"),
    )
