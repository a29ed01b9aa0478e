"""Something that comes round again and again, for as long as all is well."""

from __future__ import annotations

import time


class Pulse:
    """When it last came round."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def beat(self) -> None:
        """It came round."""
        self._at = time.monotonic()

    def age(self) -> float:
        """Seconds since it last did."""
        return time.monotonic() - self._at
