"""Tokens, stored as hashes only."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class Token(Base):
    """What a bearer token may do, and for whom."""

    __tablename__ = "tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    name: Mapped[str]
    owner: Mapped[str]
    scopes: Mapped[list[Any]]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
