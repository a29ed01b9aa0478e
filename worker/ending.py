"""SQL of the end of an attempt: the execution ends with it, or is queued anew for another.

Fenced by the epoch like every write of a lease holder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from app.artifacts import removals
from app.artifacts import repository as artifacts
from app.artifacts.model import Artifact, ArtifactSet
from app.artifacts.model import Kind as ArtifactKind
from app.db.engine import Connection
from app.db.orm import clock
from app.executions import repository
from app.executions.intents import NO_PAUSE, NO_STOP
from app.executions.model import Event, Lease, Outcome, Retries
from app.executions.repository import IllegalMove, StaleLease, readable
from app.executions.states import NEXT, STATUS_OF, Cause, PauseMode, Status, StopReason
from app.executions.tables import Attempt, Execution
from app.logs.tables import LogHead
from worker.claims import ON_AN_ENGINE
from worker.ledger import update_attempt, with_warnings
from worker.outcome import SYSTEM, canceled_by
from worker.pauses import ran_until
from worker.retry import Tries, delay_before, may_try_again


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an attempt left behind."""

    outputs: list[Artifact]
    outputs_partial: bool
    checkpoint: list[Artifact]
    log_complete: bool
    warnings: list[Any]
    # Outputs that it had to leave: it did not; it did, and the store did not take them.
    missing: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an attempt ended. `ran`: its program may have started; `exited_at` is the engine's own time."""

    outcome: Outcome
    ran: bool
    kept: Kept | None = None
    exited_at: datetime | None = None


async def conclude(connection: Connection, lease: Lease, end: End, *, actor: str) -> Event:
    """The end of an attempt: with it the execution ends, or is queued anew where policy says so.

    Attempt, status and artifacts in one transaction. Raises `StaleLease`, and `IllegalMove` when it was concluded.
    """
    held = await _lock(connection, lease)
    if held.status not in ON_AN_ENGINE:
        raise IllegalMove(held.status, STATUS_OF[end.outcome.cause])
    end = _overruled(end, held)
    await _close_attempt(connection, lease, end)
    if end.kept is not None:
        for kind, files in ((ArtifactKind.OUTPUT, end.kept.outputs), (ArtifactKind.CHECKPOINT, end.kept.checkpoint)):
            await artifacts.add_artifacts(connection, ArtifactSet(lease.execution, held.attempt, kind), files)
    elif end.ran:
        # Whoever ran it may have been collecting, and may not even know yet that it is not theirs any more.
        await removals.ask(connection, {f"{lease.execution}/{held.attempt}": lease.execution})
    if end.outcome.saved:
        return await _pause(connection, lease, end, held, actor=actor)
    tries = await _count_tries(connection, lease)
    if may_try_again(end.outcome, held.retries, tries, ran=end.ran, final=held.stop_final):
        if held.pause_mode is not None and held.resume_by is None:
            return await _stay_paused(connection, lease, end, held, actor=actor)
        return await _queue_again(connection, lease, end, actor=actor, after=delay_before(held.attempt))
    if held.status is Status.PAUSED and STATUS_OF[end.outcome.cause] not in NEXT[Status.PAUSED]:
        # Somebody let go on what was frozen, behind our back or just now.
        why = "It ended while it was paused."
        await repository.move(connection, lease.execution, Status.RUNNING, actor=actor, epoch=lease.epoch, message=why)
    return await repository.move(
        connection,
        lease.execution,
        STATUS_OF[end.outcome.cause],
        actor=actor,
        epoch=lease.epoch,
        cause=end.outcome.cause,
        message=end.outcome.message,
        changes={
            "exit_code": end.outcome.exit_code,
            "oom_killed": end.outcome.oom_killed,
            "deadline": None,
            "control_version": Execution.control_version + 1,
            "finished_at": _finished_at(lease, end),
            **_left_behind(end),
            # Of a request to pause there is nothing left to see; why it was stopped remains.
            **NO_PAUSE,
        },
    )


def _overruled(end: End, held: _Held) -> End:
    """A cancellation that comes while a checkpoint is kept has the last word."""
    if not end.outcome.saved or held.stop_reason is not StopReason.CANCEL:
        return end
    by = held.stop_by or SYSTEM
    message = f"Canceled by {by}; it saved a checkpoint first."
    return replace(end, outcome=Outcome(canceled_by(by), message, end.outcome.exit_code, end.outcome.oom_killed))


