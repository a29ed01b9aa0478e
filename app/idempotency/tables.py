"""Table of idempotency keys."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class IdempotencyKey(Base):
    """What a caller's key stood for: written in the transaction that accepted the execution."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    created_at: Mapped[Now]

    __table_args__ = (
        Index("ix_idempotency_keys_execution", "execution_id"),
        Index("ix_idempotency_keys_age", "created_at"),
    )
