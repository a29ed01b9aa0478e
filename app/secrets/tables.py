"""Table of the secrets of executions."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base


class ExecutionSecret(Base):
    """One secret, as `app.secrets.vault` sealed it; gone with the end of its execution."""

    __tablename__ = "execution_secrets"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
