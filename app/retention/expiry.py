"""When something of an execution that has ended is let go, as SQL.

A policy holds for all that there is, whenever it ended; what a change of it makes due is told for a day before it goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, SQLColumnExpression, and_, case, func, literal, literal_column, null

from app.executions.states import TERMINAL, Status
from app.executions.tables import Execution
from app.retention.tables import Retention

# Between a change of the policy and the first that goes by it.
NOTICE = timedelta(days=1)

# From when on the days count; written as in the indexes of `executions`.
KEPT_SINCE = func.coalesce(Execution.restored_at, Execution.finished_at)
_MAY_EXPIRE = and_(Execution.finished_at.is_not(None), Execution.archived_at.is_(None))
_NONE: ColumnElement[int] = literal_column("0")

DAYS_OF_STATUS: dict[Status, Any] = {
    **dict.fromkeys(TERMINAL, Retention.failed_days),
    Status.SUCCEEDED: Retention.succeeded_days,
    Status.CANCELED: Retention.canceled_days,
}


@dataclass(frozen=True, slots=True)
class Expiry:
    """One kind of thing: what of it may expire at all, and after how many days; null days are for ever."""

    may_expire: ColumnElement[bool]
    days: SQLColumnExpression[int | None]

    @property
    def at(self) -> ColumnElement[datetime | None]:
        """When it goes; null is never, or that there is nothing."""
        due = KEPT_SINCE + func.make_interval(0, 0, 0, self.days)
        announced = Retention.since + literal(NOTICE, Interval())
        return case((and_(self.may_expire, self.days.is_not(None)), func.greatest(due, announced)), else_=null())


RECORD = Expiry(_MAY_EXPIRE, case(*((Execution.status == status, days) for status, days in DAYS_OF_STATUS.items())))
OUTPUTS = Expiry(
    and_(_MAY_EXPIRE, Execution.outputs_files > _NONE, Execution.outputs_expired_at.is_(None)), Retention.outputs_days
)
CHECKPOINT = Expiry(
    and_(_MAY_EXPIRE, Execution.checkpoint_files > _NONE, Execution.checkpoint_expired_at.is_(None)),
    Retention.checkpoints_days,
)
