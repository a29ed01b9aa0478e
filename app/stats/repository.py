"""SQL of the sums: reading them, and folding the differences of which they are made.

A fold replaces rows by their sum in one statement: whoever reads sees either, and who folds at the same time finds
these rows gone. So sums are exact at every moment, without a lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Interval,
    Select,
    bindparam,
    func,
    literal,
    select,
    text,
    union_all,
)

from app.db.engine import Connection
from app.db.orm import clock, one_of
from app.executions.states import ACTIVE, Status
from app.executions.tables import LISTED, READY, Execution
from app.stats.model import FINE_FOR, Count, Flow, Group, Scope
from app.stats.tables import ended_counts, flow_counts

# In one statement; the rest comes next time.
FOLD_AT_MOST = 50_000


async def count(
    connection: Connection, scope: Scope, *, by: Sequence[Group], archived: bool | None = False
) -> list[Count]:
    """How many executions there are, by these groups; those of which there are none are left out."""
    rows = await connection.execute(counting(scope, by=by, archived=archived))
    return [Count(dict(zip(by, row[:-1], strict=True)), int(row.n)) for row in rows]


def counting(scope: Scope, *, by: Sequence[Group], archived: bool | None) -> Select[Any]:
    """The groups, and `n`."""
    counted = _counted(scope, archived=archived).subquery("counted")
    groups = [counted.c[group.value] for group in by]
    n = func.sum(counted.c.n)
    return select(*groups, n.label("n")).group_by(*groups).having(n > 0).order_by(*groups)


def _counted(scope: Scope, *, archived: bool | None) -> CompoundSelect[Any]:
    """What has ended by its sums, what has not by the indexes of what is queued and of what is active."""
    n = func.sum(ended_counts.c.n).label("n")
    kept: Select[Any] = select(*[ended_counts.c[group] for group in ("status", "owner", "pool")], n)
    if archived is not None:
        kept = kept.where(ended_counts.c.archived == archived)
    parts = [_within(kept, ended_counts, scope)]
    if not archived:
        # Written out, so that partial indexes fit.
        for statuses in (frozenset({Status.QUEUED}), ACTIVE - {Status.QUEUED}):
            active = select(Execution.status, Execution.owner, Execution.pool, func.count().label("n"))
            listed = active.where(text(one_of("status", statuses)), text(LISTED))
            parts.append(_within(listed, Execution.__table__, scope))
    return union_all(*parts)


def _within(statement: Any, table: FromClause, scope: Scope) -> Select[Any]:
    grouped: Select[Any] = statement.where(*_conditions(table, scope)).group_by(
        table.c.status, table.c.owner, table.c.pool
    )
    return grouped


def _conditions(table: FromClause, scope: Scope) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if scope.owners:
        conditions.append(table.c.owner.in_(sorted(scope.owners)))
    if scope.pools:
        conditions.append(table.c.pool.in_(sorted(scope.pools)))
    return conditions


async def sum_flows(
    connection: Connection, scope: Scope, *, since: datetime, until: datetime, step: timedelta
) -> list[Flow]:
    """What happened in each step; those in which nothing did are left out."""
    begin = func.date_bin(step, flow_counts.c.at, since).label("begin")
    statement = (
        select(begin, flow_counts.c.what, func.sum(flow_counts.c.n).label("n"))
        .where(flow_counts.c.at >= since, flow_counts.c.at < until, *_conditions(flow_counts, scope))
        .group_by(text("begin"), flow_counts.c.what)
    )
    return [Flow(row.begin, row.what, int(row.n)) for row in await connection.execute(statement)]


async def find_queue_age(connection: Connection, scope: Scope) -> float | None:
    """Seconds for which the one that has waited longest of those that could be started has been in the queue."""
    table = Execution.__table__
    statement = (
        select(func.extract("epoch", clock() - table.c.queued_at))
        .where(text(READY), func.coalesce(table.c.not_before <= func.now(), literal(True)), *_conditions(table, scope))
        .order_by(table.c.queued_at)
        .limit(1)
    )
    age = (await connection.execute(statement)).scalar_one_or_none()
    return None if age is None else max(0.0, float(age))


# Rows that differ in nothing but `n`, of which there are several; of each such group, or a part of it, one is made.
_FOLD_ENDED = text(
    """
    WITH crowded AS (
        SELECT owner, pool, status, archived FROM ended_counts
        GROUP BY owner, pool, status, archived HAVING count(*) > 1
    ), gone AS (
        DELETE FROM ended_counts WHERE ctid = ANY (ARRAY(
            SELECT each.ctid FROM ended_counts AS each JOIN crowded USING (owner, pool, status, archived) LIMIT :most
        )) RETURNING owner, pool, status, archived, n
    )
    INSERT INTO ended_counts
    SELECT owner, pool, status, archived, sum(n) FROM gone GROUP BY owner, pool, status, archived HAVING sum(n) <> 0
    """
)
_FOLD_FLOWS = text(
    """
    WITH crowded AS (
        SELECT at, owner, pool, what FROM flow_counts WHERE at > now() - interval '1 hour'
        GROUP BY at, owner, pool, what HAVING count(*) > 1
    ), gone AS (
        DELETE FROM flow_counts WHERE ctid = ANY (ARRAY(
            SELECT each.ctid FROM flow_counts AS each JOIN crowded USING (at, owner, pool, what) LIMIT :most
        )) RETURNING at, owner, pool, what, n
    )
    INSERT INTO flow_counts SELECT at, owner, pool, what, sum(n) FROM gone GROUP BY at, owner, pool, what
    """
)
_FOLD_AGED_FLOWS = text(
    """
    WITH aged AS (
        SELECT ctid AS place, date_trunc('hour', at, 'UTC') AS hour, * FROM flow_counts
        WHERE at BETWEEN now() - :fine - interval '3 days' AND now() - :fine - interval '1 hour'
    ), crowded AS (
        SELECT hour, owner, pool, what FROM aged GROUP BY hour, owner, pool, what
        HAVING count(*) > 1 OR min(at) > hour
    ), gone AS (
        DELETE FROM flow_counts WHERE ctid = ANY (ARRAY(
            SELECT place FROM aged JOIN crowded USING (hour, owner, pool, what) LIMIT :most
        )) RETURNING date_trunc('hour', at, 'UTC') AS at, owner, pool, what, n
    )
    INSERT INTO flow_counts SELECT at, owner, pool, what, sum(n) FROM gone GROUP BY at, owner, pool, what
    """
).bindparams(bindparam("fine", FINE_FOR, type_=Interval(native=True)))


async def fold(connection: Connection) -> int:
    """Make fewer rows of the same sums; how many it made. To be called now and then, when nobody waits for it."""
    folds = (_FOLD_ENDED, _FOLD_FLOWS, _FOLD_AGED_FLOWS)
    return sum([(await connection.execute(statement, {"most": FOLD_AT_MOST})).rowcount for statement in folds])
