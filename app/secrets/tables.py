"""Tables of secrets: those of executions, and those that have a name."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class ExecutionSecret(Base):
    """One secret, as `app.secrets.vault` sealed it; gone with the end of its execution."""

    __tablename__ = "execution_secrets"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


class NamedSecret(Base):
    """One that its owner refers to by name, sealed for this id; another value is another id."""

    __tablename__ = "named_secrets"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Now]
    changed_at: Mapped[Now]
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("owner", "name"),)
