"""how long executions waited in the queue

Revision: 0008, after 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Who leaves the queue, by whatever statement: claimed, ended without a start, held. Its waiting began when it might
# start; what leaves before that has not waited.
WAITS = """
CREATE FUNCTION count_wait() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_at timestamptz := clock_timestamp();
    since timestamptz := greatest(OLD.queued_at, OLD.not_before);
    waited double precision := greatest(extract(epoch FROM left_at - since), 0);
BEGIN
    IF since <= left_at OR NEW.status = 'preparing' THEN
        INSERT INTO queue_waits (at, owner, pool, claimed, n, seconds, longest, earliest) VALUES (
            date_trunc('minute', left_at), OLD.owner, OLD.pool, NEW.status = 'preparing', 1, waited, waited, since
        );
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_wait AFTER UPDATE OF status, hold, gated, needs_left ON executions FOR EACH ROW WHEN (
    OLD.status = 'queued' AND NOT OLD.hold AND NOT OLD.gated AND OLD.needs_left = 0
    AND (NEW.status <> 'queued' OR NEW.hold OR NEW.gated OR NEW.needs_left > 0)
) EXECUTE FUNCTION count_wait()
"""


def upgrade() -> None:
    """Nothing that is there is read or written: the history of the queue begins now."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    time, number = sa.DateTime(timezone=True), sa.Double()
    op.create_table(
        "queue_waits",
        sa.Column("at", time, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("seconds", number, nullable=False),
        sa.Column("longest", number, nullable=False),
        sa.Column("earliest", time, nullable=False),
        sa.CheckConstraint("n > 0", name=op.f("ck_queue_waits_n")),
        sa.CheckConstraint("longest >= 0 AND seconds >= longest", name=op.f("ck_queue_waits_longest")),
    )
    op.create_index("ix_queue_waits_at", "queue_waits", ["at"])
    for statement in WAITS.split(";\n\n"):
        op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER count_wait ON executions")
    op.execute("DROP FUNCTION count_wait")
    op.drop_table("queue_waits")
