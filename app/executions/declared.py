"""Which files fill the outputs that a submission declares. Pure.

A pattern is a path with `*`, `?` and `[…]` within its parts, and `**` for any number of directories. Programs choose
the names and clients the patterns, so what lies between two `**` is taken where it fits first: none takes long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from fnmatch import translate
from functools import lru_cache

from app.executions.model import DeclaredOutput

ANY_DEPTH = "**"

# What the parts that follow each other have to be.
_Run = tuple[Callable[[str], object], ...]


def fills(path: str, pattern: str) -> bool:
    """Whether a file of this path is one that the pattern means."""
    parts = path.split("/")
    first, *others = _runs_of(pattern)
    if not others:
        return len(parts) == len(first) and _fits(parts, 0, first)
    *between, last = others
    begin, end = len(first), len(parts) - len(last)
    if begin > end or not _fits(parts, 0, first) or not _fits(parts, end, last):
        return False
    for run in between:
        places = range(begin, end - len(run) + 1)
        place = next((place for place in places if _fits(parts, place, run)), None)
        if place is None:
            return False
        begin = place + len(run)
    return True


def declaration_of(path: str, declared: Sequence[DeclaredOutput]) -> DeclaredOutput | None:
    """The first declaration that a file of this path fills."""
    return next((each for each in declared if fills(path, each.path)), None)


def missing(declared: Sequence[DeclaredOutput], paths: Collection[str]) -> tuple[str, ...]:
    """Those of the required ones that no file fills."""
    return tuple(each.path for each in declared if each.required and not any(fills(path, each.path) for path in paths))


@lru_cache(maxsize=256)
def _runs_of(pattern: str) -> tuple[_Run, ...]:
    """What stands before, between and behind its `**`."""
    runs: list[_Run] = [()]
    for word in pattern.split("/"):
        if word == ANY_DEPTH:
            runs.append(())
        else:
            runs[-1] = (*runs[-1], re.compile(translate(word)).match)
    return tuple(runs)


def _fits(parts: Sequence[str], place: int, run: _Run) -> bool:
    return all(is_meant(part) for is_meant, part in zip(run, parts[place:], strict=False))
