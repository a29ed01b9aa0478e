"""Whether there is room on disk for more: a worker that starts nothing new in time keeps some for what runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

LOOK_EVERY = 5.0


class FreeDisk:
    """Looks at the file system of a directory, which has too little room below so many free bytes."""

    def __init__(self, directory: Path, at_least: int) -> None:
        self._directory = directory
        self._at_least = at_least
        self.free: int | None = None
        # What is wrong; None while there is room.
        self.message: str | None = None

    async def run(self, changed: Callable[[], None] = lambda: None) -> None:
        """Look until cancelled; `changed` is called when there is room again, or not any more."""
        while True:
            before = self.message is None
            await self.look()
            if (self.message is None) is not before:
                changed()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Look once. Without an answer it is as it was: what else is wrong with the disk shows elsewhere."""
        try:
            # One that hangs is waited for in a thread.
            room = await asyncio.to_thread(os.statvfs, self._directory)
        except OSError as error:
            log.warning("worker.disk_unseen", directory=str(self._directory), error=str(error))
            return
        self.free = room.f_bavail * room.f_frsize
        had_room, has_room = self.message is None, self.free >= self._at_least
        self.message = None if has_room else self._sentence()
        if has_room and not had_room:
            log.info("worker.disk_has_room", free=self.free)
        elif had_room and not has_room:
            log.warning("worker.disk_low", free=self.free, at_least=self._at_least)

    def _sentence(self) -> str:
        return (
            f"The disk of its data directory has {self.free} bytes free, of at least {self._at_least}: "
            "nothing new is started until it has more."
        )
