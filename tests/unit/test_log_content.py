"""Escape sequences and lines that are written over."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.logs.content import ESCAPE_CHARS, Stripper, draws_over, last_state, strip_escapes

pieces = st.sampled_from([
    "plain", "é", "\x1b[31m", "\x1b[0m", "\x1b[2K", "\x1b[1;38;5;4m", "\x1b]0;title\x07", "\x1b]8;;http://a\x1b\\",
    "\x1b(B", "\x1bc", "\x1b=", "\x1bPq#0\x1b\\", "\x9b31m", "\x1b", "[", "]", "m", ";", "\x07", "\r", "\x1b[?25h",
    "\x1b[31", "\x1b]",
])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("\x1b[1;31mred\x1b[0m and \x1b[38;2;1;2;3mmore\x1b[m", "red and more"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(B\x1b=\x1b>\x1bcx", "x"),
        ("\x1bP+q544e\x1b\\x\x1b_app\x1b\\y\x1b^pm\x1b\\z", "xyz"),
        ("\x9b31mred\x9b0m \x9d0;title\x9cx", "red x"),
        ("\x1b[?25l\x1b[2J\x1b[1;1Hx", "x"),
        ("ends in \x1b", "ends in "),
        ("a title without end \x1b]0;and text", "a title without end 0;and text"),
        ("cut \x1b[38;5", "cut "),
        ("no escapes: [31m, é, \t", "no escapes: [31m, é, \t"),
    ],
)
def test_escape_sequences_are_taken_out_and_nothing_else(text: str, bare: str) -> None:
    assert strip_escapes(text) == bare


@given(st.lists(pieces, max_size=12).map("".join), st.lists(st.integers(0, 80), max_size=5))
def test_it_does_not_matter_how_a_line_is_cut_into_records(text: str, cuts: list[int]) -> None:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    stripper = Stripper()
    parts = [text[start:end] for start, end in pairwise(borders)]
    shown = [stripper.shown(part, continues=number < len(parts)) for number, part in enumerate(parts, start=1)]
    assert "".join(shown) == strip_escapes(text)
    assert stripper.shown("[0m next", continues=False) == "[0m next"


@given(st.lists(pieces, max_size=12).map("".join))
def test_nothing_of_an_escape_sequence_is_left(text: str) -> None:
    bare = strip_escapes(text)
    assert not {"\x1b", "\x9b", "\x9d"} & set(bare)
    assert strip_escapes(bare) == bare


def test_a_sequence_that_never_ends_hides_no_text() -> None:
    stripper = Stripper()
    shown = stripper.shown("before \x1b]0;", continues=True)
    for _ in range(ESCAPE_CHARS // 100 + 2):
        shown += stripper.shown("x" * 100, continues=True)
    assert shown.count("x") > 100
    assert "after" in stripper.shown("after", continues=False) + stripper.shown("", continues=False)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("no return", "no return"),
        ("windows\r", "windows"),
        ("10%\r20%\r100%", "100%"),
        ("10%\r100%\r", "100%"),
        ("\r  0%|   | 0/9\r 50%|## | 5/9\r100%|###| 9/9", "100%|###| 9/9"),
        ("Downloading 10%\r\x1b[KDownloading 99%\r\x1b[KInstalled", "\x1b[KInstalled"),
        ("bar\r\x1b[K", "\x1b[K"),
        ("bar\r\x1b[0m", "bar"),
        ("bar\r   \rdone", "done"),
        ("\r\r\r", ""),
        ("", ""),
    ],
)
def test_the_last_state_of_a_line_is_what_it_shows(text: str, state: str) -> None:
    assert last_state(text) == state


@given(st.lists(st.lists(pieces, max_size=4).map("".join), max_size=6))
@example(["\rold\r\x1b[31m", "new"])
def test_states_can_be_forgotten_as_soon_as_something_is_drawn_over_them(texts: list[str]) -> None:
    whole = list(accumulate(texts))
    held = ""
    for text, so_far in zip(texts, whole, strict=True):
        if draws_over(text):
            held = last_state(text, open_ended=True)
        else:
            held += text
        assert last_state(held) == last_state(so_far)


@pytest.mark.timeout(60)
def test_text_that_is_nothing_but_beginnings_is_looked_through_once() -> None:
    assert strip_escapes("\x90\x1b]" * 2**20) == ""
