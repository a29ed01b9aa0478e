"""What is told of a server that is away: once when it is gone, and once when it is back.

It goes to the logger `tailrace` as warnings, which Python shows on stderr unless told otherwise. The command line shows
them as its own.
"""

from __future__ import annotations

import math
import os

from tailrace._errors import ApiError, ConnectionFailed

LOGGER = "tailrace"
# What is over sooner than in so many seconds is worth no word, unless it comes again.
HICCUP = 1.0


class Outage:
    """How the server of one client does. Many requests at once tell it once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told = False

    def lasts(self, error: Exception, *, attempts: int, pause: float, left: float) -> None:
        """An attempt went wrong. The next one is in `pause` seconds, and the last one when `left` are over."""
        if self._told or (attempts < 2 and pause < HICCUP):
            return
        self._told = True
        until = "until it is back" if math.isinf(left) else f"for {max(1, round(left))} s"
        _tell(f"{_what(error, self._url)}; trying again {until}.")

    def over(self) -> None:
        """It answers."""
        if self._told:
            self._told = False
            _tell(f"{self._url} is back.")

    def given_up(self) -> None:
        """It has been tried for long enough, and somebody is told why."""
        self._told = False


def reason_of(error: BaseException) -> str:
    """What went wrong, by what the system said to it: `Connection refused`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            # What asyncio makes of it says where, and not why.
            if cause.errno and cause.strerror.startswith("Connect call failed"):
                return os.strerror(cause.errno)
            return cause.strerror
        inner = getattr(cause, "exceptions", None)
        cause = inner[0] if inner else cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _what(error: Exception, url: str) -> str:
    if isinstance(error, ApiError):
        return f"{url} answers {error.status}, {error.title}"
    reason = error.reason if isinstance(error, ConnectionFailed) else reason_of(error)
    return f"No connection to {url} ({reason})"


def _tell(text: str) -> None:
    import logging

    logging.getLogger(LOGGER).warning(text)
