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
from app.stats.model import Count, Flow, Group, Scope


@dataclass(frozen=True, slots=True)
class Numbers:
    """How executions stand by status, how old the queue is in seconds, and what happened in which step."""

    counts: list[Count]
    queue_age: float | None
    flows: list[Flow]


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
    visible = _visible(caller, scope)
    async with snapshot(process.database) as connection:
        return Numbers(
            await repository.count(connection, visible, by=[Group.STATUS]),
            await repository.find_queue_age(connection, visible),
            await repository.sum_flows(connection, visible, since=since, until=until, step=timedelta(seconds=step)),
        )


def _visible(caller: Caller, scope: Scope) -> Scope:
    return replace(scope, owners=Filter(owners=scope.owners).within(caller.sees).owners)
