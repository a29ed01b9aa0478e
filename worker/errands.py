"""Tasks by whom they are for: one at a time for each, so that whoever hangs delays nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from uuid import UUID


class Errands:
    """At most so many `errand`s; what comes while there are more is left for a later look."""

    def __init__(self, errand: Callable[[UUID], Coroutine[Any, Any, None]], *, most: int, name: str) -> None:
        self._errand = errand
        self._most = most
        self._name = name
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, for_whom: UUID) -> None:
        """Begin it, unless it is under way."""
        if for_whom in self._tasks or len(self) >= self._most:
            return
        task = asyncio.create_task(self._errand(for_whom), name=f"{self._name} {for_whom}")
        self._tasks[for_whom] = task
        task.add_done_callback(partial(self._done, for_whom))

    async def stop(self) -> None:
        """Cancel all, and return when they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, for_whom: UUID, _: asyncio.Task[None]) -> None:
        del self._tasks[for_whom]
