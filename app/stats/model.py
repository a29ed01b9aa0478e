"""What is counted, and by what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Flows are kept by the minute for so long, then by the hour.
FINE_FOR = timedelta(days=2)
MINUTE, HOUR = 60, 3600


class Group(StrEnum):
    """What executions can be counted by."""

    STATUS = "status"
    OWNER = "owner"
    POOL = "pool"
    METHOD = "method"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose executions, in which pools, of which methods; an empty set is all."""

    owners: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are of one group; those of no method are in none by that."""

    group: Mapping[Group, str]
    n: int


@dataclass(frozen=True, slots=True)
class Flow:
    """How much of `what` (`submitted`, `started`, or a status in which it ended) happened in the step that begins."""

    at: datetime
    what: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long those had waited that left the queue in the step that begins, in seconds.

    `claimed` of them were, and waited for `mean` and at most `longest_claimed`. `longest` and `earliest`, since when
    the first had waited, are of all.
    """

    at: datetime
    claimed: int
    mean: float | None
    longest_claimed: float | None
    longest: float
    earliest: datetime


def queue_ages(
    steps: Sequence[datetime],
    length: timedelta,
    waits: Mapping[datetime, Waits],
    *,
    waiting_since: datetime | None,
    now: datetime,
) -> list[float | None]:
    """How old the queue was at the most in each of these steps, in seconds; None where nothing waited.

    It is as old as what has waited in it for the longest. So it was oldest when that left, or when the step ended.
    `waiting_since` is since when the first waits of those that have left later than all steps, or wait now.
    """
    ages: list[float | None] = []
    for begin in reversed(steps):
        left, end = waits.get(begin), min(begin + length, now)
        reached = [] if left is None else [left.longest]
        if waiting_since is not None and waiting_since < end and begin < end:
            reached.append((end - waiting_since).total_seconds())
        ages.append(max(reached, default=None))
        if left is not None:
            waiting_since = left.earliest if waiting_since is None else min(waiting_since, left.earliest)
    return ages[::-1]
