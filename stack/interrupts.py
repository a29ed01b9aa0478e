"""Ctrl-C and SIGTERM as an orderly end: what runs is canceled once, and then has its time to clean up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def until_interrupted(work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` to its end, or cancel it at the first interrupt; later ones change nothing.

    Returns whether it came to its end. What `work` raises goes through.
    """
    return asyncio.run(_run(work))


async def _run(work: Coroutine[Any, Any, None]) -> bool:
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()

    def interrupt() -> None:
        if not interrupted.is_set():
            interrupted.set()
            task.cancel()

    for number in INTERRUPTS:
        loop.add_signal_handler(number, interrupt)
    try:
        await task
    except asyncio.CancelledError:
        if not interrupted.is_set():
            raise
    return not interrupted.is_set()
