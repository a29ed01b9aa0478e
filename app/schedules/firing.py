"""The use case of firing: once per logical time, whoever tries, however often and after whatever crash.

What is submitted and the note of it are one transaction, under the lock of the schedule's row, which says what the next
firing is. Whoever finds another one there, or this one noted already, does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from app.auth.service import Caller, find_owner
from app.auth.tokens import Scope
from app.batches import service as batches
from app.batches.pacing import SYSTEM
from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, is_outage, reading, transaction
from app.errors import Conflict, NotFound, ServiceError
from app.executions import bulk, bulk_acts
from app.explaining import problem_of
from app.schedules import repository, targets
from app.schedules.model import Overlap, Run, RunStatus, ScheduleRecord, SkipReason, is_zone
from app.schedules.rules import due, due_time, next_firing
from app.schedules.targets import Accepted, Origin, Prepared
from app.secrets.vault import NoKey, WrongKey

log = structlog.get_logger(__name__)

# So many failures in a row, and it is paused.
PAUSED_AFTER = 10
# A firing that waits for what runs is looked at again after so many seconds.
LOOK_AGAIN_AFTER = 2.0
# Of what is to be replaced, so many are asked to stop at a time.
STOPPED_AT_ONCE = 1000
# So many firings of one by hand are under way in a process, and none of them waits for longer than so many seconds.
BY_HAND_AT_ONCE = 5
WAIT_FOR = 10.0
_WHY_STOPPED = "Its schedule has fired again, and replaces it."
_NOTHING = Accepted((), frozenset())


@dataclass(frozen=True, slots=True)
class _Intent:
    """A firing that is to be made: as whom and what, or why not. Nothing has been locked or written for it."""

    at: datetime
    caller: Caller
    prepared: Sequence[Prepared] = ()
    refused: ServiceError | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look at a schedule: what was noted, and whether another firing may be due.

    `late` is for how many seconds what it has made was due; None if it has made nothing, or waited for what ran.
    """

    runs: Sequence[Run] = ()
    more: bool = False
    late: float | None = None


@dataclass(slots=True)
class _Made:
    """What one transaction has made and noted."""

    accepted: Accepted = _NOTHING
    runs: list[Run] = field(default_factory=list)


async def fire_due(process: Process, schedule: UUID) -> Looked:
    """Make the firing that is due, if one is. Raises what the database raises."""
    async with reading(process.database) as connection:
        record = await repository.find(connection, schedule)
    if record is None or record.next_at is None or record.due_at is None or record.due_at > record.now:
        return Looked()
    if not is_zone(record.rule.time_zone):
        await _pause(process, record, f"The time zone `{record.rule.time_zone}` is not known here any more.")
        return Looked()
    what = due(
        record.rule,
        record.id,
        record.next_at,
        record.now,
        catch_up=record.catch_up,
        overlap=record.overlap,
        waiting=record.waiting,
    )
    if what.fire is None:
        return Looked(await _pass_over(process, record, missed=what.missed))
    return await _fire(process, record, what.fire, missed=what.missed)


async def go_back(process: Process, schedule: UUID) -> None:
    """Go on from now with one that is ahead of the clock; what it has made it does not make again."""
    async with transaction(process.database) as connection:
        record = await repository.find(connection, schedule, lock=True)
        if record is None or record.next_at is None or not is_zone(record.rule.time_zone):
            return
        if record.last_at is not None and record.last_at > record.now:
            await repository.advance(connection, record.id, _onward(record, record.now))


async def fire_now(process: Process, record: ScheduleRecord) -> Run:
    """Submit its targets at once, whatever its rule says and whatever runs. Raises what a submission raises."""
    # They would wait for the row's lock one after the other, each with a connection.
    async with process.turns.one(record.id, most=BY_HAND_AT_ONCE, within=WAIT_FOR):
        return await _fire_now(process, record)


async def _fire_now(process: Process, known: ScheduleRecord) -> Run:
    # At its turn, not when it came: several may have come at the same moment.
    async with reading(process.database) as connection:
        record = await _unchanged(connection, known)
    intent = await _intend(process, record, record.now)
    if intent.refused is not None:
        raise intent.refused
    async with transaction(process.database) as connection:
        await _unchanged(connection, record, lock=True)
        accepted = await targets.accept(connection, process, intent.caller, intent.prepared)
        run = await repository.add_run(connection, record.id, _run_of(intent.at, accepted, manual=True))
        if run is None:
            raise Conflict("It was fired at this very moment already.", hint="Its runs have it: GET …/runs.")
    await _ring(process, accepted)
    return run


