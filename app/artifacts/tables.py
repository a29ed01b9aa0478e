"""Manifest of collected files; their bytes lie in the artifact store."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.artifacts.model import Kind
from app.db.orm import Base, Now, one_of


class Artifact(Base):
    """One collected file: an output of the execution, or part of an attempt's checkpoint snapshot."""

    __tablename__ = "artifacts"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(primary_key=True)
    bytes: Mapped[int]
    sha256: Mapped[str]
    media_type: Mapped[str]
    executable: Mapped[bool]
    created_at: Mapped[Now]

    __table_args__ = (CheckConstraint(one_of("kind", Kind), name="kind"),)


class ArtifactRemoval(Base):
    """Objects below this prefix that no manifest names are to go: written with what makes them unwanted.

    No foreign key: it outlives the execution. `begun_at` is when somebody last began to remove them, `rounds` counts
    how often they were removed, since a worker that does not know yet that somebody took over may still be storing.
    """

    __tablename__ = "artifact_removals"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID]
    asked_at: Mapped[Now]
    due_at: Mapped[Now]
    begun_at: Mapped[datetime | None]
    rounds: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))

    __table_args__ = (
        Index("ix_artifact_removals_due", "due_at", postgresql_where=text("rounds < 2")),
        Index("ix_artifact_removals_done", "due_at", postgresql_where=text("rounds >= 2")),
    )
