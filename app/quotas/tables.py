"""Table of quotas."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, Table, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base, Now


class Quota(Base):
    """What an owner may have over all pools; NULL is the default. Its row is the lock under which what they run is
    counted, so that what may run at once is exact.
    """

    __tablename__ = "quotas"

    owner: Mapped[str] = mapped_column(primary_key=True)
    max_queued: Mapped[int | None]
    max_running: Mapped[int | None]
    max_cpus: Mapped[float | None]
    max_memory: Mapped[int | None]
    max_log_bytes: Mapped[int | None]
    max_storage: Mapped[int | None]
    updated_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("max_queued >= 0", name="max_queued"),
        CheckConstraint("max_running >= 0", name="max_running"),
        CheckConstraint("max_cpus >= 0", name="max_cpus"),
        CheckConstraint("max_memory >= 0", name="max_memory"),
        CheckConstraint("max_log_bytes >= 0", name="max_log_bytes"),
        CheckConstraint("max_storage >= 0", name="max_storage"),
    )


# What is kept of an owner's executions: the `log` of those that have ended, to a day on which it goes, and `files`,
# which are outputs and checkpoints. Triggers on `executions` and `log_heads` write how it changes, in the transaction
# that changes it; so the sums are exact, and nobody waits for a row. They are folded now and then.
kept_bytes = Table(
    "kept_bytes",
    Base.metadata,
    Column("owner", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("until", Date),
    Column("n", BigInteger, nullable=False),
    Index("ix_kept_bytes_owner", "owner"),
)
