"""Tokens and shares, stored as hashes only."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class Token(Base):
    """What a bearer token may do, and for whom. `made_by` is the token that made it, or once that is forgotten, the one
    that made that; None is an operator.

    A `session` is one that a browser has in a cookie. It ends with the token that made it.
    One of an issuer is `vouched_until` later than it is valid: until then what goes on in the owner's name may.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        Index(None, "owner", "id"),
        Index("ix_tokens_made_by", "made_by", postgresql_where=text("made_by IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    name: Mapped[str]
    owner: Mapped[str]
    scopes: Mapped[list[Any]]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    made_by: Mapped[UUID | None]
    session: Mapped[bool] = mapped_column(server_default=false())
    vouched_until: Mapped[datetime | None]


class Ticket(Base):
    """What opens one WebSocket, once, as the holder of a token."""

    __tablename__ = "tickets"
    __table_args__ = (Index(None, "token_id"), Index(None, "expires_at"))

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    token_id: Mapped[UUID] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]


class Share(Base):
    """A token that shows one execution to whoever has it. In no table with tokens: it must never be taken for one."""

    __tablename__ = "shares"
    __table_args__ = (
        Index(None, "execution_id", "id"),
        Index("ix_shares_made_with", "made_with", postgresql_where=text("made_with IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    note: Mapped[str | None]
    made_by: Mapped[str]
    # The token that it was made with; None: not known.
    made_with: Mapped[UUID | None]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
