"""The age of the queue over time, told from sums of waits, is that of a replay of all that waited."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.stats.model import Waits, queue_ages

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = 6
STEPS = 5
SPAN = STEP * STEPS

# From when until when one waited, in seconds; and whether it was claimed.
Stay = tuple[int, int, bool]
STAYS = st.lists(
    st.tuples(st.integers(-SPAN, SPAN + STEP), st.integers(0, 2 * SPAN), st.booleans()).map(
        lambda stay: (stay[0], stay[0] + stay[1], stay[2])
    ),
    max_size=12,
)


def at(second: int) -> datetime:
    return BEGIN + timedelta(seconds=second)


def summed(stays: Sequence[Stay]) -> dict[datetime, Waits]:
    """As the table has them."""
    left = defaultdict(list)
    for since, until, claimed in stays:
        left[until // STEP * STEP].append((since, until, claimed))
    sums = {}
    for begin, there in left.items():
        claimed = [until - since for since, until, was in there if was]
        sums[at(begin)] = Waits(
            at=at(begin),
            claimed=len(claimed),
            mean=sum(claimed) / len(claimed) if claimed else None,
            longest_claimed=max(claimed) if claimed else None,
            longest=max(until - since for since, until, _ in there),
            earliest=at(min(since for since, _, _ in there)),
        )
    return sums


def replayed(stays: Sequence[Stay], begin: int, now: int) -> float | None:
    """Second by second: how long each had waited that was still there until then, or left just then."""
    seconds = range(begin, min(begin + STEP, now) + 1)
    ages = [
        second - since
        for second in seconds
        for since, until, _ in stays
        if (since < second <= until and second > begin) or since <= second == until < begin + STEP
    ]
    return max(ages, default=None)


@given(stays=STAYS, now=st.integers(0, SPAN + STEP))
def test_ages_are_those_of_a_replay(stays: list[Stay], now: int) -> None:
    """What ends after `now` waits still, and what begins later is not there."""
    stays = [stay for stay in stays if stay[0] <= now]
    left, waiting = [stay for stay in stays if stay[1] <= now], [stay for stay in stays if stay[1] > now]
    sums = summed(left)
    behind = [sums[begin].earliest for begin in sums if begin >= at(SPAN)]
    since = min([at(stay[0]) for stay in waiting] + behind, default=None)
    begins = range(0, SPAN, STEP)
    found = queue_ages([at(begin) for begin in begins], timedelta(seconds=STEP), sums, waiting_since=since, now=at(now))
    assert found == [replayed(stays, begin, now) for begin in begins]


def test_one_that_waits_for_long_is_as_old_as_it_was_in_every_step() -> None:
    """It came in the first step, and left in the middle of the fourth."""
    sums = summed([(3, 3 * STEP + 2, True)])
    begins = [at(begin) for begin in range(0, SPAN, STEP)]
    found = queue_ages(begins, timedelta(seconds=STEP), sums, waiting_since=None, now=at(SPAN))
    assert found == [3, 9, 15, 17, None]
