"""What the system lines of a log have told; committed with the line that tells it, so that nobody tells it again."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Step(IntEnum):
    """What an attempt tells once; bits of `Told.steps`."""

    NOTICE = 1
    SIGNAL = 2
    KILL = 4
    STARTED = 8
    KEPT = 16
    ENDED = 32
    SETUP = 64
    MAIN = 128
    TEARDOWN = 256


class Told(NamedTuple):
    """The last event that was told, and the steps of the current attempt."""

    event: int = 0
    steps: int = 0


NOTHING_TOLD = Told()
