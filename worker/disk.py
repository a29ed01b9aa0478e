"""The watch over what a container has on disk: beyond `limits.disk` it is killed, as it is for memory by the kernel.

Hardly any file system can be told to keep a directory below a size, so it is looked at, now and then. How far a program
gets beyond its limit depends on how fast it writes: the nearer it comes, the sooner it is looked at again.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from app.executions.model import Lease
from worker import ledger, sentences
from worker.context import WorkerContext
from worker.engine.port import EngineError, NoSuchContainer
from worker.story import Story
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

LOOK_EVERY = 5.0
LOOK_SOON = 0.5
# A look that took long, since there are many files, is not repeated before so many times as long has passed.
REST_FACTOR = 3.0
REST_AT_MOST = 15.0
KILL_EVERY = 1.0


class DiskWatch:
    """What one attempt has on disk. `used` is that at the last look, in bytes; `over` says that it was too much, and
    that it is killed for that.
    """

    def __init__(self, context: WorkerContext, lease: Lease, workspace: Workspace, story: Story, *, most: int) -> None:
        """`most` is in bytes."""
        self._context = context
        self._lease = lease
        self._written = workspace.written
        self._story = story
        self._most = most
        self.used: int | None = None
        self.over = False

    async def follow(self, container: str) -> None:
        """Look until it has too much or is gone, or until cancelled; from then on kill it."""
        try:
            if not self.over:
                await self._note(await self._find_too_much(container))
            await self._kill(container)
        except NoSuchContainer:
            return

    async def _find_too_much(self, container: str) -> int:
        """How much that is, once it is too much. Raises `NoSuchContainer`."""
        used, seen_at, wait = 0, time.monotonic(), LOOK_SOON
        while True:
            await asyncio.sleep(wait)
            began, before = time.monotonic(), used
            try:
                used = self.used = await self._context.runtime.weigh(container, self._written())
            except NoSuchContainer:
                raise
            except (EngineError, OSError) as error:
                log.warning("disk.not_measured", container=container, error=str(error))
                wait = LOOK_EVERY
                continue
            if used > self._most:
                return used
            growth = (used - before) / max(began - seen_at, LOOK_SOON)
            full_in = (self._most - used) / growth if growth > 0 else LOOK_EVERY
            seen_at = began
            # Half of that: it may write faster than before.
            rest = min(REST_FACTOR * (time.monotonic() - began), REST_AT_MOST)
            wait = max(min(full_in / 2, LOOK_EVERY), LOOK_SOON, rest)

    async def _note(self, used: int) -> None:
        await self._context.commit(lambda connection: ledger.note_over_disk(connection, self._lease))
        self.over = True
        self._story.say(sentences.of_disk(used, self._most))
        log.info("disk.over", used=used, most=self._most)

    async def _kill(self, container: str) -> None:
        while True:
            try:
                await self._context.runtime.signal(container, "SIGKILL")
            except NoSuchContainer:
                raise
            except EngineError as error:
                # The watch on the exit notices when it is gone.
                log.warning("disk.kill_failed", container=container, error=str(error))
            await asyncio.sleep(KILL_EVERY)
