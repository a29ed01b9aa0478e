"""Sums over executions that have ended and over what happened, as differences that are only ever added.

Triggers on `executions` write them in the transaction that changes it, whoever that is; so they are exact, and nobody
waits for a row that all count in. They are folded now and then.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, DateTime, Double, Index, Table, Text

from app.db.orm import Base

# How many executions there are that have ended: an end adds one, archiving moves it, deleting takes it away.
ended_counts = Table(
    "ended_counts",
    Base.metadata,
    Column("owner", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("n", BigInteger, nullable=False),
    Index("ix_ended_counts_owner", "owner"),
)

# The same of those that are of a method, by that. On its own: what an older version folds together stays what it is.
method_counts = Table(
    "method_counts",
    Base.metadata,
    Column("method", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("n", BigInteger, nullable=False),
    Index("ix_method_counts_method", "method"),
    Index("ix_method_counts_owner", "owner"),
)

# How many were submitted or started, or ended with which status, by the minute; later by the hour. Never less.
flow_counts = Table(
    "flow_counts",
    Base.metadata,
    Column("at", DateTime(timezone=True), nullable=False),
    Column("owner", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    Index("ix_flow_counts_at", "at"),
)

# How long those had waited that left the queue, by the minute; later by the hour: in sum, and at the longest. Not all
# were `claimed`: some ended without a start, or were held. With since when the first of them had waited, how old the
# queue was at any time can be told exactly, however much is folded together. On its own, as `method_counts` is.
queue_waits = Table(
    "queue_waits",
    Base.metadata,
    Column("at", DateTime(timezone=True), nullable=False),
    Column("owner", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("claimed", Boolean, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("longest", Double, nullable=False),
    Column("earliest", DateTime(timezone=True), nullable=False),
    CheckConstraint("n > 0", name="n"),
    CheckConstraint("longest >= 0 AND seconds >= longest", name="longest"),
    Index("ix_queue_waits_at", "at"),
)
