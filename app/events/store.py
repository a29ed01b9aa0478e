"""SQL of the feed: events of all executions, by position.

Positions are given as events are written, not as they are committed: below one that is seen another may still appear.
Whoever writes an event holds a lock on `event_positions` until its transaction has ended, and is seen to have ended
only after what it wrote is seen. So once all who held it at some moment are gone, nothing more appears up to the
highest position of that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Interval, Row, bindparam, delete, func, insert, or_, select, text

from app.batches.model import EndedBatch, ended_of
from app.db.engine import Connection
from app.db.orm import clock
from app.events.protocol import Subject, batch_frame, deleted_frame, execution_frame, progress_frame
from app.events.tables import EventCursor, EventPosition
from app.executions.model import Event
from app.executions.repository import event_of
from app.executions.states import Status
from app.executions.tables import Execution, ExecutionEvent

# So many of the newest are kept, and so many of the oldest forgotten at a time.
KEPT = 100_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORGOTTEN_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Happened:
    """One event on its way to sockets."""

    position: int
    subject: Subject
    event: Event
    frame: bytes
    execution: UUID

    @property
    def deleted(self) -> bool:
        """Whether it says that the execution is not there any more."""
        return self.event.number == 0


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """The end of a whole batch on its way to sockets: once, when the last of its children has ended."""

    position: int
    batch: EndedBatch
    frame: bytes


@dataclass(frozen=True, slots=True)
class Progressed:
    """What a program said of its progress, on its way to sockets."""

    subject: Subject
    frame: bytes


_PROGRESS = select(
    Execution.id,
    Execution.owner,
    Execution.pool,
    Execution.labels,
    Execution.status,
    Execution.progress_percent,
    Execution.progress_phase,
    Execution.progress_at,
).where(
    Execution.status.in_((Status.RUNNING, Status.STOPPING)),
    Execution.progress_at > clock() - bindparam("within", type_=Interval),
)
_LAST = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_positions_position_seq")
_WRITERS = text("""
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'event_positions'::regclass AND mode = 'RowExclusiveLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")
_BETWEEN = (
    select(
        EventPosition.position,
        EventPosition.execution_id.label("of"),
        EventPosition.deleted,
        EventPosition.batch.label("ended_batch"),
        ExecutionEvent.__table__,
        Execution.owner,
        Execution.pool,
        Execution.labels,
        Execution.name,
        Execution.spec["image"].astext.label("image"),
        Execution.created_at,
        Execution.exit_code,
    )
    .outerjoin(
        ExecutionEvent,
        (ExecutionEvent.execution_id == EventPosition.execution_id) & (ExecutionEvent.number == EventPosition.number),
    )
    .outerjoin(Execution, Execution.id == EventPosition.execution_id)
    .where(
        EventPosition.position > bindparam("after"),
        EventPosition.position <= bindparam("upto"),
        or_(
            ExecutionEvent.number.is_not(None) & Execution.id.is_not(None),
            EventPosition.deleted.is_not(None),
            EventPosition.batch.is_not(None),
        ),
    )
    .order_by(EventPosition.position)
    .limit(bindparam("most"))
)


async def last_position(connection: Connection) -> int:
    """The highest position given so far, whether or not what stands there is committed, or ever will be."""
    return int((await connection.execute(_LAST)).scalar_one())


async def list_writers(connection: Connection) -> set[str]:
    """Transactions that may have written events and have not ended."""
    return set((await connection.execute(_WRITERS)).scalars())


async def read_between(connection: Connection, after: int, upto: int, *, most: int) -> list[Happened | BatchEnded]:
    """Events behind `after` up to `upto`, as far as they are committed and their executions not deleted; that these
    were, and that batches ended.
    """
    rows = await connection.execute(_BETWEEN, {"after": after, "upto": upto, "most": most})
    return [_happened(row) for row in rows.mappings()]


async def list_progress(connection: Connection, within: timedelta) -> list[Progressed]:
    """What the programs that run said of their progress last, if they did so within that time."""
    rows = await connection.execute(_PROGRESS, {"within": within})
    return [
        Progressed(
            Subject(row.owner, row.pool, row.labels),
            progress_frame(row.id, row.progress_percent, row.progress_phase, row.progress_at),
        )
        for row in rows
    ]


async def note_deleted(connection: Connection, deleted: Iterable[Row[Any]]) -> None:
    """Tell of executions that were deleted, in this transaction, just before its end: everybody waits for that."""
    rows = [
        {
            "execution_id": row.id,
            "number": 0,
            "deleted": {"ended": row.status, "owner": row.owner, "pool": row.pool, "labels": row.labels},
        }
        for row in deleted
    ]
    if rows:
        await connection.execute(insert(EventPosition).values(rows))


def _gone(row: Mapping[Any, Any]) -> Happened:
    was, id_, position = row["deleted"], row["of"], row["position"]
    status, subject = Status(was["ended"]), Subject(was["owner"], was["pool"], was["labels"])
    # As what it is chosen by: something that left its status as it was.
    event = Event(0, status, status, cause=None, message=None, actor="", attempt=0, at=EPOCH)
    return Happened(position, subject, event, deleted_frame(position, id_, status, subject), id_)


def _happened(row: Mapping[Any, Any]) -> Happened | BatchEnded:
    if row["ended_batch"] is not None:
        ended = ended_of(row["ended_batch"])
        return BatchEnded(row["position"], ended, batch_frame(row["position"], ended))
    if row["deleted"] is not None:
        return _gone(row)
    event = event_of(row)
    subject = Subject(row["owner"], row["pool"], row["labels"])
    frame = execution_frame(
        row["position"],
        row["execution_id"],
        event,
        subject,
        name=row["name"],
        image=row["image"],
        created_at=row["created_at"],
        exit_code=row["exit_code"],
    )
    return Happened(row["position"], subject, event, frame, row["execution_id"])


async def forget_old(connection: Connection, *, kept: int = KEPT) -> None:
    """Forget positions beyond the newest `kept`, or ten times as many as long as somebody follows who is not there yet;
    some of them, if they are many.
    """
    last = await last_position(connection)
    behind = (await connection.execute(select(func.coalesce(func.min(EventCursor.position), last)))).scalar_one()
    upto = max(min(last - kept, behind), last - 10 * kept)
    old = (
        select(EventPosition.position)
        .where(EventPosition.position <= upto)
        .order_by(EventPosition.position)
        .limit(FORGOTTEN_AT_ONCE)
    )
    await connection.execute(delete(EventPosition).where(EventPosition.position.in_(old)))
