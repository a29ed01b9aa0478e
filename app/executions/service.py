"""Use cases of executions: submit, find, list, wait and cancel. Each is at most one short transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import func
from uuid_utils.compat import uuid7

from app.audit import acts
from app.audit import repository as audit
from app.audit.model import Entry
from app.auth.service import Caller
from app.auth.tokens import Scope
from app.batches import pacing
from app.batches.pacing import SYSTEM
from app.bootstrap import Process
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, reading, transaction
from app.db.orm import clock
from app.errors import FieldError, InvalidRequest, NotAllowed, Unavailable
from app.events.protocol import BELL
from app.executions import accepting, listing, repository
from app.executions.attempts import AttemptRecord, list_attempts
from app.executions.filters import Filter
from app.executions.finding import get_record
from app.executions.intents import NO_PAUSE
from app.executions.listing import Place, Sort
from app.executions.model import Event, Lane, Limits, MethodRef, Retries, Spec
from app.executions.operations import Operation, is_due
from app.executions.outlook import UNKNOWN, Outlook, foresee
from app.executions.record import Record
from app.executions.resuming import check_resumable
from app.executions.states import ACTIVE, Cause, PauseMode, Status, StopReason
from app.executions.tables import Execution
from app.files import referring
from app.idempotency.model import HEADER, Once
from app.idempotency.repository import Original, find_original
from app.logs.protocol import status_message
from app.policy.judging import within_policy
from app.pools.model import DEFAULT_POOL
from app.pools.repository import list_names
from app.quotas import admission
from app.secrets.confiding import confide
from app.secrets.model import warnings_of
from app.webhooks.asked import Asked, rows_of

# One finds a known key, two follow a race; more only if keys are forgotten in between.
LOOKS_FOR_A_KEY = 3
# So many pools are listed for whoever names one that is none.
POOLS_NAMED = 20
# What is written with a cancellation of what nobody holds: nothing ran since, so nothing more can be logged.
_AT_ONCE: Mapping[str, Any] = {"log_complete": func.coalesce(Execution.log_complete, True), **NO_PAUSE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A submission whose every field is valid in itself."""

    spec: Spec
    limits: Limits
    retries: Retries
    name: str | None = None
    note: str | None = None
    labels: Mapping[str, str]
    pool: str = DEFAULT_POOL
    priority: int = 0
    lane: Lane = Lane.NORMAL
    hold: bool = False
    not_before: datetime | None = None
    resume_from: UUID | None = None
    rerun_of: UUID | None = None
    source: str = "api"
    schedule: UUID | None = None
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    webhooks: tuple[Asked, ...] = ()

    def by(self, method: MethodRef) -> Draft:
        """The same, of a method."""
        return replace(self, spec=self.spec.model_copy(update={"method": method}))

    @property
    def stands_alone(self) -> bool:
        """Whether it is all in its record: nothing has to be looked up or kept beside. Of a new field it is not."""
        return all(getattr(self, name) == none for name, none in _BESIDE) and all(
            getattr(self.spec, name) == none for name, none in _BESIDE_IN_SPEC
        )


_ALONE = {"spec", "limits", "retries", "name", "note", "labels", "pool", "priority", "lane", "hold", "not_before"}
_ALONE_IN_SPEC = {"image", "command", "entrypoint", "env", "inputs", "workdir", "user", "stop_signal", "network"}
_ALONE_IN_SPEC |= {"runtime", "image_policy", "archive", "setup", "teardown", "exit_codes", "outputs", "keep_workspace"}
_NOTHING = Draft(spec=Spec(image="none"), limits=Limits(), retries=Retries(), labels={})
_BESIDE = [(name, getattr(_NOTHING, name)) for name in Draft.__slots__ if name not in _ALONE]
_BESIDE_IN_SPEC = [(name, getattr(_NOTHING.spec, name)) for name in Spec.model_fields if name not in _ALONE_IN_SPEC]


