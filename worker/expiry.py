"""What has waited in the queue for its `queue_timeout` ends there: a sweep of every worker, over all pools.

Its clock runs while it may be started: from `queued_at`, or `not_before`, and not while a gate keeps it.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import func, select, text

from app.cancellation import being_cancelled
from app.db.engine import Connection, is_outage, reading, transaction
from app.executions import repository
from app.executions.model import Event, Limits
from app.executions.states import Cause, Status
from app.executions.tables import EXPIRES, EXPIRY, Execution
from worker.context import WorkerContext
from worker.outcome import SYSTEM

log = structlog.get_logger(__name__)

# In one sweep; each is a transaction of its own.
AT_MOST = 200
# The time of the statement: an index is not searched for what may change while it is.
_overdue = text(f"{EXPIRES} AND {EXPIRY} <= timezone('UTC', statement_timestamp())")


async def expire_overdue(context: WorkerContext) -> None:
    """End those whose time is over. Raises what the database raises."""
    async with reading(context.process.database) as connection:
        overdue = await list_overdue(connection, most=AT_MOST)
    for execution in overdue:
        try:
            await _expire(context, execution)
        except Exception as error:
            if is_outage(error) or being_cancelled():
                raise
            # Something is wrong with this one: neither the others nor this worker hang on it.
            log.exception("execution.not_expired", execution_id=str(execution))


async def _expire(context: WorkerContext, execution: UUID) -> None:
    async with transaction(context.process.database) as connection:
        event = await expire(connection, execution)
    if event is not None:
        log.info("execution.expired", execution_id=str(execution))
        context.metrics.ended(Cause.QUEUE_TIMEOUT)
        await context.announce(execution, event)


async def list_overdue(connection: Connection, *, most: int) -> list[UUID]:
    """The first of those that have waited for too long."""
    rows = await connection.execute(select(Execution.id).where(_overdue).order_by(text(EXPIRY)).limit(most))
    return list(rows.scalars())


async def expire(connection: Connection, execution: UUID) -> Event | None:
    """End one in the queue. None if it was claimed, moved or ended meanwhile, or somebody is about to."""
    kept = await connection.execute(
        select(Execution.limits)
        .where(Execution.id == execution, _overdue)
        .with_for_update(skip_locked=True, key_share=True)
    )
    limits = kept.scalar_one_or_none()
    if limits is None:
        return None
    return await repository.move(
        connection,
        execution,
        Status.TIMED_OUT,
        actor=SYSTEM,
        only_from={Status.QUEUED},
        cause=Cause.QUEUE_TIMEOUT,
        message=f"Waited in the queue for its queue_timeout of {Limits.read(limits).queue_timeout} s.",
        # Nothing ran since it was queued, so nothing more can be logged.
        changes={"log_complete": func.coalesce(Execution.log_complete, True)},
    )
