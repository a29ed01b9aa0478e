"""SQL of the dry run: what the policy lets go of, now and within some days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select, text

from app.artifacts.model import Kind
from app.db.engine import Connection
from app.executions import deleting
from app.executions.tables import Execution
from app.logs.store import TODAY
from app.logs.tables import PARTITION_PREFIX, LogHead
from app.retention import repository
from app.retention.expiry import KEPT_SINCE
from app.retention.model import Policy

SHOWN = 10
# Of what expired in a week that has been dropped, nothing is left.
_WEEK_IS_THERE = text(
    f"""to_char(date_trunc('week', log_heads.expires), '"{PARTITION_PREFIX}"YYYY_MM_DD') IN (
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = CAST('log_segments' AS regclass)
    )"""  # noqa: S608 - our own words
)


@dataclass(frozen=True, slots=True)
class Part:
    """So many executions and bytes; `ids` are the first that go."""

    count: int
    bytes: int
    ids: Sequence[UUID]


NOTHING = Part(0, 0, ())


async def of_records(connection: Connection, policy: Policy, *, within_days: int) -> Part:
    """Records that go, with their logs and files."""
    # Of what has expired before, nothing is left to count.
    size = (
        _unless(Execution.log_expired_at, LogHead.total_bytes)
        + _unless(Execution.outputs_expired_at, Execution.outputs_bytes)
        + _unless(Execution.checkpoint_expired_at, Execution.checkpoint_bytes)
    )
    due = repository.records_due(policy, within_days=within_days)
    return await _part(connection, and_(due, ~deleting.is_needed()), size)


async def of_files(connection: Connection, kind: Kind, policy: Policy, *, within_days: int) -> Part:
    """Outputs, or checkpoints, that go."""
    size = Execution.outputs_bytes if kind is Kind.OUTPUT else Execution.checkpoint_bytes
    due = repository.files_due(kind, policy, within_days=within_days)
    return await _part(connection, and_(due, ~deleting.is_needed()), size)


async def of_logs(connection: Connection, *, within_days: int) -> Part:
    """Logs whose day comes; the policy was applied to each when it ended. They go by the end of that week."""
    due = and_(
        LogHead.expires < TODAY + within_days,
        or_(LogHead.expires >= TODAY, _WEEK_IS_THERE),
        ~LogHead.moving,
        Execution.log_expired_at.is_(None),
        Execution.archived_at.is_(None),
    )
    return await _part(connection, due, LogHead.total_bytes)


def _unless(gone: Any, size: Any) -> ColumnElement[int]:
    return case((gone.is_(None), size), else_=0)


async def _part(connection: Connection, due: ColumnElement[bool], size: Any) -> Part:
    executions = select(Execution.id).join(LogHead, LogHead.execution_id == Execution.id).where(due)
    counts = executions.with_only_columns(func.count(), func.coalesce(func.sum(size), 0))
    count, size_of_all = (await connection.execute(counts)).one()
    if not count:
        return NOTHING
    first = (await connection.execute(executions.order_by(KEPT_SINCE).limit(SHOWN))).scalars().all()
    return Part(count, int(size_of_all), first)