@dataclass(frozen=True, slots=True)
class Submitted:
    """The record after a submission; `replayed` says that it is that of an earlier one, as it stands now."""

    record: Record
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The record after a request to cancel. `accepted` says that it was not over yet, `event` is the move it caused."""

    record: Record
    accepted: bool
    changed: bool
    event: Event | None = None


async def submit(process: Process, caller: Caller, draft: Draft, *, once: Once | None = None) -> Submitted:
    """Accept, durably; with `once` only if that has not been done. Raises `InvalidRequest`."""
    if once is None and draft.stands_alone and not admission.is_judged(caller, process.settings):
        new = prepare(caller, draft, process)
        kind, item = (submit, draft.pool), (new, acts.entry_of_new(f"executions/{new.id}"))
        size, serve = len(new.spec.model_dump_json()), partial(_add_together, process)
        submitted = Submitted(await process.gathering.add(kind, item, serve, size=size))
    else:
        async with transaction(process.database) as connection:
            submitted = await accept(connection, process, caller, draft, once=once)
            entry = None if submitted.replayed else acts.entry_of_new(f"executions/{submitted.record.id}")
            await audit.add(connection, [entry] if entry else [])
    acts.note_written()
    crash_here(CrashPoint.ACCEPTED)
    return submitted


async def _add_together(process: Process, many: list[tuple[accepting.NewExecution, Entry | None]]) -> list[Record]:
    """Accept those who came at the same time for the same pool, in one transaction. Raises `InvalidRequest`."""
    entries = [entry for _, entry in many if entry]
    async with transaction(process.database) as connection, _known_pool(connection):
        return await accepting.add_together(connection, many[0][0].pool, [new for new, _ in many], entries)


async def rehearse(process: Process, caller: Caller, draft: Draft) -> Record:
    """What `submit` would do, by doing it and taking it back. Raises `InvalidRequest`."""
    async with process.database.connect() as connection:  # never committed
        return (await accept(connection, process, caller, draft)).record


async def accept(
    connection: Connection, process: Process, caller: Caller, draft: Draft, *, once: Once | None = None
) -> Submitted:
    """`submit` within the caller's transaction. Raises `InvalidRequest`, `NotAllowed` and `QuotaExceeded`."""
    await admission.wait_for_turn(connection, caller, process.settings)
    async with _known_pool(connection):
        if once is None:
            return Submitted(await _add(connection, caller, draft, process))
        return await _add_once(connection, caller, draft, process, once)


def check_lane(caller: Caller, draft: Draft) -> None:
    """Raises `NotAllowed`."""
    if draft.lane is Lane.HIGH:
        _check_admin(caller, "lane", "`lane: high`")


def check_workspace(caller: Caller, draft: Draft) -> None:
    """Raises `NotAllowed`."""
    if draft.spec.keep_workspace:
        _check_admin(caller, "keep_workspace", "`keep_workspace`")


def _check_admin(caller: Caller, field: str, what: str) -> None:
    try:
        caller.require(Scope.ADMIN, to=f"use {what}")
    except NotAllowed as refused:
        refused.fields = (FieldError(field, "not_allowed", "needs a token with the scope `admin`"),)
        raise


def check_key(process: Process, secrets: Collection[str], webhooks: Iterable[Asked]) -> None:
    """Secrets are not kept where nothing can seal them: trying again would not help. Raises `InvalidRequest`."""
    confided = {"secrets": bool(secrets), "webhooks": any(each.secret for each in webhooks)}
    if any(confided.values()) and not process.vault.has_key:
        message = "cannot be kept by this installation: it has no key to encrypt them with"
        refused = InvalidRequest.of(
            [FieldError(where, "no_secret_key", message) for where, is_ in confided.items() if is_]
        )
        refused.hint = "Its administrator has to set TAILRACE_SECRET_KEY, for the API and for the workers."
        raise refused


async def check_pool(connection: Connection, pool: str) -> None:
    """Whether there is this pool. Raises `InvalidRequest`."""
    async with _known_pool(connection):
        if not await accepting.lock_pools(connection, [pool]):
            raise accepting.NoSuchPool(pool)


@asynccontextmanager
async def _known_pool(connection: Connection) -> AsyncIterator[None]:
    """Say which pools there are to whoever names one that is none."""
    try:
        yield
    except accepting.NoSuchPool as unknown:
        message = f"names a pool that does not exist: `{unknown}`"
        names = ", ".join(f"`{name}`" for name in await list_names(connection, most=POOLS_NAMED))
        raise InvalidRequest(
            f"`pool` {message}.",
            hint=f"There are: {names}. All of them: GET /v1/pools.",
            fields=[FieldError("pool", "unknown_pool", message)],
        ) from unknown


async def _add(connection: Connection, caller: Caller, draft: Draft, process: Process) -> Record:
    return await accepting.add(connection, await resolve(connection, caller, draft, process))


async def _add_once(connection: Connection, caller: Caller, draft: Draft, process: Process, once: Once) -> Submitted:
    """The new execution of this key, or the original one, whatever would be refused by now."""
    for _ in range(LOOKS_FOR_A_KEY):
        if submitted := await find_submitted(connection, caller, once):
            return submitted
        if record := await accepting.add_once(connection, await resolve(connection, caller, draft, process), once):
            return Submitted(record)
        # Somebody was faster, and has committed: the next look finds it, unless it is forgotten at this moment.
    raise Unavailable(f"`{HEADER}` is taken and forgotten too fast.", hint="Send it again.")


