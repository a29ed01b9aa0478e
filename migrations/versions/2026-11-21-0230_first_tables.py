"""first tables

Revision: 0001, after
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The moves that existed when this was written; the trigger refuses all others.
MOVES = (
    ("queued", ("canceled", "crashed", "failed", "preparing", "timed_out")),
    ("preparing", ("crashed", "failed", "queued", "running", "stopping", "timed_out")),
    ("running", ("canceled", "crashed", "failed", "paused", "queued", "stopping", "succeeded", "timed_out")),
    ("paused", ("canceled", "crashed", "queued", "running", "stopping", "timed_out")),
    ("stopping", ("canceled", "crashed", "failed", "paused", "queued", "succeeded", "timed_out")),
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "instance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_instance_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        sa.UniqueConstraint("one", name=op.f("uq_instance_one")),
    )
    op.create_table(
        "pools",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pools")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("engine_id", sa.Text(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("slots", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["pool"], ["pools.name"], name=op.f("fk_workers_pool")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "executions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("'api'"), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=True),
        sa.Column("image_digest", sa.Text(), nullable=True),
        sa.Column("resumed_from", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column("oom_killed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("control_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("stop_by", sa.Text(), nullable=True),
        sa.Column("stop_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_force", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("announced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("progress_percent", sa.SmallInteger(), nullable=True),
        sa.Column("progress_phase", sa.Text(), nullable=True),
        sa.Column("progress_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warnings", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("log_complete", sa.Boolean(), nullable=True),
        sa.Column("outputs_files", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("outputs_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("outputs_partial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status IN ('canceled', 'crashed', 'failed', 'succeeded', 'timed_out')) = (cause IS NOT NULL)",
            name=op.f("ck_executions_cause_iff_terminal"),
        ),
        sa.CheckConstraint(
            "(status IN ('canceled', 'crashed', 'failed', 'succeeded', 'timed_out')) = (finished_at IS NOT NULL)",
            name=op.f("ck_executions_finished_iff_terminal"),
        ),
        sa.CheckConstraint(
            "NOT (status IN ('preparing', 'running', 'stopping')) OR worker_id IS NOT NULL",
            name=op.f("ck_executions_held_by_a_worker"),
        ),
        sa.CheckConstraint(
            "cause IS NULL OR (status = 'canceled' AND cause IN ('canceled_by_system', 'canceled_by_user', 'self_canceled')) OR (status = 'crashed' AND cause IN ('engine_error', 'host_lost', 'image_pull_failed', 'interrupted', 'outcome_unknown')) OR (status = 'failed' AND cause IN ('command_not_executable', 'command_not_found', 'disk_limit', 'exit_nonzero', 'image_denied', 'image_not_found', 'oom_killed', 'output_missing', 'signaled', 'spec_rejected')) OR (status = 'succeeded' AND cause IN ('ok')) OR (status = 'timed_out' AND cause IN ('idle_timeout', 'pull_timeout', 'queue_timeout', 'run_timeout'))",
            name=op.f("ck_executions_cause_fits_status"),
        ),
        sa.CheckConstraint(
            "cause IS NULL OR cause IN ('canceled_by_system', 'canceled_by_user', 'command_not_executable', 'command_not_found', 'disk_limit', 'engine_error', 'exit_nonzero', 'host_lost', 'idle_timeout', 'image_denied', 'image_not_found', 'image_pull_failed', 'interrupted', 'ok', 'oom_killed', 'outcome_unknown', 'output_missing', 'pull_timeout', 'queue_timeout', 'run_timeout', 'self_canceled', 'signaled', 'spec_rejected')",
            name=op.f("ck_executions_cause"),
        ),
        sa.CheckConstraint(
            "status <> 'stopping' OR stop_reason IS NOT NULL", name=op.f("ck_executions_stopping_has_reason")
        ),
        sa.CheckConstraint(
            "status IN ('canceled', 'crashed', 'failed', 'paused', 'preparing', 'queued', 'running', 'stopping', 'succeeded', 'timed_out')",
            name=op.f("ck_executions_status"),
        ),
        sa.CheckConstraint(
            "stop_reason IS NULL OR stop_reason IN ('cancel', 'pause', 'timeout')",
            name=op.f("ck_executions_stop_reason"),
        ),
        sa.CheckConstraint(
            "(stop_reason IS NULL) = (stop_by IS NULL) AND (stop_reason IS NULL) = (stop_requested_at IS NULL) AND (stop_reason IS NULL) = (stop_deadline IS NULL)",
            name=op.f("ck_executions_stop_whole"),
        ),
        sa.CheckConstraint("progress_percent BETWEEN 0 AND 100", name=op.f("ck_executions_progress_percent")),
        sa.ForeignKeyConstraint(["pool"], ["pools.name"], name=op.f("fk_executions_pool")),
        sa.ForeignKeyConstraint(
            ["resumed_from"], ["executions.id"], name=op.f("fk_executions_resumed_from"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_executions_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
    )
    op.create_index(
        "ix_executions_active",
        "executions",
        ["worker_id", "control_version"],
        unique=False,
        postgresql_where=sa.text("status IN ('preparing', 'running', 'paused', 'stopping')"),
    )
    op.create_index("ix_executions_labels", "executions", ["labels"], unique=False, postgresql_using="gin")
    op.create_index("ix_executions_owner", "executions", ["owner", "id"], unique=False)
    op.create_index(
        "ix_executions_queue",
        "executions",
        ["pool", "queued_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_executions_resumed_from",
        "executions",
        ["resumed_from"],
        unique=False,
        postgresql_where=sa.text("resumed_from IS NOT NULL"),
    )
    op.create_index("ix_executions_status", "executions", ["status", "id"], unique=False)
    op.create_table(
        "artifacts",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("executable", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('checkpoint', 'output')", name=op.f("ck_artifacts_kind")),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_artifacts_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "kind", "attempt", "path", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "attempts",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("engine_id", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("container_name", sa.Text(), nullable=True),
        sa.Column("container_id", sa.Text(), nullable=True),
        sa.Column("create_intent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("start_intent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("events_offset", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("events_lines", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stop_written_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signaled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("killed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column("oom_killed", sa.Boolean(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("checkpoint_files", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("checkpoint_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "cause IS NULL OR cause IN ('canceled_by_system', 'canceled_by_user', 'command_not_executable', 'command_not_found', 'disk_limit', 'engine_error', 'exit_nonzero', 'host_lost', 'idle_timeout', 'image_denied', 'image_not_found', 'image_pull_failed', 'interrupted', 'ok', 'oom_killed', 'outcome_unknown', 'output_missing', 'pull_timeout', 'queue_timeout', 'run_timeout', 'self_canceled', 'signaled', 'spec_rejected')",
            name=op.f("ck_attempts_cause"),
        ),
        sa.CheckConstraint(
            "started_at IS NULL OR start_intent_at IS NOT NULL", name=op.f("ck_attempts_start_was_meant")
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_attempts_execution_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_attempts_worker_id")),
        sa.PrimaryKeyConstraint("execution_id", "number", name=op.f("pk_attempts")),
    )
    op.create_table(
        "execution_events",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_execution_events_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "number", name=op.f("pk_execution_events")),
    )
    op.create_table(
        "log_chunks",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.Column("rolling", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("frame", sa.LargeBinary(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("gap", sa.Text(), nullable=True),
        sa.CheckConstraint("(frame IS NULL) = (gap IS NOT NULL)", name=op.f("ck_log_chunks_frame_or_gap")),
        sa.CheckConstraint("first_seq >= 1 AND last_seq >= first_seq", name=op.f("ck_log_chunks_seqs")),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_log_chunks_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "last_seq", name=op.f("pk_log_chunks")),
    )
    op.create_table(
        "log_heads",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("out_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("err_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("charged", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("truncated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_log_heads_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_log_heads")),
    )

    allowed = ", ".join(f"'{source}>{target}'" for source, targets in MOVES for target in targets)
    op.execute(
        f"""
        CREATE FUNCTION executions_refuse_illegal_move() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT (OLD.status || '>' || NEW.status) = ANY (ARRAY[{allowed}]) THEN
                RAISE EXCEPTION 'an execution cannot go from % to %', OLD.status, NEW.status
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'executions_refuse_illegal_move';
            END IF;
            RETURN NEW;
        END $$
        """,
    )
    op.execute(
        """
        CREATE TRIGGER executions_refuse_illegal_move BEFORE UPDATE OF status ON executions
        FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
        EXECUTE FUNCTION executions_refuse_illegal_move()
        """,
    )
    # Rows that are updated often keep room beside them, so that an update stays on its page.
    op.execute("ALTER TABLE executions SET (fillfactor = 70)")
    op.execute("ALTER TABLE log_heads SET (fillfactor = 50)")
    # Frames are compressed already.
    op.execute("ALTER TABLE log_chunks ALTER COLUMN frame SET STORAGE EXTERNAL")
    op.execute("INSERT INTO instance (id) VALUES (gen_random_uuid())")
    op.execute("INSERT INTO pools (name) VALUES ('default')")


def downgrade() -> None:
    op.drop_table("log_heads")
    op.drop_table("log_chunks")
    op.drop_table("execution_events")
    op.drop_table("attempts")
    op.drop_table("artifacts")
    op.drop_index("ix_executions_status", table_name="executions")
    op.drop_index(
        "ix_executions_resumed_from", table_name="executions", postgresql_where=sa.text("resumed_from IS NOT NULL")
    )
    op.drop_index("ix_executions_queue", table_name="executions", postgresql_where=sa.text("status = 'queued'"))
    op.drop_index("ix_executions_owner", table_name="executions")
    op.drop_index("ix_executions_labels", table_name="executions", postgresql_using="gin")
    op.drop_index(
        "ix_executions_active",
        table_name="executions",
        postgresql_where=sa.text("status IN ('preparing', 'running', 'paused', 'stopping')"),
    )
    op.drop_table("executions")
    op.drop_table("workers")
    op.drop_table("tokens")
    op.drop_table("pools")
    op.drop_table("instance")
    op.execute("DROP FUNCTION executions_refuse_illegal_move")
