"""SQL of holding: who this worker is, and what it takes over from others. What it takes from the queue: `queue.py`.

Whoever takes an execution gets its next epoch; from then on the old one writes nothing (`StaleLease`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Float, cast, extract, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db.engine import Connection
from app.db.orm import clock
from app.executions import repository
from app.executions.model import Event, Lease
from app.executions.record import Record
from app.executions.repository import NoSuchExecution
from app.executions.states import Status
from app.executions.tables import Attempt, Execution
from app.logs.tables import LogHead
from app.pools.tables import Pool
from app.workers import model
from app.workers.model import Wanted
from app.workers.tables import Worker
from worker.engine.port import EngineInfo
from worker.ladder import Rung
from worker.program_events import Heard

# A worker that has been silent for so long is lost: anybody on its engine may take over what it ran.
LOST_AFTER = model.LOST_AFTER
# What has a container, or is about to, wherever a worker holds it: what is paused by its checkpoint has neither.
ON_AN_ENGINE = (Status.PREPARING, Status.RUNNING, Status.PAUSED, Status.STOPPING)


class Unregistered(Exception):
    """The record knows no worker of this id: it is another one than before, brought back from a backup for instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a worker process is."""

    id: UUID
    pool: str
    host: str
    pid: int
    version: str
    slots: int
    engine: EngineInfo

    @property
    def actor(self) -> str:
        """Its name in the history of an execution."""
        return f"worker {self.host}/{self.pid}"


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How the engine was when we last asked; `message` says what is wrong with it."""

    version: str
    message: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it answered as it should."""
        return self.message is None


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that is ours, and the record as of the claim."""

    lease: Lease
    record: Record
    event: Event


@dataclass(frozen=True, slots=True)
class Orphan:
    """A held execution whose worker may be gone."""

    execution: UUID
    epoch: int
    worker: UUID
    silent_for: float
    gone: bool


@dataclass(frozen=True, slots=True)
class AttemptState:
    """How far an attempt had come when somebody else ran it."""

    number: int
    container_name: str | None
    container_id: str | None
    meant_to_create: bool
    meant_to_start: bool
    started_at: datetime | None
    pause_written_at: datetime | None
    thawed_at: datetime | None
    over_disk: bool
    rung: Rung
    signal_sent: bool
    heard: Heard


async def register(connection: Connection, worker: Identity) -> None:
    """A new worker process. Its pool exists from then on, also if it was deleted."""
    await connection.execute(
        upsert(Pool)
        .values(name=worker.pool)
        # This locks the row in any case: whoever deletes the pool has done so before, or finds us in it.
        .on_conflict_do_update(
            index_elements=[Pool.name], set_={"deleted_at": None}, where=Pool.deleted_at.is_not(None)
        )
    )
    await connection.execute(
        insert(Worker).values(
            id=worker.id,
            pool=worker.pool,
            host=worker.host,
            pid=worker.pid,
            version=worker.version,
            engine_id=worker.engine.id,
            engine_version=worker.engine.version,
            slots=worker.slots,
        ),
    )


async def heartbeat(
    connection: Connection,
    worker: UUID,
    *,
    engine: EngineHealth | None = None,
    message: str | None = None,
    leaving: bool = False,
) -> Wanted:
    """We are alive, and this is how our engine is, and why we take nothing new; what is wanted of us. If `leaving`, we
    want to be drained.

    Raises `Unregistered`.
    """
    # Whoever was taken for gone after a long silence is back.
    values: dict[str, Any] = {"heartbeat_at": clock(), "gone_at": None, "message": message}
    if engine is not None:
        values |= {"engine_ok": engine.ok, "engine_message": engine.message}
    if engine is not None and engine.ok:
        values |= {"engine_version": engine.version, "engine_ok_at": clock()}
    if leaving:
        values["wanted"] = Wanted.DRAIN
    statement = update(Worker).where(Worker.id == worker).values(values).returning(Worker.wanted)
    wanted = (await connection.execute(statement)).scalar_one_or_none()
    if wanted is None:
        # Such a one could claim nothing, for ever and without a word.
        raise Unregistered(f"There is no worker {worker} on record; it has to be started anew.")
    return Wanted(wanted)


async def sign_off(connection: Connection, worker: UUID) -> None:
    """We go; whatever we held may be adopted at once."""
    await connection.execute(update(Worker).where(Worker.id == worker).values(gone_at=clock()))


async def find_orphans(connection: Connection, worker: Identity) -> list[Orphan]:
    """What workers of this engine hold, ourselves included, with how long each has been silent."""
    rows = await connection.execute(
        select(
            Execution.id,
            Execution.epoch,
            Worker.id.label("worker"),
            cast(extract("epoch", clock() - Worker.heartbeat_at), Float).label("silent_for"),
            Worker.gone_at.is_not(None).label("gone"),
        )
        .join(Worker, Worker.id == Execution.worker_id)
        .where(Execution.status.in_(ON_AN_ENGINE), Worker.engine_id == worker.engine.id)
        .order_by(Execution.id),
    )
    return [Orphan(row.id, row.epoch, row.worker, row.silent_for, row.gone) for row in rows]


async def adopt(connection: Connection, orphan: Orphan, worker: Identity) -> Lease | None:
    """Take over from another worker: the next epoch is ours. None if somebody was faster."""
    return await _take_over(connection, Lease(orphan.execution, orphan.epoch), {"worker_id": worker.id})


async def take_again(connection: Connection, lease: Lease) -> Lease | None:
    """Take over from ourselves, when our own telling of the story failed. None if it is not ours any more."""
    return await _take_over(connection, lease, {})


async def _take_over(connection: Connection, lease: Lease, changes: Mapping[str, Any]) -> Lease | None:
    """The record and its log in one transaction: from then on the old epoch writes neither."""
    epoch = (
        await connection.execute(
            update(Execution)
            .where(
                Execution.id == lease.execution,
                Execution.epoch == lease.epoch,
                Execution.status.in_(ON_AN_ENGINE),
                Execution.worker_id.is_not(None),
            )
            .values(epoch=Execution.epoch + 1, updated_at=clock(), **changes)
            .returning(Execution.epoch),
        )
    ).scalar_one_or_none()
    if epoch is None:
        return None
    await connection.execute(update(LogHead).where(LogHead.execution_id == lease.execution).values(epoch=epoch))
    return Lease(lease.execution, epoch)


async def read_attempt(connection: Connection, lease: Lease) -> tuple[Record, AttemptState]:
    """The record and its current attempt."""
    record = await _get(connection, lease.execution)
    row = (
        await connection.execute(
            select(Attempt.__table__).where(Attempt.execution_id == lease.execution, Attempt.number == record.attempt),
        )
    ).one()
    return record, AttemptState(
        number=row.number,
        container_name=row.container_name,
        container_id=row.container_id,
        meant_to_create=row.create_intent_at is not None,
        meant_to_start=row.start_intent_at is not None,
        started_at=row.started_at,
        pause_written_at=row.pause_written_at,
        thawed_at=row.thawed_at,
        over_disk=row.over_disk_at is not None,
        rung=_rung(row),
        signal_sent=row.signal_sent_at is not None,
        heard=Heard(row.events_offset, row.events_lines),
    )


def _rung(row: Any) -> Rung:
    if row.killed_at is not None:
        return Rung.KILL
    if row.signaled_at is not None:
        return Rung.SIGNAL
    return Rung.NONE if row.stop_written_at is None else Rung.NOTICE


async def _get(connection: Connection, execution: UUID) -> Record:
    record = await repository.find(connection, execution)
    if record is None:
        raise NoSuchExecution(str(execution))
    return record
