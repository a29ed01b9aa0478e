"""SQL of the lease holder: what is wanted of an execution, and the intents and facts of its attempt.

Every write is fenced by the epoch; `StaleLease` means that somebody took over and nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, case, cast, extract, func, null, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from app.db.engine import Connection
from app.db.orm import clock
from app.executions import repository
from app.executions.intents import NO_PAUSE
from app.executions.model import Event, Lease, Limits, Pause, Stop
from app.executions.record import pause_of, stop_of
from app.executions.repository import IllegalMove, StaleLease
from app.executions.states import Cause, Status, StopClock, StopReason
from app.executions.tables import Attempt, Execution
from worker.claims import ON_AN_ENGINE
from worker.ladder import Rung
from worker.outcome import SYSTEM, of_clock
from worker.program_events import Heard


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds on the database's clock, from now; `time_left` is what a thaw gives, `running_for` counts from then."""

    until_deadline: float | None
    since_stop_request: float
    until_kill: float
    time_left: float

    @property
    def running_for(self) -> float:
        """Since it was started, or thawed; 0 while no clock runs."""
        return 0.0 if self.until_deadline is None else self.time_left - self.until_deadline


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of a held execution now. `deadline` is when its time is over, `clock` says in how many seconds."""

    limits: Limits
    labels: Mapping[str, str]
    deadline: datetime | None
    stop: Stop | None
    pause: Pause | None
    status: Status
    clock: Clock


async def list_intents(connection: Connection, worker: UUID) -> dict[UUID, int]:
    """The version of what is wanted of each execution that this worker holds, in one statement."""
    rows = await connection.execute(
        select(Execution.id, Execution.control_version).where(
            Execution.worker_id == worker, Execution.status.in_(ON_AN_ENGINE)
        ),
    )
    return {row.id: row.control_version for row in rows}


async def read_order(connection: Connection, lease: Lease) -> Order:
    """What is wanted of one execution now. Raises `StaleLease`."""
    statement = select(
        Execution.status,
        Execution.limits,
        Execution.labels,
        Execution.deadline,
        Execution.pause_mode,
        Execution.pause_by,
        Execution.pause_requested_at,
        Execution.pause_deadline,
        Execution.paused_at,
        Execution.resume_by,
        Execution.stop_reason,
        Execution.stop_by,
        Execution.stop_requested_at,
        Execution.stop_deadline,
        Execution.stop_force,
        Execution.stop_final,
        Execution.stop_clock,
        Execution.stop_why,
        _seconds(Execution.deadline - clock()).label("until_deadline"),
        _seconds(clock() - Execution.stop_requested_at).label("since_stop_request"),
        _seconds(func.coalesce(Execution.stop_deadline, Execution.pause_deadline) - clock()).label("until_kill"),
        (cast(Execution.limits["timeout"].astext, Float) - Execution.ran_seconds).label("time_left"),
    ).where(Execution.id == lease.execution, Execution.epoch == lease.epoch)
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise StaleLease(f"epoch {lease.epoch} of {lease.execution} has passed")
    return Order(
        limits=Limits.read(row["limits"]),
        labels=row["labels"],
        deadline=row["deadline"],
        stop=stop_of(row),
        pause=pause_of(row),
        status=Status(row["status"]),
        clock=Clock(
            until_deadline=row["until_deadline"],
            since_stop_request=row["since_stop_request"] or 0.0,
            until_kill=row["until_kill"] or 0.0,
            time_left=row["time_left"],
        ),
    )


def _seconds(interval: Any) -> Any:
    return cast(extract("epoch", interval), Float)


async def list_moves(connection: Connection, execution: UUID, *, after: int) -> list[tuple[Event, Cause | None]]:
    """Its moves behind event `after`, each with how the attempt ended that was the last one then, if it has."""
    moves = await repository.list_events(connection, execution, after=after)
    ends = await connection.execute(
        select(Attempt.number, Attempt.cause).where(Attempt.execution_id == execution, Attempt.cause.is_not(None))
    )
    causes = {row.number: Cause(row.cause) for row in ends}
    return [(move, causes.get(move.attempt)) for move in moves]


async def set_phase(connection: Connection, lease: Lease, phase: str) -> None:
    """What we are doing now, for people."""
    await update_execution(connection, lease, {"phase": phase})


async def note_log_incomplete(connection: Connection, lease: Lease) -> None:
    """What the program writes is not kept: that holds for this log whoever goes on with it."""
    await update_execution(connection, lease, {"log_complete": False})


async def intend_create(
    connection: Connection, lease: Lease, *, container_name: str, image_id: str, image_digest: str | None
) -> None:
    """From now on a container of this name, from this image, may exist."""
    await update_execution(connection, lease, {"phase": "creating", "image_id": image_id, "image_digest": image_digest})
    await update_attempt(connection, lease, {"container_name": container_name, "create_intent_at": clock()})


async def intend_start(connection: Connection, lease: Lease, *, container_id: str) -> bool:
    """From now on the program may have run. False when a stop was committed first: then it must not be started."""
    if await hold(connection, lease) is not Status.PREPARING:
        return False
    await update_attempt(connection, lease, {"container_id": container_id, "start_intent_at": clock()})
    return True


async def note_started(connection: Connection, lease: Lease, *, actor: str) -> Event | None:
    """It runs; what is left of its time runs from now. None when a stop came in between: it is `stopping`, but runs."""
    await update_attempt(connection, lease, {"started_at": clock()})
    await update_execution(
        connection,
        lease,
        {
            "started_at": func.coalesce(Execution.started_at, clock()),
            # Noted a second time, it may be frozen by now, and its time stands still.
            "deadline": case((Execution.status == Status.PAUSED, null()), else_=end_of_time()),
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
    except IllegalMove:
        return None


def end_of_time() -> ColumnElement[Any]:
    """When `limits.timeout` ends an execution that begins to run now, or goes on."""
    left = Execution.limits["timeout"].astext.cast(Float) - Execution.ran_seconds
    ends: ColumnElement[Any] = clock() + left * text("interval '1 second'")
    return ends


async def run_out(connection: Connection, lease: Lease, ran_out: StopClock, *, seen: Order) -> Event | None:
    """A clock has run out, as we have `seen` it: begin the stop. None when it was moved meanwhile, or stopped."""
    await hold(connection, lease)
    order = await read_order(connection, lease)
    if ran_out is StopClock.TIMEOUT:
        moved = order.clock.until_deadline is None or order.clock.until_deadline > 0
    else:
        moved = order.limits.idle_timeout != seen.limits.idle_timeout
    if moved:
        return None
    why = of_clock(ran_out, order.limits)
    return await time_out(connection, lease, grace=order.limits.grace, ran_out=ran_out, why=why)


async def time_out(
    connection: Connection,
    lease: Lease,
    *,
    grace: int,
    ran_out: StopClock = StopClock.TIMEOUT,
    why: str | None = None,
) -> Event | None:
    """Its time is over: begin the stop. None when a stop is pending already."""
    try:
        return await repository.move(
            connection,
            lease.execution,
            Status.STOPPING,
            actor=SYSTEM,
            epoch=lease.epoch,
            only_from=(Status.RUNNING,),
            message=why,
            changes={
                "stop_reason": StopReason.TIMEOUT,
                "stop_clock": ran_out,
                "stop_by": SYSTEM,
                "stop_requested_at": clock(),
                "stop_deadline": repository.seconds_from_now(grace),
                "control_version": Execution.control_version + 1,
                **NO_PAUSE,
            },
        )
    except IllegalMove:
        return None


async def note_over_disk(connection: Connection, lease: Lease) -> None:
    """It has more on disk than it may: from now on it is killed."""
    await update_attempt(connection, lease, {"over_disk_at": func.coalesce(Attempt.over_disk_at, clock())})


async def climb(connection: Connection, lease: Lease, rung: Rung) -> None:
    """Commit a rung of the ladder before it is acted out."""
    column = {Rung.NOTICE: "stop_written_at", Rung.SIGNAL: "signaled_at", Rung.KILL: "killed_at"}[rung]
    await update_attempt(connection, lease, {column: func.coalesce(getattr(Attempt, column), clock())})


async def note_signal_sent(connection: Connection, lease: Lease) -> None:
    """The stop signal has reached the container: whoever takes over does not send it again."""
    await update_attempt(connection, lease, {"signal_sent_at": func.coalesce(Attempt.signal_sent_at, clock())})


@dataclass(frozen=True, slots=True)
class Progressed:
    """Progress as it stands on the record."""

    percent: int | None
    phase: str | None
    at: datetime | None


async def note_said(
    connection: Connection, lease: Lease, values: Mapping[str, Any], warnings: list[str], heard: Heard
) -> Progressed:
    """What the program said of itself: progress, a result, warnings. The same again changes nothing."""
    changes = dict(values)
    if warnings:
        changes["warnings"] = with_warnings(warnings)
    await hold(connection, lease)
    news = await connection.execute(
        update(Attempt)
        .where(*current(lease), Attempt.events_offset < heard.offset)
        .values(events_offset=heard.offset, events_lines=heard.lines),
    )
    if news.rowcount:
        await update_execution(connection, lease, changes)
    row = await connection.execute(
        select(Execution.progress_percent, Execution.progress_phase, Execution.progress_at).where(
            Execution.id == lease.execution
        ),
    )
    return Progressed(*row.one())


def with_warnings(warnings: Sequence[Any]) -> Any:
    """The warnings on the record, and these."""
    return Execution.warnings.op("||")(cast(list(warnings), JSONB))


async def hold(connection: Connection, lease: Lease) -> Status:
    """Keep the record, and with it the lease, ours until the transaction ends. Raises `StaleLease`, also when it is
    over: what has ended is not written any more.
    """
    status = (
        await connection.execute(
            select(Execution.status)
            .where(Execution.id == lease.execution, Execution.epoch == lease.epoch)
            .with_for_update(key_share=True),
        )
    ).scalar_one_or_none()
    if status is None:
        raise StaleLease(f"epoch {lease.epoch} of {lease.execution} has passed")
    if status not in ON_AN_ENGINE:
        raise StaleLease(f"{lease.execution} is {status}: nobody holds it")
    return Status(status)


async def update_execution(connection: Connection, lease: Lease, values: Mapping[str, Any]) -> None:
    """Anything but the status."""
    await hold(connection, lease)
    await connection.execute(
        update(Execution).where(Execution.id == lease.execution).values(updated_at=clock(), **values),
    )


async def update_attempt(connection: Connection, lease: Lease, values: Mapping[str, Any]) -> None:
    """The current attempt's row."""
    await hold(connection, lease)
    await connection.execute(update(Attempt).where(*current(lease)).values(**values))


def current(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    """The row of the current attempt."""
    return (
        Attempt.execution_id == lease.execution,
        Execution.id == lease.execution,
        Attempt.number == Execution.attempt,
    )
