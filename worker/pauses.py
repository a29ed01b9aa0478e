"""SQL of pausing, on the side of the lease holder: what was frozen, thawed, told and given up. Fenced like the ledger.

The running time of an execution is that of all stretches which pauses join: a deadline is the beginning of a stretch,
and what is left of `limits.timeout` then.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, Integer, cast, extract, func, select, update
from sqlalchemy.dialects.postgresql import JSONB

from app.db.engine import Connection
from app.db.orm import clock
from app.executions import repository
from app.executions.intents import NO_PAUSE
from app.executions.model import Event, Lease, Pause, Stop
from app.executions.record import pause_of
from app.executions.states import PauseMode, Status
from app.executions.tables import Attempt, Execution
from worker.ledger import current, hold, set_phase, update_attempt
from worker.outcome import SYSTEM
from worker.phases import FROZEN


def time_left() -> Any:
    """Seconds that it may run from the beginning of the next stretch on."""
    return cast(Execution.limits["timeout"].astext, Integer) - Execution.ran_seconds


def ran_until(moment: Any) -> Any:
    """Seconds that it has run by then, the stretch that ends with it included."""
    timeout = cast(Execution.limits["timeout"].astext, Float)
    left = cast(extract("epoch", Execution.deadline - moment), Float)
    return func.coalesce(func.greatest(timeout - left, Execution.ran_seconds), Execution.ran_seconds)


async def note_frozen(connection: Connection, lease: Lease, *, actor: str) -> Event | None:
    """Its container is frozen: its clocks stand. None when that is not wanted any more."""
    status = await hold(connection, lease)
    pause = await _read_pause(connection, lease)
    if status is not Status.RUNNING or pause is None or not pause.freezes:
        return None
    return await repository.move(
        connection,
        lease.execution,
        Status.PAUSED,
        actor=actor,
        epoch=lease.epoch,
        message=f"{pause.by} asked for it.",
        changes={"deadline": None, "ran_seconds": ran_until(clock()), "phase": FROZEN},
    )


async def note_thawed(connection: Connection, lease: Lease, *, actor: str, phase: str = "running") -> Event | None:
    """It runs again, in this phase, and so do its clocks. None when it is to stop, or to stay frozen after all."""
    status = await hold(connection, lease)
    if status is Status.STOPPING:
        # Its program runs to be stopped: nothing of it stands still any more.
        await set_phase(connection, lease, phase)
    pause = await _read_pause(connection, lease)
    if status is not Status.PAUSED or pause is None or pause.resume_by is None:
        return None
    await connection.execute(update(Attempt).where(*current(lease)).values(thawed_at=clock()))
    return await repository.move(
        connection,
        lease.execution,
        Status.RUNNING,
        actor=actor,
        epoch=lease.epoch,
        message=f"{pause.resume_by} asked for it.",
        changes={
            "deadline": clock() + func.make_interval(0, 0, 0, 0, 0, 0, time_left()),
            "phase": phase,
            **NO_PAUSE,
        },
    )


async def note_told(connection: Connection, lease: Lease) -> None:
    """The program is about to be told to save a checkpoint and stop."""
    await update_attempt(connection, lease, {"pause_written_at": clock()})


async def miss_checkpoint(connection: Connection, lease: Lease, stop: Stop) -> bool:
    """The time to save is over: take the request back. False when none is pending any more, or a newer one."""
    await hold(connection, lease)
    over = select(Execution.pause_deadline <= clock()).where(Execution.id == lease.execution)
    if not (await connection.execute(over)).scalar_one():
        return False
    seconds = round((stop.deadline - stop.requested_at).total_seconds())
    message = f"The program saved no checkpoint within {seconds} s of the request to pause. It goes on running."
    return await _take_back(connection, lease, PauseMode.CHECKPOINT, "checkpoint_missed", message)


async def fail_to_freeze(connection: Connection, lease: Lease, why: str) -> bool:
    """The engine cannot freeze it: take the request back. False when it is not pending any more."""
    message = f"The container engine could not freeze it: {why} It goes on running."
    return await _take_back(connection, lease, PauseMode.FREEZE, "freeze_failed", message)


async def _take_back(connection: Connection, lease: Lease, mode: PauseMode, code: str, message: str) -> bool:
    status = await hold(connection, lease)
    pause = await _read_pause(connection, lease)
    if status is not Status.RUNNING or pause is None or pause.mode is not mode:
        return False
    warning = [{"code": code, "message": message}]
    changes = {"warnings": Execution.warnings.op("||")(cast(warning, JSONB)), **NO_PAUSE}
    await repository.note(connection, lease.execution, actor=SYSTEM, message=message, changes=changes)
    return True


async def _read_pause(connection: Connection, lease: Lease) -> Pause | None:
    columns = select(
        Execution.pause_mode,
        Execution.pause_by,
        Execution.pause_requested_at,
        Execution.paused_at,
        Execution.resume_by,
    ).where(Execution.id == lease.execution)
    return pause_of((await connection.execute(columns)).mappings().one())
