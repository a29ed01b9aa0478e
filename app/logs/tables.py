"""Tables of the log: one head per execution, and the frames: in chunks at first, then in segments."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base

PARTITION_PREFIX = "log_segments_"


class LogHead(Base):
    """The fence of an execution's log and how far it has come. Only the holder of `epoch` writes.

    `out_bytes` and `err_bytes` count the container's raw bytes of the current attempt: where an adopter goes on
    reading the engine's log. `charged` is what counts against `limits.log_bytes`. From the day after `expires` on
    there may be nothing left of the log; while `moving`, since it was archived or restored, its segments are not yet
    where they belong. `told_event` is the last event that its system lines have told, `told_steps` are those of the
    current attempt (`worker/story.py`).
    """

    __tablename__ = "log_heads"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int]
    next_seq: Mapped[int] = mapped_column(server_default=text("1"))
    out_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    err_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    total_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    charged: Mapped[int] = mapped_column(server_default=text("0"))
    truncated: Mapped[bool] = mapped_column(server_default=text("false"))
    expires: Mapped[date | None] = mapped_column(Date)
    moving: Mapped[bool] = mapped_column(server_default=text("false"))
    told_event: Mapped[int] = mapped_column(server_default=text("0"))
    told_steps: Mapped[int] = mapped_column(server_default=text("0"))

    __table_args__ = (Index("ix_log_heads_moving", "execution_id", postgresql_where=text("moving")),)


class LogChunk(Base):
    """A run of consecutive records as one frame, zstd-compressed; exactly what was published.

    `raw` is kept only where the frame's text is not the exact bytes (invalid UTF-8). A row without a frame is a gap
    that the worker knows of; a hole between rows is the part that the cap dropped. `first_ms` and `last_ms` are the
    oldest and the newest time in it, as unix milliseconds; older versions wrote none.
    """

    __tablename__ = "log_chunks"

    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True)
    last_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_seq: Mapped[int]
    charge: Mapped[int]
    rolling: Mapped[bool] = mapped_column(server_default=text("false"))
    frame: Mapped[bytes | None] = mapped_column(LargeBinary)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    gap: Mapped[str | None]
    first_ms: Mapped[int | None]
    last_ms: Mapped[int | None]

    __table_args__ = (
        CheckConstraint("first_seq >= 1 AND last_seq >= first_seq", name="seqs"),
        CheckConstraint("(frame IS NULL) = (gap IS NOT NULL)", name="frame_or_gap"),
    )


class LogSegment(Base):
    """A run of consecutive chunks in one piece, see `segments.py`; otherwise like a chunk.

    Partitioned by the week of `expires`, so that old logs go a week at a time; 'infinity' is kept for ever. A trigger
    deletes them with their execution. That is no foreign key: an import writes them first.
    """

    __tablename__ = "log_segments"

    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    expires: Mapped[date] = mapped_column(Date, primary_key=True, server_default=text("'infinity'"))
    first_seq: Mapped[int]
    charge: Mapped[int]
    rolling: Mapped[bool] = mapped_column(server_default=text("false"))
    frames: Mapped[bytes | None] = mapped_column(LargeBinary)
    gap: Mapped[str | None]
    first_ms: Mapped[int | None]
    last_ms: Mapped[int | None]

    __table_args__ = (
        CheckConstraint("first_seq >= 1 AND last_seq >= first_seq", name="seqs"),
        CheckConstraint("(frames IS NULL) = (gap IS NOT NULL)", name="frames_or_gap"),
        {"postgresql_partition_by": "RANGE (expires)"},
    )