async def find_submitted(connection: Connection, caller: Caller, once: Once) -> Submitted | None:
    """What was accepted with this key before, if anything. Raises `InvalidRequest` if another body asked for it."""
    original = await find_original(connection, caller.owner, once.key)
    return Submitted(_same(original, once), replayed=True) if original else None


async def find_before(process: Process, caller: Caller, once: Once) -> Submitted | None:
    """The same as it is committed. Raises the same."""
    async with reading(process.database) as connection:
        return await find_submitted(connection, caller, once)


def _same(original: Original, once: Once) -> Record:
    """The execution of that key. Raises `InvalidRequest` if another body asked for it."""
    if original.body_sha256 not in once.fingerprints:
        message = f"was sent with another body before, which became the execution {original.record.id}"
        hint = "With this key only the same body can be sent again. What is new needs a new key."
        raise InvalidRequest(f"`{HEADER}` {message}.", hint=hint, fields=[FieldError(HEADER, "key_reused", message)])
    return original.record


async def resolve(
    connection: Connection, caller: Caller, draft: Draft, process: Process, *, ahead: int = 0
) -> accepting.NewExecution:
    """What the draft becomes; so many more are to be added before it. Raises `InvalidRequest` and `QuotaExceeded`."""
    if draft.resume_from is not None:
        await repository.keep(connection, [draft.resume_from])
        await check_resumable(connection, caller, draft.resume_from)
    if draft.spec.files:
        await referring.check(connection, draft.spec, owner=caller.sees)
    new = await confide(connection, process.vault, prepare(caller, draft, process))
    await admission.check_room(connection, caller, process.settings, ahead=ahead)
    return new


def prepare(caller: Caller, draft: Draft, process: Process) -> accepting.NewExecution:
    """The same, as far as nothing has to be looked up for it. Raises `InvalidRequest` and `NotAllowed`."""
    check_lane(caller, draft)
    check_workspace(caller, draft)
    referring.check_urls(draft.spec, process.settings)
    limits = within_policy(process, caller, draft.spec, draft.limits)
    admission.check_fits(caller, limits)
    new, secrets = uuid7(), {name: value.get_secret_value() for name, value in draft.secrets.items()}
    return accepting.NewExecution(
        id=new,
        owner=caller.owner,
        source=draft.source,
        name=draft.name,
        note=draft.note,
        labels=draft.labels,
        pool=draft.pool,
        priority=draft.priority,
        lane=draft.lane,
        hold=draft.hold,
        not_before=draft.not_before,
        spec=draft.spec,
        limits=limits,
        retries=draft.retries,
        resumed_from=draft.resume_from,
        rerun_of=draft.rerun_of,
        schedule=draft.schedule,
        warnings=warnings_of(secrets.items()),
        sealed={name: process.vault.seal(value, execution=new, name=name) for name, value in secrets.items()},
        webhooks=rows_of(process, caller.owner, draft.webhooks, execution=new),
    )


async def get(process: Process, caller: Caller, execution: UUID) -> Record:
    """The record. Raises `NotFound`, also for somebody else's."""
    async with reading(process.database) as connection:
        return await get_record(connection, execution, caller.sees)


async def look_ahead(process: Process, record: Record) -> Outlook:
    """What can be said of it beyond the record."""
    if record.is_terminal:
        return UNKNOWN
    async with reading(process.database) as connection:
        return await foresee(connection, record)


async def get_page(
    process: Process,
    caller: Caller,
    wanted: Filter,
    *,
    limit: int,
    sort: Sort,
    after: Place | None,
) -> tuple[list[Record], bool]:
    """One page, and whether there are more. Raises `InvalidRequest` for filters that only an admin may use."""
    visible = wanted.within(caller.sees)
    async with reading(process.database) as connection:
        records = await listing.list_page(connection, visible, limit=limit + 1, sort=sort, after=after)
    return records[:limit], len(records) > limit


async def get_events(process: Process, caller: Caller, execution: UUID) -> list[Event]:
    """Its history. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await get_record(connection, execution, caller.sees)
        return await repository.list_events(connection, execution)


async def get_attempts(process: Process, caller: Caller, execution: UUID) -> list[AttemptRecord]:
    """Its attempts. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await get_record(connection, execution, caller.sees)
        return await list_attempts(connection, execution)


