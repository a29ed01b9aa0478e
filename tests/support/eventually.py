"""Waiting for something that is on its way, without guessing how long it takes."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")


async def eventually(check: Callable[[], T | Awaitable[T]], *, within: float = 60.0) -> T:
    """Poll until the check returns something true, and return that.

    Raises:
        AssertionError: It did not within that many seconds; the check's own last one if it raised any.
    """
    deadline = time.monotonic() + within
    while True:
        failure = AssertionError(f"still not true after {within:g} s: {check}")
        try:
            outcome = check()
            value = cast("T", await outcome if inspect.isawaitable(outcome) else outcome)
            if value:
                return value
        except AssertionError as error:
            failure = error
        if time.monotonic() >= deadline:
            raise failure
        await asyncio.sleep(0.05)
