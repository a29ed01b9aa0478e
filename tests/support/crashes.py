"""Workers that die at a named point, and what must be true of an execution that lived through it."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.crash_points import CrashPoint
from support.eventually import eventually
from support.history import Json, check_history
from support.running import Running
from support.starts import Starts

WITHIN = 90.0
LINES = 30
# Settings with which what dead processes left behind is cleared up within seconds.
TIDY = {"TAILRACE_RECONCILE_EVERY": "1", "TAILRACE_ORPHAN_AFTER": "3"}
# One line per start, so that the log is a second witness of how often the program ran; then what an adopter must not
# lose or repeat; then an output.
PROGRAM = f"""
    echo "attempt $TAILRACE_ATTEMPT"
    i=0; while [ $i -lt {LINES} ]; do echo $i; echo err $i >&2; i=$((i+1)); sleep ${{PAUSE:-0.02}}; done
    echo whole > /tailrace/outputs/result
    exit 7
"""


@dataclass(frozen=True)
class Ran:
    """An execution of `PROGRAM` that has ended."""

    record: Json
    history: list[str]
    started: list[str]


async def dies(installation: Running, name: str) -> None:
    """Wait until a process of it has killed itself."""
    process = installation.processes.pop(name)
    async with asyncio.timeout(WITHIN):
        assert await process.wait() == -signal.SIGKILL, installation.log.read_text(errors="replace")[-6000:]


async def crashing_worker(installation: Running, point: CrashPoint, *, passing: int = 1) -> None:
    """Start a worker that will die there."""
    await installation.start("worker", "worker", TAILRACE_CRASH_AT=f"{point}:{passing}")


async def ran_truly(installation: Running, starts: Starts, execution: str, *, log_complete: bool | None = True) -> Ran:
    """It ended as the program really ended, every line is there once, and nothing was started twice."""
    record = await check_history(installation, execution, log_complete=log_complete)
    assert (record["status"], record["cause"], record["exit_code"]) == ("failed", "exit_nonzero", 7), record
    started = await starts.once_each(execution)
    assert len(started) == 1, started
    assert await installation.log_text(execution, streams="stdout") == f"attempt {started[0]}\n" + numbered(LINES)
    assert await installation.log_text(execution, streams="stderr") == numbered(LINES, "err ")
    assert await installation.output(execution, "result") == b"whole\n"
    events = await installation.events(execution)
    return Ran(record, [event["to"] for event in events], started)


async def no_workspace_left(installation: Running, *, within: float = WITHIN) -> None:
    """Wait until the data directory has no workspace of any attempt."""
    await eventually(lambda: not list((installation.data / "work").glob("*")), within=within)


async def all_merged(installation: Running, execution: str) -> None:
    """Wait until the log of an execution that has ended is in segments."""
    chunks = "SELECT count(*) FROM log_chunks WHERE execution_id = $1"
    connection = await asyncpg.connect(installation.database_url)
    try:

        async def none_left() -> bool:
            return bool(await connection.fetchval(chunks, UUID(execution)) == 0)

        await eventually(none_left, within=WITHIN)
    finally:
        await connection.close()


def numbered(count: int, prefix: str = "") -> str:
    return "".join(f"{prefix}{number}\n" for number in range(count))
