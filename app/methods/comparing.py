"""What differs between two documents, path by path. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that is not the same. `before` or `after` is missing (`...`) where there is nothing."""

    path: str
    before: Any = ...
    after: Any = ...


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every place that differs, by what it is called; lists are compared item by item."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key, ...), after.get(key, ...), inner)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            here = before[index] if index < len(before) else ...
            there = after[index] if index < len(after) else ...
            yield from differences(here, there, f"{path}[{index}]")
    elif type(before) is not type(after) or before != after:
        yield Difference(path, before, after)
