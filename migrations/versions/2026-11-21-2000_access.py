"""tokens that people make, secrets with a name, who did what

Revision: 0006, after 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("attempts", sa.Column("over_disk_at", sa.DateTime(timezone=True), nullable=True))
    _add_audit()
    _add_named_secrets()
    _add_tokens()


_KEEP_AUDIT = """
CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('tailrace.letting_go', true) = 'audit' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'what was done is only added to' USING ERRCODE = 'check_violation';
END $$
"""


def _add_audit() -> None:
    """Who did what."""
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(collation="C"), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("token_name", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    for column in ("owner", "actor", "object"):
        op.create_index(f"ix_audit_entries_{column}_id", "audit_entries", [column, "id"])
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"], postgresql_using="brin")
    op.execute(_KEEP_AUDIT)
    op.execute(
        "CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION keep_audit()"
    )


def _add_named_secrets() -> None:
    """Of an owner, by name."""
    now = sa.text("now()")
    op.create_table(
        "named_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_named_secrets")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_named_secrets_owner_name")),
    )


def _drop_audit() -> None:
    op.drop_table("audit_entries")
    op.execute("DROP FUNCTION keep_audit()")


def _add_tokens() -> None:
    """Tokens that people make, and those that show one execution."""
    op.add_column("tokens", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tokens", sa.Column("made_by", sa.Uuid(), nullable=True))
    op.add_column("tokens", sa.Column("session", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix_tokens_owner_id", "tokens", ["owner", "id"])
    op.create_table(
        "tickets",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_tickets_token_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_tickets")),
    )
    op.create_table(
        "shares",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_shares_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("hash", name=op.f("uq_shares_hash")),
    )
    op.create_index("ix_shares_execution_id_id", "shares", ["execution_id", "id"])


def _drop_tokens() -> None:
    op.drop_table("shares")
    op.drop_table("tickets")
    op.drop_index("ix_tokens_owner_id", table_name="tokens")
    op.drop_column("tokens", "session")
    op.drop_column("tokens", "made_by")
    op.drop_column("tokens", "last_used_at")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _drop_tokens()
    op.drop_table("named_secrets")
    _drop_audit()
    op.drop_column("attempts", "over_disk_at")
