"""Alembic as an operator runs it."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# The fixture `new_database`: an empty, migrated database at each call.
NewDatabase = Callable[[], Awaitable[str]]


async def run_alembic(database_url: str, *arguments: str) -> None:
    """Run it against a database; it has to succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "alembic",
        *arguments,
        cwd=REPOSITORY,
        env={**os.environ, "TAILRACE_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, f"alembic {' '.join(arguments)} failed:\n{output.decode()}"
