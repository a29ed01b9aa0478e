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
from worker import claims

log = structlog.get_logger(__name__)

HEARTBEAT_EVERY = 5.0
LOCK_SUFFIX = ".lock"
# Without a renewal for so long we may have been declared lost: start nothing any more.
FENCE_MYSELF_AFTER = 20.0


class Presence:
    """The heartbeat of one worker."""

    def __init__(self, database: AsyncEngine, worker: UUID) -> None:
        self._database = database
        self._worker = worker
        self._renewed = time.monotonic()
        self._steady_since = self._renewed

    @property
    def may_judge(self) -> bool:
        """Whether we have renewed without a miss for long enough to hold another's silence against it: after an outage
        of the database everybody was silent.
        """
        return self.certain and time.monotonic() - self._steady_since >= claims.LOST_AFTER

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
                    await claims.heartbeat(connection, self._worker)
                self._renewed = asked
            except Exception as error:
                if not is_outage(error):
                    raise
                self._steady_since = time.monotonic()
                log.warning("heartbeat.missed", error=repr(error))


class ProcessLock:
    """A file whose lock the kernel lets go when the process is gone, however it went."""

    def __init__(self, data: Path, worker: UUID) -> None:
        directory = _directory(data)
        directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._path = directory / f"{worker}{LOCK_SUFFIX}"
        # Locked before it has its name: whoever finds the file sees the lock, or its holder is gone.
        unnamed = directory / f".{worker}"
        self._fd = os.open(unnamed, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(self._path)

    def release(self) -> None:
        """We go in order."""
        self._path.unlink(missing_ok=True)
        os.close(self._fd)


def list_gone(data: Path) -> list[UUID]:
    """Workers of this host and data directory whose process is provably no more."""
    directory = _directory(data)
    return [UUID(path.stem) for path in directory.glob(f"*{LOCK_SUFFIX}") if not _is_locked(path)]


def bury(data: Path, worker: UUID) -> None:
    """Its end is in the database: the file has told what it could."""
    (_directory(data) / f"{worker}{LOCK_SUFFIX}").unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # It has just gone in order, and signed off itself.
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _directory(data: Path) -> Path:
    return data / "run" / "workers"
