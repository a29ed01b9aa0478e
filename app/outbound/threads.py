"""Waiting for what blocks, in a thread of its own: the loop's few threads must not, nor may the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def wait_for(act: Callable[[], T], *, within: float, name: str) -> T:
    """What it returns. When the time is over it goes on without us. Raises what it raises, and `TimeoutError`."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def succeed(value: T) -> None:
        if not done.done():
            done.set_result(value)

    def fail(error: Exception) -> None:
        if not done.done():
            done.set_exception(error)

    def run() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            try:
                value = act()
            except Exception as error:  # noqa: BLE001 - it is theirs who wait
                loop.call_soon_threadsafe(fail, error)
            else:
                loop.call_soon_threadsafe(succeed, value)

    threading.Thread(target=run, name=name, daemon=True).start()
    async with asyncio.timeout(within):
        return await done
