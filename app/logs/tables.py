"""Tables of the log: one head per execution, and the frames."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base


class LogHead(Base):
    """The fence of an execution's log and how far it has come. Only the holder of `epoch` writes.

    `out_bytes` and `err_bytes` count the container's raw bytes of the current attempt: where an adopter goes on
    reading the engine's log. `charged` is what counts against `limits.log_bytes`.
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


class LogChunk(Base):
    """A run of consecutive records as one frame, zstd-compressed; exactly what was published.

    `raw` is kept only where the frame's text is not the exact bytes (invalid UTF-8). A row without a frame is a gap
    that the worker knows of; a hole between rows is the part that the cap dropped.
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

    __table_args__ = (
        CheckConstraint("first_seq >= 1 AND last_seq >= first_seq", name="seqs"),
        CheckConstraint("(frame IS NULL) = (gap IS NOT NULL)", name="frame_or_gap"),
    )
