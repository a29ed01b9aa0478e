"""the whole life of an execution

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TURN = "(timezone('UTC'::text, GREATEST(queued_at, not_before)) - priority::double precision * '00:01:00'::interval)"
KIND = "md5(((spec ->> 'image'::text) || '|'::text) || COALESCE(name, spec ->> 'command'::text, ''::text))"
EXPIRY = (
    "(timezone('UTC'::text, GREATEST(queued_at, not_before))"
    " + ((limits ->> 'queue_timeout'::text)::integer)::double precision * '00:00:01'::interval)"
)
RETENTION = ("succeeded", "failed", "canceled", "outputs", "checkpoints", "logs")
KEPT_SINCE = "COALESCE(restored_at, finished_at)"
MAY_EXPIRE = "finished_at IS NOT NULL AND archived_at IS NULL"
ENDS_EXPIRED = ("log_expired_at", "outputs_expired_at", "checkpoint_expired_at")
ENDS_CHECKED = {
    "archived_has_ended": "archived_at IS NULL OR finished_at IS NOT NULL",
    "delete_whole": "(delete_requested_at IS NULL) = (delete_requested_by IS NULL)",
}
ENDS_INDEXED = {
    "rerun_of": (["rerun_of"], "rerun_of IS NOT NULL"),
    "to_delete": (["delete_requested_at"], "delete_requested_at IS NOT NULL"),
    "record_kept": (["status", KEPT_SINCE], MAY_EXPIRE),
    "outputs_kept": ([KEPT_SINCE], f"{MAY_EXPIRE} AND outputs_files > 0 AND outputs_expired_at IS NULL"),
    "checkpoint_kept": ([KEPT_SINCE], f"{MAY_EXPIRE} AND checkpoint_files > 0 AND checkpoint_expired_at IS NULL"),
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE")
    _add_ends()
    _add_gates()
    _add_pauses()
    _add_clocks()
    _add_batches()
    _add_lists()
    _add_counts()
    _add_usage()


def _add_ends() -> None:
    """What comes after the end: run again, archived, deleted, expired."""
    time = sa.DateTime(timezone=True)
    for name in (*ENDS_EXPIRED, "archived_at", "restored_at", "delete_requested_at"):
        op.add_column("executions", sa.Column(name, time, nullable=True))
    op.add_column("executions", sa.Column("delete_requested_by", sa.Text(), nullable=True))
    for name in ("checkpoint_files", "checkpoint_bytes"):
        op.add_column("executions", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("executions", sa.Column("rerun_of", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_executions_rerun_of"), "executions", "executions", ["rerun_of"], ["id"], ondelete="SET NULL"
    )
    for name, condition in ENDS_CHECKED.items():
        op.create_check_constraint(op.f(f"ck_executions_{name}"), "executions", condition)
    op.execute(
        """
        UPDATE executions SET checkpoint_files = left_behind.files, checkpoint_bytes = left_behind.bytes FROM (
            SELECT DISTINCT ON (execution_id) execution_id, checkpoint_files AS files, checkpoint_bytes AS bytes
            FROM attempts WHERE checkpoint_files > 0 ORDER BY execution_id, number DESC
        ) AS left_behind WHERE execution_id = id
        """
    )
    for name, (columns, condition) in ENDS_INDEXED.items():
        op.create_index(
            f"ix_executions_{name}",
            "executions",
            [sa.text(column) for column in columns],
            unique=False,
            postgresql_where=sa.text(condition),
        )
    op.add_column("log_heads", sa.Column("moving", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "ix_log_heads_moving", "log_heads", ["execution_id"], unique=False, postgresql_where=sa.text("moving")
    )
    op.create_table(
        "artifact_removals",
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("rounds", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_artifact_removals")),
    )
    for name, condition in {"due": "rounds < 2", "done": "rounds >= 2"}.items():
        op.create_index(
            f"ix_artifact_removals_{name}",
            "artifact_removals",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text(condition),
        )
    op.create_table(
        "retention",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *(sa.Column(f"{name}_days", sa.Integer(), nullable=True) for name in RETENTION),
        sa.Column("since", time, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_retention_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_retention")),
    )
    op.execute("INSERT INTO retention DEFAULT VALUES")
    op.add_column("event_positions", sa.Column("deleted", JSONB(), nullable=True))


def _add_gates() -> None:
    op.add_column("executions", sa.Column("hold", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("executions", sa.Column("gated", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("executions", sa.Column("needs_left", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("executions", sa.Column("lane", sa.Text(), server_default=sa.text("'normal'"), nullable=False))
    op.create_check_constraint(op.f("ck_executions_needs_left"), "executions", "needs_left >= 0")
    op.create_check_constraint(op.f("ck_executions_lane"), "executions", "lane IN ('high', 'low', 'normal')")
    op.drop_index("ix_executions_queue", table_name="executions")
    op.create_index(
        "ix_executions_queue",
        "executions",
        ["pool", "lane", "owner", sa.text(TURN), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'queued' AND NOT hold AND NOT gated AND needs_left = 0"),
    )
    op.create_index(
        "ix_executions_closed",
        "executions",
        ["pool"],
        unique=False,
        postgresql_where=sa.text("status = 'queued' AND (hold OR gated OR needs_left > 0)"),
    )
    op.create_index(
        "ix_executions_kind",
        "executions",
        ["owner", sa.text(KIND), "finished_at"],
        unique=False,
        postgresql_where=sa.text("status = 'succeeded' AND resumed_from IS NULL"),
    )
    op.create_table(
        "quotas",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("max_queued", sa.BigInteger(), nullable=True),
        sa.Column("max_running", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("max_queued >= 0", name=op.f("ck_quotas_max_queued")),
        sa.CheckConstraint("max_running >= 0", name=op.f("ck_quotas_max_running")),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_quotas")),
    )


def _add_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("labels", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("max_parallel", sa.BigInteger(), nullable=True),
        sa.Column("fail_fast", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("has_needs", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rerun_of", sa.Uuid(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("stop_by", sa.Text(), nullable=True),
        sa.Column("stop_message", sa.Text(), nullable=True),
        sa.Column("stop_force", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("stop_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delete_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delete_requested_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", JSONB(), nullable=True),
        sa.CheckConstraint("size > 0", name=op.f("ck_batches_size")),
        sa.CheckConstraint("max_parallel > 0", name=op.f("ck_batches_max_parallel")),
        sa.CheckConstraint(
            "stop_reason IS NULL OR stop_reason IN ('cancel', 'fail_fast')", name=op.f("ck_batches_stop_reason")
        ),
        sa.CheckConstraint(
            "(stop_reason IS NULL) = (stop_by IS NULL) AND (stop_reason IS NULL) = (stop_message IS NULL)"
            " AND (stop_reason IS NULL) = (stop_requested_at IS NULL)",
            name=op.f("ck_batches_stop_whole"),
        ),
        sa.CheckConstraint("(finished_at IS NULL) = (ended IS NULL)", name=op.f("ck_batches_finished_whole")),
        sa.CheckConstraint(
            "(delete_requested_at IS NULL) = (delete_requested_by IS NULL)", name=op.f("ck_batches_delete_whole")
        ),
        sa.ForeignKeyConstraint(["rerun_of"], ["batches.id"], name=op.f("fk_batches_rerun_of"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index("ix_batches_owner", "batches", ["owner", "id"])
    op.create_index("ix_batches_unfinished", "batches", ["id"], postgresql_where=sa.text("finished_at IS NULL"))
    op.create_index("ix_batches_rerun_of", "batches", ["rerun_of"], postgresql_where=sa.text("rerun_of IS NOT NULL"))
    to_delete = sa.text("delete_requested_at IS NOT NULL")
    op.create_index("ix_batches_to_delete", "batches", ["delete_requested_at"], postgresql_where=to_delete)
    op.create_table(
        "execution_needs",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("needed_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_execution_needs_execution_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["needed_id"], ["executions.id"], name=op.f("fk_execution_needs_needed_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("execution_id", "name", name=op.f("pk_execution_needs")),
    )
    op.create_index(
        "ix_execution_needs_needed",
        "execution_needs",
        ["needed_id"],
        postgresql_where=sa.text("needed_id IS NOT NULL"),
    )
    op.add_column("executions", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.add_column("executions", sa.Column("batch_index", sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("batch_size", sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("batch_key", sa.Text(), nullable=True))
    op.add_column("executions", sa.Column("stop_why", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_executions_batch_id"), "executions", "batches", ["batch_id"], ["id"])
    op.create_check_constraint(
        op.f("ck_executions_batch_whole"),
        "executions",
        "(batch_id IS NULL) = (batch_index IS NULL) AND (batch_id IS NULL) = (batch_size IS NULL)",
    )
    in_batch = sa.text("batch_id IS NOT NULL")
    op.create_index("ix_executions_batch", "executions", ["batch_id", "id"], postgresql_where=in_batch)
    op.create_index("ix_executions_of_batch", "executions", ["batch_id", "status", "gated"], postgresql_where=in_batch)
    op.create_index(
        "ix_executions_gated",
        "executions",
        ["batch_id", "batch_index"],
        postgresql_where=sa.text("status = 'queued' AND gated AND NOT hold AND needs_left = 0"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE")
    op.drop_table("usage_samples")
    op.drop_table("attempt_usage")
    _drop_counts()
    _drop_lists()
    _drop_batches()
    _drop_clocks()
    _drop_pauses()
    _drop_gates()
    _drop_ends()


def _drop_batches() -> None:
    op.drop_index("ix_executions_gated", table_name="executions")
    for column in ("stop_why", "batch_key", "batch_size", "batch_index", "batch_id"):
        op.drop_column("executions", column)
    op.drop_table("execution_needs")
    op.drop_table("batches")


def _drop_ends() -> None:
    # An older version looks for the events of these.
    op.execute("DELETE FROM event_positions WHERE deleted IS NOT NULL")
    op.drop_column("event_positions", "deleted")
    op.drop_table("retention")
    op.drop_table("artifact_removals")
    op.drop_index("ix_log_heads_moving", table_name="log_heads")
    op.drop_column("log_heads", "moving")
    for name in ENDS_INDEXED:
        op.drop_index(f"ix_executions_{name}", table_name="executions")
    for name in ENDS_CHECKED:
        op.drop_constraint(op.f(f"ck_executions_{name}"), "executions", type_="check")
    op.drop_constraint(op.f("fk_executions_rerun_of"), "executions", type_="foreignkey")
    for name in (
        "rerun_of", "checkpoint_bytes", "checkpoint_files", "delete_requested_by", "delete_requested_at",
        "restored_at", "archived_at", *ENDS_EXPIRED,
    ):  # fmt: skip
        op.drop_column("executions", name)


def _drop_gates() -> None:
    op.drop_table("quotas")
    op.drop_index("ix_executions_kind", table_name="executions")
    op.drop_index("ix_executions_closed", table_name="executions")
    op.drop_index("ix_executions_queue", table_name="executions")
    op.create_index(
        "ix_executions_queue",
        "executions",
        ["pool", "owner", sa.text(TURN), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
    )
    for constraint in ("lane", "needs_left"):
        op.drop_constraint(op.f(f"ck_executions_{constraint}"), "executions", type_="check")
    for column in ("lane", "needs_left", "gated", "hold"):
        op.drop_column("executions", column)


def _add_clocks() -> None:
    op.add_column("executions", sa.Column("stop_clock", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_executions_stop_clock"),
        "executions",
        "stop_clock IS NULL OR stop_clock IN ('idle_timeout', 'timeout')",
    )
    op.create_index(
        "ix_executions_expiry",
        "executions",
        [sa.text(EXPIRY)],
        postgresql_where=sa.text(
            "status = 'queued' AND NOT hold AND NOT gated AND needs_left = 0"
            " AND (limits ->> 'queue_timeout'::text) IS NOT NULL"
        ),
    )


def _drop_clocks() -> None:
    op.drop_index("ix_executions_expiry", table_name="executions")
    op.drop_column("executions", "stop_clock")


def _add_pauses() -> None:
    for name, type_ in (
        ("pause_mode", sa.Text()),
        ("pause_by", sa.Text()),
        ("pause_requested_at", sa.DateTime(timezone=True)),
        ("pause_deadline", sa.DateTime(timezone=True)),
        ("resume_by", sa.Text()),
        ("paused_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("executions", sa.Column(name, type_, nullable=True))
    op.add_column("executions", sa.Column("ran_seconds", sa.Float(), server_default=sa.text("0"), nullable=False))
    for name in ("pause_written_at", "thawed_at"):
        op.add_column("attempts", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_executions_pause_mode"), "executions", "pause_mode IS NULL OR pause_mode IN ('checkpoint', 'freeze')"
    )
    op.create_check_constraint(
        op.f("ck_executions_pause_whole"),
        "executions",
        "(pause_mode IS NULL) = (pause_by IS NULL) AND (pause_mode IS NULL) = (pause_requested_at IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_executions_pause_deadline"),
        "executions",
        "pause_deadline IS NULL OR pause_mode = 'checkpoint'",
    )
    op.create_check_constraint(
        op.f("ck_executions_paused_in_a_mode"),
        "executions",
        "status <> 'paused' OR (paused_at IS NOT NULL AND pause_mode IS NOT NULL AND deadline IS NULL"
        " AND (pause_mode = 'freeze') = (worker_id IS NOT NULL))",
    )
    _index_held("status IN ('preparing', 'running', 'paused', 'stopping') AND worker_id IS NOT NULL")


def _drop_pauses() -> None:
    _index_held("status IN ('preparing', 'running', 'stopping')")
    for name in ("paused_in_a_mode", "pause_deadline", "pause_whole", "pause_mode"):
        op.drop_constraint(op.f(f"ck_executions_{name}"), "executions", type_="check")
    for name in ("thawed_at", "pause_written_at"):
        op.drop_column("attempts", name)
    for name in (
        "ran_seconds",
        "paused_at",
        "resume_by",
        "pause_deadline",
        "pause_requested_at",
        "pause_by",
        "pause_mode",
    ):
        op.drop_column("executions", name)


def _index_held(where: str) -> None:
    op.drop_index("ix_executions_held", table_name="executions")
    op.create_index(
        "ix_executions_held", "executions", ["pool", "owner"], unique=False, postgresql_where=sa.text(where)
    )


LISTS = {
    "ix_executions_listed": (["id"], "archived_at IS NULL"),
    "ix_executions_owner": (["owner", "id"], "archived_at IS NULL"),
    "ix_executions_status": (["status", "id"], "archived_at IS NULL"),
    "ix_executions_owner_status": (["owner", "status", "id"], "archived_at IS NULL"),
    "ix_executions_pool": (["pool", "id"], "archived_at IS NULL"),
    "ix_executions_archived": (["id"], "archived_at IS NOT NULL"),
    "ix_executions_owner_archived": (["owner", "id"], "archived_at IS NOT NULL"),
    "ix_executions_cause": (["cause", "id"], "cause <> 'ok'"),
    "ix_executions_warned": (["id"], "warnings <> '[]'"),
    "ix_executions_finished": (["finished_at", "id"], "finished_at IS NOT NULL AND archived_at IS NULL"),
    "ix_executions_owner_finished": (["owner", "finished_at", "id"], "finished_at IS NOT NULL AND archived_at IS NULL"),
    "ix_executions_ran_for": (
        [sa.text("(finished_at - started_at)"), "id"],
        "started_at IS NOT NULL AND finished_at IS NOT NULL AND archived_at IS NULL",
    ),
    "ix_executions_owner_ran_for": (
        ["owner", sa.text("(finished_at - started_at)"), "id"],
        "started_at IS NOT NULL AND finished_at IS NOT NULL AND archived_at IS NULL",
    ),
}
# Words are what stands between spaces and punctuation. The parser of Postgres would make a host of `resnet-50.v2`, which
# `v2` then does not find, and a number and a rest of `1e5c`. Labels and images are words of their own beside, which no
# word of a text can be.
WORDS = r"""
CREATE FUNCTION words_of(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    array_to_tsvector(ARRAY(SELECT word FROM unnest(string_to_array(translate(lower(said),
        $$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$$ || U&'\0009\000A\000D\00A0\00AB\00BB\2013\2014\2018\2019\201C\201D\2026\3001\3002',
        repeat(' ', 64)), ' ')) AS word WHERE octet_length(word) BETWEEN 1 AND 2046));

CREATE FUNCTION words_query(said text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    (SELECT string_agg(format('''%s'':*', word), ' & ')::tsquery FROM unnest(tsvector_to_array(words_of(said))) AS word);

CREATE FUNCTION words_of_execution(name text, note text, labels jsonb, image text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (
    SELECT words_of(concat_ws(' ', name, note, array_to_string(marks, ' ')))
        || array_to_tsvector(array_remove(marks || ('@' || image), NULL))
    FROM (SELECT ARRAY(SELECT '=' || key || '=' || value FROM jsonb_each_text(labels)) AS marks) AS labelled
);

CREATE FUNCTION write_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO execution_words (execution_id, words)
    VALUES (NEW.id, words_of_execution(NEW.name, NEW.note, NEW.labels, NEW.spec ->> 'image'))
    ON CONFLICT (execution_id) DO UPDATE SET words = EXCLUDED.words;
    RETURN NULL;
END $$;

CREATE TRIGGER write_words AFTER INSERT OR UPDATE OF name, note, labels ON executions
FOR EACH ROW EXECUTE FUNCTION write_words();

CREATE FUNCTION forget_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM execution_words WHERE execution_id = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER forget_words AFTER DELETE ON executions FOR EACH ROW EXECUTE FUNCTION forget_words();
"""


def _add_lists() -> None:
    for name in ("ix_executions_owner", "ix_executions_status", "ix_executions_labels"):
        op.drop_index(name, table_name="executions")
    for name, (columns, where) in LISTS.items():
        op.create_index(name, "executions", columns, unique=False, postgresql_where=sa.text(where))
    op.create_table(
        "execution_words",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("words", TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_execution_words")),
    )
    _execute_each(WORDS)
    op.execute(
        """
        INSERT INTO execution_words
        SELECT id, words_of_execution(name, note, labels, spec ->> 'image') FROM executions ORDER BY id
        """
    )
    op.create_index("ix_execution_words_words", "execution_words", ["words"], unique=False, postgresql_using="gin")


def _execute_each(statements: str) -> None:
    """The driver takes one statement at a time."""
    for statement in statements.split(";\n\n"):
        op.execute(sa.text(statement.replace(":", "\\:")))


def _drop_lists() -> None:
    for trigger in ("write_words", "forget_words"):
        op.execute(f"DROP TRIGGER {trigger} ON executions")
    op.drop_table("execution_words")
    for function in ("write_words", "forget_words", "words_of_execution", "words_query", "words_of"):
        op.execute(f"DROP FUNCTION {function}")
    for name in reversed(LISTS):
        op.drop_index(name, table_name="executions")
    op.create_index("ix_executions_labels", "executions", ["labels"], unique=False, postgresql_using="gin")
    op.create_index("ix_executions_status", "executions", ["status", "id"], unique=False)
    op.create_index("ix_executions_owner", "executions", ["owner", "id"], unique=False)


# An execution has ended if, and only if, it has `finished_at`.
COUNTS = """
CREATE FUNCTION count_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.finished_at IS NOT NULL THEN
        INSERT INTO ended_counts VALUES (OLD.owner, OLD.pool, OLD.status, OLD.archived_at IS NOT NULL, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.finished_at IS NOT NULL THEN
        INSERT INTO ended_counts VALUES (NEW.owner, NEW.pool, NEW.status, NEW.archived_at IS NOT NULL, 1);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_ended_insert AFTER INSERT ON executions
FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_ended();

CREATE TRIGGER count_ended_update AFTER UPDATE OF status, archived_at ON executions
FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_ended();

CREATE TRIGGER count_ended_delete AFTER DELETE ON executions
FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION count_ended();

CREATE FUNCTION count_flow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO flow_counts VALUES (date_trunc('minute', NEW.created_at), NEW.owner, NEW.pool, 'submitted', 1);
    ELSE
        INSERT INTO flow_counts VALUES (date_trunc('minute', NEW.updated_at), NEW.owner, NEW.pool,
            CASE NEW.status WHEN 'running' THEN 'started' ELSE NEW.status END, 1);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_flow_insert AFTER INSERT ON executions FOR EACH ROW EXECUTE FUNCTION count_flow();

CREATE TRIGGER count_flow_update AFTER UPDATE OF status ON executions FOR EACH ROW WHEN (
    OLD.status = 'preparing' AND NEW.status = 'running' OR OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
) EXECUTE FUNCTION count_flow();
"""


def _add_counts() -> None:
    op.create_table(
        "ended_counts",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "flow_counts",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
    )
    op.execute(
        """
        INSERT INTO ended_counts SELECT owner, pool, status, false, count(*) FROM executions
        WHERE finished_at IS NOT NULL GROUP BY owner, pool, status
        """
    )
    for what, time in (("'submitted'", "created_at"), ("'started'", "started_at"), ("status", "finished_at")):
        op.execute(
            f"""
            INSERT INTO flow_counts SELECT date_trunc('hour', {time}, 'UTC'), owner, pool, {what}, count(*)
            FROM executions WHERE {time} IS NOT NULL GROUP BY 1, 2, 3, 4
            """
        )
    op.create_index("ix_ended_counts_owner", "ended_counts", ["owner"], unique=False)
    op.create_index("ix_flow_counts_at", "flow_counts", ["at"], unique=False)
    _execute_each(COUNTS)


def _drop_counts() -> None:
    for trigger in ("count_ended_insert", "count_ended_update", "count_ended_delete"):
        op.execute(f"DROP TRIGGER {trigger} ON executions")
    for trigger in ("count_flow_insert", "count_flow_update"):
        op.execute(f"DROP TRIGGER {trigger} ON executions")
    op.execute("DROP FUNCTION count_ended")
    op.execute("DROP FUNCTION count_flow")
    op.drop_table("flow_counts")
    op.drop_table("ended_counts")


def _add_usage() -> None:
    op.create_table(
        "attempt_usage",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stride", sa.BigInteger(), nullable=False),
        sa.Column("cpu_seconds", sa.Float(), nullable=True),
        sa.Column("cores", sa.Float(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("memory", "pids", "disk")),
        sa.Column("cores_peak", sa.Float(), nullable=True),
        *(sa.Column(f"{name}_peak", sa.BigInteger(), nullable=True) for name in ("memory", "pids", "disk")),
        sa.Column("missing", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_attempt_usage_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "attempt", name=op.f("pk_attempt_usage")),
    )
    op.create_table(
        "usage_samples",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tick", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cpu_seconds", sa.Float(), nullable=True),
        sa.Column("cores", sa.Float(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("memory", "pids", "disk")),
        sa.ForeignKeyConstraint(
            ["execution_id", "attempt"],
            ["attempt_usage.execution_id", "attempt_usage.attempt"],
            name=op.f("fk_usage_samples_execution_id_attempt"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("execution_id", "attempt", "tick", name=op.f("pk_usage_samples")),
    )
