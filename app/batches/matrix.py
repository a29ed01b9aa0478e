"""Every combination of the values of a matrix. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def combinations(matrix: Mapping[str, Mapping[str, Sequence[Any]]]) -> Iterator[dict[str, dict[str, Any]]]:
    """Every combination, the last name changing fastest: `{"inputs": {"a": [1, 2]}}` → `{"inputs": {"a": 1}}`, …"""
    axes = [(field, name, values) for field, names in matrix.items() for name, values in names.items()]
    for chosen in itertools.product(*(values for _, _, values in axes)):
        item: dict[str, dict[str, Any]] = {}
        for (field, name, _), value in zip(axes, chosen, strict=True):
            item.setdefault(field, {})[name] = value
        yield item


def count_combinations(matrix: Mapping[str, Mapping[str, Sequence[Any]]], *, most: int) -> int:
    """How many there are; of more than `most` only that. No list may be empty.

    Clients choose how many names there are, and the product of very many takes long.
    """
    count = 1
    for values in (values for names in matrix.values() for values in names.values()):
        count *= len(values)
        if count > most:
            break
    return count
