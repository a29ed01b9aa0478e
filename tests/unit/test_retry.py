from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.executions.model import NO_RETRIES, RETRIABLE, ExitMeaning, Outcome, Retries, Then
from app.executions.states import STATUS_OF, Cause, Status
from worker.retry import IN_VAIN_AT_MOST, LONGEST_DELAY, NOT_ITS_FAULT, Tries, delay_before, may_try_again

ONCE = Tries(started=1, in_vain=0)
IN_VAIN = Tries(started=0, in_vain=1)


def ended(cause: Cause, code: int | None = None) -> Outcome:
    return Outcome(cause, "It ended.", code)


@given(cause=st.sampled_from(list(Cause)), code=st.none() | st.integers(0, 255), final=st.booleans())
def test_what_may_have_run_is_never_run_again_unasked(cause: Cause, code: int | None, *, final: bool) -> None:
    assert not may_try_again(ended(cause, code), NO_RETRIES, ONCE, ran=True, final=final)


@given(code=st.integers(1, 255), most=st.integers(1, 5), started=st.integers(1, 6), final=st.booleans())
def test_what_the_submission_says_of_a_code_is_its_word(code: int, most: int, started: int, *, final: bool) -> None:
    for reasons in ((), (code,), (Cause.EXIT_NONZERO,)):
        for meaning in ExitMeaning:
            again = may_try_again(
                replace(ended(Cause.EXIT_NONZERO, code), meaning=meaning),
                Retries(max_attempts=most, retry_on=reasons),
                Tries(started, 0),
                ran=True,
                final=final,
            )
            wanted = meaning is ExitMeaning.RETRY or (bool(reasons) and meaning is not ExitMeaning.FAIL)
            assert again is (wanted and started < most and not final)


@pytest.mark.parametrize("cause", sorted(NOT_ITS_FAULT))
def test_what_never_started_is_tried_again_a_few_times(cause: Cause) -> None:
    again = [
        may_try_again(ended(cause), NO_RETRIES, Tries(0, in_vain), ran=False, final=False)
        for in_vain in range(1, IN_VAIN_AT_MOST + 1)
    ]
    assert again == [True] * (IN_VAIN_AT_MOST - 1) + [False]


@pytest.mark.parametrize("cause", sorted(frozenset(Cause) - NOT_ITS_FAULT))
def test_a_bad_request_is_not_made_better_by_another_attempt(cause: Cause) -> None:
    assert not may_try_again(ended(cause), NO_RETRIES, IN_VAIN, ran=False, final=False)


@given(
    cause=st.sampled_from(sorted(RETRIABLE)),
    ran=st.booleans(),
    most=st.integers(1, 10),
    started=st.integers(0, 12),
    in_vain=st.integers(0, 12),
)
def test_max_attempts_is_the_end_of_whatever_is_asked_for(
    *, cause: Cause, ran: bool, most: int, started: int, in_vain: int
) -> None:
    asked = Retries(max_attempts=most, retry_on=(cause,))
    again = may_try_again(ended(cause), asked, Tries(started, in_vain), ran=ran, final=False)
    ours = not ran and cause in NOT_ITS_FAULT and in_vain < IN_VAIN_AT_MOST
    assert again is (ours or started + in_vain < most)


@pytest.mark.parametrize(
    ("retries", "outcome", "again"),
    [
        (Retries(max_attempts=2, retry_on=(3,)), ended(Cause.EXIT_NONZERO, 3), True),
        (Retries(max_attempts=2, retry_on=(3,)), ended(Cause.EXIT_NONZERO, 4), False),
        (Retries(max_attempts=2, retry_on=(137,)), ended(Cause.OOM_KILLED, 137), True),
        (Retries(max_attempts=2, retry_on=(137,)), ended(Cause.INTERRUPTED, 137), False),
        (Retries(max_attempts=2, retry_on=(Cause.EXIT_NONZERO,)), ended(Cause.EXIT_NONZERO, 4), True),
        (Retries(max_attempts=2, on_timeout=Then.RETRY), ended(Cause.RUN_TIMEOUT, 143), True),
        (Retries(max_attempts=2, on_timeout=Then.RETRY), ended(Cause.INTERRUPTED, 143), False),
        (Retries(max_attempts=2, on_interrupted=Then.RETRY), ended(Cause.HOST_LOST), True),
        (Retries(max_attempts=2, on_interrupted=Then.RETRY), ended(Cause.INTERRUPTED, 137), True),
        (Retries(max_attempts=1, on_interrupted=Then.RETRY), ended(Cause.INTERRUPTED, 137), False),
    ],
)
def test_what_the_submitter_asked_for(retries: Retries, outcome: Outcome, *, again: bool) -> None:
    assert may_try_again(outcome, retries, ONCE, ran=True, final=False) is again


@given(cause=st.sampled_from(sorted(RETRIABLE)), ran=st.booleans())
def test_what_somebody_asked_to_cancel_is_not_tried_again(*, cause: Cause, ran: bool) -> None:
    asked = Retries(max_attempts=100, retry_on=tuple(RETRIABLE))
    assert not may_try_again(ended(cause), asked, ONCE, ran=ran, final=True)


def test_what_was_wanted_cannot_be_asked_to_be_tried_again() -> None:
    wanted = {Status.SUCCEEDED, Status.CANCELED}
    assert frozenset(cause for cause in Cause if STATUS_OF[cause] not in wanted) == RETRIABLE


@given(attempts=st.integers(1, 1000))
def test_the_delay_doubles_up_to_a_limit(attempts: int) -> None:
    longest = min(2 ** (attempts - 1), LONGEST_DELAY)
    assert longest / 2 <= delay_before(attempts) <= longest
