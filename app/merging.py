"""JSON merge patches (RFC 7396): one object laid over another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(value: Any, patch: Any) -> Any:
    """The value with the patch on it: objects key by key, `null` takes away, anything else takes the place."""
    if not isinstance(patch, Mapping):
        return patch
    kept = dict(value) if isinstance(value, Mapping) else {}
    for key, change in patch.items():
        if change is None:
            kept.pop(key, None)
        else:
            kept[key] = merged(kept.get(key), change)
    return kept


def says(patch: Any, field: str) -> bool:
    """Whether what lies at this path of the merged fields, as errors name it (`files.a.csv.url`), came from the patch,
    and not from what it was laid over.
    """
    while field and isinstance(patch, Mapping):
        names = [key for key in patch if field == key or field.startswith((f"{key}.", f"{key}["))]
        if not names:
            return False
        name = max(names, key=len)
        patch, field = patch[name], field[len(name) + 1 :]
    return True
