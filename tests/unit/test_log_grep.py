"""Regular expressions of strangers."""

import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs.grep import PATTERN_CHARS, BadPattern, Grep

# What RE2 and Python's own engine mean the same by.
PATTERNS = [
    "a", "^a", "a$", "^a$", "^$", "", "a*", "a+b", "(a|b)c", "[^a]", "[^a]b", r"\s", r"a\s*b", r"\d+", r"\bab\b", "a.b",
    "(?s)a.b", "é", "[é-ü]", r"\x61", r"a\\", "(?i)A", "x{2,3}", "(?:a|)(?:b|)c",
]  # fmt: skip
lines_of_anything = st.lists(st.text("aAbc xé0\\\r\t", max_size=6), max_size=8)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(lines=lines_of_anything)
def test_many_lines_at_once_match_as_each_by_itself(pattern: str, lines: list[str]) -> None:
    expected = [index for index, line in enumerate(lines) if re.search(pattern, line, re.ASCII)]
    assert list(Grep(pattern).matching(lines)) == expected


@pytest.mark.parametrize(
    ("pattern", "same"), [(r"\Aa", "^a"), (r"a\z", "a$"), ("(?-m)^a", "^a"), (r"a\Cb", "a[[:ascii:]]b")]
)
@given(lines=lines_of_anything)
def test_a_line_is_the_whole_text_whatever_a_pattern_says_of_edges(pattern: str, same: str, lines: list[str]) -> None:
    assert list(Grep(pattern).matching(lines)) == list(Grep(same).matching(lines))


def test_no_match_spans_two_lines() -> None:
    for pattern in (r"a\nb", r"a\s+b", "(?s)a.*b", r"a[^x]*b", "a\nb"):
        assert list(Grep(pattern).matching(["a", "b", "ab"])) in ([], [2])


def test_a_line_with_a_newline_in_it_is_still_one() -> None:
    assert list(Grep("b").matching(["a", "x\nb", "c", "b"])) == [1, 3]


def test_capital_letters_can_be_taken_for_small_ones() -> None:
    assert list(Grep("straße|é", ignore_case=True).matching(["STRAßE", "É", "x"])) == [0, 1]


def test_a_null_byte_is_a_character() -> None:
    assert list(Grep("\x00b").matching(["a\x00b", "b"])) == [0]


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ("ab[c", "missing ]: [c at character 3"),
        ("(a", "missing ) at its end"),
        ("x*a**", "bad repetition operator: ** at character 4"),
        ("a(?=b)", "invalid perl operator: (?= at character 2"),
        (r"(a)\1", r"invalid escape sequence: \1 at character 4"),
        ("((a{100}){100}){100}", "invalid repetition size"),
        (r"\pL{900}", "pattern too large"),
        ("a" * (PATTERN_CHARS + 1), f"must be at most {PATTERN_CHARS} characters long"),
        ("x" * 65_536, f"must be at most {PATTERN_CHARS} characters long"),
    ],
)
def test_a_bad_pattern_is_explained(pattern: str, where: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadPattern) as refused:
        Grep(pattern)
    assert where in str(refused.value)
    # RE2 is not to write into our own log.
    assert capfd.readouterr() == ("", "")


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_a_bad_one(pattern: str) -> None:
    found: list[int] = []
    with suppress(BadPattern):
        found = list(Grep(pattern).matching(["", "aa", "b"]))
    assert found == sorted(set(found))


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*)*x", "^([a-zA-Z]+)*$", "(a?){25}a{25}$"])
def test_what_other_engines_never_come_back_from_takes_time_in_proportion(pattern: str) -> None:
    grep = Grep(pattern)

    def seconds(size: int) -> float:
        begun = time.thread_time()
        assert list(grep.matching(["a" * size + "!"])) == []
        return time.thread_time() - begun

    seconds(1_000)
    # Eight times the text would take a backtracking engine 2 to the power of thousands as long.
    assert seconds(800_000) < 100 * max(seconds(100_000), 0.001)
