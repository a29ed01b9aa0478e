"""What holds of every batch at every moment, as rules over its counts and its children's gates. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from app.executions.states import TERMINAL, Status

# Seconds. Until a sweep has come by that sees to what somebody died over; it sees to some batches at a time.
SETTLED_WITHIN = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """All that is written of one batch. `children` and `ended`, if it is sealed, are counted by status; some of what
    has ended may have been deleted since.

    Children by their gates: `places` were let go and have not ended, `ready` wait for a place and may have one, `early`
    go on though they have none, or one that they need has not ended, `met` wait though all that they need has
    succeeded, `doomed` wait for one that did not. Nothing has changed about it for `quiet_for` seconds.
    """

    id: UUID
    size: int
    max_parallel: int | None
    stopped: bool
    sealed: bool
    ended: Mapping[str, int]
    children: Mapping[str, int]
    gated: int
    places: int
    ready: int
    early: int
    met: int
    doomed: int
    quiet_for: float

    @property
    def active(self) -> int:
        """Children that have not ended."""
        return sum(number for status, number in self.children.items() if status not in TERMINAL)

    @property
    def overdue(self) -> bool:
        """Whether whatever follows from its state should have followed by now."""
        return self.quiet_for > SETTLED_WITHIN


def check_counts(facts: BatchFacts) -> Iterator[str]:
    """It has no more children than were accepted; what was written down at its end is what its children are."""
    there = sum(facts.children.values())
    if there > facts.size:
        yield f"it has {there} children of {facts.size}"
    if not facts.sealed:
        if not facts.active and facts.overdue:
            yield "all of its children have ended, and nobody wrote down how"
        return
    if facts.active:
        yield f"it has ended, and {facts.active} of its children have not"
    if sum(facts.ended.values()) > facts.size:
        yield f"{sum(facts.ended.values())} of {facts.size} children are said to have ended"
    for status in sorted(TERMINAL & facts.children.keys()):
        if facts.children[status] > facts.ended.get(status, 0):
            yield f"{facts.children[status]} children are {status}, and {facts.ended.get(status, 0)} are said to be"


def check_gates(facts: BatchFacts) -> Iterator[str]:
    """No gate is open that should be closed."""
    if facts.early:
        yield f"{facts.early} children go on before they have a place, or before one has ended that they need"
    if facts.max_parallel is None:
        if facts.gated:
            yield f"{facts.gated} children wait for a place, and places are not limited"
    elif facts.places > facts.max_parallel:
        yield f"{facts.places} children have places, of which there are {facts.max_parallel}"


def check_settled(facts: BatchFacts) -> Iterator[str]:
    """No child waits for ever for what has happened already."""
    if not facts.overdue:
        return
    queued = facts.children.get(Status.QUEUED, 0)
    if facts.stopped:
        if queued:
            yield f"it is to stop, and {queued} children are still queued"
        return
    if facts.met:
        yield f"{facts.met} children wait, though all that they need has succeeded"
    if facts.doomed:
        yield f"{facts.doomed} children wait for one that did not succeed"
    if facts.ready and facts.max_parallel is not None and facts.places < facts.max_parallel:
        yield f"{facts.ready} children wait for a place, and {facts.max_parallel - facts.places} are free"


BATCH_RULES: Mapping[str, Callable[[BatchFacts], Iterator[str]]] = {
    "batches": check_counts,
    "gates": check_gates,
    "settled": check_settled,
}
