"""That a worker is alive: a heartbeat in the database, and a lock file that proves on the same host when it is gone."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import is_outage, transaction
from worker import ledger

log = structlog.get_logger(__name__)

HEARTBEAT_EVERY = 5.0
# Without a renewal for so long we may have been declared lost: start nothing any more.
FENCE_MYSELF_AFTER = 20.0


class Presence:
    """The heartbeat of one worker."""

    def __init__(self, database: AsyncEngine, worker: UUID) -> None:
        self._database = database
        self._worker = worker
        self._renewed = time.monotonic()

    @property
    def certain(self) -> bool:
        """Whether nobody can have declared us lost."""
        return time.monotonic() - self._renewed < FENCE_MYSELF_AFTER

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_EVERY)
            asked = time.monotonic()
            try:
                async with transaction(self._database) as connection:
                    await ledger.heartbeat(connection, self._worker)
                self._renewed = asked
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("heartbeat.missed", error=repr(error))


class ProcessLock:
    """A file whose lock the kernel lets go when the process is gone, however it went."""

    def __init__(self, data: Path, worker: UUID) -> None:
        directory = _directory(data)
        directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._path = _path(data, worker)
        self._fd = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """We go in order."""
        self._path.unlink(missing_ok=True)
        os.close(self._fd)


def provably_gone(data: Path, worker: UUID) -> bool:
    """Whether that worker ran on this host and its process is no more."""
    try:
        descriptor = os.open(_path(data, worker), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # Another host's, or cleaned up: only its silence can tell.
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _directory(data: Path) -> Path:
    return data / "run" / "workers"


def _path(data: Path, worker: UUID) -> Path:
    return _directory(data) / f"{worker}.lock"
