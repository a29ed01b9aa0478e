"""pools, retries, idempotency keys, leaderships

Revision: 0002, after 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TURN = "(timezone('UTC'::text, GREATEST(queued_at, not_before)) - priority::double precision * '00:01:00'::interval)"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "pool_turns",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["pool"], ["pools.name"], name=op.f("fk_pool_turns_pool"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pool", "owner", name=op.f("pk_pool_turns")),
    )
    op.create_table(
        "leaderships",
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_leaderships_worker_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("duty", name=op.f("pk_leaderships")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_idempotency_keys_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_age", "idempotency_keys", ["created_at"], unique=False)
    op.create_index("ix_idempotency_keys_execution", "idempotency_keys", ["execution_id"], unique=False)
    op.add_column("attempts", sa.Column("exited_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attempts", sa.Column("may_have_run", sa.Boolean(), nullable=True))
    op.add_column("attempts", sa.Column("last_seq", sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("stop_final", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(
        "executions",
        sa.Column("retries", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("executions", sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("executions", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.drop_index(op.f("ix_executions_queue"), table_name="executions", postgresql_where="(status = 'queued'::text)")
    op.create_index(
        "ix_executions_queue",
        "executions",
        ["pool", "owner", sa.text(TURN), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_executions_held",
        "executions",
        ["pool", "owner"],
        unique=False,
        postgresql_where=sa.text("status IN ('preparing', 'running', 'stopping')"),
    )
    op.create_check_constraint(op.f("ck_executions_priority"), "executions", "priority BETWEEN -100 AND 100")
    op.add_column("pools", sa.Column("description", sa.Text(), nullable=True))
    op.add_column("pools", sa.Column("max_running", sa.BigInteger(), nullable=True))
    op.add_column("pools", sa.Column("max_running_per_owner", sa.BigInteger(), nullable=True))
    op.add_column("pools", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("workers", sa.Column("engine_ok", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("workers", sa.Column("engine_message", sa.Text(), nullable=True))
    op.add_column(
        "workers",
        sa.Column("engine_ok_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("workers", sa.Column("wanted", sa.Text(), server_default=sa.text("'work'"), nullable=False))
    op.create_check_constraint(op.f("ck_pools_max_running"), "pools", "max_running >= 0")
    op.create_check_constraint(op.f("ck_pools_max_running_per_owner"), "pools", "max_running_per_owner >= 0")
    op.create_check_constraint(op.f("ck_workers_wanted"), "workers", "wanted IN ('drain', 'pause', 'work')")
    op.create_index(
        "ix_workers_present", "workers", ["pool"], unique=False, postgresql_where=sa.text("gone_at IS NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_workers_present", table_name="workers", postgresql_where=sa.text("gone_at IS NULL"))
    op.drop_column("workers", "wanted")
    op.drop_column("workers", "engine_ok_at")
    op.drop_column("workers", "engine_message")
    op.drop_column("workers", "engine_ok")
    op.drop_column("pools", "deleted_at")
    op.drop_column("pools", "max_running_per_owner")
    op.drop_column("pools", "max_running")
    op.drop_column("pools", "description")
    op.drop_index(
        "ix_executions_held",
        table_name="executions",
        postgresql_where=sa.text("status IN ('preparing', 'running', 'stopping')"),
    )
    op.drop_index("ix_executions_queue", table_name="executions", postgresql_where=sa.text("status = 'queued'"))
    op.create_index(
        op.f("ix_executions_queue"),
        "executions",
        ["pool", "queued_at", "id"],
        unique=False,
        postgresql_where="(status = 'queued'::text)",
    )
    op.drop_column("executions", "stop_final")
    op.drop_column("executions", "not_before")
    op.drop_column("executions", "priority")
    op.drop_column("executions", "retries")
    op.drop_column("attempts", "last_seq")
    op.drop_column("attempts", "may_have_run")
    op.drop_column("attempts", "exited_at")
    op.drop_index("ix_idempotency_keys_execution", table_name="idempotency_keys")
    op.drop_index("ix_idempotency_keys_age", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("leaderships")
    op.drop_table("pool_turns")
