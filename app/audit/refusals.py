"""How many of the requests that are refused are put on record: whoever has a token could have any number of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import structlog

from app.audit.model import Entry

log = structlog.get_logger(__name__)

MOST_PER_MINUTE = 100
_MINUTE = 60.0


class Refusals:
    """Those of this process in the current minute, by token."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._seen = Counter[str]()

    def take(self, entry: Entry) -> bool:
        """Whether one more is put on record. That others are not is told once, in our log."""
        now = self._clock()
        if now - self._began >= _MINUTE:
            self._began = now
            self._seen.clear()
        by = str(entry.token_id or entry.actor)
        self._seen[by] += 1
        if self._seen[by] == MOST_PER_MINUTE + 1:
            log.warning("audit.refusals_left_out", token_id=by, actor=entry.actor, most=MOST_PER_MINUTE)
        return self._seen[by] <= MOST_PER_MINUTE
