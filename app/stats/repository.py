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
    Table,
    Text,
    bindparam,
    func,
    null,
    select,
    text,
    union_all,
)

from app.db.engine import Connection
from app.db.orm import clock, one_of
from app.executions.states import ACTIVE, Status
from app.executions.tables import LISTED, READY, Execution
from app.stats.model import FINE_FOR, Count, Flow, Group, Scope, Waits
from app.stats.tables import ended_counts, flow_counts, method_counts, queue_waits

# In one statement; the rest comes next time.
FOLD_AT_MOST = 50_000


async def count(
    connection: Connection, scope: Scope, *, by: Sequence[Group], archived: bool | None = False
) -> list[Count]:
    """How many executions there are, by these groups; those of which there are none are left out."""
    rows = await connection.execute(counting(scope, by=by, archived=archived))
    return [
        Count({group: value for group, value in zip(by, row[:-1], strict=True) if value is not None}, int(row.n))
        for row in rows
    ]


def counting(scope: Scope, *, by: Sequence[Group], archived: bool | None) -> Select[Any]:
    """The groups, and `n`."""
    by_method = Group.METHOD in by or bool(scope.methods)
    counted = _counted(scope, archived=archived, by_method=by_method).subquery("counted")
    groups = [counted.c[group.value] for group in by]
    n = func.sum(counted.c.n)
    return select(*groups, n.label("n")).group_by(*groups).having(n > 0).order_by(*groups)


def _counted(scope: Scope, *, archived: bool | None, by_method: bool) -> CompoundSelect[Any]:
    """What has ended by its sums, what has not by the indexes of what is queued and of what is active."""
    sums: list[tuple[Table, ColumnElement[Any] | None, int]] = []
    if not scope.methods:
        sums.append((ended_counts, None, 1))
    if by_method:
        sums.append((method_counts, method_counts.c.method, 1))
    if by_method and not scope.methods:
        # What is left is of no method.
        sums.append((method_counts, None, -1))
    parts = [_ended(table, method, scope, sign=sign, archived=archived) for table, method, sign in sums]
    if not archived:
        table = Execution.__table__
        method = table.c.method_name if by_method else None
        # Written out, so that partial indexes fit.
        for statuses in (frozenset({Status.QUEUED}), ACTIVE - {Status.QUEUED}):
            active = _grouped(table, method, func.count(), scope)
            if scope.methods:
                active = active.where(table.c.method_name.in_(sorted(scope.methods)))
            parts.append(active.where(text(one_of("status", statuses)), text(LISTED)))
    return union_all(*parts)


def _ended(
    table: Table, method: ColumnElement[Any] | None, scope: Scope, *, sign: int, archived: bool | None
) -> Select[Any]:
    kept = _grouped(table, method, sign * func.sum(table.c.n), scope)
    if archived is not None:
        kept = kept.where(table.c.archived == archived)
    return kept.where(table.c.method.in_(sorted(scope.methods))) if scope.methods else kept


def _grouped(table: FromClause, method: ColumnElement[Any] | None, n: ColumnElement[Any], scope: Scope) -> Select[Any]:
    groups = [table.c.status, table.c.owner, table.c.pool, *([] if method is None else [method])]
    named = null().cast(Text) if method is None else method
    return select(*groups[:3], named.label("method"), n.label("n")).where(*_conditions(table, scope)).group_by(*groups)


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


async def sum_waits(
    connection: Connection, scope: Scope, *, since: datetime, until: datetime, step: timedelta
) -> list[Waits]:
    """How long those had waited that left the queue in each step; those in which nothing did are left out."""
    columns = queue_waits.c
    claimed = func.sum(columns.n).filter(columns.claimed)
    statement = (
        select(
            func.date_bin(step, columns.at, since).label("at"),
            func.coalesce(claimed, 0).label("claimed"),
            (func.sum(columns.seconds).filter(columns.claimed) / claimed).label("mean"),
            func.max(columns.longest).filter(columns.claimed).label("longest_claimed"),
            func.max(columns.longest).label("longest"),
            func.min(columns.earliest).label("earliest"),
        )
        .where(columns.at >= since, columns.at < until, *_conditions(queue_waits, scope))
        .group_by(text("1"))
    )
    rows = (await connection.execute(statement)).mappings()
    return [Waits(**{**row, "claimed": int(row["claimed"])}) for row in rows]


