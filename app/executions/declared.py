"""Which files fill the outputs that a submission declares. Pure.

A pattern is a path with `*`, `?` and `[…]` within its parts, and `**` for any number of directories. Programs choose
the names and clients the patterns, so they are matched part by part: none takes long.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from app.executions.model import DeclaredOutput

ANY_DEPTH = "**"


def fills(path: str, pattern: str) -> bool:
    """Whether a file of this path is one that the pattern means."""
    return _fits(path.split("/"), pattern.split("/"))


def declaration_of(path: str, declared: Sequence[DeclaredOutput]) -> DeclaredOutput | None:
    """The first declaration that a file of this path fills."""
    return next((each for each in declared if fills(path, each.path)), None)


def missing(declared: Sequence[DeclaredOutput], paths: Collection[str]) -> tuple[str, ...]:
    """Those of the required ones that no file fills."""
    return tuple(each.path for each in declared if each.required and not any(fills(path, each.path) for path in paths))


def _fits(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first == ANY_DEPTH:
        return any(_fits(parts[skipped:], rest) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], first) and _fits(parts[1:], rest)
