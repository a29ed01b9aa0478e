"""Table of quotas."""

from __future__ import annotations

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class Quota(Base):
    """What an owner may have over all pools; NULL is the default. Its row is the lock under which what they run is
    counted, so that `max_running` is exact.
    """

    __tablename__ = "quotas"

    owner: Mapped[str] = mapped_column(primary_key=True)
    max_queued: Mapped[int | None]
    max_running: Mapped[int | None]
    updated_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("max_queued >= 0", name="max_queued"),
        CheckConstraint("max_running >= 0", name="max_running"),
    )
