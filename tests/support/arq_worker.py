"""The worker as arq's own command starts it."""

from __future__ import annotations

import asyncio
import sys

from support.running import REPOSITORY, Running


async def start_arq(installation: Running, *, name: str = "arq", **environment: str) -> None:
    """Start one; it is stopped like any other process of the installation."""
    with installation.log.open("ab") as output:
        installation.processes[name] = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arq", "worker.main.WorkerSettings"),
            cwd=REPOSITORY,
            env={**installation.environment, **environment},
            stdout=output,
            stderr=output,
        )
