import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.executions.model import Limits
from worker.ladder import KILL_AGAIN_EVERY, Rung, Step, next_step

seconds = st.floats(0, 4000, allow_nan=False)
times = st.floats(-100, 4000, allow_nan=False)
rungs = st.sampled_from(Rung)


@given(done=rungs, since=times, until=times, notice=seconds, force=st.booleans())
def test_a_stop_only_ever_goes_up(*, done: Rung, since: float, until: float, notice: float, force: bool) -> None:
    step = next_step(done=done, since_request=since, until_kill=until, notice=notice, force=force)
    assert step.rung > done or step.rung is done is Rung.KILL
    assert step.rung is not Rung.NONE


@given(done=rungs, since=times, until=times, notice=seconds, force=st.booleans())
def test_no_step_is_due_later_than_the_kill(
    *, done: Rung, since: float, until: float, notice: float, force: bool
) -> None:
    step = next_step(done=done, since_request=since, until_kill=until, notice=notice, force=force)
    latest = KILL_AGAIN_EVERY if done is Rung.KILL else max(0.0, until)
    assert step.due_in <= latest
    assert math.isfinite(step.due_in)


@given(rungs, times, times, seconds)
def test_force_kills_at_once(done: Rung, since: float, until: float, notice: float) -> None:
    step = next_step(done=done, since_request=since, until_kill=until, notice=notice, force=True)
    assert step == Step(Rung.KILL, KILL_AGAIN_EVERY if done is Rung.KILL else 0.0)


@given(rungs, times, st.floats(-100, 0), seconds)
def test_the_kill_is_due_when_the_grace_is_over_whatever_was_missed(
    done: Rung, since: float, until: float, notice: float
) -> None:
    step = next_step(done=done, since_request=since, until_kill=until, notice=notice, force=False)
    assert step.rung is Rung.KILL
    assert done is Rung.KILL or step.due_in == 0.0


@given(since=times, until=times, notice=seconds, force=st.booleans())
def test_a_kill_is_repeated_while_something_runs(*, since: float, until: float, notice: float, force: bool) -> None:
    step = next_step(done=Rung.KILL, since_request=since, until_kill=until, notice=notice, force=force)
    assert step == Step(Rung.KILL, KILL_AGAIN_EVERY)
    assert KILL_AGAIN_EVERY > 0


@given(times, st.floats(0, 4000, exclude_min=True), seconds)
def test_the_program_is_told_at_once(since: float, until: float, notice: float) -> None:
    step = next_step(done=Rung.NONE, since_request=since, until_kill=until, notice=notice, force=False)
    assert step == Step(Rung.NOTICE, 0.0)


@pytest.mark.parametrize("notice", [0, 4, 7.5, 10])
def test_walked_from_the_request_the_rungs_come_at_their_times(notice: float) -> None:
    grace, now, done = 10.0, 0.0, Rung.NONE
    walked: list[tuple[Rung, float]] = []
    while done is not Rung.KILL:
        step = next_step(done=done, since_request=now, until_kill=grace - now, notice=notice, force=False)
        now += max(0.0, step.due_in)
        done = step.rung
        walked.append((done, now))
    assert walked == [(Rung.NOTICE, 0.0), (Rung.SIGNAL, notice), (Rung.KILL, grace)]


def test_whoever_takes_over_late_goes_on_at_the_next_rung() -> None:
    assert next_step(done=Rung.NOTICE, since_request=8, until_kill=2, notice=5, force=False) == Step(Rung.SIGNAL, -3)
    assert next_step(done=Rung.SIGNAL, since_request=8, until_kill=2, notice=5, force=False) == Step(Rung.KILL, 2)


def test_without_a_signal_the_kill_follows_the_notice() -> None:
    step = next_step(done=Rung.NOTICE, since_request=8, until_kill=2, notice=math.inf, force=False)
    assert step == Step(Rung.KILL, 2)


@pytest.mark.parametrize(
    ("grace", "notice", "announced", "expected"),
    [
        (10, None, False, 0.0),
        (10, None, True, 7.5),
        (0, None, True, 0.0),
        (10, 4, False, 4),
        (10, 4, True, 4),
        (10, 0, True, 0),
        (10, 30, False, 10),
    ],
)
def test_the_notice_is_as_asked_or_three_quarters_for_a_program_that_saves(
    *, grace: int, notice: int | None, announced: bool, expected: float
) -> None:
    limits = Limits(grace=grace, notice=notice)
    assert limits.notice_seconds(announced=announced) == expected


@given(grace=st.integers(0, 3600), notice=st.none() | st.integers(0, 3600), announced=st.booleans())
def test_the_notice_is_never_longer_than_the_grace(*, grace: int, notice: int | None, announced: bool) -> None:
    assert 0 <= Limits(grace=grace, notice=notice).notice_seconds(announced=announced) <= grace
