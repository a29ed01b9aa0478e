"""Phases by which the record says what its worker is doing, as far as somebody else knows them. Pure."""

from __future__ import annotations

FETCHING = "fetching"
COLLECTING = "collecting"
FROZEN = "frozen"
# These take as long as there is to copy: each request to the store, or to another host, has a limit of its own.
COPYING = frozenset({FETCHING, COLLECTING})
