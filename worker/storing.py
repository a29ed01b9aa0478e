"""How files go to the store and come from it, which may be another machine's: small ones beside each other, and what
it refuses just now is asked for again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog
from obstore.exceptions import BaseError

log = structlog.get_logger(__name__)

T = TypeVar("T")
AGAIN_AFTER = 1.0
AGAIN_AFTER_AT_MOST = 15.0
# Of a small file the way there and back takes longest, so some are under way at once. A large one goes alone, since its
# parts are held in memory.
AT_ONCE = 16
SMALL_BYTES = 256 * 1024


async def abreast(things: Sequence[T], act: Callable[[T], Awaitable[None]], *, size_of: Callable[[T], int]) -> None:
    """Do it with each. Raises the first of what was raised, once nothing is under way any more."""
    small = [thing for thing in things if size_of(thing) <= SMALL_BYTES]
    for first in range(0, len(small), AT_ONCE):
        some = small[first : first + AT_ONCE]
        ends = await asyncio.gather(*map(act, some), return_exceptions=True)
        if failed := next((end for end in ends if end is not None), None):
            raise failed
    for thing in things:
        if size_of(thing) > SMALL_BYTES:
            await act(thing)


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
