"""The ladder of a stop: notice, signal, kill. Which rung is next, and when. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

# SIGKILL again if the container still runs: the engine may have been away.
KILL_AGAIN_EVERY = 1.0


class Rung(IntEnum):
    """How far a stop has gone; each rung is committed before it is acted out."""

    NONE = 0
    NOTICE = 1
    SIGNAL = 2
    KILL = 3


@dataclass(frozen=True, slots=True)
class Step:
    """The next rung, and in how many seconds it is due (0 or less: now)."""

    rung: Rung
    due_in: float


def next_step(*, done: Rung, since_request: float, until_kill: float, notice: float, force: bool) -> Step:
    """What comes after `done`; all times in seconds, `notice` from the request to the signal; infinite: none."""
    if force or until_kill <= 0:
        return Step(Rung.KILL, KILL_AGAIN_EVERY if done is Rung.KILL else 0.0)
    match done:
        case Rung.NONE:
            return Step(Rung.NOTICE, 0.0)
        case Rung.NOTICE if notice == math.inf:
            return Step(Rung.KILL, until_kill)
        case Rung.NOTICE:
            return Step(Rung.SIGNAL, min(notice - since_request, until_kill))
        case Rung.SIGNAL:
            return Step(Rung.KILL, until_kill)
        case Rung.KILL:
            return Step(Rung.KILL, KILL_AGAIN_EVERY)