async def _unchanged(connection: Connection, known: ScheduleRecord, *, lock: bool = False) -> ScheduleRecord:
    """It as it is now. Raises `NotFound`, and `Conflict` if somebody has changed it."""
    record = await repository.find(connection, known.id, lock=lock)
    if record is None:
        raise NotFound(f"There is no schedule {known.id}.")
    if record.version != known.version:
        raise Conflict("Somebody has changed it at this moment.", hint="Look at it again.")
    return record


async def _fire(process: Process, record: ScheduleRecord, at: datetime, *, missed: bool) -> Looked:
    if record.waiting and await _waits_on(process, record):
        return Looked()
    intent = await _intend(process, record, at)
    made = _Made()
    async with transaction(process.database) as connection:
        if not await _is_next(connection, record):
            return Looked(more=True)
        busy = record.overlap is not Overlap.ALLOW and await repository.is_busy(connection, record.id)
        waits = busy and record.overlap is not Overlap.SKIP
        if waits:
            await repository.wait(connection, record.id, seconds=LOOK_AGAIN_AFTER)
        else:
            made = await _make(connection, process, record, intent, busy=busy, missed=missed)
    await _ring(process, made.accepted)
    if waits and record.overlap is Overlap.REPLACE:
        await _stop_active(process, record.id)
    return Looked(made.runs, more=not waits, late=_lateness(record, made.runs))


def _lateness(record: ScheduleRecord, runs: Sequence[Run]) -> float | None:
    fired = next((run for run in runs if run.status is RunStatus.FIRED), None)
    if fired is None or fired.noted_at is None or record.waiting:
        return None
    return max(0.0, (fired.noted_at - due_time(record.rule, record.id, fired.at)).total_seconds())


async def _waits_on(process: Process, record: ScheduleRecord) -> bool:
    """Looked at first: what waits for long need not be prepared again and again."""
    async with transaction(process.database) as connection:
        if not await repository.is_busy(connection, record.id):
            return False
        if await _is_next(connection, record):
            await repository.wait(connection, record.id, seconds=LOOK_AGAIN_AFTER)
    if record.overlap is Overlap.REPLACE:
        await _stop_active(process, record.id)
    return True


async def _make(
    connection: Connection, process: Process, record: ScheduleRecord, intent: _Intent, *, busy: bool, missed: bool
) -> _Made:
    """What is due, unless it was before, with the note of it; what runs before it keeps it from being submitted."""
    made = _Made()
    if missed:
        await _note(connection, record, _missed(record, until=intent.at), made)
    if await repository.is_noted(connection, record.id, intent.at):
        await repository.advance(connection, record.id, _onward(record, intent.at))
        return made
    if busy:
        message = "What it submitted before has not ended."
        run = Run(at=intent.at, status=RunStatus.SKIPPED, reason=SkipReason.OVERLAP, message=message)
    else:
        made.accepted, run = await _submit(connection, process, intent)
    await _note(connection, record, run, made)
    await _go_on(connection, record, run)
    return made


async def _note(connection: Connection, record: ScheduleRecord, run: Run, made: _Made) -> None:
    noted = await repository.add_run(connection, record.id, run)
    if noted is not None:
        made.runs.append(noted)


async def _intend(process: Process, record: ScheduleRecord, at: datetime) -> _Intent:
    """All that takes no lock. What is wrong with it is part of the answer, but for the database's outages."""
    async with reading(process.database) as connection:
        caller = await find_owner(connection, record.owner, most=record.most)
    try:
        caller.require(Scope.SUBMIT, to="submit what your schedules fire")
        bodies = targets.by_path(targets.unseal(process.vault, record.id, record.targets, record.sealed))
        origin = Origin.of_schedule(record.id, at, record.time_input)
        prepared = await targets.prepare(process, caller, bodies, origin)
    except ServiceError as refused:
        return _Intent(at, caller, refused=refused)
    except (NoKey, WrongKey):
        return _Intent(
            at, caller, refused=Conflict("Its secrets were sealed with a key that is not set here any more.")
        )
    except Exception as error:
        if is_outage(error) or being_cancelled():
            raise
        return _Intent(at, caller, refused=_of_mistake(error))
    return _Intent(at, caller, prepared)


async def _submit(connection: Connection, process: Process, intent: _Intent) -> tuple[Accepted, Run]:
    """All targets or none, and what came of it. Raises only what the database raises when it is away."""
    refused = intent.refused
    if refused is None:
        try:
            async with connection.begin_nested():
                accepted = await targets.accept(connection, process, intent.caller, intent.prepared)
            return accepted, _run_of(intent.at, accepted)
        except ServiceError as error:
            refused = error
        except Exception as error:
            if is_outage(error) or being_cancelled():
                raise
            refused = _of_mistake(error)
    return _NOTHING, Run(at=intent.at, status=RunStatus.FAILED, message=refused.detail, problem=problem_of(refused))