async def cancel(
    process: Process, caller: Caller, execution: UUID, *, force: bool, why: str | None = None
) -> Cancellation:
    """Ask it to stop: at once while queued, else by the ladder of its worker. `why` is a sentence for its message.

    Repeating changes nothing, but `force` brings SIGKILL forward. Raises `NotFound`, and `Conflict` when it has ended
    otherwise.
    """
    async with transaction(process.database) as connection:
        # The lock makes the status we look at the one we move from.
        record = await get_record(connection, execution, caller.sees, lock=True)
        return await cancel_locked(connection, caller, record, force=force, why=why)


async def cancel_locked(
    connection: Connection, caller: Caller, record: Record, *, force: bool, why: str | None = None
) -> Cancellation:
    """`cancel` for whoever holds the row's lock. Raises `Conflict`."""
    event, changed = None, True
    operation = Operation.FORCE_CANCEL if force else Operation.CANCEL
    if not is_due(operation, record.status, record.pause_mode):
        changed = False
    elif record.status is Status.QUEUED:
        event = await _cancel_at_once(connection, caller, record, "before it was started", why)
    elif record.status is Status.PAUSED and record.pause_mode is PauseMode.CHECKPOINT:
        event = await _cancel_at_once(connection, caller, record, "while it was paused", why)
    elif record.status is Status.STOPPING:
        event = await _repeat(connection, caller, record, force=force)
        changed = event is not None
    else:
        event = await _begin_stop(connection, caller, record, force=force, why=why)
    after = await get_record(connection, record.id)
    return Cancellation(after, accepted=record.status in ACTIVE, changed=changed, event=event)


async def _cancel_at_once(connection: Connection, caller: Caller, record: Record, when: str, why: str | None) -> Event:
    """Nobody holds it."""
    return await repository.move(
        connection,
        record.id,
        Status.CANCELED,
        actor=caller.owner,
        only_from={record.status},
        cause=_cause_of(caller),
        message=f"Canceled by {caller.owner} {when}" + (f". {why}" if why else ""),
        changes=_AT_ONCE,
    )


def _cause_of(caller: Caller) -> Cause:
    return Cause.CANCELED_BY_SYSTEM if caller.owner == SYSTEM else Cause.CANCELED_BY_USER


async def cancel_queued(
    connection: Connection, caller: Caller, queued: Collection[UUID], *, why: str | None = None
) -> dict[UUID, Event]:
    """`cancel` for several that are queued, and whose rows the caller has locked; the moves."""
    message = f"Canceled by {caller.owner} before it was started" + (f". {why}" if why else "")
    events = await repository.move_queued(
        connection,
        queued,
        target=Status.CANCELED,
        actor=caller.owner,
        cause=_cause_of(caller),
        messages=dict.fromkeys(queued, message),
        changes=_AT_ONCE,
    )
    # In the order of their ids: others lock several, too.
    for batch in sorted({event.batch for event in events.values() if event.batch is not None}):
        await pacing.open_all(connection, batch)
    return events


async def _begin_stop(connection: Connection, caller: Caller, record: Record, *, force: bool, why: str | None) -> Event:
    changes: dict[str, Any] = {
        "stop_reason": StopReason.CANCEL,
        "stop_by": caller.owner,
        "stop_requested_at": clock(),
        "stop_deadline": repository.seconds_from_now(0 if force else record.limits.grace),
        "stop_force": force,
        "stop_final": True,
        "stop_why": why,
        "control_version": Execution.control_version + 1,
        # A cancellation takes the place of a request to pause.
        **NO_PAUSE,
    }
    return await repository.move(
        connection,
        record.id,
        Status.STOPPING,
        actor=caller.owner,
        only_from={record.status},
        message=why,
        changes=changes,
    )


async def _repeat(connection: Connection, caller: Caller, record: Record, *, force: bool) -> Event | None:
    """A repeated request, or one that comes after a timeout: the first reason stays. None if it changed nothing."""
    if record.stop is None or (record.stop.final and record.stop.force >= force):
        return None
    if not record.stop.final:
        await repository.make_stop_final(connection, record.id)
    if force and not record.stop.force:
        await repository.force_stop(connection, record.id)
        message = f"{caller.owner} asked to kill it at once."
    else:
        message = f"{caller.owner} asked for a stop as well: no attempt follows."
    return await repository.note(connection, record.id, actor=caller.owner, message=message)


async def tell(process: Process, outcome: Cancellation) -> None:
    """Hint the worker that holds it, and everybody who watches it, after the commit."""
    record = outcome.record
    if outcome.changed and record.worker_id is not None and not record.is_terminal:
        await process.hints.control(record.worker_id)
    if outcome.event is not None:
        await process.hints.publish([(record.id, status_message(outcome.event))], to_all=BELL)
