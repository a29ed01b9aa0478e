"""A worker that cannot start says why in one line, and ends so that whoever supervises it tries again."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from support.migrations import REPOSITORY


@pytest.mark.parametrize("missing", ["database", "engine"])
async def test_what_is_away_at_the_start_is_told_in_one_line(
    database_url: str, redis_url: str, tmp_path: Path, missing: str
) -> None:
    nowhere = tmp_path / "nowhere"
    environment = {
        **os.environ,
        "TAILRACE_DATABASE_URL": f"postgresql://x@/x?host={nowhere}" if missing == "database" else database_url,
        "TAILRACE_REDIS_URL": redis_url,
        "TAILRACE_DATA": str(tmp_path / "data"),
        "TAILRACE_LOG_FORMAT": "console",
        "DOCKER_HOST": f"unix://{nowhere}",
    }
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker", cwd=REPOSITORY, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await worker.communicate()
    assert worker.returncode == 3
    assert b"worker.cannot_start" in said
    assert b"Traceback" not in said
