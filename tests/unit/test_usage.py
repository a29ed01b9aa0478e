"""Of a run of any length a bounded number of samples is kept, and they are spread evenly over it."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.usage.model import SAMPLES_AT_MOST, stride_at
from worker.usage import FILES_AT_MOST, size_of


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


def test_what_a_program_leaves_is_measured_without_following_a_link(tmp_path: Path) -> None:
    outputs, elsewhere = tmp_path / "outputs", tmp_path / "elsewhere"
    (outputs / "deep").mkdir(parents=True)
    elsewhere.mkdir()
    before = size_of(outputs)
    assert before is not None
    for directory in (outputs / "deep", elsewhere):
        (directory / "file").write_bytes(os.urandom(2**20))
    (outputs / "link").symlink_to(elsewhere)
    size = size_of(outputs, tmp_path / "nowhere")
    assert size is not None
    assert 2**20 <= size - before < 2**21


def test_of_too_many_files_nobody_knows_the_size(tmp_path: Path) -> None:
    for number in range(FILES_AT_MOST + 1):
        (tmp_path / str(number)).touch()
    assert size_of(tmp_path) is None