async def find_queued_since(connection: Connection, scope: Scope) -> tuple[datetime | None, datetime]:
    """Since when the one has waited that has waited longest of those that could be started; and what time it is.

    Waiting begins when it may start, as for its turn and its `queue_timeout`.
    """
    table = Execution.__table__
    since = func.min(func.greatest(table.c.queued_at, table.c.not_before))
    row = (await connection.execute(select(since, clock()).where(text(READY), *_conditions(table, scope)))).one()
    now: datetime = row[1]
    return (row[0] if row[0] is not None and row[0] <= now else None), now


async def find_waited_across(connection: Connection, scope: Scope, moment: datetime) -> datetime | None:
    """Since when the one had waited that had waited longest at that moment, of those that have left the queue since."""
    columns = queue_waits.c
    across = (columns.at >= moment, columns.earliest < moment)
    found = select(func.min(columns.earliest)).where(*across, *_conditions(queue_waits, scope))
    earliest: datetime | None = (await connection.execute(found)).scalar_one()
    return earliest


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
_FOLD_METHODS = text(
    """
    WITH crowded AS (
        SELECT method, owner, pool, status, archived FROM method_counts
        GROUP BY method, owner, pool, status, archived HAVING count(*) > 1
    ), gone AS (
        DELETE FROM method_counts WHERE ctid = ANY (ARRAY(
            SELECT each.ctid FROM method_counts AS each JOIN crowded USING (method, owner, pool, status, archived)
            LIMIT :most
        )) RETURNING method, owner, pool, status, archived, n
    )
    INSERT INTO method_counts SELECT method, owner, pool, status, archived, sum(n) FROM gone
    GROUP BY method, owner, pool, status, archived HAVING sum(n) <> 0
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
_FOLD_WAITS = text(
    """
    WITH crowded AS (
        SELECT at, owner, pool, claimed FROM queue_waits WHERE at > now() - interval '1 hour'
        GROUP BY at, owner, pool, claimed HAVING count(*) > 1
    ), gone AS (
        DELETE FROM queue_waits WHERE ctid = ANY (ARRAY(
            SELECT each.ctid FROM queue_waits AS each JOIN crowded USING (at, owner, pool, claimed) LIMIT :most
        )) RETURNING *
    )
    INSERT INTO queue_waits (at, owner, pool, claimed, n, seconds, longest, earliest)
    SELECT at, owner, pool, claimed, sum(n), sum(seconds), max(longest), min(earliest) FROM gone
    GROUP BY at, owner, pool, claimed
    """
)
_FOLD_AGED_WAITS = text(
    """
    WITH aged AS (
        SELECT ctid AS place, date_trunc('hour', at, 'UTC') AS hour, * FROM queue_waits
        WHERE at BETWEEN now() - :fine - interval '3 days' AND now() - :fine - interval '1 hour'
    ), crowded AS (
        SELECT hour, owner, pool, claimed FROM aged GROUP BY hour, owner, pool, claimed
        HAVING count(*) > 1 OR min(at) > hour
    ), gone AS (
        DELETE FROM queue_waits WHERE ctid = ANY (ARRAY(
            SELECT place FROM aged JOIN crowded USING (hour, owner, pool, claimed) LIMIT :most
        )) RETURNING *
    )
    INSERT INTO queue_waits (at, owner, pool, claimed, n, seconds, longest, earliest)
    SELECT date_trunc('hour', at, 'UTC') AS hour, owner, pool, claimed,
        sum(n), sum(seconds), max(longest), min(earliest)
    FROM gone GROUP BY hour, owner, pool, claimed
    """
).bindparams(bindparam("fine", FINE_FOR, type_=Interval(native=True)))


async def fold(connection: Connection) -> int:
    """Make fewer rows of the same sums; how many it made. To be called now and then, when nobody waits for it."""
    folds = (_FOLD_ENDED, _FOLD_METHODS, _FOLD_FLOWS, _FOLD_AGED_FLOWS, _FOLD_WAITS, _FOLD_AGED_WAITS)
    return sum([(await connection.execute(statement, {"most": FOLD_AT_MOST})).rowcount for statement in folds])
