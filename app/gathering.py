"""One doing for all who want something of the same kind at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar

from app.db.engine import is_outage

T = TypeVar("T")
R = TypeVar("R")

# A statement for more is not much cheaper for each, and who is in it waits for all.
MOST = 100
# Longer than this nobody waits for those before: their connection may be dead. Seconds.
HELD_UP_FOR = 1.0


class Gathering:
    """Serves those who come together together, by something that was begun after all of them had come.

    Who comes alone does not wait. Who comes while others are served is of the next group: a hundred lookups at once
    become two statements.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(
        self, kind: Hashable, item: T, serve: Callable[[list[T]], Awaitable[Sequence[R]]], *, patience: float = 0
    ) -> R:
        """What `serve` gives for this item: it has one answer for each, in their order. Raises what it raises.

        What fails for several is tried for each alone, so that nobody suffers from what is wrong with another. With
        `patience` others are waited for, so many seconds at most.
        """
        served: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if kind in self._waiting:
            self._waiting[kind].append((item, served))
        else:
            self._waiting[kind] = [(item, served)]
            self._start(self._serve_all(kind, serve, patience))
        return await served

    async def close(self) -> None:
        """Give up what is still being served: nobody waits for it."""
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve_all(
        self, kind: Hashable, serve: Callable[[list[T]], Awaitable[Sequence[R]]], patience: float
    ) -> None:
        waiting = self._waiting[kind]
        try:
            await asyncio.sleep(patience)
            while waiting:
                group = waiting[:MOST]
                del waiting[:MOST]
                await asyncio.wait([self._start(_serve(group, serve))], timeout=HELD_UP_FOR)
        finally:
            del self._waiting[kind]
            for _, served in waiting:
                served.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _serve(group: list[tuple[T, asyncio.Future[R]]], serve: Callable[[list[T]], Awaitable[Sequence[R]]]) -> None:
    try:
        answers = await serve([item for item, _ in group])
        answered = list(zip(group, answers, strict=True))
    except asyncio.CancelledError:
        for _, served in group:
            served.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
        await _fail(group, serve, error)
        return
    for (_, served), answer in answered:
        if not served.done():  # by who went away
            served.set_result(answer)


async def _fail(
    group: list[tuple[T, asyncio.Future[R]]], serve: Callable[[list[T]], Awaitable[Sequence[R]]], error: Exception
) -> None:
    if len(group) > 1 and not is_outage(error):
        for each in group:
            await _serve([each], serve)
        return
    for _, served in group:
        if not served.done():
            served.set_exception(error)