def _of_mistake(error: Exception) -> ServiceError:
    """A mistake of ours is to stop this schedule at most, and no other."""
    log.error("schedule.failed", exc_info=error)
    return ServiceError("Something went wrong on our side; our log has the details.")


def _run_of(at: datetime, accepted: Accepted, *, manual: bool = False) -> Run:
    if accepted.made:
        return Run(at=at, status=RunStatus.FIRED, manual=manual, made=accepted.made)
    message = "No execution matches any more what its batch is to be about."
    reason = SkipReason.NOTHING_MATCHES
    return Run(at=at, status=RunStatus.SKIPPED, manual=manual, reason=reason, message=message)


async def _pass_over(process: Process, record: ScheduleRecord, *, missed: bool) -> list[Run]:
    """Nothing is to be made of what is due: it is too late for it, or too early after all. What was noted."""
    made = _Made()
    async with transaction(process.database) as connection:
        if not await _is_next(connection, record):
            return made.runs
        if missed:
            await _note(connection, record, _missed(record, until=record.now), made)
            await repository.advance(connection, record.id, _onward(record, record.now))
        elif record.next_at is not None:
            again = {"due_at": due_time(record.rule, record.id, record.next_at), "waiting": False}
            await repository.advance(connection, record.id, again)
    return made.runs


async def _pause(process: Process, record: ScheduleRecord, reason: str) -> None:
    async with transaction(process.database) as connection:
        if await _is_next(connection, record):
            await repository.pause(connection, record.id, reason, {})


async def _is_next(connection: Connection, record: ScheduleRecord) -> bool:
    """Whether the schedule is as we have read it, and its next firing still this one; it stays so, then."""
    now = await repository.find(connection, record.id, lock=True)
    return now is not None and (now.version, now.next_at) == (record.version, record.next_at)


def _missed(record: ScheduleRecord, *, until: datetime) -> Run:
    assert record.next_at is not None  # noqa: S101 - else nothing is due
    message = f"What came due from then until {until:%Y-%m-%d %H:%M:%S} UTC was missed, and is not made up."
    return Run(at=record.next_at, status=RunStatus.SKIPPED, reason=SkipReason.MISSED, message=message)


def _onward(record: ScheduleRecord, at: datetime) -> dict[str, Any]:
    """To the next firing behind this time, which was the last to be looked at."""
    return {**upcoming_columns(record, after=at), "last_at": at}


def upcoming_columns(record: ScheduleRecord, *, after: datetime) -> dict[str, Any]:
    """When it fires next."""
    at = next_firing(record.rule, after)
    return {
        "next_at": at,
        "due_at": None if at is None else due_time(record.rule, record.id, at),
        "waiting": False,
    }


async def _go_on(connection: Connection, record: ScheduleRecord, run: Run) -> None:
    """To the next firing, unless this was one failure too many."""
    failures = {RunStatus.FIRED: 0, RunStatus.FAILED: record.failures + 1}.get(run.status, record.failures)
    onward = {**_onward(record, run.at), "failures": failures}
    if run.status is RunStatus.FAILED and failures >= PAUSED_AFTER:
        reason = f"It failed {failures} times in a row, at last so: {run.message}"
        await repository.pause(connection, record.id, reason, onward)
    else:
        await repository.advance(connection, record.id, onward)


async def _ring(process: Process, accepted: Accepted) -> None:
    """Wake who may take what was accepted, after the commit."""
    if accepted.made:
        crash_here(CrashPoint.ACCEPTED)
    for pool in sorted(accepted.pools):
        await process.hints.ring(pool)


async def _stop_active(process: Process, schedule: UUID) -> None:
    """Ask everything that the schedule has submitted to stop; who is asked already is not disturbed."""
    caller = Caller(SYSTEM, frozenset({Scope.ADMIN}))
    async with reading(process.database) as connection:
        alone, together = await repository.list_unstopped(connection, schedule, most=STOPPED_AT_ONCE)
    asking = bulk.Asking(process, caller)
    await bulk.carry_out(asking, bulk_acts.cancel(force=False, why=_WHY_STOPPED), alone)
    await asking.told.send(process)
    for batch in together:
        # It may have ended, or be deleted, meanwhile.
        with suppress(Conflict, NotFound):
            await batches.cancel(process, caller, batch, force=False)
