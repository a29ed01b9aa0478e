"""Table of the retention policy."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class Retention(Base):
    """One row: how many days what has ended is kept; null is for ever. `since` is when it was changed last, but for
    that of logs, which holds for what ends from then on.
    """

    __tablename__ = "retention"

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    succeeded_days: Mapped[int | None] = mapped_column(Integer)
    failed_days: Mapped[int | None] = mapped_column(Integer)
    canceled_days: Mapped[int | None] = mapped_column(Integer)
    outputs_days: Mapped[int | None] = mapped_column(Integer)
    checkpoints_days: Mapped[int | None] = mapped_column(Integer)
    logs_days: Mapped[int | None] = mapped_column(Integer)
    files_days: Mapped[int | None] = mapped_column(Integer)
    since: Mapped[Now]

    __table_args__ = (CheckConstraint("one", name="one"),)
