from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.executions.declared import declaration_of, fills, missing
from app.executions.model import DeclaredOutput

NAMES = st.text("ab.*?[", min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)
PATTERNS = st.lists(NAMES | st.just("**"), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path", "filled"),
    [
        ("report.html", "report.html", True),
        ("report.html", "old/report.html", False),
        ("report.html", "report.html/x", False),
        ("plots/*.png", "plots/a.png", True),
        ("plots/*.png", "plots/a.PNG", False),
        ("plots/*.png", "plots/deep/a.png", False),
        ("plots/?.png", "plots/ab.png", False),
        ("part-[0-9]", "part-7", True),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "a/b/c.csv", True),
        ("data/**", "data/x/y", True),
        ("data/**", "data", True),
        ("data/**", "date/x", False),
        ("a/**/b/**/c", "a/x/b/b/y/c", True),
        ("*", "a/b", False),
    ],
)
def test_a_pattern_means_what_its_writer_expects(pattern: str, path: str, *, filled: bool) -> None:
    assert fills(path, pattern) is filled


@given(path=PATHS, pattern=PATTERNS.filter(lambda pattern: "**" not in pattern.split("/")))
def test_without_any_depth_each_part_of_a_name_stands_for_itself(path: str, pattern: str) -> None:
    parts, wanted = path.split("/"), pattern.split("/")
    same_depth = len(parts) == len(wanted)
    assert fills(path, pattern) is (same_depth and all(map(fnmatchcase, parts, wanted)))


@given(path=PATHS, pattern=PATTERNS)
def test_any_depth_before_a_pattern_finds_it_in_every_directory(path: str, pattern: str) -> None:
    parts = PurePosixPath(path).parts
    below = ["/".join(parts[depth:]) for depth in range(len(parts))]
    assert fills("/".join(parts), f"**/{pattern}") is any(fills(each, pattern) for each in [*below, ""])


@given(path=PATHS, before=PATTERNS, after=PATTERNS)
@example(path="a", before="*", after="a")
@example(path="a/b", before="**", after="**/b")
def test_any_depth_between_two_patterns_splits_a_path_wherever_both_fit(path: str, before: str, after: str) -> None:
    def means(parts: list[str], pattern: str) -> bool:
        return fills("/".join(parts), pattern) if parts else set(pattern.split("/")) == {"**"}

    parts = path.split("/")
    ends = [end for end in range(len(parts) + 1) if means(parts[:end], before)]
    begins = [begin for begin in range(len(parts) + 1) if means(parts[begin:], after)]
    assert fills(path, f"{before}/**/{after}") is any(end <= begin for end in ends for begin in begins)


def test_names_that_look_for_trouble_are_matched_at_once() -> None:
    hostile = "/".join(["a" * 30] * 32)
    assert not fills(hostile, f"**/{'*a' * 100}b/**/{'?*' * 50}c")
    # Tried in all the ways in which ten directories of these can be chosen, it would take hours.
    assert not fills(hostile, f"**/{'a*/**/' * 10}b")


def test_what_is_missing_are_the_required_ones_that_nothing_fills() -> None:
    declared = [
        DeclaredOutput(path="a"),
        DeclaredOutput(path="b", required=False),
        DeclaredOutput(path="*.txt", media_type="text/x-own"),
        DeclaredOutput(path="c.txt", media_type="text/plain"),
    ]
    assert missing(declared, ["c.txt"]) == ("a",)
    assert missing(declared, []) == ("a", "*.txt", "c.txt")
    assert missing([], []) == ()
    first = declaration_of("c.txt", declared)
    assert first is not None
    assert first.media_type == "text/x-own"
    assert declaration_of("d", declared) is None
