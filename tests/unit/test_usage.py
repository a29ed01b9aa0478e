"""Of a run of any length a bounded number of samples is kept, and they are spread evenly over it."""

from hypothesis import given
from hypothesis import strategies as st

from app.usage.model import SAMPLES_AT_MOST, stride_at


@given(st.integers(0, 2**31))
def test_what_is_kept_of_a_run_fills_at_least_half_of_the_room(tick: int) -> None:
    stride = stride_at(tick)
    kept = tick // stride + 1
    assert kept <= SAMPLES_AT_MOST
    assert stride == 1 or kept > SAMPLES_AT_MOST // 2


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_whatever_is_kept_later_was_kept_before(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert stride_at(later) % stride_at(earlier) == 0
