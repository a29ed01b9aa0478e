"""Use cases of schedules: make, find, list, change, delete, and look what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.auth.granting import hold
from app.auth.service import Caller, find_owner
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import Conflict, FieldError, InvalidRequest, NotFound, QuotaExceeded, ServiceError
from app.schedules import judging, repository, targets
from app.schedules.firing import upcoming_columns
from app.schedules.model import Overlap, Rule, Run, RunStatus, ScheduleRecord
from app.schedules.rules import next_firing
from app.schedules.targets import Origin, Target

# Of one owner.
MOST = 1000
# Of one schedule.
MOST_TARGETS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A schedule as it is asked for, every field valid in itself. Without `targets` those stay as they are."""

    name: str
    note: str | None
    labels: Mapping[str, str]
    rule: Rule
    time_input: str | None
    overlap: Overlap
    catch_up: int
    enabled: bool
    targets: Sequence[Target] | None

    def columns(self) -> dict[str, Any]:
        """What is kept of it, but for the targets."""
        return {
            "name": self.name,
            "note": self.note,
            "labels": dict(self.labels),
            "rule": self.rule.model_dump(mode="json", exclude_defaults=True),
            "time_input": self.time_input,
            "overlap": self.overlap,
            "catch_up": self.catch_up,
            "enabled": self.enabled,
        }


async def add(process: Process, caller: Caller, wanted: Wanted) -> ScheduleRecord:
    """A new schedule. Raises `InvalidRequest`, `NotAllowed`, `QuotaExceeded`; `Conflict` for a name that is taken."""
    new = uuid7()
    now = await read_now(process)
    _check_rule(wanted.rule, now)
    sealed = await _judge_targets(process, caller, new, wanted, now)
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        if (used := await repository.count(connection, caller.owner)) >= MOST:
            hint = "Delete some. One schedule may have many targets."
            raise QuotaExceeded(f"`{caller.owner}` has {used} schedules.", hint=hint, used=used, limit=MOST)
        columns = {"id": new, "owner": caller.owner, "set_by": caller.token_id, **wanted.columns(), **sealed}
        if not await repository.add(connection, columns):
            raise _taken(wanted.name)
        await _set_clock(connection, await get_schedule(connection, caller, new))
        record = await get_schedule(connection, caller, new)
    await process.hints.reschedule()
    return record


async def get(process: Process, caller: Caller, schedule: UUID) -> ScheduleRecord:
    """The schedule as it stands. Raises `NotFound`, also for somebody else's."""
    async with reading(process.database) as connection:
        return await get_schedule(connection, caller, schedule)


async def get_schedule(connection: Connection, caller: Caller, schedule: UUID, *, lock: bool = False) -> ScheduleRecord:
    """The same within a transaction."""
    record = await repository.find(connection, schedule, owner=caller.sees, lock=lock)
    if record is None:
        raise NotFound(f"There is no schedule {schedule}.")
    return record


async def get_page(
    process: Process, caller: Caller, *, limit: int, before: UUID | None, enabled: bool | None
) -> tuple[list[ScheduleRecord], bool]:
    """One page, newest first, and whether there are more."""
    async with reading(process.database) as connection:
        records = await repository.list_page(
            connection, limit=limit + 1, before=before, owner=caller.sees, enabled=enabled
        )
    return records[:limit], len(records) > limit


