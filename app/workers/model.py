"""Value types of workers. Pure."""

from __future__ import annotations

from enum import StrEnum


class Wanted(StrEnum):
    """What an operator wants of a worker."""

    WORK = "work"
    PAUSE = "pause"
    DRAIN = "drain"
