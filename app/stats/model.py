"""What is counted, and by what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Flows are kept by the minute for so long, then by the hour.
FINE_FOR = timedelta(days=2)
MINUTE, HOUR = 60, 3600


class Group(StrEnum):
    """What executions can be counted by."""

    STATUS = "status"
    OWNER = "owner"
    POOL = "pool"
    METHOD = "method"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose executions, in which pools, of which methods; an empty set is all."""

    owners: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are of one group; those of no method are in none by that."""

    group: Mapping[Group, str]
    n: int


@dataclass(frozen=True, slots=True)
class Flow:
    """How much of `what` (`submitted`, `started`, or a status in which it ended) happened in the step that begins."""

    at: datetime
    what: str
    n: int
