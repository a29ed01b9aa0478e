"""That a worker is alive: a heartbeat in the database, and a lock file that proves on the same host when it is gone.

The heartbeat lives in the worker's one event loop: if that does not tick any more, neither does the heart, and the
worker is declared lost. It has a database connection of its own, so that nothing else of the worker can make it wait.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import is_outage, transaction
from app.workers.model import Wanted
from worker import claims
from worker.claims import EngineHealth
from worker.engine.port import ContainerRuntime, EngineError, EngineInfo
from worker.free_disk import FreeDisk

log = structlog.get_logger(__name__)

HEARTBEAT_EVERY = 5.0
HEARTBEAT_WITHIN = 5.0
ENGINE_WITHIN = 5.0
LOCK_SUFFIX = ".lock"
# Without a renewal for so long we may have been declared lost: start nothing any more.
FENCE_MYSELF_AFTER = 20.0


class EngineWatch:
    """Asks the engine how it is, beside the heartbeat: one that hangs must not make its worker look lost."""

    def __init__(self, runtime: ContainerRuntime, engine: EngineInfo, *, within: float = ENGINE_WITHIN) -> None:
        self._runtime = runtime
        self._within = within
        self._engine = engine
        self.health = EngineHealth(engine.version)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_EVERY)
            await self.look()

    async def look(self) -> None:
        """Ask once."""
        health = await self._ask()
        if health.ok is not self.health.ok:
            log.warning("engine.health", ok=health.ok, message=health.message)
        self.health = health

    async def _ask(self) -> EngineHealth:
        known = self.health.version
        try:
            async with asyncio.timeout(self._within):
                engine = await self._runtime.identify()
        except TimeoutError:
            return EngineHealth(known, f"It gave no answer within {self._within:g} s.")
        except EngineError as error:
            return EngineHealth(known, str(error) or type(error).__name__)
        if engine.id != self._engine.id:
            return EngineHealth(known, f"This is another engine, {engine.id}: the worker must be started anew.")
        return EngineHealth(engine.version)


class Presence:
    """The heartbeat of one worker, and what it brings back: what is wanted of the worker."""

    def __init__(
        self, database: AsyncEngine, worker: UUID, engine: EngineWatch | None = None, disk: FreeDisk | None = None
    ) -> None:
        self._database = database
        self._worker = worker
        self._engine = engine
        self._disk = disk
        self._wanted = Wanted.WORK
        self._leaving = False
        self._renewed = time.monotonic()
        self._steady_since = self._renewed
        # Something may be wanted: the next beat is due now.
        self.asked = asyncio.Event()

    @property
    def wanted(self) -> Wanted:
        """What an operator wants of us; once we leave, nothing but that."""
        return Wanted.DRAIN if self._leaving else self._wanted

    @property
    def takes_work(self) -> bool:
        """Whether something new may be started here."""
        return self.wanted is Wanted.WORK and self.message is None

    @property
    def message(self) -> str | None:
        """Why nothing new may be, although it is wanted."""
        return self._disk.message if self._disk else None

    def silence(self) -> float:
        """Seconds since the last renewal."""
        return time.monotonic() - self._renewed

    @property
    def may_judge(self) -> bool:
        """Whether we have renewed without a miss for long enough to hold another's silence against it: after an outage
        of the database everybody was silent.
        """
        return self.steady_for >= claims.LOST_AFTER

    @property
    def steady_for(self) -> float:
        """Seconds for which we have renewed without a miss."""
        return time.monotonic() - self._steady_since if self.certain else 0.0

    @property
    def certain(self) -> bool:
        """Whether nobody can have declared us lost."""
        return self.silence() < FENCE_MYSELF_AFTER

    def leave(self) -> None:
        """From now on we take nothing new, and with the next beat everybody can see it."""
        self._leaving = True
        self.asked.set()

    async def run(self, changed: Callable[[], None] = lambda: None) -> None:
        """Renew until cancelled; `changed` is called when something else is wanted than before."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(changed))
            if self._engine is not None:
                group.create_task(self._engine.run())
            if self._disk is not None:
                group.create_task(self._disk.run(partial(self._tell, changed)))

    def _tell(self, changed: Callable[[], None]) -> None:
        """With the next beat everybody can see it."""
        self.asked.set()
        changed()

    async def _beat(self, changed: Callable[[], None]) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_EVERY):
                    await self.asked.wait()
            self.asked.clear()
            before = self.wanted
            await self._renew()
            if self.wanted is not before:
                log.info("worker.wanted", wanted=self.wanted)
                changed()

    async def _renew(self) -> None:
        asked = time.monotonic()
        health = self._engine.health if self._engine else None
        try:
            async with asyncio.timeout(HEARTBEAT_WITHIN), transaction(self._database) as connection:
                self._wanted = await claims.heartbeat(
                    connection, self._worker, engine=health, message=self.message, leaving=self._leaving
                )
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
