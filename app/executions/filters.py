"""What of all executions is meant: the filters that the list and whatever works on many of them share. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Self
from uuid import UUID

import orjson

from app.errors import FieldError, InvalidRequest
from app.executions.states import Cause, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """All must hold; what is left out does not restrict. Of a set any member will do.

    `labels` maps a key to its value, or to None where any value will do; an `image` that ends in `*` is a beginning;
    `archived` None is both. `…_after` is inclusive, `…_before` exclusive; durations are seconds since the start.
    """

    statuses: frozenset[Status] = frozenset()
    causes: frozenset[Cause] = frozenset()
    owners: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    labels: Mapping[str, str | None] = field(default_factory=dict)
    image: str | None = None
    q: str | None = None
    batch: UUID | None = None
    rerun_of: UUID | None = None
    resumed_from: UUID | None = None
    schedule: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    min_duration: float | None = None
    max_duration: float | None = None
    has_warnings: bool | None = None
    archived: bool | None = False

    def within(self, sees: str | None) -> Self:
        """The same among those that somebody may see (None: all). Raises `InvalidRequest` for somebody else's."""
        if sees is None:
            return self
        if not self.owners <= {sees}:
            message = "can only be yourself, without the scope `admin`"
            raise InvalidRequest(f"`owner` {message}.", fields=[FieldError("owner", "not_yours", message)])
        return replace(self, owners=frozenset({sees}))

    @property
    def digest(self) -> str:
        """The same for equal filters, and for no others."""
        each = asdict(self).items()
        values = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in each}
        return blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=9).hexdigest()
