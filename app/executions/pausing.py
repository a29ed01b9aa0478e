"""Pausing and resuming, as clients ask for it: an intent on the record, which the worker that holds it obeys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.db.orm import clock
from app.errors import Conflict
from app.events.protocol import BELL
from app.executions import repository
from app.executions.finding import get_record
from app.executions.intents import NO_PAUSE
from app.executions.operations import Operation, is_due
from app.executions.record import Record
from app.executions.service import Cancellation, tell
from app.executions.states import PauseMode, Status
from app.executions.tables import Execution

_OPERATIONS = {PauseMode.FREEZE: Operation.FREEZE, PauseMode.CHECKPOINT: Operation.CHECKPOINT}


async def pause(process: Process, caller: Caller, execution: UUID, mode: PauseMode | None) -> Cancellation:
    """Ask that it stands still: frozen, or by saving a checkpoint and stopping.

    Without a mode it is by its checkpoint if its program said that it saves some, else frozen. Asking again changes
    nothing. Raises `NotFound` and `Conflict`.
    """
    async with transaction(process.database) as connection:
        record = await get_record(connection, execution, caller.sees, lock=True)
        mode = mode or record.pause_mode or (PauseMode.CHECKPOINT if record.saves_checkpoints else PauseMode.FREEZE)
        due = is_due(_OPERATIONS[mode], record.status, record.pause_mode)
        # What is paused stays so, unless it is to be resumed; what runs may have been asked before.
        changed = record.pause is None or record.pause.resume_by is not None
        if due and changed:
            await _ask(connection, caller, record, mode)
        elif changed:
            message = f"{caller.owner} took the resumption back."
            await _note(connection, caller, record, message, {"resume_by": None})
        elif record.pause_mode is not mode:
            raise _other_mode(record)
        after = await get_record(connection, execution)
    return Cancellation(after, accepted=due or changed, changed=changed)


async def resume(process: Process, caller: Caller, execution: UUID) -> Cancellation:
    """Let it go on; before it is paused, take the request back. Raises `NotFound` and `Conflict`."""
    async with transaction(process.database) as connection:
        record = await get_record(connection, execution, caller.sees, lock=True)
        due = is_due(Operation.RESUME, record.status, record.pause_mode)
        event, changed = None, record.pause is not None and record.pause.resume_by is None
        if changed and record.status is Status.RUNNING:
            message = f"{caller.owner} took the pause back."
            await _note(connection, caller, record, message, dict(NO_PAUSE))
        elif changed and record.pause_mode is PauseMode.FREEZE:
            await _note(connection, caller, record, f"{caller.owner} asked to resume.", {"resume_by": caller.owner})
        elif changed:
            event = await repository.move(
                connection,
                execution,
                Status.QUEUED,
                actor=caller.owner,
                only_from={Status.PAUSED},
                message=f"{caller.owner} asked to resume.",
                changes={**NO_PAUSE, "queued_at": clock(), "not_before": None},
            )
        after = await get_record(connection, execution)
    return Cancellation(after, accepted=due or changed, changed=changed, event=event)


async def tell_pause(process: Process, outcome: Cancellation) -> None:
    """Hint whoever has to act and whoever watches, after the commit."""
    if outcome.event is None and outcome.changed:
        await process.hints.publish([], to_all=BELL)
    await tell(process, outcome)
    if outcome.event is not None:
        await process.hints.ring(outcome.record.pool)


async def _ask(connection: Connection, caller: Caller, record: Record, mode: PauseMode) -> None:
    changes: dict[str, Any] = {
        "pause_mode": mode,
        "pause_by": caller.owner,
        "pause_requested_at": clock(),
        "resume_by": None,
    }
    if mode is PauseMode.CHECKPOINT:
        if not record.saves_checkpoints:
            raise Conflict(
                f"Its status is {record.status}, and its program has not said that it saves checkpoints.",
                hint='It can be frozen: {"mode": "freeze"}. A program says so in its events: {"checkpoints": true}.',
            )
        changes["pause_deadline"] = repository.seconds_from_now(record.limits.grace)
    await _note(connection, caller, record, f"{caller.owner} asked to pause ({mode}).", changes)


def _other_mode(record: Record) -> Conflict:
    return Conflict(
        f"Its status is {record.status}, and a pause ({record.pause_mode}) was asked for already.",
        hint="Take that back with POST …/resume, then ask for the other.",
    )


async def _note(connection: Connection, caller: Caller, record: Record, message: str, changes: dict[str, Any]) -> None:
    changes = {**changes, "control_version": Execution.control_version + 1}
    await repository.note(connection, record.id, actor=caller.owner, message=message, changes=changes)
