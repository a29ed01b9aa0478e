"""Which events a socket wants, and which it may have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.events.store import Happened, Progressed
from app.executions.states import Status

# Of these statuses are the executions whose programs say how far they are.
PROGRESSING = frozenset({Status.RUNNING, Status.STOPPING})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters, all of which must hold; what is left out does not restrict. `owner` also bounds what may be seen."""

    owner: str | None = None
    pools: frozenset[str] = frozenset()
    statuses: frozenset[Status] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    def takes(self, item: Happened | Progressed) -> bool:
        """Whether it is sent. A move is of the status that it leaves, too: a list has to let go of it."""
        subject = item.subject
        return (
            (self.owner is None or subject.owner == self.owner)
            and (not self.pools or subject.pool in self.pools)
            and (not self.statuses or not self.statuses.isdisjoint(_statuses(item)))
            and self.labels.items() <= subject.labels.items()
        )


def _statuses(item: Happened | Progressed) -> frozenset[Status | None]:
    if isinstance(item, Progressed):
        return PROGRESSING
    return frozenset({item.event.from_status, item.event.to_status})
