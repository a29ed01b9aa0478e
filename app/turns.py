"""One at a time for each of something, within a process. Who waits for their turn holds nothing else meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from app.errors import Crowded


class Turns:
    """Lines of those who wait, none of them long: whoever finds too many in it is told so, and need not wait."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._there: Counter[Hashable] = Counter()

    @asynccontextmanager
    async def one(self, whose: Hashable, *, most: int, within: float) -> AsyncIterator[None]:
        """A turn. Raises `Crowded` if so many are there, or if it has not come within so many seconds."""
        if self._there[whose] >= most:
            raise _crowded()
        lock = self._locks.setdefault(whose, asyncio.Lock())
        self._there[whose] += 1
        try:
            try:
                async with asyncio.timeout(within):
                    await lock.acquire()
            except TimeoutError:
                raise _crowded() from None
            try:
                yield
            finally:
                lock.release()
        finally:
            self._there[whose] -= 1
            if not self._there[whose]:
                del self._there[whose]


def _crowded() -> Crowded:
    return Crowded("Too many came at the same time.", hint="Send it again in a moment.")
