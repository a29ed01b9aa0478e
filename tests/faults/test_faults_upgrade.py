"""Old and new processes side by side: what the old ones read and write has to be there after every migration."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.bootstrap import SCHEMA_CONFIG
from support.migrations import NewDatabase, run_alembic

pytestmark = pytest.mark.faults

STEPS = [
    (str(revision.down_revision), revision.revision)
    for revision in ScriptDirectory.from_config(Config(Path(SCHEMA_CONFIG))).walk_revisions()
    if revision.down_revision is not None
]
INVENTORY = """
    SELECT table_name, column_name, udt_name, is_nullable = 'YES' AS nullable,
           column_default IS NOT NULL OR is_identity = 'YES' OR is_generated = 'ALWAYS' AS filled_in
    FROM information_schema.columns WHERE table_schema = 'public'
"""


@dataclass(frozen=True)
class Column:
    """What whoever reads or writes it relies on."""

    kind: str
    nullable: bool
    filled_in: bool


async def inventory(database_url: str) -> dict[tuple[str, str], Column]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(INVENTORY)
    finally:
        await connection.close()
    return {
        (row["table_name"], row["column_name"]): Column(row["udt_name"], row["nullable"], row["filled_in"])
        for row in rows
    }


@pytest.mark.parametrize(("before", "after"), STEPS)
async def test_a_migration_only_adds_what_old_processes_need_not_know(
    new_database: NewDatabase, before: str, after: str
) -> None:
    """F35: they go on reading and inserting; taking something away is for a later release."""
    database = await new_database()
    await run_alembic(database, "downgrade", before)
    old = await inventory(database)
    await run_alembic(database, "upgrade", after)
    new = await inventory(database)
    for place, column in old.items():
        assert place in new, f"{place} is gone"
        assert new[place].kind == column.kind, f"{place} is of another type"
        assert new[place].nullable or not column.nullable, f"{place} must have a value now"
        assert new[place].filled_in or not column.filled_in, f"{place} has lost its default"
    tables = {table for table, _ in old}
    demanding = [
        place
        for place, column in new.items()
        if place not in old and place[0] in tables and not (column.nullable or column.filled_in)
    ]
    assert demanding == []
