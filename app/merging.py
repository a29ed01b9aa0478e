"""JSON merge patches (RFC 7396): one object laid over another. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def is_own(patch: Any, path: Sequence[object]) -> bool:
    """Whether what lies at this path of the merged fields came from the patch, and not from what it was laid over."""
    for part in path:
        if not isinstance(patch, Mapping):
            return True
        if part not in patch:
            return False
        patch = patch[part]
    return True
