"""Telling an error from the noise of a cancellation."""

from __future__ import annotations

import asyncio


def being_cancelled() -> bool:
    """Whether the current task was asked to end: an error on its way out is then no reason to try again.

    A driver that cleans up after a cancelled statement may raise an error of its own in the place of `CancelledError`.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
