"""Which part of a file a client asks for (RFC 9110 §14). Pure."""

from __future__ import annotations

import re

from app.artifacts.model import Span

# One range; who asks for several gets the whole, as the RFC allows.
_RANGE = re.compile(r"bytes\s*=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\s*", re.ASCII | re.IGNORECASE)


class NotSatisfiable(Exception):
    """The file has no byte of the part that is asked for."""


def span_of(header: str | None, size: int) -> Span | None:
    """The part that a `Range` names of a file of that size; None is the whole of it. Raises `NotSatisfiable`."""
    asked = _RANGE.fullmatch(header.strip()) if header else None
    if asked is None:
        return None
    first, last, suffix = asked.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None  # not a range at all
    if start >= end:
        raise NotSatisfiable
    return Span(start, end)
