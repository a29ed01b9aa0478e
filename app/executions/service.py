"""Use cases of executions: submit, find, list, wait and cancel. Each is at most one short transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import func
from uuid_utils.compat import uuid7

from app.auth.service import Caller
from app.bootstrap import Process
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, reading, transaction
from app.db.orm import clock
from app.errors import Conflict, FieldError, InvalidRequest, NotFound, Unavailable
from app.events.protocol import BELL
from app.executions import accepting, listing, repository
from app.executions.attempts import AttemptRecord, list_attempts
from app.executions.model import Event, Limits, Retries, Spec
from app.executions.record import Record
from app.executions.states import ACTIVE, TERMINAL, Cause, Status, StopReason
from app.executions.tables import Execution
from app.idempotency.model import HEADER, Once
from app.idempotency.repository import Original, find_original
from app.listener import Missed, Subscription
from app.logs.protocol import Kind, status_message, unpack_message
from app.pools.model import DEFAULT_POOL
from app.pools.repository import list_names
from app.secrets.model import warnings_of
from app.secrets.vault import Vault

# While hints arrive, looking now and then covers those that Redis lost; without hints, looking is all there is.
POLL_SECONDS = 2.0
POLL_SECONDS_UNHINTED = 0.5
# One finds a known key, two follow a race; more only if keys are forgotten in between.
LOOKS_FOR_A_KEY = 3
# So many pools are listed for whoever names one that is none.
POOLS_NAMED = 20


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
    resume_from: UUID | None = None
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)


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
    async with transaction(process.database) as connection, _known_pool(connection):
        if once is None:
            submitted = Submitted(await _add(connection, caller, draft, process.vault))
        else:
            submitted = await _add_once(connection, caller, draft, process.vault, once)
    crash_here(CrashPoint.ACCEPTED)
    return submitted


async def rehearse(process: Process, caller: Caller, draft: Draft) -> Record:
    """What `submit` would do, by doing it and taking it back. Raises `InvalidRequest`."""
    async with process.database.connect() as connection, _known_pool(connection):  # never committed
        return await _add(connection, caller, draft, process.vault)


def check_key(process: Process, draft: Draft) -> None:
    """Secrets are not kept where nothing can seal them: trying again would not help. Raises `InvalidRequest`."""
    if draft.secrets and not process.vault.has_key:
        message = "cannot be kept by this installation: it has no key to encrypt them with"
        raise InvalidRequest(
            f"`secrets` {message}.",
            hint="Its administrator has to set TAILRACE_SECRET_KEY, for the API and for the workers.",
            fields=[FieldError("secrets", "no_secret_key", message)],
        )


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


async def _add(connection: Connection, caller: Caller, draft: Draft, vault: Vault) -> Record:
    return await accepting.add(connection, await _resolve(connection, caller, draft, vault))


async def _add_once(connection: Connection, caller: Caller, draft: Draft, vault: Vault, once: Once) -> Submitted:
    """The new execution of this key, or the original one, whatever would be refused by now."""
    for _ in range(LOOKS_FOR_A_KEY):
        if original := await find_original(connection, caller.owner, once.key):
            return Submitted(_same(original, once), replayed=True)
        if record := await accepting.add_once(connection, await _resolve(connection, caller, draft, vault), once):
            return Submitted(record)
        # Somebody was faster, and has committed: the next look finds it, unless it is forgotten at this moment.
    raise Unavailable(f"`{HEADER}` is taken and forgotten too fast.", hint="Send it again.")


def _same(original: Original, once: Once) -> Record:
    """The execution of that key. Raises `InvalidRequest` if another body asked for it."""
    if original.body_sha256 not in once.fingerprints:
        message = f"was sent with another body before, which became the execution {original.record.id}"
        hint = "With this key only the same body can be sent again. What is new needs a new key."
        raise InvalidRequest(f"`{HEADER}` {message}.", hint=hint, fields=[FieldError(HEADER, "key_reused", message)])
    return original.record


async def _resolve(connection: Connection, caller: Caller, draft: Draft, vault: Vault) -> accepting.NewExecution:
    """What the draft becomes. Raises `InvalidRequest`."""
    if draft.resume_from is not None:
        await _check_resumable(connection, caller, draft.resume_from)
    new, secrets = uuid7(), {name: value.get_secret_value() for name, value in draft.secrets.items()}
    return accepting.NewExecution(
        id=new,
        owner=caller.owner,
        source="api",
        name=draft.name,
        note=draft.note,
        labels=draft.labels,
        pool=draft.pool,
        priority=draft.priority,
        spec=draft.spec,
        limits=draft.limits,
        retries=draft.retries,
        resumed_from=draft.resume_from,
        warnings=warnings_of(secrets.items()),
        sealed={name: vault.seal(value, execution=new, name=name) for name, value in secrets.items()},
    )


async def _check_resumable(connection: Connection, caller: Caller, execution: UUID) -> None:
    record = await repository.find(connection, execution, owner=caller.sees)
    if record is None:
        raise _not_resumable("not_found", "is not an execution that you can see", "List yours: GET /v1/executions.")
    if not record.is_terminal:
        raise _not_resumable(
            "still_active", f"is still {record.status}", "Cancel it or wait until it has ended, then submit again."
        )
    if not any(attempt.checkpoint_files for attempt in await list_attempts(connection, execution)):
        raise _not_resumable(
            "no_checkpoint",
            "has kept no checkpoint",
            "A program saves one by writing to `/tailrace/checkpoint`. Submit without `resume_from` to start afresh.",
        )


def _not_resumable(code: str, message: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"`resume_from` {message}.", hint=hint, fields=[FieldError("resume_from", code, message)])


async def get(process: Process, caller: Caller, execution: UUID) -> Record:
    """The record. Raises `NotFound`, also for somebody else's."""
    async with reading(process.database) as connection:
        return await _get(connection, execution, caller.sees)


