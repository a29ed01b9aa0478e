"""SQL of schedules: what they are, what is due, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    RowMapping,
    Select,
    Uuid,
    any_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.exc import IntegrityError

from app.auth.model import SWITCHED_OFF
from app.batches.tables import Batch
from app.db.engine import Connection
from app.db.orm import clock
from app.executions.repository import seconds_from_now
from app.executions.states import Status
from app.executions.tables import SCHEDULED, Execution
from app.schedules.model import Overlap, Rule, Run, RunStatus, ScheduleRecord, SkipReason
from app.schedules.tables import Schedule, ScheduleRun

# Of one schedule, the newest.
RUNS_KEPT = 1000
# So many of them are pruned at once; a firing adds two at most.
_PRUNED = 100
_CONVERTED = {"rule", "overlap", "now"}
_PLAIN = tuple(field.name for field in fields(ScheduleRecord) if field.name not in _CONVERTED)
_RUN = tuple(field.name for field in fields(Run))


@dataclass(frozen=True, slots=True)
class Alarm:
    """A schedule whose next firing is to be looked at in so many seconds; by now, if that is none."""

    schedule: UUID
    seconds: float


def _records() -> Select[Any]:
    return select(Schedule.__table__, clock().label("now"))


async def read_clock(connection: Connection) -> datetime:
    """The database's time."""
    return (await connection.execute(select(clock()))).scalar_one()


async def add(connection: Connection, columns: Mapping[str, Any]) -> bool:
    """A new one; False if its owner has one of this name."""
    statement = insert_or_not(Schedule).values(columns).on_conflict_do_nothing(index_elements=["owner", "name"])
    return (await connection.execute(statement)).rowcount > 0


async def count(connection: Connection, owner: str) -> int:
    """How many this owner has."""
    statement = select(func.count()).select_from(Schedule).where(Schedule.owner == owner)
    return int((await connection.execute(statement)).scalar_one())


async def find(
    connection: Connection, schedule: UUID, *, owner: str | None = None, lock: bool = False
) -> ScheduleRecord | None:
    """The schedule, if it exists and, with `owner`, is theirs; `lock` keeps it until the transaction ends."""
    statement = _records().where(Schedule.id == schedule)
    if owner is not None:
        statement = statement.where(Schedule.owner == owner)
    if lock:
        statement = statement.with_for_update(key_share=True)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return _record_of(row) if row else None


async def list_page(
    connection: Connection, *, limit: int, before: UUID | None, owner: str | None, enabled: bool | None
) -> list[ScheduleRecord]:
    """Newest first, all older than `before`."""
    statement = _records().order_by(Schedule.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Schedule.id < before)
    if owner is not None:
        statement = statement.where(Schedule.owner == owner)
    if enabled is not None:
        statement = statement.where(Schedule.enabled == enabled)
    return [_record_of(row) for row in (await connection.execute(statement)).mappings()]


async def change(connection: Connection, schedule: UUID, columns: Mapping[str, Any]) -> bool:
    """Change what it is; False if its owner has another one of this name."""
    values = {**columns, "version": Schedule.version + 1, "updated_at": clock()}
    try:
        async with connection.begin_nested():
            await connection.execute(update(Schedule).where(Schedule.id == schedule).values(values))
    except IntegrityError:
        return False
    return True


async def remove(connection: Connection, schedule: UUID) -> None:
    """It fires no more; what it has submitted stays."""
    await connection.execute(delete(Schedule).where(Schedule.id == schedule))


async def list_alarms(connection: Connection, *, most: int) -> list[Alarm]:
    """Those that are to be looked at, and those that come next; the earliest first."""
    seconds = func.extract("epoch", Schedule.due_at - clock())
    statement = (
        select(Schedule.id, seconds.label("seconds"))
        .where(Schedule.due_at.is_not(None))
        .order_by(Schedule.due_at)
        .limit(most)
    )
    return [Alarm(row.id, float(row.seconds)) for row in await connection.execute(statement)]


async def list_ahead(connection: Connection, *, seconds: float, most: int) -> list[UUID]:
    """Those that have come to firings so far ahead of the clock that it has gone back since."""
    ahead = select(Schedule.id).where(Schedule.due_at.is_not(None), Schedule.last_at > seconds_from_now(seconds))
    return list((await connection.execute(ahead.limit(most))).scalars())


async def advance(connection: Connection, schedule: UUID, columns: Mapping[str, Any]) -> None:
    """What a firing changes: when the next one is, and how this one went."""
    await connection.execute(update(Schedule).where(Schedule.id == schedule).values(dict(columns)))


async def pause(connection: Connection, schedule: UUID, reason: str, columns: Mapping[str, Any]) -> None:
    """It fires no more until somebody enables it; whoever has seen it before has seen it otherwise."""
    never = {"enabled": False, "paused_reason": reason, "next_at": None, "due_at": None, "waiting": False}
    changed = {"version": Schedule.version + 1, "updated_at": clock()}
    await advance(connection, schedule, {**columns, **never, **changed})


