"""Whether another attempt follows the end of one, and when. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from app.executions.model import ExitMeaning, Outcome, Retries
from app.executions.states import Cause

# Ends of a program that never started for which nobody's request is to blame: tried again without being asked.
NOT_ITS_FAULT = frozenset({Cause.IMAGE_PULL_FAILED, Cause.ENGINE_ERROR, Cause.HOST_LOST})
# Attempts whose program never started, the last one included.
IN_VAIN_AT_MOST = 3
FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0


@dataclass(frozen=True, slots=True)
class Tries:
    """How many attempts may have started their program, and how many were made in vain; this one included."""

    started: int
    in_vain: int


def may_try_again(outcome: Outcome, retries: Retries, tries: Tries, *, ran: bool, final: bool) -> bool:
    """Whether policy allows another attempt after this one.

    `ran`: its program may have started; `final`: somebody asked for its end.
    """
    if final or outcome.meaning is ExitMeaning.FAIL:
        return False
    if not ran and outcome.cause in NOT_ITS_FAULT and tries.in_vain < IN_VAIN_AT_MOST:
        return True
    wanted = outcome.meaning is ExitMeaning.RETRY or retries.allows(outcome.cause, outcome.exit_code)
    return wanted and tries.started + tries.in_vain < retries.max_attempts


def delay_before(attempts: int) -> float:
    """Seconds to wait after so many attempts: doubling, and never all at the same time."""
    longest = min(FIRST_DELAY * 2 ** min(attempts - 1, 30), LONGEST_DELAY)
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret
