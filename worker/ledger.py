"""SQL of the lease holder: who we are, what we may claim, and the intents and facts of an attempt.

Every write is fenced by the epoch; `StaleLease` means that somebody took over and nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Float, cast, exists, extract, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from app.artifacts import repository as artifacts
from app.artifacts.model import Artifact, ArtifactSet
from app.artifacts.model import Kind as ArtifactKind
from app.db.engine import Connection
from app.db.orm import clock
from app.executions import repository
from app.executions.model import Event, Lease, Outcome, Stop
from app.executions.record import Record, stop_of
from app.executions.repository import NoSuchExecution, StaleLease
from app.executions.states import STATUS_OF, Cause, Status, StopReason
from app.executions.tables import Attempt, Execution, Pool, Worker
from app.logs.tables import LogHead
from worker.engine.port import EngineInfo
from worker.ladder import Rung
from worker.outcome import SYSTEM
from worker.program_events import Heard

# A worker that has been silent for so long is lost: anybody on its engine may take over what it ran.
LOST_AFTER = 30.0
_HELD = (Status.PREPARING, Status.RUNNING, Status.STOPPING)


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that is ours, and the record as of the claim."""

    lease: Lease
    record: Record
    event: Event


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds on the database's clock, from now."""

    until_deadline: float | None
    since_stop_request: float
    until_kill: float


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of a held execution now."""

    stop: Stop | None
    clock: Clock


@dataclass(frozen=True, slots=True)
class Orphan:
    """A held execution whose worker may be gone, and how far its attempt had come."""

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
    rung: Rung
    heard: Heard


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


async def register(connection: Connection, worker: Identity) -> None:
    """A new worker process."""
    await connection.execute(upsert(Pool).values(name=worker.pool).on_conflict_do_nothing())
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


async def heartbeat(connection: Connection, worker: UUID) -> None:
    """We are alive."""
    await connection.execute(update(Worker).where(Worker.id == worker).values(heartbeat_at=clock()))


async def sign_off(connection: Connection, worker: UUID) -> None:
    """We go; whatever we held may be adopted at once."""
    await connection.execute(update(Worker).where(Worker.id == worker).values(gone_at=clock()))


async def claim(connection: Connection, worker: Identity, *, most: int) -> list[Claim]:
    """Take up to `most` of the queue, oldest first. The pool's row is the lock: limits are exact, orders are fair."""
    queue = (Execution.status == Status.QUEUED, Execution.pool == worker.pool)
    if not (await connection.execute(select(exists().where(*queue)))).scalar_one():
        return []
    await connection.execute(select(Pool.name).where(Pool.name == worker.pool).with_for_update())
    queued = await connection.execute(
        select(Execution.id)
        .where(*queue)
        .order_by(Execution.queued_at, Execution.id)
        .limit(most)
        .with_for_update(skip_locked=True),
    )
    return [await _claim_one(connection, execution, worker) for execution in queued.scalars()]


async def _claim_one(connection: Connection, execution: UUID, worker: Identity) -> Claim:
    event = await repository.move(
        connection,
        execution,
        Status.PREPARING,
        actor=worker.actor,
        changes={
            "worker_id": worker.id,
            "epoch": Execution.epoch + 1,
            "attempt": Execution.attempt + 1,
            "phase": "claimed",
        },
    )
    record = await _get(connection, execution)
    await connection.execute(
        insert(Attempt).values(
            execution_id=execution, number=record.attempt, worker_id=worker.id, engine_id=worker.engine.id
        ),
    )
    await connection.execute(
        update(LogHead).where(LogHead.execution_id == execution).values(epoch=record.epoch, out_bytes=0, err_bytes=0),
    )
    return Claim(Lease(execution, record.epoch), record, event)


