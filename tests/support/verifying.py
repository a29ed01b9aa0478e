"""`worker verify`, as an operator calls it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from support.running import REPOSITORY


async def run_verify(environment: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """The command as an operator gives it: its exit code, and what it says on both streams."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "verify", *arguments),
        cwd=REPOSITORY,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