def _finished_at(lease: Lease, end: End) -> Any:
    """When the program exited by the engine's clock, as far as that can be true by the database's."""
    if end.exited_at is None:
        return clock()
    started_at = select(func.max(Attempt.started_at)).where(Attempt.execution_id == lease.execution).scalar_subquery()
    return func.least(clock(), func.greatest(started_at, Execution.started_at, end.exited_at))


def _left_behind(end: End) -> dict[str, Any]:
    """What an attempt changes on the record beside the status. A log is complete if that of every attempt is."""
    complete = end.kept.log_complete if end.kept else not end.ran
    changes: dict[str, Any] = {"log_complete": func.coalesce(Execution.log_complete, True) & complete}
    if end.kept is not None:
        changes |= {
            "outputs_files": len(end.kept.outputs),
            "outputs_bytes": sum(file.bytes for file in end.kept.outputs),
            **_checkpoint_of(end.kept),
            # A program that did not succeed has perhaps not written all it meant to.
            "outputs_partial": end.kept.outputs_partial or end.outcome.cause is not Cause.OK,
            "warnings": with_warnings(end.kept.warnings),
        }
    return changes


def _checkpoint_of(kept: Kept) -> dict[str, Any]:
    """That of an earlier attempt stays if this one left none."""
    if not kept.checkpoint:
        return {}
    return {
        "checkpoint_files": len(kept.checkpoint),
        "checkpoint_bytes": sum(file.bytes for file in kept.checkpoint),
    }


async def _close_attempt(connection: Connection, lease: Lease, end: End) -> None:
    outcome, checkpoint = end.outcome, end.kept.checkpoint if end.kept else []
    await update_attempt(
        connection,
        lease,
        {
            "finished_at": clock(),
            "exited_at": end.exited_at,
            "may_have_run": end.ran,
            "exit_code": outcome.exit_code,
            "oom_killed": outcome.oom_killed,
            "cause": None if outcome.saved else outcome.cause,
            "message": readable(outcome.message),
            "last_seq": _last_seq(lease),
            "checkpoint_files": len(checkpoint),
            "checkpoint_bytes": sum(file.bytes for file in checkpoint),
        },
    )


async def _queue_again(connection: Connection, lease: Lease, end: End, *, actor: str, after: float) -> Event:
    """Another attempt follows. Until it ends, the record says nothing of an end; a timeout that stopped it is over."""
    event = await repository.move(
        connection,
        lease.execution,
        Status.QUEUED,
        actor=actor,
        epoch=lease.epoch,
        message=f"The attempt ended, {end.outcome.cause}: {end.outcome.message} Another follows.",
        changes={
            **QUEUED_ANEW,
            **NO_PAUSE,
            "ran_seconds": 0,
            "not_before": repository.seconds_from_now(after),
            "control_version": Execution.control_version + 1,
            **_left_behind(end),
        },
    )
    await _fence_log(connection, lease)
    return event


async def _stay_paused(connection: Connection, lease: Lease, end: End, held: _Held, *, actor: str) -> Event:
    """Another attempt may follow, but somebody wants it to stand still: it is made when they let it go on."""
    why = f"The attempt ended, {end.outcome.cause}: {end.outcome.message} Another follows when it is resumed"
    changes = {
        **LET_GO,
        "pause_mode": PauseMode.CHECKPOINT,
        "pause_deadline": None,
        "ran_seconds": 0,
        "control_version": Execution.control_version + 1,
        **_left_behind(end),
    }
    message = f"{why}: {held.pause_by} asked for the pause."
    if held.status is Status.PAUSED:
        event = await repository.note(connection, lease.execution, actor=actor, message=message, changes=changes)
    else:
        event = await repository.move(
            connection,
            lease.execution,
            Status.PAUSED,
            actor=actor,
            epoch=lease.epoch,
            message=message,
            changes=changes,
        )
    await _fence_log(connection, lease)
    return event