async def find_orphans(connection: Connection, worker: Identity) -> list[Orphan]:
    """What other workers of this engine hold, with how long they have been silent."""
    rows = await connection.execute(
        select(
            Execution.id,
            Execution.epoch,
            Worker.id.label("worker"),
            cast(extract("epoch", clock() - Worker.heartbeat_at), Float).label("silent_for"),
            Worker.gone_at.is_not(None).label("gone"),
        )
        .join(Worker, Worker.id == Execution.worker_id)
        .where(Execution.status.in_(_HELD), Worker.engine_id == worker.engine.id, Worker.id != worker.id)
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
                Execution.status.in_(_HELD),
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
        rung=_rung(row),
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


async def list_intents(connection: Connection, worker: UUID) -> dict[UUID, int]:
    """The version of what is wanted of each execution that this worker holds, in one statement."""
    rows = await connection.execute(
        select(Execution.id, Execution.control_version).where(
            Execution.worker_id == worker, Execution.status.in_(_HELD)
        ),
    )
    return {row.id: row.control_version for row in rows}


async def read_order(connection: Connection, lease: Lease) -> Order:
    """What is wanted of one execution now. Raises `StaleLease`."""
    statement = select(
        Execution.status,
        Execution.stop_reason,
        Execution.stop_by,
        Execution.stop_requested_at,
        Execution.stop_deadline,
        Execution.stop_force,
        _seconds(Execution.deadline - clock()).label("until_deadline"),
        _seconds(clock() - Execution.stop_requested_at).label("since_stop_request"),
        _seconds(Execution.stop_deadline - clock()).label("until_kill"),
    ).where(Execution.id == lease.execution, Execution.epoch == lease.epoch)
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise StaleLease(f"epoch {lease.epoch} of {lease.execution} has passed")
    return Order(
        stop=stop_of(row),
        clock=Clock(row["until_deadline"], row["since_stop_request"] or 0.0, row["until_kill"] or 0.0),
    )


def _seconds(interval: Any) -> Any:
    return cast(extract("epoch", interval), Float)


async def set_phase(connection: Connection, lease: Lease, phase: str) -> None:
    """What we are doing now, for people."""
    await _update_execution(connection, lease, {"phase": phase})


async def intend_create(
    connection: Connection, lease: Lease, *, container_name: str, image_id: str, image_digest: str | None
) -> None:
    """From now on a container of this name, from this image, may exist."""
    await _update_execution(
        connection, lease, {"phase": "creating", "image_id": image_id, "image_digest": image_digest}
    )
    await _update_attempt(connection, lease, {"container_name": container_name, "create_intent_at": clock()})


async def intend_start(connection: Connection, lease: Lease, *, container_id: str) -> bool:
    """From now on the program may have run. False when a stop was committed first: then it must not be started."""
    if await _hold(connection, lease) is not Status.PREPARING:
        return False
    await _update_attempt(connection, lease, {"container_id": container_id, "start_intent_at": clock()})
    return True


async def note_started(connection: Connection, lease: Lease, *, run_for: int, actor: str) -> Event | None:
    """It runs; its time runs from now. None when a stop came in between: it stays `stopping`, but runs."""
    await _update_attempt(connection, lease, {"started_at": clock()})
    await _update_execution(
        connection,
        lease,
        {
            "started_at": func.coalesce(Execution.started_at, clock()),
            "deadline": repository.seconds_from_now(run_for),
            "phase": "running",
        },
    )
    try:
        return await repository.move(
            connection,
            lease.execution,
            Status.RUNNING,
            actor=actor,
            epoch=lease.epoch,
            only_from=(Status.PREPARING,),
        )
    except repository.IllegalMove:
        return None


async def time_out(connection: Connection, lease: Lease, *, grace: int) -> Event | None:
    """Its time is over: begin the stop. None when a stop is pending already."""
    try:
        return await repository.move(
            connection,
            lease.execution,
            Status.STOPPING,
            actor=SYSTEM,
            epoch=lease.epoch,
            only_from=(Status.RUNNING,),
            changes={
                "stop_reason": StopReason.TIMEOUT,
                "stop_by": SYSTEM,
                "stop_requested_at": clock(),
                "stop_deadline": repository.seconds_from_now(grace),
                "control_version": Execution.control_version + 1,
            },
        )
    except repository.IllegalMove:
        return None


async def climb(connection: Connection, lease: Lease, rung: Rung) -> None:
    """Commit a rung of the ladder before it is acted out."""
    column = {Rung.NOTICE: "stop_written_at", Rung.SIGNAL: "signaled_at", Rung.KILL: "killed_at"}[rung]
    await _update_attempt(connection, lease, {column: func.coalesce(getattr(Attempt, column), clock())})


@dataclass(frozen=True, slots=True)
class Progressed:
    """Progress as it stands on the record."""

    percent: int | None
    phase: str | None
    at: datetime


async def note_said(
    connection: Connection, lease: Lease, values: Mapping[str, Any], warnings: list[str], heard: Heard
) -> Progressed:
    """What the program said of itself: progress, a result, warnings. Never the status."""
    changes = dict(values)
    if warnings:
        changes["warnings"] = _with_warnings(warnings)
    await _update_execution(connection, lease, changes)
    await _update_attempt(connection, lease, {"events_offset": heard.offset, "events_lines": heard.lines})
    row = await connection.execute(
        select(Execution.progress_percent, Execution.progress_phase, clock()).where(Execution.id == lease.execution),
    )
    return Progressed(*row.one())


def _with_warnings(warnings: list[str]) -> Any:
    return Execution.warnings.op("||")(cast(warnings, JSONB))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an attempt left behind."""

    outputs: list[Artifact]
    outputs_partial: bool
    checkpoint: list[Artifact]
    log_complete: bool
    warnings: list[str]


async def finish(connection: Connection, lease: Lease, outcome: Outcome, *, actor: str, kept: Kept | None) -> Event:
    """The end: terminal status, attempt and artifacts in one transaction. Raises `IllegalMove` when it has ended."""
    changes: dict[str, Any] = {
        "exit_code": outcome.exit_code,
        "oom_killed": outcome.oom_killed,
        "deadline": None,
        "log_complete": kept.log_complete if kept else outcome.cause is not Cause.OUTCOME_UNKNOWN,
        "control_version": Execution.control_version + 1,
    }
    if kept is not None:
        changes |= {
            "outputs_files": len(kept.outputs),
            "outputs_bytes": sum(file.bytes for file in kept.outputs),
            # A program that did not succeed has perhaps not written all it meant to.
            "outputs_partial": kept.outputs_partial or outcome.cause is not Cause.OK,
            "warnings": _with_warnings(kept.warnings),
        }
    event = await repository.move(
        connection,
        lease.execution,
        STATUS_OF[outcome.cause],
        actor=actor,
        epoch=lease.epoch,
        cause=outcome.cause,
        message=outcome.message,
        changes=changes,
    )
    await _update_attempt(
        connection,
        lease,
        {
            "finished_at": clock(),
            "exit_code": outcome.exit_code,
            "oom_killed": outcome.oom_killed,
            "cause": outcome.cause,
            "message": outcome.message,
            "checkpoint_files": len(kept.checkpoint) if kept else 0,
            "checkpoint_bytes": sum(file.bytes for file in kept.checkpoint) if kept else 0,
        },
    )
    if kept is not None:
        for kind, files in ((ArtifactKind.OUTPUT, kept.outputs), (ArtifactKind.CHECKPOINT, kept.checkpoint)):
            await artifacts.add_artifacts(connection, ArtifactSet(lease.execution, event.attempt, kind), files)
    return event


async def requeue(connection: Connection, lease: Lease, *, actor: str, why: str) -> Event:
    """Give it back: its program provably never ran. A pending stop is not given back, but ended."""
    await _update_attempt(connection, lease, {"finished_at": clock(), "message": why})
    return await repository.move(
        connection,
        lease.execution,
        Status.QUEUED,
        actor=actor,
        epoch=lease.epoch,
        only_from=(Status.PREPARING,),
        changes={"worker_id": None, "queued_at": clock(), "phase": None},
    )


async def _hold(connection: Connection, lease: Lease) -> Status:
    """Keep the record, and with it the lease, ours until the transaction ends. Raises `StaleLease`."""
    status = (
        await connection.execute(
            select(Execution.status)
            .where(Execution.id == lease.execution, Execution.epoch == lease.epoch)
            .with_for_update(),
        )
    ).scalar_one_or_none()
    if status is None:
        raise StaleLease(f"epoch {lease.epoch} of {lease.execution} has passed")
    return Status(status)


async def _update_execution(connection: Connection, lease: Lease, values: Mapping[str, Any]) -> None:
    """Anything but the status."""
    await _hold(connection, lease)
    await connection.execute(
        update(Execution).where(Execution.id == lease.execution).values(updated_at=clock(), **values),
    )


async def _update_attempt(connection: Connection, lease: Lease, values: Mapping[str, Any]) -> None:
    """The current attempt's row."""
    await _hold(connection, lease)
    await connection.execute(
        update(Attempt)
        .where(
            Attempt.execution_id == lease.execution,
            Execution.id == lease.execution,
            Attempt.number == Execution.attempt,
        )
        .values(**values),
    )
