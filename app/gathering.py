"""One doing for all who want something of the same kind at the same time."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.db.engine import is_outage

T = TypeVar("T")
R = TypeVar("R")

# A statement for more is not much cheaper for each, and who is in it waits for all.
MOST = 100
MOST_BYTES = 4 * 2**20
# What is larger is of groups of its own: nobody who comes with little waits for much of others.
LARGE = 64 * 2**10
# Longer than this nobody waits for those before: their connection may be dead. Seconds.
HELD_UP_FOR = 1.0


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T, R]):
    """What somebody came with, its bytes, and where they wait for their answer."""

    item: T
    size: int
    served: asyncio.Future[R]


class Gathering:
    """Serves those who come together together, by something that was begun after all of them had come.

    Who comes alone does not wait. Who comes while others are served is of the next group: a hundred lookups at once
    become two statements.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[_Waiting[Any, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(
        self,
        kind: Hashable,
        item: T,
        serve: Callable[[list[T]], Awaitable[Sequence[R]]],
        *,
        patience: float = 0,
        size: int = 0,
    ) -> R:
        """What `serve` gives for this item: it has one answer for each, in their order. Raises what it raises.

        What fails for several is tried for each alone, so that nobody suffers from what is wrong with another. With
        `patience` others are waited for, so many seconds at most. `size` are the item's bytes, roughly.
        """
        served: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        lane, waiting = (kind, size > LARGE), _Waiting(item, size, served)
        if lane in self._waiting:
            self._waiting[lane].append(waiting)
        else:
            self._waiting[lane] = [waiting]
            self._start(self._serve_all(lane, serve, patience))
        return await served

    async def close(self) -> None:
        """Give up what is still being served: nobody waits for it."""
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve_all(
        self, lane: Hashable, serve: Callable[[list[T]], Awaitable[Sequence[R]]], patience: float
    ) -> None:
        waiting = self._waiting[lane]
        try:
            await asyncio.sleep(patience)
            while waiting:
                group = _take_group(waiting)
                await asyncio.wait([self._start(_serve(group, serve))], timeout=HELD_UP_FOR)
        finally:
            del self._waiting[lane]
            for each in waiting:
                each.served.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # What is done for several is of nobody's request: it must not be logged under the id of who came first.
        task = asyncio.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _take_group(waiting: list[_Waiting[T, R]]) -> list[_Waiting[T, R]]:
    """The first of them, as many as are served together, and at least one."""
    number, size = 1, waiting[0].size
    while number < min(MOST, len(waiting)) and (size := size + waiting[number].size) <= MOST_BYTES:
        number += 1
    group = waiting[:number]
    del waiting[:number]
    return group


async def _serve(group: list[_Waiting[T, R]], serve: Callable[[list[T]], Awaitable[Sequence[R]]]) -> None:
    try:
        answers = await serve([each.item for each in group])
        answered = list(zip(group, answers, strict=True))
    except asyncio.CancelledError:
        for each in group:
            each.served.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
        await _fail(group, serve, error)
        return
    for each, answer in answered:
        if not each.served.done():  # by who went away
            each.served.set_result(answer)


async def _fail(
    group: list[_Waiting[T, R]], serve: Callable[[list[T]], Awaitable[Sequence[R]]], error: Exception
) -> None:
    if len(group) > 1 and not is_outage(error):
        for each in group:
            await _serve([each], serve)
        return
    for each in group:
        if not each.served.done():
            each.served.set_exception(error)