async def _get(connection: Connection, execution: UUID, owner: str | None = None, *, lock: bool = False) -> Record:
    record = await repository.find(connection, execution, owner=owner, lock=lock)
    if record is None:
        raise NotFound(f"There is no execution {execution}.")
    return record


async def get_page(
    process: Process,
    caller: Caller,
    *,
    limit: int,
    before: UUID | None,
    statuses: Collection[Status],
    labels: Mapping[str, str],
) -> tuple[list[Record], bool]:
    """One page, newest first, and whether there are more."""
    async with reading(process.database) as connection:
        records = await listing.list_page(
            connection, limit=limit + 1, before=before, owner=caller.sees, statuses=statuses, labels=labels
        )
    return records[:limit], len(records) > limit


async def get_events(process: Process, caller: Caller, execution: UUID) -> list[Event]:
    """Its history. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await _get(connection, execution, caller.sees)
        return await repository.list_events(connection, execution)


async def get_attempts(process: Process, caller: Caller, execution: UUID) -> list[AttemptRecord]:
    """Its attempts. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await _get(connection, execution, caller.sees)
        return await list_attempts(connection, execution)


async def wait_for_end(
    process: Process, caller: Caller, execution: UUID, *, within: float, is_over: Callable[[], Awaitable[bool]]
) -> Record:
    """The record once it is terminal, the time is over, or nobody wants it any more. Raises `NotFound`.

    No database connection is held between two looks.
    """
    record = await get(process, caller, execution)
    if record.is_terminal or not within:
        return record
    clock = asyncio.get_running_loop().time
    until = clock() + within
    async with process.listener.subscribe(process.channels.execution(execution)) as messages:
        while True:
            record = await get(process, caller, execution)
            left = until - clock()
            if record.is_terminal or left <= 0 or await is_over():
                return record
            poll = POLL_SECONDS if process.listener.connected else POLL_SECONDS_UNHINTED
            await _next_look(messages, within=min(left, poll))


async def _next_look(messages: Subscription, *, within: float) -> None:
    """Return when the status may have changed. Lines of the log come by here too, many a second: not for those."""
    clock = asyncio.get_running_loop().time
    until = clock() + within
    while (left := until - clock()) > 0:
        try:
            message = await messages.get(left)
        except Missed:
            return
        if message is None or unpack_message(message).kind is Kind.STATUS:
            return


async def cancel(process: Process, caller: Caller, execution: UUID, *, force: bool) -> Cancellation:
    """Ask it to stop: at once while queued, else by the ladder of its worker.

    Repeating changes nothing, but `force` brings SIGKILL forward. Raises `NotFound`, and `Conflict` when it has ended
    otherwise.
    """
    async with transaction(process.database) as connection:
        # The lock makes the status we look at the one we move from.
        record = await _get(connection, execution, caller.sees, lock=True)
        event, changed = None, True
        if record.status in TERMINAL:
            _check_was_canceled(record)
            changed = False
        elif record.status is Status.QUEUED:
            event = await _cancel_queued(connection, caller, record)
        elif record.status is Status.STOPPING:
            changed = await _repeat(connection, record, force=force)
        else:
            event = await _begin_stop(connection, caller, record, force=force)
        after = await _get(connection, execution)
    return Cancellation(after, accepted=record.status in ACTIVE, changed=changed, event=event)


def _check_was_canceled(record: Record) -> None:
    if record.status is not Status.CANCELED:
        raise Conflict(
            f"It has ended already: its status is {record.status}.", hint="What has ended cannot be canceled."
        )


async def _cancel_queued(connection: Connection, caller: Caller, record: Record) -> Event:
    return await repository.move(
        connection,
        record.id,
        Status.CANCELED,
        actor=caller.owner,
        only_from={Status.QUEUED},
        cause=Cause.CANCELED_BY_USER,
        message=f"Canceled by {caller.owner} before it was started",
        # Nothing ran since it was queued, so nothing more can be logged.
        changes={"log_complete": func.coalesce(Execution.log_complete, True)},
    )


async def _begin_stop(connection: Connection, caller: Caller, record: Record, *, force: bool) -> Event:
    changes: dict[str, Any] = {
        "stop_reason": StopReason.CANCEL,
        "stop_by": caller.owner,
        "stop_requested_at": clock(),
        "stop_deadline": repository.seconds_from_now(0 if force else record.limits.grace),
        "stop_force": force,
        "stop_final": True,
        "control_version": Execution.control_version + 1,
    }
    return await repository.move(
        connection, record.id, Status.STOPPING, actor=caller.owner, only_from={record.status}, changes=changes
    )


async def _repeat(connection: Connection, record: Record, *, force: bool) -> bool:
    """A repeated request, or one that comes after a timeout: the first reason stays. Whether it changed anything."""
    if record.stop is None or (record.stop.final and record.stop.force >= force):
        return False
    if not record.stop.final:
        await repository.make_stop_final(connection, record.id)
    if force and not record.stop.force:
        await repository.force_stop(connection, record.id)
    return True


async def tell(process: Process, outcome: Cancellation) -> None:
    """Hint the worker that holds it, and everybody who watches it, after the commit."""
    record = outcome.record
    if outcome.changed and record.worker_id is not None and not record.is_terminal:
        await process.hints.control(record.worker_id)
    if outcome.event is not None:
        await process.hints.publish([(record.id, status_message(outcome.event))], to_all=BELL)
