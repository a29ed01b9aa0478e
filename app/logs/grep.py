"""Which lines match a regular expression. Pure, and linear in time whatever the pattern: RE2 never goes back."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import re2

PATTERN_CHARS = 1_000
# Bounds the compiled program, and with it the time that a byte may take.
PROGRAM_BYTES = 2**19
# What asks for the edges of the whole text, or for single bytes, would mean something else where lines are joined.
_ONE_BY_ONE = re.compile(r"\\[AzC]|\(\?[A-Za-z]*-")


class BadPattern(ValueError):
    """It is no regular expression as RE2 reads them; the message says what is wrong, and where."""


class Grep:
    """A pattern that is looked for in many lines at once. No match spans two lines."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        """Raises `BadPattern`."""
        if len(pattern) > PATTERN_CHARS:
            raise BadPattern(f"must be at most {PATTERN_CHARS} characters long")
        self._regex = _compile(pattern, ignore_case=ignore_case)
        self._one_by_one = bool(_ONE_BY_ONE.search(pattern))

    def matching(self, lines: Sequence[str]) -> Iterator[int]:
        """The indexes of the lines that match, in order."""
        text = "\n".join(lines).encode()
        if self._one_by_one or text.count(b"\n") != len(lines) - 1:
            yield from (index for index, line in enumerate(lines) if self._regex.search(line.encode()))
            return
        # One search over all of them: where few lines match, few are looked at by themselves.
        starts: list[int] | None = None
        at = 0
        while (found := self._regex.search(text, at)) is not None:
            if starts is None:
                starts = [0, *accumulate(len(line.encode()) + 1 for line in lines)]
            index = bisect_right(starts, found.start()) - 1
            yield index
            at = starts[index + 1]
            if at > len(text):
                return


def _compile(pattern: str, *, ignore_case: bool) -> re2._Regexp:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.never_nl = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = PROGRAM_BYTES
    try:
        return re2.compile(b"(?m)" + pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace").replace("(?m)", "", 1)
        raise BadPattern(f"is no regular expression: {_located(reason, pattern)}") from None


def _located(reason: str, pattern: str) -> str:
    """RE2 tells the piece that is wrong: say also where that is, where it can be found."""
    complaint, _, piece = reason.partition(": ")
    if piece == pattern and complaint == "missing )":
        return f"{complaint} at its end"
    at = pattern.find(piece) if piece and piece != pattern else -1
    return f"{reason} at character {at + 1}" if at >= 0 else reason
