"""Tables of uploaded files, and of who refers to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class File(Base):
    """One uploaded file, all of whose bytes are in the store."""

    __tablename__ = "files"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    media_type: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("bytes >= 0", name="bytes"),
        Index("ix_files_owner_id", "owner", text("id DESC")),
        Index("ix_files_created_at", "created_at"),
    )


class ExecutionFile(Base):
    """An execution on record has this file among its inputs."""

    __tablename__ = "execution_files"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True)

    __table_args__ = (Index("ix_execution_files_file_id", "file_id"),)
