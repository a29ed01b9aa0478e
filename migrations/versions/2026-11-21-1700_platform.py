"""methods, files, schedules and webhooks

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("attempts", sa.Column("signal_sent_at", sa.DateTime(timezone=True), nullable=True))
    _add_schedules()
    _add_triggers()
    _add_webhooks()
    _add_notifications()
    _add_methods()
    _add_files()
    _add_imports()


# An import writes the log before its execution: as a foreign key does it, but from then on.
FORGET_LOG = """
CREATE FUNCTION forget_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM log_segments WHERE execution_id = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER forget_log AFTER DELETE ON executions FOR EACH ROW EXECUTE FUNCTION forget_log();
"""
OF_A_LOG = "fk_log_segments_execution_id"


def _add_imports() -> None:
    # Where an execution ran that was imported.
    op.add_column("executions", sa.Column("imported", JSONB(), nullable=True))
    imported = sa.text("imported IS NOT NULL")
    op.create_index("ix_executions_imported", "executions", ["owner"], postgresql_where=imported)
    op.create_table(
        "imports",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_imports")),
    )
    op.execute(f"ALTER TABLE log_segments DROP CONSTRAINT {OF_A_LOG}")
    for statement in FORGET_LOG.strip().split(";\n\n"):
        op.execute(statement)


def _drop_imports() -> None:
    op.execute("DROP TRIGGER forget_log ON executions")
    op.execute("DROP FUNCTION forget_log")
    op.execute("DELETE FROM log_segments WHERE NOT EXISTS (SELECT FROM executions WHERE id = execution_id)")
    op.create_foreign_key(OF_A_LOG, "log_segments", "executions", ["execution_id"], ["id"], ondelete="CASCADE")
    op.drop_table("imports")
    op.drop_index("ix_executions_imported", table_name="executions")
    op.drop_column("executions", "imported")


def _add_files() -> None:
    # What somebody has begun to remove cannot be taken back.
    op.add_column("artifact_removals", sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "files",
        sa.Column("id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("owner", "name", "media_type")),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("labels", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("kept_since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("bytes >= 0", name=op.f("ck_files_bytes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    op.create_index("ix_files_owner_id", "files", ["owner", sa.text("id DESC")])
    op.create_index("ix_files_owner_name", "files", ["owner", "name"], postgresql_ops={"name": "text_pattern_ops"})
    op.create_index("ix_files_owner_bytes", "files", ["owner"], postgresql_include=["bytes"])
    op.create_index("ix_files_labels", "files", ["labels"], postgresql_using="gin")
    op.create_index("ix_files_kept_since", "files", ["kept_since"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("bytes >= 0", name=op.f("ck_uploads_bytes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_owner", "uploads", ["owner"])
    op.create_table(
        "execution_files",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_execution_files_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "file_id", name=op.f("pk_execution_files")),
    )
    op.create_index("ix_execution_files_file_id", "execution_files", ["file_id"])
    op.add_column("retention", sa.Column("files_days", sa.Integer(), nullable=True))


def _add_schedules() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("labels", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("rule", JSONB(), nullable=False),
        sa.Column("targets", JSONB(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("as_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("time_input", sa.Text(), nullable=True),
        sa.Column("overlap", sa.Text(), server_default=sa.text("'skip'"), nullable=False),
        sa.Column("catch_up", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", time, nullable=True),
        sa.Column("due_at", time, nullable=True),
        sa.Column("waiting", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("last_at", time, nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("overlap IN ('allow', 'queue', 'replace', 'skip')", name=op.f("ck_schedules_overlap")),
        sa.CheckConstraint("catch_up >= 0", name=op.f("ck_schedules_catch_up")),
        sa.CheckConstraint("(next_at IS NULL) = (due_at IS NULL)", name=op.f("ck_schedules_due_whole")),
        sa.CheckConstraint("enabled OR next_at IS NULL", name=op.f("ck_schedules_due_if_enabled")),
        sa.CheckConstraint("paused_reason IS NULL OR NOT enabled", name=op.f("ck_schedules_paused_is_not_enabled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_schedules_owner_name")),
    )
    op.create_index("ix_schedules_due", "schedules", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_table(
        "schedule_runs",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("manual", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("problem", JSONB(), nullable=True),
        sa.Column("made", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("noted_at", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('failed', 'fired', 'skipped')", name=op.f("ck_schedule_runs_status")),
        sa.CheckConstraint(
            "reason IS NULL OR reason IN ('missed', 'nothing_matches', 'overlap')", name=op.f("ck_schedule_runs_reason")
        ),
        sa.CheckConstraint(
            "(status = 'skipped') = (reason IS NOT NULL)", name=op.f("ck_schedule_runs_skipped_for_a_reason")
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name=op.f("fk_schedule_runs_schedule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("schedule_id", "at", name=op.f("pk_schedule_runs")),
    )
    op.add_column("executions", sa.Column("schedule_id", sa.Uuid(), nullable=True))
    for name, columns, condition in (
        ("schedule", ["schedule_id", "id"], "schedule_id IS NOT NULL"),
        ("scheduled", ["schedule_id"], "schedule_id IS NOT NULL AND finished_at IS NULL"),
    ):
        op.create_index(f"ix_executions_{name}", "executions", columns, postgresql_where=sa.text(condition))


def _add_triggers() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "triggers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("labels", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("target", JSONB(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("as_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("payload_input", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("max_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("signing", sa.LargeBinary(), nullable=True),
        sa.Column("signing_before", sa.LargeBinary(), nullable=True),
        sa.Column("before_until", time, nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("last_used_at", time, nullable=True),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("max_per_minute > 0", name=op.f("ck_triggers_max_per_minute")),
        sa.CheckConstraint(
            "signature IS NULL OR signature IN ('github', 'standard_webhooks')", name=op.f("ck_triggers_signature")
        ),
        sa.CheckConstraint("(signature IS NULL) = (signing IS NULL)", name=op.f("ck_triggers_signed_by_a_secret")),
        sa.CheckConstraint("(signing_before IS NULL) = (before_until IS NULL)", name=op.f("ck_triggers_before_whole")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triggers")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_triggers_owner_name")),
    )
    op.create_table(
        "trigger_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("trigger_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("made", JSONB(), nullable=True),
        sa.Column("problem", JSONB(), nullable=True),
        sa.Column("at", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('accepted', 'refused')", name=op.f("ck_trigger_deliveries_status")),
        sa.CheckConstraint(
            "(status = 'accepted') = (made IS NOT NULL)", name=op.f("ck_trigger_deliveries_accepted_has_made")
        ),
        sa.ForeignKeyConstraint(
            ["trigger_id"], ["triggers.id"], name=op.f("fk_trigger_deliveries_trigger_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger_deliveries")),
    )
    op.create_index("ix_trigger_deliveries_at", "trigger_deliveries", ["trigger_id", "at"])
    op.create_index(
        "ix_trigger_deliveries_accepted",
        "trigger_deliveries",
        ["trigger_id", "key"],
        unique=True,
        postgresql_where=sa.text("status = 'accepted'"),
    )


# What is published stays as it is, whoever asks. An execution is counted once: an end is never left. Whatever is no fault
# of the method (a crash, a cancellation, a queue) is neither a failure nor a success.
METHODS = """
CREATE FUNCTION keep_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.method, NEW.version, NEW.document::text, NEW.published_at, NEW.published_by)
            IS DISTINCT FROM (OLD.method, OLD.version, OLD.document::text, OLD.published_at, OLD.published_by) THEN
        RAISE EXCEPTION 'version % of the method % is published', OLD.version, OLD.method
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_published BEFORE UPDATE OR DELETE ON method_versions
FOR EACH ROW WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION keep_published();

