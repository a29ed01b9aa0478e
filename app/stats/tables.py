"""Sums over executions that have ended and over what happened, as differences that are only ever added.

Triggers on `executions` write them in the transaction that changes it, whoever that is; so they are exact, and nobody
waits for a row that all count in. They are folded now and then.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Table, Text

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
