"""log segments and retention, secrets, positions of events

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # As a submission takes them, and then the writer of a log: in another order each might wait for the other.
    op.execute("LOCK TABLE executions IN SHARE ROW EXCLUSIVE MODE")
    op.execute("LOCK TABLE log_heads, log_chunks IN ACCESS EXCLUSIVE MODE")
    op.add_column("log_chunks", sa.Column("first_ms", sa.BigInteger(), nullable=True))
    op.add_column("log_chunks", sa.Column("last_ms", sa.BigInteger(), nullable=True))
    op.add_column("log_heads", sa.Column("expires", sa.Date(), nullable=True))
    op.create_table(
        "log_segments",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires", sa.Date(), server_default=sa.text("'infinity'"), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.Column("rolling", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("frames", sa.LargeBinary(), nullable=True),
        sa.Column("gap", sa.Text(), nullable=True),
        sa.Column("first_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(frames IS NULL) = (gap IS NOT NULL)", name=op.f("ck_log_segments_frames_or_gap")),
        sa.CheckConstraint("first_seq >= 1 AND last_seq >= first_seq", name=op.f("ck_log_segments_seqs")),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_log_segments_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "last_seq", "expires", name=op.f("pk_log_segments")),
        postgresql_partition_by="RANGE (expires)",
    )
    op.execute("ALTER TABLE log_segments ALTER COLUMN frames SET STORAGE EXTERNAL")
    # For ever. Not a default partition: one of those is locked and read whole whenever a week is added.
    op.execute("CREATE TABLE log_segments_kept PARTITION OF log_segments FOR VALUES FROM ('infinity') TO (MAXVALUE)")

    op.create_table(
        "execution_secrets",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_execution_secrets_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "name", name=op.f("pk_execution_secrets")),
    )

    op.create_table(
        "event_positions",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event_positions")),
    )
    op.add_column("log_heads", sa.Column("told_event", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("log_heads", sa.Column("told_steps", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    # Their logs have been told so far by the version that ran them.
    op.execute(
        """
        UPDATE log_heads SET told_event = last.number FROM (
            SELECT id, max(number) AS number FROM executions JOIN execution_events ON execution_id = id
            WHERE status IN ('queued', 'preparing', 'running', 'paused', 'stopping') AND executions.attempt > 0
            GROUP BY id
        ) AS last WHERE execution_id = last.id
        """
    )


def downgrade() -> None:
    op.drop_column("log_heads", "told_steps")
    op.drop_column("log_heads", "told_event")
    op.drop_table("event_positions")
    op.drop_table("execution_secrets")
    op.drop_table("log_segments")
    op.drop_column("log_heads", "expires")
    op.drop_column("log_chunks", "last_ms")
    op.drop_column("log_chunks", "first_ms")
