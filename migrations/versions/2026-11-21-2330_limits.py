"""bounds of what an owner uses, and of what tokens leave behind

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _add_quotas()
    _add_lineage()
    _add_audit_indexes()
    # Of an issuer's token: until when its owner is vouched for, where they are not asked themselves.
    op.add_column("tokens", sa.Column("vouched_until", sa.DateTime(timezone=True), nullable=True))


# Bytes that are kept, as differences: whoever changes what they are of writes them without knowing it.
KEPT = """
CREATE FUNCTION kept_log(charged bigint, truncated boolean, limits jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN truncated THEN (limits ->> 'log_bytes')::bigint ELSE charged END
$$;

CREATE FUNCTION kept_files(outputs bigint, outputs_expired_at timestamptz, checkpoint bigint,
    checkpoint_expired_at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN outputs_expired_at IS NULL THEN outputs ELSE 0 END
        + CASE WHEN checkpoint_expired_at IS NULL THEN checkpoint ELSE 0 END
$$;

CREATE FUNCTION count_files() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    difference bigint := 0;
    whose text;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        whose := OLD.owner;
        difference := -kept_files(
            OLD.outputs_bytes, OLD.outputs_expired_at, OLD.checkpoint_bytes, OLD.checkpoint_expired_at);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        whose := NEW.owner;
        difference := difference + kept_files(
            NEW.outputs_bytes, NEW.outputs_expired_at, NEW.checkpoint_bytes, NEW.checkpoint_expired_at);
    END IF;
    IF difference <> 0 THEN
        INSERT INTO kept_bytes (owner, what, n) VALUES (whose, 'files', difference);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_files_insert AFTER INSERT ON executions
FOR EACH ROW WHEN (NEW.outputs_bytes + NEW.checkpoint_bytes > 0) EXECUTE FUNCTION count_files();

CREATE TRIGGER count_files_update
AFTER UPDATE OF outputs_bytes, outputs_expired_at, checkpoint_bytes, checkpoint_expired_at ON executions
FOR EACH ROW WHEN (
    (OLD.outputs_bytes, OLD.outputs_expired_at, OLD.checkpoint_bytes, OLD.checkpoint_expired_at)
    IS DISTINCT FROM (NEW.outputs_bytes, NEW.outputs_expired_at, NEW.checkpoint_bytes, NEW.checkpoint_expired_at)
) EXECUTE FUNCTION count_files();

CREATE TRIGGER count_files_delete AFTER DELETE ON executions
FOR EACH ROW WHEN (OLD.outputs_bytes + OLD.checkpoint_bytes > 0) EXECUTE FUNCTION count_files();

CREATE FUNCTION count_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    execution executions := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    head log_heads;
BEGIN
    SELECT * INTO head FROM log_heads WHERE execution_id = execution.id FOR UPDATE;
    IF head.charged > 0 THEN
        INSERT INTO kept_bytes (owner, what, until, n) VALUES (
            execution.owner, 'log', head.expires,
            kept_log(head.charged, head.truncated, execution.limits) * CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END
        );
    END IF;
    RETURN execution;
END $$;

CREATE TRIGGER count_log_end AFTER UPDATE OF status ON executions
FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_log();

CREATE TRIGGER count_log_delete BEFORE DELETE ON executions
FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION count_log();

CREATE FUNCTION recount_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO kept_bytes (owner, what, until, n)
        SELECT owner, 'log', OLD.expires, -kept_log(OLD.charged, OLD.truncated, limits) FROM executions
        WHERE id = NEW.execution_id AND finished_at IS NOT NULL;
    END IF;
    INSERT INTO kept_bytes (owner, what, until, n)
    SELECT owner, 'log', NEW.expires, kept_log(NEW.charged, NEW.truncated, limits) FROM executions
    WHERE id = NEW.execution_id AND finished_at IS NOT NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER recount_log_insert AFTER INSERT ON log_heads
FOR EACH ROW WHEN (NEW.charged > 0) EXECUTE FUNCTION recount_log();

CREATE TRIGGER recount_log_update AFTER UPDATE OF expires ON log_heads
FOR EACH ROW WHEN (NEW.charged > 0 AND OLD.expires IS DISTINCT FROM NEW.expires) EXECUTE FUNCTION recount_log();

INSERT INTO kept_bytes (owner, what, n)
SELECT owner, 'files', sum(kept_files(outputs_bytes, outputs_expired_at, checkpoint_bytes, checkpoint_expired_at))
FROM executions WHERE outputs_bytes + checkpoint_bytes > 0 GROUP BY owner;

INSERT INTO kept_bytes (owner, what, until, n)
SELECT owner, 'log', expires, sum(kept_log(charged, truncated, limits))
FROM executions JOIN log_heads ON execution_id = id WHERE finished_at IS NOT NULL AND charged > 0
GROUP BY owner, expires
"""
_KEPT_TRIGGERS = (
    *(("executions", f"count_files_{when}") for when in ("insert", "update", "delete")),
    *(("executions", f"count_log_{when}") for when in ("end", "delete")),
    *(("log_heads", f"recount_log_{when}") for when in ("insert", "update")),
)
_KEPT_FUNCTIONS = ("count_files", "count_log", "recount_log", "kept_files", "kept_log")
_QUOTAS = ("max_cpus", "max_memory", "max_log_bytes", "max_storage")


def _add_quotas() -> None:
    """What of an owner may run at once, and be kept; and how much that is. And why a worker takes nothing new."""
    op.add_column("workers", sa.Column("message", sa.Text(), nullable=True))
    for column in _QUOTAS:
        kind = sa.Float() if column == "max_cpus" else sa.BigInteger()
        op.add_column("quotas", sa.Column(column, kind, nullable=True))
        op.create_check_constraint(op.f(f"ck_quotas_{column}"), "quotas", f"{column} >= 0")
    op.create_table(
        "kept_bytes",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_kept_bytes_owner", "kept_bytes", ["owner"])
    for statement in KEPT.split(";\n\n"):
        op.execute(sa.text(statement.replace(":", "\\:")))


def _drop_quotas() -> None:
    for table, trigger in _KEPT_TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in _KEPT_FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("kept_bytes")
    op.drop_column("workers", "message")
    for column in reversed(_QUOTAS):
        op.drop_column("quotas", column)


# By which token somebody has last said what these do; and of what, so that it can be found.
_LINEAGE = (
    ("shares", "made_with"),
    ("schedules", "set_by"),
    ("triggers", "set_by"),
    ("triggers", "key_by"),
    ("webhooks", "set_by"),
    ("notification_rules", "set_by"),
)


def _add_lineage() -> None:
    """What was made with a token, and what its maker might."""
    for table, column in _LINEAGE:
        op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True))
    for table, column in (("tokens", "made_by"), *_LINEAGE):
        given = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_{table}_{column}", table, [column], postgresql_where=given)
    for table in ("schedules", "triggers"):
        op.add_column(table, sa.Column("scopes", postgresql.JSONB(), nullable=True))
    for column in ("token_id", "expires_at"):
        op.create_index(f"ix_tickets_{column}", "tickets", [column])


def _add_audit_indexes() -> None:
    """For who looks for an action, a token, or what was refused, whoever it was."""
    op.create_index("ix_audit_entries_action_id", "audit_entries", ["action", "id"])
    given, refused = sa.text("token_id IS NOT NULL"), sa.text("status >= 400")
    op.create_index("ix_audit_entries_token", "audit_entries", ["token_id", "id"], postgresql_where=given)
    op.create_index("ix_audit_entries_refused", "audit_entries", ["id"], postgresql_where=refused)


def _drop_lineage() -> None:
    for column in ("token_id", "expires_at"):
        op.drop_index(f"ix_tickets_{column}", table_name="tickets")
    for table in ("schedules", "triggers"):
        op.drop_column(table, "scopes")
    op.drop_index("ix_tokens_made_by", table_name="tokens")
    for table, column in _LINEAGE:
        op.drop_column(table, column)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _drop_quotas()
    op.drop_column("tokens", "vouched_until")
    for name in ("action_id", "token", "refused"):
        op.drop_index(f"ix_audit_entries_{name}", table_name="audit_entries")
    _drop_lineage()
