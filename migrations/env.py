"""Alembic's entry: brings the database of `TAILRACE_DATABASE_URL` to the newest schema."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from app.db.engine import open_engine
from app.db.registry import metadata
from app.logs.tables import PARTITION_PREFIX
from app.settings import read_settings

MIGRATION_LOCK = 0x7A11_8ACE
# As long as it takes: the index of a large table, or another process that migrates. Seconds.
PATIENCE = 7 * 86_400.0


def _is_compared(name: str | None, kind: str, _parents: object) -> bool:
    # Partitions come and go with the weeks.
    return kind != "table" or name is None or not name.startswith(PARTITION_PREFIX)


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=_is_compared,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _online() -> None:
    async with (
        open_engine(
            read_settings().database_url, pool_size=1, application="tailrace-migrate", statement_timeout=PATIENCE
        ) as engine,
        engine.connect() as connection,
    ):
        # Several processes may start at once: one migrates, the others wait and find nothing to do.
        await connection.execute(text("SET lock_timeout = 0"))
        await connection.execute(text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
        await connection.commit()
        await connection.run_sync(_migrate)
        await connection.commit()


asyncio.run(_online())
