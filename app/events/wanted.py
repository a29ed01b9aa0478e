"""Which events a socket wants, and which it may have. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from app.events.store import BatchEnded, Happened, Progressed
from app.executions.states import Status

Item = Happened | BatchEnded | Progressed

# Of these statuses are the executions whose programs say how far they are.
PROGRESSING = frozenset({Status.RUNNING, Status.STOPPING})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters, all of which must hold; what is left out does not restrict. `owner` also bounds what may be seen."""

    owner: str | None = None
    pools: frozenset[str] = frozenset()
    statuses: frozenset[Status] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    def takes(self, item: Item) -> bool:
        """Whether it is sent. A move is of the status that it leaves, too: a list has to let go of it."""
        owner, pools, labels = _facts(item)
        return (
            (self.owner is None or owner == self.owner)
            and (not self.pools or not self.pools.isdisjoint(pools))
            and (not self.statuses or not self.statuses.isdisjoint(_statuses(item)))
            and self.labels.items() <= labels.items()
        )


def _facts(item: Item) -> tuple[str, Collection[str], Mapping[str, str]]:
    """Owner, pools and labels; a batch is of all pools of its children."""
    if isinstance(item, BatchEnded):
        return item.batch.record.owner, item.batch.pools, item.batch.record.labels
    return item.subject.owner, (item.subject.pool,), item.subject.labels


def _statuses(item: Item) -> frozenset[Status | None]:
    if isinstance(item, BatchEnded):
        return frozenset({Status(item.batch.record.status)})
    if isinstance(item, Progressed):
        return PROGRESSING
    return frozenset({item.event.from_status, item.event.to_status})
