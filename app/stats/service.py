"""Use cases of sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import reading, snapshot
from app.executions.filters import Filter
from app.stats import repository
from app.stats.model import Count, Flow, Group, Scope, Waits, queue_ages


@dataclass(frozen=True, slots=True)
class Numbers:
    """How executions stand by status, how old the queue is in seconds, and what happened in which step.

    `queue_ages` has one for each step: how old the queue was in it at the most.
    """

    counts: list[Count]
    queue_age: float | None
    flows: list[Flow]
    waits: dict[datetime, Waits]
    queue_ages: dict[datetime, float | None]


async def count(
    process: Process, caller: Caller, scope: Scope, *, by: Sequence[Group], archived: bool | None
) -> list[Count]:
    """How many there are of each group. Raises `InvalidRequest` for somebody else's."""
    async with reading(process.database) as connection:
        return await repository.count(connection, _visible(caller, scope), by=by, archived=archived)


async def get_stats(
    process: Process, caller: Caller, scope: Scope, *, since: datetime, until: datetime, step: int
) -> Numbers:
    """All of one moment. Raises `InvalidRequest` for somebody else's."""
    visible, length = _visible(caller, scope), timedelta(seconds=step)
    steps = [since + length * number for number in range((until - since) // length)]
    async with snapshot(process.database) as connection:
        counts = await repository.count(connection, visible, by=[Group.STATUS])
        flows = await repository.sum_flows(connection, visible, since=since, until=until, step=length)
        found = await repository.sum_waits(connection, visible, since=since, until=until, step=length)
        across = await repository.find_waited_across(connection, visible, until)
        queued_since, now = await repository.find_queued_since(connection, visible)
    waits = {each.at: each for each in found}
    waiting_since = min(filter(None, (across, queued_since)), default=None)
    ages = queue_ages(steps, length, waits, waiting_since=waiting_since, now=now)
    return Numbers(
        counts=counts,
        queue_age=None if queued_since is None else (now - queued_since).total_seconds(),
        flows=flows,
        waits=waits,
        queue_ages=dict(zip(steps, ages, strict=True)),
    )


def _visible(caller: Caller, scope: Scope) -> Scope:
    return replace(scope, owners=Filter(owners=scope.owners).within(caller.sees).owners)
