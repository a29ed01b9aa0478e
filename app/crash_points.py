"""The boundaries between two systems, by name: a test lets a process die right there, as in a crash.

`TAILRACE_CRASH_AT=start_intended` kills the process with SIGKILL when it first passes that point, `start_intended:3`
when it passes for the third time. Unset, which is always but in tests, a point costs one comparison.
"""

from __future__ import annotations

import os
import re
import signal
from enum import StrEnum, auto


class CrashPoint(StrEnum):
    """Between which two steps; each is named after what has just been done."""

    # The API
    ACCEPTED = auto()  # the execution is committed; no bell has rung
    IMPORTING = auto()  # a part of the log is committed; the execution is not on record yet
    # A worker, on the way from the queue to a running program
    CLAIMED = auto()
    WORKSPACE_MADE = auto()
    CREATE_INTENDED = auto()
    CREATED = auto()
    START_INTENDED = auto()
    STARTED = auto()  # the engine says so; the record does not yet
    START_NOTED = auto()
    # While it runs
    LOG_COMMITTED = auto()  # not published
    PACKED = auto()  # a segment of the log; it is not in the place of its chunks yet
    TIMED_OUT = auto()
    NOTICE_COMMITTED = auto()  # not acted out, like the two rungs above it
    SIGNAL_COMMITTED = auto()
    KILL_COMMITTED = auto()
    FROZEN = auto()  # the engine says so; the record does not yet
    THAWED = auto()  # the same
    PAUSE_COMMITTED = auto()  # the program is to be told to save a checkpoint; it is not told yet
    # On the way to its end
    EXIT_SEEN = auto()
    COLLECTING = auto()
    COLLECTED = auto()  # the end is not committed
    FINISHED = auto()  # the container is still there
    CONTAINER_REMOVED = auto()  # the workspace is still there
    # Taking over, and giving back
    TAKEN_OVER = auto()
    GIVING_BACK = auto()  # the container is removed, the execution still ours
    GIVEN_BACK = auto()


FORMAT = re.compile(r"(?P<point>[a-z_]+)(?::(?P<passing>[1-9][0-9]*))?")


class _Armed:
    """The one point at which this process is to die, and how often it is passed before."""

    def __init__(self) -> None:
        self.point: CrashPoint | None = None
        self.passings_left = 0


_armed = _Armed()


def parse(setting: str) -> tuple[CrashPoint, int]:
    """The point, and at which passing. Raises `ValueError` for anything else than `<name>` or `<name>:<n>`."""
    matched = FORMAT.fullmatch(setting)
    if matched is None:
        raise ValueError(f"{setting!r} is neither <name> nor <name>:<n>")
    return CrashPoint(matched["point"]), int(matched["passing"] or 1)


def arm(setting: str | None) -> None:
    """Once per process, when it opens: die where the setting says. Raises `ValueError`."""
    _armed.point, _armed.passings_left = parse(setting) if setting else (None, 0)


def crash_here(point: CrashPoint) -> None:
    """Die, if this is the point. Nothing is cleaned up, flushed or said."""
    if point is not _armed.point:
        return
    _armed.passings_left -= 1
    if _armed.passings_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
