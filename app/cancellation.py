"""Telling an error from the noise of a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


def being_cancelled() -> bool:
    """Whether the current task was asked to end: an error on its way out is then no reason to try again.

    A driver that cleans up after a cancelled statement may raise an error of its own in the place of `CancelledError`.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # outside of any event loop
        return False
    return task is not None and task.cancelling() > 0


@contextmanager
def heeding_cancellation() -> Iterator[None]:
    """Raises `CancelledError` behind a block in which a cancellation got lost.

    Before Python 3.12 `asyncio.wait_for`, through which the Redis client sends, swallows one that comes as it ends.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
