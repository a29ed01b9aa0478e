"""Which part of a file a client asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.artifacts.model import Span
from app.artifacts.ranges import NotSatisfiable, span_of


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-5", Span(2, 6)),
        ("bytes=5-", Span(5, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-99", Span(0, 10)),
        ("bytes=8-99", Span(8, 10)),
        (" Bytes = 1-2 ", Span(1, 3)),
    ],
)
def test_a_range_is_a_part_of_the_file(header: str, span: Span) -> None:
    assert span_of(header, 10) == span


@pytest.mark.parametrize(
    "header", [None, "", "bytes", "bytes=", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b"]
)
def test_what_is_no_range_or_several_is_the_whole(header: str | None) -> None:
    assert span_of(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_part_that_is_not_there_cannot_be_had(header: str, size: int) -> None:
    with pytest.raises(NotSatisfiable):
        span_of(header, size)


@given(st.integers(0, 50), st.text("bytes=-,0123456789 ", max_size=12))
def test_a_part_is_always_within_the_file(size: int, rest: str) -> None:
    try:
        span = span_of(f"bytes={rest}", size)
    except NotSatisfiable:
        return
    assert span is None or 0 <= span.start < span.end <= size
