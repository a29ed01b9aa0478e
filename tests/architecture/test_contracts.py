import ast
import asyncio
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from app.db.engine import STATEMENT_TIMEOUT, open_engine, transaction
from support.eventually import eventually
from support.migrations import NewDatabase, run_alembic

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for root in ("app", "worker", "stack") for path in (REPOSITORY / root).rglob("*.py"))
FILE_LINES = 500
FUNCTION_LINES = 60


def test_the_import_contracts_hold() -> None:
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


async def test_the_migrations_make_exactly_the_tables_of_the_code(new_database: NewDatabase) -> None:
    await run_alembic(await new_database(), "check")


async def test_the_migrations_can_be_taken_back_and_made_again(new_database: NewDatabase) -> None:
    database = await new_database()
    await run_alembic(database, "downgrade", "base")
    assert await _left_in(database) == {"alembic_version"}
    await run_alembic(database, "upgrade", "head")
    await run_alembic(database, "check")


async def test_two_processes_may_migrate_at_once(new_database: NewDatabase) -> None:
    database = await new_database()
    await run_alembic(database, "downgrade", "base")
    await asyncio.gather(*(run_alembic(database, "upgrade", "head") for _ in range(2)))
    await run_alembic(database, "check")


@pytest.mark.slow
async def test_a_migration_may_take_as_long_as_it_takes(new_database: NewDatabase) -> None:
    """Here it waits for another; to index a large table takes as long, and more than any statement of a process may."""
    database = await new_database()
    other = await asyncpg.connect(database)
    try:
        await other.execute("SELECT pg_advisory_lock($1)", 0x7A11_8ACE)
        migrating = asyncio.create_task(run_alembic(database, "upgrade", "head"))
        await eventually(lambda: other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        since = time.monotonic()
        await eventually(lambda: time.monotonic() > since + STATEMENT_TIMEOUT + 6, within=60)
        assert not migrating.done()
    finally:
        await other.close()
    await migrating


async def _left_in(database: str) -> set[str]:
    """Tables, functions, sequences and types in the schema."""
    statement = text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i' "
        "UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    async with (
        open_engine(database, pool_size=1, application="tailrace-test") as engine,
        transaction(engine) as connection,
    ):
        return set((await connection.execute(statement)).scalars())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= FILE_LINES
    long = [
        f"{node.name} has {_length(node)} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > FUNCTION_LINES
    ]
    assert long == []


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without the docstring."""
    assert function.end_lineno is not None
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring
