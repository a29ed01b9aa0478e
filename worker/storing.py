"""Patience with the store of files, which may be another machine's: what it refuses just now is asked for again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from obstore.exceptions import BaseError

log = structlog.get_logger(__name__)

T = TypeVar("T")
AGAIN_AFTER = 1.0
AGAIN_AFTER_AT_MOST = 15.0


async def insist(act: Callable[[], Awaitable[T]], *, within: float) -> T:
    """Do it, again and again while the store fails, for so many seconds. Then raises what it raised.

    Each time from the beginning. What is not there (`FileNotFoundError`) is no failure of the store.
    """
    until, pause = time.monotonic() + within, AGAIN_AFTER
    while True:
        try:
            return await act()
        except FileNotFoundError:
            raise
        except BaseError as error:
            if time.monotonic() + pause > until:
                raise
            log.warning("artifacts.store_away", error=repr(error), again_after=pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, AGAIN_AFTER_AT_MOST)
