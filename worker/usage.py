"""What the containers of this worker use: looked at while they run, and written for all of them at once.

It never disturbs an attempt: what cannot be measured is left out, and what cannot be written now is not written at all.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cancellation import being_cancelled
from app.db.engine import is_outage, transaction
from app.executions.model import Lease
from app.usage import repository
from app.usage.model import TICK, Sample
from worker.engine.port import ContainerRuntime, EngineError, NoSuchContainer, Usage

if TYPE_CHECKING:
    from worker.disk import DiskWatch

log = structlog.get_logger(__name__)

# A program that is over in a second has been seen, too; then less and less often, and at last at every tick.
FIRST_AFTER = 0.25
# What is measured within so many seconds is written together.
GATHERED_FOR = 0.25
# Over less than this, in seconds, an average says more about when we looked than about the program.
AVERAGED_OVER = 1.0
SILENT_ENGINE = "The container engine does not tell."
NOT_YET = "It has not been found out yet."


class UsageMeter:
    """Measures every container that is followed, all at the same ticks."""

    def __init__(self) -> None:
        self._taken: dict[Lease, Sample] = {}
        self._wake = asyncio.Event()

    async def follow(self, runtime: ContainerRuntime, lease: Lease, container: str, disk: DiskWatch) -> None:
        """Measure a container that runs until it does no more, or until cancelled."""
        gauge = _Gauge(disk)
        wait = FIRST_AFTER
        while True:
            await asyncio.sleep(wait)
            try:
                self._taken[lease] = gauge.read(await runtime.measure(container))
                self._wake.set()
            except NoSuchContainer:
                return
            except EngineError as error:
                log.info("usage.not_measured", container=container, error=str(error))
            except Exception:
                # Nobody's attempt hangs on it.
                log.exception("usage.failed", container=container)
                return
            wait = 2 * wait if 2 * wait < TICK else TICK - time.monotonic() % TICK

    async def run(self, database: AsyncEngine) -> None:
        """Write what was measured, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHERED_FOR)
            self._wake.clear()
            taken, self._taken = self._taken, {}
            try:
                async with transaction(database) as connection:
                    await repository.add(connection, taken)
            except Exception as error:
                if being_cancelled():
                    raise asyncio.CancelledError from error
                if not is_outage(error):
                    log.exception("usage.not_written", executions=len(taken))


class _Gauge:
    """What one container used, from one look to the next."""

    def __init__(self, disk: DiskWatch) -> None:
        self._disk = disk
        self._looked_at = float("-inf")
        self._cpu_seconds: float | None = None

    def read(self, usage: Usage) -> Sample:
        now = time.monotonic()
        cores = None
        if usage.cpu_seconds is not None and now - self._looked_at >= AVERAGED_OVER:
            if self._cpu_seconds is not None:
                cores = max(0.0, usage.cpu_seconds - self._cpu_seconds) / (now - self._looked_at)
            self._looked_at, self._cpu_seconds = now, usage.cpu_seconds
        return Sample(
            cpu_seconds=usage.cpu_seconds,
            cores=cores,
            memory=usage.memory,
            memory_peak=usage.memory_peak,
            pids=usage.pids,
            disk=self._disk.used,
            missing=self._missing(usage),
        )

    def _missing(self, usage: Usage) -> dict[str, str]:
        told = {"cpu": usage.cpu_seconds, "memory": usage.memory, "pids": usage.pids}
        missing = {name: SILENT_ENGINE for name, value in told.items() if value is None}
        return missing if self._disk.used is not None else {**missing, "disk": NOT_YET}
