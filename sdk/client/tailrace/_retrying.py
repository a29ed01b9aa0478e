"""When a request is tried again, and how long before that. The dice are in here, too."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace._outage import Outage

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# Nothing has been done where the answer is one of these, whatever was asked for.
REFUSED = frozenset({429})
PASSING = frozenset({500, 502, 503, 504})
# A mistake of the server's is usually one the next time, too.
MISTAKE = 500
MISTAKES = 3


def delay(attempt: int) -> float:
    """Seconds before the attempt after this one (from 1 on): twice as long each time, and never the same for all."""
    longest: float = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempt, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  no secret


def asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds; None if there is none that can be read."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
    if at.tzinfo is None:
        return None
    return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())


class Patience:
    """For how many seconds one call is tried again; `math.inf` is for ever. `outage` is told of what goes on."""

    def __init__(self, seconds: float, outage: Outage | None = None) -> None:
        self._ends = time.monotonic() + seconds
        self._outage = outage
        self.attempts = 0

    async def rest(self, error: Exception | None = None, *, at_least: float = 0.0, at_most: float = math.inf) -> None:
        """Wait before the next attempt. Raises the error of the last one if there is to be none."""
        import anyio

        self.attempts += 1
        # All who were told the same number should not come back in the same moment.
        wanted = max(delay(self.attempts), at_least * random.uniform(1.0, 1.1))  # noqa: S311  no secret
        left = self._ends - time.monotonic()
        if error is not None and wanted > left:
            if self._outage is not None:
                self._outage.given_up()
            raise error
        if error is not None and self._outage is not None:
            self._outage.lasts(error, attempts=self.attempts, pause=wanted, left=left)
        await anyio.sleep(max(0.0, min(wanted, at_most)))