async def switch_off(connection: Connection, tokens: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Pause those that were set by one of these tokens; which, and whose."""
    theirs = Schedule.set_by == any_(literal(list(tokens), ARRAY(Uuid)))
    found = [
        (row.id, row.owner)
        for row in await connection.execute(
            select(Schedule.id, Schedule.owner).where(theirs, Schedule.enabled).order_by(Schedule.id).with_for_update()
        )
    ]
    for schedule, _ in found:
        await pause(connection, schedule, SWITCHED_OFF, {})
    return found


async def postpone(connection: Connection, schedule: UUID, *, seconds: float) -> None:
    """Its firing is looked at again after so long."""
    later = update(Schedule).where(Schedule.id == schedule, Schedule.due_at.is_not(None))
    await connection.execute(later.values(due_at=seconds_from_now(seconds)))


async def wait(connection: Connection, schedule: UUID, *, seconds: float) -> None:
    """Its next firing is due, and waits for what runs; it is looked at again after so long."""
    values = {"waiting": True, "due_at": seconds_from_now(seconds)}
    await connection.execute(update(Schedule).where(Schedule.id == schedule).values(values))


async def is_busy(connection: Connection, schedule: UUID) -> bool:
    """Whether anything that it has submitted has not ended."""
    active = exists().where(Execution.schedule_id == schedule, text(SCHEDULED))
    return bool((await connection.execute(select(active))).scalar_one())


async def list_unstopped(
    connection: Connection, schedule: UUID, *, most: int
) -> tuple[list[tuple[UUID, Status]], list[UUID]]:
    """What it has submitted, has not ended and is not asked to: executions that are in no batch, and batches."""
    is_active = (Execution.schedule_id == schedule, text(SCHEDULED))
    alone = (
        select(Execution.id, Execution.status)
        .where(*is_active, Execution.batch_id.is_(None))
        .where(or_(Execution.status != Status.STOPPING, ~Execution.stop_final))
        .order_by(Execution.id)
        .limit(most)
    )
    together = (
        select(Batch.id)
        .where(Batch.id.in_(select(Execution.batch_id).where(*is_active)), Batch.stop_reason.is_(None))
        .order_by(Batch.id)
        .limit(most)
    )
    executions = [(row.id, Status(row.status)) for row in await connection.execute(alone)]
    return executions, list((await connection.execute(together)).scalars())


async def is_noted(connection: Connection, schedule: UUID, at: datetime) -> bool:
    """Whether this firing was made, or skipped, before: then the clock has gone back."""
    noted = exists().where(ScheduleRun.schedule_id == schedule, ScheduleRun.at == at)
    return bool((await connection.execute(select(noted))).scalar_one())


async def add_run(connection: Connection, schedule: UUID, run: Run) -> Run | None:
    """Note what came of a firing, and forget what came of the oldest; None if it is noted already."""
    values = {name: value for name, value in asdict(run).items() if name != "noted_at"}
    statement = insert_or_not(ScheduleRun).values(schedule_id=schedule, noted_at=clock(), **values)
    adding = statement.on_conflict_do_nothing().returning(ScheduleRun.__table__)
    row = (await connection.execute(adding)).mappings().one_or_none()
    kept = (
        select(ScheduleRun.at)
        .where(ScheduleRun.schedule_id == schedule)
        .order_by(ScheduleRun.at.desc())
        .offset(RUNS_KEPT)
        .limit(_PRUNED)
    )
    await connection.execute(delete(ScheduleRun).where(ScheduleRun.schedule_id == schedule, ScheduleRun.at.in_(kept)))
    return _run_of(row) if row else None


async def list_runs(
    connection: Connection, schedule: UUID, *, limit: int, before: datetime | None, status: RunStatus | None
) -> list[Run]:
    """Newest first, all of an earlier logical time than `before`."""
    statement = select(ScheduleRun.__table__).where(ScheduleRun.schedule_id == schedule)
    if before is not None:
        statement = statement.where(ScheduleRun.at < before)
    if status is not None:
        statement = statement.where(ScheduleRun.status == status)
    rows = await connection.execute(statement.order_by(ScheduleRun.at.desc()).limit(limit))
    return [_run_of(row) for row in rows.mappings()]


def _record_of(row: RowMapping) -> ScheduleRecord:
    plain: dict[str, Any] = {name: row[name] for name in _PLAIN}
    return ScheduleRecord(**plain, rule=Rule.read(row["rule"]), overlap=Overlap(row["overlap"]), now=row["now"])


def _run_of(row: RowMapping) -> Run:
    plain: dict[str, Any] = {name: row[name] for name in _RUN if name not in {"status", "reason"}}
    reason = SkipReason(row["reason"]) if row["reason"] else None
    return Run(**plain, status=RunStatus(row["status"]), reason=reason)