async def change(
    process: Process,
    caller: Caller,
    schedule: UUID,
    wanted_of: Callable[[ScheduleRecord], Wanted],
    *,
    check: Callable[[ScheduleRecord], None],
) -> ScheduleRecord:
    """Change it; `check` raises if it is not to be changed as it stands.

    Another rule counts from now, and so does one that is enabled again. Raises `NotFound`, `InvalidRequest`,
    `NotAllowed`, `Conflict` for a name that is taken, and what `check` raises.
    """
    before = await get(process, caller, schedule)
    wanted, sealed = wanted_of(before), dict[str, Any]()
    if wanted.rule != before.rule:
        _check_rule(wanted.rule, before.now)
    if wanted.targets is not None:
        judged = await _judged(process, caller, before)
        sealed = await _judge_targets(process, judged, schedule, wanted, before.now)
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        record = await get_schedule(connection, caller, schedule, lock=True)
        check(record)
        if record.version != before.version:
            raise Conflict("Somebody else has changed it at this moment.", hint="Look at it again.")
        columns = {**wanted.columns(), **sealed}
        if sealed or wanted.enabled > record.enabled:
            columns["set_by"] = caller.token_id
        restarts = wanted.rule != record.rule or wanted.enabled != record.enabled
        if restarts:
            columns |= {"paused_reason": None, "failures": 0, "next_at": None, "due_at": None, "waiting": False}
        if not await repository.change(connection, schedule, columns):
            raise _taken(wanted.name)
        changed = await get_schedule(connection, caller, schedule)
        if restarts:
            await _set_clock(connection, changed)
            changed = await get_schedule(connection, caller, schedule)
    await process.hints.reschedule()
    return changed


async def delete(process: Process, caller: Caller, schedule: UUID, *, check: Callable[[ScheduleRecord], None]) -> None:
    """It fires no more; what it has submitted stays. Raises `NotFound`, and what `check` raises."""
    async with transaction(process.database) as connection:
        check(await get_schedule(connection, caller, schedule, lock=True))
        await repository.remove(connection, schedule)


async def get_runs(
    process: Process,
    caller: Caller,
    schedule: UUID,
    *,
    limit: int,
    before: datetime | None,
    status: RunStatus | None,
) -> tuple[list[Run], bool]:
    """What came of its firings, newest first, and whether there are more. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await get_schedule(connection, caller, schedule)
        runs = await repository.list_runs(connection, schedule, limit=limit + 1, before=before, status=status)
    return runs[:limit], len(runs) > limit


async def _set_clock(connection: Connection, record: ScheduleRecord) -> None:
    """From now on."""
    if record.enabled:
        await repository.advance(connection, record.id, upcoming_columns(record, after=record.now))


async def _judge_targets(
    process: Process, caller: Caller, schedule: UUID, wanted: Wanted, now: datetime
) -> dict[str, Any]:
    """The targets as they are kept, once all that they would submit now is accepted, which is taken back.

    Raises what a submission raises, but for quotas.
    """
    asked = wanted.targets or ()
    targets.check_size("targets", asked)
    origin = Origin.of_schedule(schedule, now, wanted.time_input)
    await judging.rehearse(process, caller, targets.by_path([target.body for target in asked]), origin)
    secret = await targets.find_secret_inputs(process, caller, targets.by_path(asked))
    kept, sealed = targets.seal(process.vault, schedule, asked, secret)
    might = {"as_admin": caller.may(Scope.ADMIN), "scopes": sorted(caller.scopes)}
    return {"targets": kept, "sealed": sealed, **might}


async def find_reasons(process: Process, caller: Caller, document: Any) -> list[ServiceError]:
    """What speaks against the targets of a schedule that is not valid in itself, or against a change of them."""
    found = document.get("targets") if isinstance(document, dict) else None
    if not isinstance(found, list):
        return []
    origin = Origin("schedule", {}, at=await read_now(process))
    if (time_input := judging.time_input_of(document)) is not None and origin.at is not None:
        origin = replace(origin, inputs={time_input: targets.written(origin.at)})
    return await judging.find_reasons(process, caller, targets.by_path(found[:MOST_TARGETS]), origin)


async def _judged(process: Process, caller: Caller, record: ScheduleRecord) -> Caller:
    """Whose rights count: it fires as its owner, whoever changes it."""
    if caller.owner == record.owner:
        return caller
    async with reading(process.database) as connection:
        return await find_owner(connection, record.owner, most=record.most)


async def read_now(process: Process) -> datetime:
    """The database's time."""
    async with reading(process.database) as connection:
        return await repository.read_clock(connection)


def _check_rule(rule: Rule, now: datetime) -> None:
    if next_firing(rule, now) is None:
        message = "never fires any more"
        raise InvalidRequest(f"`rule` {message}.", fields=[FieldError("rule", "never_fires", message)])


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a schedule `{name}` already.", hint="Change that one, or take another name.")
