"""One answer for all who ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Sharing:
    """Lets those who ask the same question share an answer that was begun after all of them had asked.

    So nobody is given what was true before they were told of something newer. Who comes while an answer is on its way
    waits for its end, and then shares the next: a thousand questions at once become two.
    """

    def __init__(self) -> None:
        self._next: dict[Hashable, asyncio.Task[Any]] = {}
        self._current: dict[Hashable, asyncio.Task[Any]] = {}

    async def ask(self, question: Hashable, answer: Callable[[], Awaitable[T]]) -> T:
        """What `answer` gives or raises; or that of somebody who asked the same."""
        task = self._next.get(question)
        if task is None:
            task = self._next[question] = asyncio.create_task(self._give(question, answer))
            task.add_done_callback(_hear)
        # Whoever goes away leaves it to the others.
        given: T = await asyncio.shield(task)
        return given

    async def close(self) -> None:
        """Give up what is still being answered: nobody waits for it."""
        left = {*self._next.values(), *self._current.values()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _give(self, question: Hashable, answer: Callable[[], Awaitable[T]]) -> T:
        try:
            if (current := self._current.get(question)) is not None:
                await asyncio.wait([current])
        finally:
            # From here on it is too late to join.
            task = self._next.pop(question)
        self._current[question] = task
        try:
            return await answer()
        finally:
            del self._current[question]


def _hear(task: asyncio.Task[Any]) -> None:
    """Of a failure, when everybody has gone."""
    if not task.cancelled():
        task.exception()
