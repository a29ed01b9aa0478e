"""Work beside a response: it never delays it, never fails it, and is not lost by the garbage collector."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Background:
    """Runs short coroutines beside the requests that started them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted_again: dict[str, bool] = {}

    def start(self, work: Coroutine[Any, Any, None], *, what: str) -> None:
        """Run it soon. `what` names it in our log should it fail."""
        task = asyncio.create_task(work, name=what)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def start_once(self, work: Callable[[], Awaitable[None]], *, what: str) -> None:
        """Run it soon, but never twice at a time: one run that begins later serves all who asked meanwhile.

        A thousand submissions a second ring one bell a few times, not a thousand times.
        """
        if what in self._wanted_again:
            self._wanted_again[what] = True
            return
        self._wanted_again[what] = True
        self.start(self._run_while_wanted(work, what), what=what)

    async def _run_while_wanted(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        try:
            while self._wanted_again[what]:
                self._wanted_again[what] = False
                await work()
        finally:
            del self._wanted_again[what]

    async def finish(self, within: float) -> None:
        """Let what is under way end, then cancel the rest: at shutdown."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background.failed", what=task.get_name(), exc_info=error)
