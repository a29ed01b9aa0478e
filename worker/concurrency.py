"""Tasks beside a main one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def beside(main: Coroutine[Any, Any, T], *helpers: Coroutine[Any, Any, Any]) -> T:
    """Await `main` while the helpers run; end them with it. A helper that fails ends `main` and raises its error."""
    task = asyncio.ensure_future(main)
    others = [asyncio.ensure_future(helper) for helper in helpers]
    try:
        running: set[asyncio.Future[Any]] = {task, *others}
        while not task.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for helper in done - {task}:
                helper.result()
        return task.result()
    finally:
        for each in (task, *others):
            each.cancel()
        await asyncio.gather(task, *others, return_exceptions=True)


async def result_of(task: asyncio.Future[T]) -> T:
    """What the task returns or raises. Cancelling this does not cancel the task."""
    await asyncio.wait({task})
    return task.result()


async def to_the_end(work: Coroutine[Any, Any, T], *, within: float) -> T:
    """Await the work; when cancelled meanwhile, let it go on for at most so many seconds before giving in."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait({task}, timeout=within)
        finally:
            task.cancel()
        raise
