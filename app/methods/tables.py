"""Tables of methods. Triggers keep what is published as it is, and count failures in a row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now, one_of
from app.methods.model import Visibility


class Method(Base):
    """A method. Its row is the lock under which its limit is counted, when executions of it are claimed."""

    __tablename__ = "methods"

    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    visibility: Mapped[str] = mapped_column(server_default=text("'private'"))
    shared_with: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    runnable: Mapped[bool] = mapped_column(server_default=text("true"))
    disabled_by: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    max_running: Mapped[int | None]
    pause_after_failures: Mapped[int | None]
    # How many executions in a row have failed, and the last few of them. A trigger on `executions` counts.
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    last_failed: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    retired_at: Mapped[datetime | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint(one_of("visibility", Visibility), name="visibility"),
        CheckConstraint(
            "runnable = (disabled_by IS NULL) AND runnable = (disabled_at IS NULL)"
            " AND runnable = (disabled_reason IS NULL)",
            name="disabled_whole",
        ),
        CheckConstraint("max_running >= 0", name="max_running"),
        CheckConstraint("pause_after_failures > 0", name="pause_after_failures"),
        Index("ix_methods_owner", "owner"),
        Index("ix_methods_limited", "name", postgresql_where=text("max_running IS NOT NULL OR NOT runnable")),
    )


class MethodVersion(Base):
    """One version. Once it is published only `retired_at` changes: a trigger refuses everything else."""

    __tablename__ = "method_versions"

    method: Mapped[str] = mapped_column(ForeignKey("methods.name", ondelete="CASCADE"), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    # Of the version, to find the latest by.
    major: Mapped[int]
    minor: Mapped[int]
    patch: Mapped[int]
    is_release: Mapped[bool]
    # Not as JSONB: that has no order of keys, and inputs have one.
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_by: Mapped[str]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]
    retired_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(published_at IS NULL) = (published_by IS NULL)", name="published_whole"),
        CheckConstraint("retired_at IS NULL OR published_at IS NOT NULL", name="retired_was_published"),
        Index(
            "ix_method_versions_latest",
            "method",
            "major",
            "minor",
            "patch",
            postgresql_where=text("published_at IS NOT NULL AND retired_at IS NULL AND is_release"),
        ),
    )
