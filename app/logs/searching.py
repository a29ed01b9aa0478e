"""Where searches run: in one thread of the process, and each with an allowance of computing time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# Of the time that passes: a search that follows a log goes on for ever, within bounds.
SHARE = 0.1


class Searches:
    """One thread for all searches: they take turns, a chunk each, and nobody else waits for them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="search")

    async def run(self, search: Callable[[], T]) -> tuple[T, float]:
        """What it gives, and the seconds it has computed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _timed, search)


def _timed(search: Callable[[], T]) -> tuple[T, float]:
    begun = time.thread_time()
    return search(), time.thread_time() - begun


class Allowance:
    """Seconds of computing that one reader may use: so many at once, and then a share of the time that passes."""

    def __init__(self, seconds: float) -> None:
        self._most = self._left = seconds
        self._at = time.monotonic()

    def spend(self, seconds: float) -> None:
        """Take these from it."""
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * SHARE) - seconds
        self._at = now

    @property
    def is_used_up(self) -> bool:
        """Whether there is nothing left."""
        return self._left <= 0