async def _pause(connection: Connection, lease: Lease, end: End, held: _Held, *, actor: str) -> Event:
    """It saved a checkpoint: the execution is paused, or goes on from it if the pause was taken back meanwhile."""
    exited_at = func.least(clock(), end.exited_at) if end.exited_at else clock()
    changes = {
        "ran_seconds": ran_until(exited_at),
        "control_version": Execution.control_version + 1,
        **_left_behind(end),
    }
    if held.pause_mode is PauseMode.CHECKPOINT:
        target, message = Status.PAUSED, f"{held.pause_by} asked for it."
        changes |= {**LET_GO, "pause_deadline": None}
    else:
        target, message = Status.QUEUED, "It had saved a checkpoint when the pause was taken back."
        changes |= {**QUEUED_ANEW, **NO_PAUSE, "not_before": None}
    event = await repository.move(
        connection, lease.execution, target, actor=actor, epoch=lease.epoch, message=message, changes=changes
    )
    await _fence_log(connection, lease)
    return event


async def requeue(connection: Connection, lease: Lease, *, actor: str, why: str) -> Event:
    """Give it back: its program provably never ran. A pending stop is not given back, but ended."""
    await update_attempt(
        connection,
        lease,
        {"finished_at": clock(), "may_have_run": False, "message": why, "last_seq": _last_seq(lease)},
    )
    event = await repository.move(
        connection,
        lease.execution,
        Status.QUEUED,
        actor=actor,
        epoch=lease.epoch,
        only_from=(Status.PREPARING,),
        message=why,
        changes=QUEUED_ANEW,
    )
    await _fence_log(connection, lease)
    return event


# Nothing of an attempt stays on a record that it leaves, and its holder writes nothing more: not even if the answer to
# this very commit is lost and it is asked for again.
LET_GO: Mapping[str, Any] = {
    "epoch": Execution.epoch + 1,
    "worker_id": None,
    "phase": None,
    "deadline": None,
    "announced": False,
    **NO_STOP,
}
QUEUED_ANEW: Mapping[str, Any] = {**LET_GO, "queued_at": clock()}


async def _fence_log(connection: Connection, lease: Lease) -> None:
    await connection.execute(
        update(LogHead).where(LogHead.execution_id == lease.execution).values(epoch=lease.epoch + 1)
    )


async def count_given_back(connection: Connection, lease: Lease) -> int:
    """Attempts whose worker went away before it had started the program."""
    given_back = select(func.count()).where(
        Attempt.execution_id == lease.execution, Attempt.may_have_run.is_(False), Attempt.cause.is_(None)
    )
    return (await connection.execute(given_back)).scalar_one()


async def _count_tries(connection: Connection, lease: Lease) -> Tries:
    counts = select(
        # Those that a pause ended go on in the next one.
        func.count().filter(Attempt.may_have_run.is_(True), Attempt.cause.is_not(None)),
        func.count().filter(Attempt.may_have_run.is_(False), Attempt.cause.is_not(None)),
    ).where(Attempt.execution_id == lease.execution)
    return Tries(*(await connection.execute(counts)).one())


def _last_seq(lease: Lease) -> Any:
    return select(LogHead.next_seq - 1).where(LogHead.execution_id == lease.execution).scalar_subquery()


@dataclass(frozen=True, slots=True)
class _Held:
    """What a decision about a held execution needs of it."""

    status: Status
    attempt: int
    stop_reason: StopReason | None
    stop_by: str | None
    stop_final: bool
    pause_mode: PauseMode | None
    pause_by: str | None
    resume_by: str | None
    retries: Retries


async def _lock(connection: Connection, lease: Lease) -> _Held:
    """Keep the record ours until the transaction ends, whatever became of it. Raises `StaleLease`."""
    row = (
        await connection.execute(
            select(*(getattr(Execution, field.name) for field in fields(_Held)))
            .where(Execution.id == lease.execution, Execution.epoch == lease.epoch)
            .with_for_update(key_share=True),
        )
    ).one_or_none()
    if row is None:
        raise StaleLease(f"epoch {lease.epoch} of {lease.execution} has passed")
    return _Held(
        status=Status(row.status),
        attempt=row.attempt,
        stop_reason=StopReason(row.stop_reason) if row.stop_reason else None,
        stop_by=row.stop_by,
        stop_final=row.stop_final,
        pause_mode=PauseMode(row.pause_mode) if row.pause_mode else None,
        pause_by=row.pause_by,
        resume_by=row.resume_by,
        retries=Retries.read(row.retries),
    )
