"""What a queued execution waits for: looked up with its record, since it changes without the record being written."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Float, FromClause, and_, case, cast, exists, func, literal, or_, select, text
from sqlalchemy.orm import aliased

from app.db.orm import clock
from app.executions.states import Status
from app.executions.tables import TAKES_A_SLOT, Execution
from app.methods.tables import Method
from app.pools.tables import Pool
from app.quotas.tables import Quota
from app.workers.repository import takes_work
from app.workers.tables import Worker

# Sums of fractions are not exact.
_ROUNDING = 1e-6


class WaitingOn(StrEnum):
    """The first of these that holds."""

    HOLD = "hold"
    NEEDS = "needs"
    NOT_BEFORE = "not_before"
    POOL = "pool"
    QUOTA = "quota"
    SLOT = "slot"


def waiting_on(execution: FromClause) -> ColumnElement[str | None]:
    """The word, or NULL for one that is not queued: for those nothing is looked up."""
    columns = execution.c
    served = exists().where(Worker.pool == columns.pool, takes_work())
    return case(
        (columns.status != Status.QUEUED, None),
        (columns.hold, literal(WaitingOn.HOLD)),
        (_is_disabled(execution), literal(WaitingOn.HOLD)),
        (columns.needs_left > 0, literal(WaitingOn.NEEDS)),
        (columns.not_before > clock(), literal(WaitingOn.NOT_BEFORE)),
        (~served.correlate(execution), literal(WaitingOn.POOL)),
        (columns.gated, literal(WaitingOn.QUOTA)),
        (_is_at_a_limit(execution), literal(WaitingOn.QUOTA)),
        else_=literal(WaitingOn.SLOT),
    ).label("waiting_on")


def _is_disabled(execution: FromClause) -> ColumnElement[bool]:
    """Whether its method is not to run for now."""
    return exists().where(Method.name == execution.c.method_name, ~Method.runnable).correlate(execution)


def _is_at_a_limit(execution: FromClause) -> ColumnElement[bool]:
    """Whether as many run as may, in the pool, of this owner in the pool, of this owner, or of its method; or what runs
    of this owner leaves too little for it. Without limits nothing is counted.
    """
    other = aliased(Execution, name="other")
    # Written out, so that the partial index on what is held fits.
    in_pool = select(func.count()).where(other.pool == Pool.name, text(TAKES_A_SLOT))
    of_owner = in_pool.where(other.owner == execution.c.owner)
    total, own = in_pool.correlate(Pool).scalar_subquery(), of_owner.correlate(Pool, execution).scalar_subquery()
    at_a_limit = or_(
        and_(Pool.max_running.is_not(None), Pool.max_running <= total),
        and_(Pool.max_running_per_owner.is_not(None), Pool.max_running_per_owner <= own),
    )
    at_limit_of_pool = exists().where(Pool.name == execution.c.pool, at_a_limit).correlate(execution)
    of_method = select(func.count()).where(other.method_name == Method.name, text(TAKES_A_SLOT))
    at_methods = Method.max_running <= of_method.correlate(Method).scalar_subquery()
    return or_(
        at_limit_of_pool,
        exists().where(Quota.owner == execution.c.owner, _is_too_much(execution, other)).correlate(execution),
        exists().where(Method.name == execution.c.method_name, at_methods).correlate(execution),
    )


def _is_too_much(execution: FromClause, other: type[Execution]) -> ColumnElement[bool]:
    """Whether it would be more than its owner may run at once over all pools, by their quota."""

    def running(what: ColumnElement[Any]) -> ColumnElement[Any]:
        of_owner = select(what).where(other.owner == Quota.owner, text(TAKES_A_SLOT))
        return of_owner.correlate(Quota).scalar_subquery()

    def together(name: str) -> ColumnElement[Any]:
        wanted = cast(execution.c.limits[name].astext, Float)
        return wanted + running(func.coalesce(func.sum(cast(other.limits[name].astext, Float)), 0))

    return or_(
        and_(Quota.max_running.is_not(None), Quota.max_running <= running(func.count())),
        and_(Quota.max_cpus.is_not(None), Quota.max_cpus < together("cpus") - _ROUNDING),
        and_(Quota.max_memory.is_not(None), Quota.max_memory < together("memory")),
    )
