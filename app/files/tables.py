"""Tables of uploaded files, and of who refers to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class File(Base):
    """One uploaded file, all of whose bytes are in the store.

    Its days count from `kept_since`: its upload, until something refers to it after those; then it is looked at daily.
    """

    __tablename__ = "files"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    media_type: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[Now]
    kept_since: Mapped[Now]

    __table_args__ = (
        CheckConstraint("bytes >= 0", name="bytes"),
        Index("ix_files_owner_id", "owner", text("id DESC")),
        Index("ix_files_owner_name", "owner", "name", postgresql_ops={"name": "text_pattern_ops"}),
        Index("ix_files_owner_bytes", "owner", postgresql_include=["bytes"]),
        Index("ix_files_labels", "labels", postgresql_using="gin"),
        Index("ix_files_kept_since", "kept_since"),
    )


class Upload(Base):
    """Something under way, a file or an import, and how many bytes of what its owner may have it has taken."""

    __tablename__ = "uploads"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    bytes: Mapped[int]
    until: Mapped[datetime]

    __table_args__ = (CheckConstraint("bytes >= 0", name="bytes"), Index("ix_uploads_owner", "owner"))


class ExecutionFile(Base):
    """An execution on record has this file among its inputs, or had it: once it has ended the file may be deleted. So
    that is no foreign key: a million executions may have had it.
    """

    __tablename__ = "execution_files"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    file_id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = (Index("ix_execution_files_file_id", "file_id"),)