CREATE FUNCTION guard_method() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'succeeded' THEN
        UPDATE methods SET failures = 0, last_failed = '{}'
        WHERE name = NEW.method_name AND owner = NEW.owner AND failures > 0;
    ELSE
        UPDATE methods SET failures = failures + 1, last_failed = (last_failed || NEW.id::text)[greatest(1, cardinality(last_failed) - 3):]
        WHERE name = NEW.method_name AND owner = NEW.owner AND pause_after_failures IS NOT NULL;
        UPDATE methods SET runnable = false, disabled_by = 'system', disabled_at = clock_timestamp(),
            disabled_reason = format('%s executions in a row failed, the last of them: %s.', failures, array_to_string(last_failed, ', ')),
            updated_at = clock_timestamp()
        WHERE name = NEW.method_name AND owner = NEW.owner AND runnable AND failures >= pause_after_failures;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER guard_method AFTER UPDATE OF status ON executions FOR EACH ROW WHEN (
    NEW.method_name IS NOT NULL AND OLD.finished_at IS NULL
    AND (NEW.status IN ('succeeded', 'failed') AND NEW.cause <> 'spec_rejected' OR NEW.cause IN ('run_timeout', 'idle_timeout'))
) EXECUTE FUNCTION guard_method();

CREATE FUNCTION count_method() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.finished_at IS NOT NULL THEN
        INSERT INTO method_counts VALUES (OLD.method_name, OLD.owner, OLD.pool, OLD.status, OLD.archived_at IS NOT NULL, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.finished_at IS NOT NULL THEN
        INSERT INTO method_counts VALUES (NEW.method_name, NEW.owner, NEW.pool, NEW.status, NEW.archived_at IS NOT NULL, 1);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_method_insert AFTER INSERT ON executions
FOR EACH ROW WHEN (NEW.method_name IS NOT NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_method();

CREATE TRIGGER count_method_update AFTER UPDATE OF status, archived_at ON executions
FOR EACH ROW WHEN (NEW.method_name IS NOT NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_method();

CREATE TRIGGER count_method_delete AFTER DELETE ON executions
FOR EACH ROW WHEN (OLD.method_name IS NOT NULL AND OLD.finished_at IS NOT NULL) EXECUTE FUNCTION count_method();
"""
READY = "status = 'queued' AND NOT hold AND NOT gated AND needs_left = 0"
TAKES_A_SLOT = "status IN ('preparing', 'running', 'paused', 'stopping') AND worker_id IS NOT NULL"
KIND = "((spec ->> 'image'::text) || '|'::text) || COALESCE(name, spec ->> 'command'::text, ''::text)"
METHODS_INDEXED = {
    "method": (["method_name", "id"], "method_name IS NOT NULL"),
    "owner_method": (["owner", "method_name", "id"], "method_name IS NOT NULL"),
    "method_queue": (["pool", "method_name"], f"{READY} AND method_name IS NOT NULL"),
    "method_held": (["method_name"], f"{TAKES_A_SLOT} AND method_name IS NOT NULL"),
}


def _add_methods() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "methods",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), server_default=sa.text("'private'"), nullable=False),
        sa.Column("shared_with", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("runnable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("disabled_by", sa.Text(), nullable=True),
        sa.Column("disabled_at", time, nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("max_running", sa.BigInteger(), nullable=True),
        sa.Column("pause_after_failures", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_failed", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("retired_at", time, nullable=True),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("visibility IN ('everyone', 'named', 'private')", name=op.f("ck_methods_visibility")),
        sa.CheckConstraint(
            "runnable = (disabled_by IS NULL) AND runnable = (disabled_at IS NULL)"
            " AND runnable = (disabled_reason IS NULL)",
            name=op.f("ck_methods_disabled_whole"),
        ),
        sa.CheckConstraint("max_running >= 0", name=op.f("ck_methods_max_running")),
        sa.CheckConstraint("pause_after_failures > 0", name=op.f("ck_methods_pause_after_failures")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_methods")),
    )
    op.create_index("ix_methods_owner", "methods", ["owner"])
    limited = sa.text("max_running IS NOT NULL OR NOT runnable")
    op.create_index("ix_methods_limited", "methods", ["name"], postgresql_where=limited)
    op.create_table(
        "method_versions",
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("major", "minor", "patch")),
        sa.Column("is_release", sa.Boolean(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", time, nullable=True),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("retired_at", time, nullable=True),
        sa.CheckConstraint(
            "(published_at IS NULL) = (published_by IS NULL)", name=op.f("ck_method_versions_published_whole")
        ),
        sa.CheckConstraint(
            "retired_at IS NULL OR published_at IS NOT NULL", name=op.f("ck_method_versions_retired_was_published")
        ),
        sa.ForeignKeyConstraint(
            ["method"], ["methods.name"], name=op.f("fk_method_versions_method"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("method", "version", name=op.f("pk_method_versions")),
    )
    op.create_index(
        "ix_method_versions_latest",
        "method_versions",
        ["method", "major", "minor", "patch"],
        postgresql_where=sa.text("published_at IS NOT NULL AND retired_at IS NULL AND is_release"),
    )
    op.create_table(
        "method_counts",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("method", "owner", "pool", "status")),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_method_counts_method", "method_counts", ["method"])
    op.create_index("ix_method_counts_owner", "method_counts", ["owner"])
    for name in ("method_name", "method_version"):
        op.add_column("executions", sa.Column(name, sa.Text(), nullable=True))
    for name, (columns, condition) in METHODS_INDEXED.items():
        op.create_index(f"ix_executions_{name}", "executions", columns, postgresql_where=sa.text(condition))
    _index_kind(f"md5(COALESCE('@'::text || method_name, {KIND}))")
    for statement in METHODS.strip().split(";\n\n"):
        op.execute(sa.text(statement.replace(":", "\\:")))


def _index_kind(kind: str) -> None:
    op.drop_index("ix_executions_kind", table_name="executions")
    op.create_index(
        "ix_executions_kind",
        "executions",
        ["owner", sa.text(kind), "finished_at"],
        postgresql_where=sa.text("status = 'succeeded' AND resumed_from IS NULL"),
    )


def _drop_methods() -> None:
    for trigger in ("count_method_insert", "count_method_update", "count_method_delete", "guard_method"):
        op.execute(f"DROP TRIGGER {trigger} ON executions")
    _index_kind(f"md5({KIND})")
    for name in METHODS_INDEXED:
        op.drop_index(f"ix_executions_{name}", table_name="executions")
    for name in ("method_version", "method_name"):
        op.drop_column("executions", name)
    for table in ("method_counts", "method_versions", "methods"):
        op.drop_table(table)
    for function in ("count_method", "guard_method", "keep_published"):
        op.execute(f"DROP FUNCTION {function}")


def _add_webhooks() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "event_cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_cursors")),
    )
    op.add_column("event_positions", sa.Column("batch", JSONB(), nullable=True))
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("events", JSONB(), nullable=False),
        sa.Column("chosen", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("after", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_before", sa.LargeBinary(), nullable=True),
        sa.Column("before_until", time, nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", time, nullable=True),
        sa.Column("paused_until", time, nullable=True),
        sa.Column("dropped", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(failures > 0) = (failing_since IS NOT NULL)", name=op.f("ck_webhooks_failing_whole")),
        sa.CheckConstraint("(sealed_before IS NULL) = (before_until IS NULL)", name=op.f("ck_webhooks_before_whole")),
        sa.CheckConstraint("disabled_reason IS NULL OR NOT enabled", name=op.f("ck_webhooks_disabled_is_not_enabled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    for name, columns, condition in (
        ("owner", ["owner", "id"], "execution_id IS NULL AND batch_id IS NULL"),
        ("execution", ["execution_id"], "execution_id IS NOT NULL"),
        ("batch", ["batch_id"], "batch_id IS NOT NULL"),
    ):
        op.create_index(f"ix_webhooks_{name}", "webhooks", columns, postgresql_where=sa.text(condition))
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("said_at", time, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("log", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("next_at", time, nullable=True),
        sa.Column("give_up_at", time, nullable=False),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", time, nullable=True),
        sa.CheckConstraint("state IN ('delivered', 'failed', 'waiting')", name=op.f("ck_webhook_deliveries_state")),
        sa.CheckConstraint(
            "(state = 'waiting') = (next_at IS NOT NULL)", name=op.f("ck_webhook_deliveries_next_if_waiting")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (done_at IS NULL)", name=op.f("ck_webhook_deliveries_done_if_not_waiting")
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        "uq_webhook_deliveries_event", "webhook_deliveries", ["webhook_id", "position", "event"], unique=True
    )
    op.create_index("ix_webhook_deliveries_log", "webhook_deliveries", ["webhook_id", "id"])
    for name, columns, condition in (
        ("due", ["webhook_id", "next_at"], "state = 'waiting'"),
        ("kept", ["done_at"], "done_at IS NOT NULL"),
        ("progress", ["execution_id", "webhook_id", "id"], "event = 'execution.progress'"),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}", "webhook_deliveries", columns, postgresql_where=sa.text(condition)
        )


def _add_notifications() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "notification_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("batches", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("statuses", JSONB(), nullable=False),
        sa.Column("causes", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("chosen", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("alert_after", sa.BigInteger(), nullable=True),
        sa.Column("per", sa.Text(), server_default=sa.text("'name'"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("after", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("alert_after > 0", name=op.f("ck_notification_rules_alert_after")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_rules")),
    )
    op.create_index("ix_notification_rules_owner", "notification_rules", ["owner", "id"])
    rule = ["rule_id"], ["notification_rules.id"]
    op.create_table(
        "notification_streaks",
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("alerted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(*rule, name=op.f("fk_notification_streaks_rule_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("rule_id", "key", name=op.f("pk_notification_streaks")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", time, nullable=True),
        sa.Column("claimed_at", time, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", time, nullable=True),
        sa.CheckConstraint(
            "state IN ('failed', 'sending', 'sent', 'unsure', 'waiting')", name=op.f("ck_notifications_state")
        ),
        sa.CheckConstraint("kind IN ('ended', 'failing', 'recovered', 'test')", name=op.f("ck_notifications_kind")),
        sa.CheckConstraint(
            "(state = 'waiting') = (next_at IS NOT NULL)", name=op.f("ck_notifications_next_if_waiting")
        ),
        sa.CheckConstraint(
            "(state IN ('waiting', 'sending')) = (done_at IS NULL)", name=op.f("ck_notifications_done_if_over")
        ),
        sa.ForeignKeyConstraint(*rule, name=op.f("fk_notifications_rule_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index("uq_notifications_event", "notifications", ["rule_id", "position"], unique=True)
    op.create_index("ix_notifications_log", "notifications", ["rule_id", "id"])
    for name, columns, condition in (
        ("due", ["rule_id", "next_at"], "state = 'waiting'"),
        ("sending", ["claimed_at"], "state = 'sending'"),
        ("kept", ["done_at"], "done_at IS NOT NULL"),
    ):
        op.create_index(f"ix_notifications_{name}", "notifications", columns, postgresql_where=sa.text(condition))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _drop_imports()
    op.drop_column("attempts", "signal_sent_at")
    op.drop_column("retention", "files_days")
    op.drop_column("artifact_removals", "begun_at")
    for table in ("uploads", "execution_files", "files"):
        op.drop_table(table)
    for table in ("notifications", "notification_streaks", "notification_rules"):
        op.drop_table(table)
    for table in ("webhook_deliveries", "webhooks", "event_cursors"):
        op.drop_table(table)
    op.execute("DELETE FROM event_positions WHERE batch IS NOT NULL")
    op.drop_column("event_positions", "batch")
    _drop_methods()
    for name in ("scheduled", "schedule"):
        op.drop_index(f"ix_executions_{name}", table_name="executions")
    op.drop_column("executions", "schedule_id")
    op.drop_table("trigger_deliveries")
    op.drop_table("triggers")
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
