"""What is counted in a row, and when somebody is told."""

from hypothesis import given
from hypothesis import strategies as st

from app.executions.states import TERMINAL, Status
from app.notifications.model import FAILURES, NotificationKind, Streak, count, plain

ends = st.lists(st.sampled_from(sorted(TERMINAL)), max_size=60)


@given(ends, st.integers(1, 5))
def test_alerts_and_recoveries_are_those_of_whoever_reads_it_all(history: list[Status], after: int) -> None:
    streak, told = Streak(), list[NotificationKind]()
    for status in history:
        streak, kind = count(streak, status, after)
        told += [kind] if kind is not None else []
    meant = [status for status in history if status is not Status.CANCELED]
    runs, expected = 0, list[NotificationKind]()
    for status in meant:
        if status in FAILURES:
            runs += 1
            expected += [NotificationKind.FAILING] if runs == after else []
        else:
            expected += [NotificationKind.RECOVERED] if runs >= after else []
            runs = 0
    assert told == expected
    assert streak.failures == runs


@given(st.text())
def test_what_is_plain_is_on_one_line(text: str) -> None:
    assert len(plain(text).splitlines()) <= 1
    assert "\x1b" not in plain(text)
