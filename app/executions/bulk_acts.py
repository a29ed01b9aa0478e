"""What operations by filter do to some executions in one transaction: to all together where nothing of them runs."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import partial
from uuid import UUID

from app.db.engine import Connection
from app.errors import ServiceError
from app.executions import accepting, archiving, deleting, rerun, service
from app.executions.bulk import Asking, Bulk, Outcome, Result
from app.executions.model import Archive
from app.executions.operations import Operation
from app.executions.record import Record
from app.executions.states import TERMINAL, Status
from app.idempotency.model import Once
from app.methods.catalog import look_up_within

# What tells the rerun of this execution from others, so that it is done only once.
OnceOf = Callable[[UUID], Once]


def cancel(*, force: bool, why: str | None = None) -> Bulk:
    """As `service.cancel`."""
    return Bulk(Operation.FORCE_CANCEL if force else Operation.CANCEL, partial(_cancel, force=force, why=why))


async def _cancel(
    connection: Connection, asking: Asking, records: Sequence[Record], *, force: bool = False, why: str | None = None
) -> list[Outcome]:
    """Those that are queued end at once; the others are asked to stop."""
    outcomes: list[Outcome] = []
    for record in records:
        if record.status is not Status.QUEUED:
            canceled = await service.cancel_locked(connection, asking.caller, record, force=force, why=why)
            outcomes.append(_tell_of_stop(asking, canceled))
    queued = [record.id for record in records if record.status is Status.QUEUED]
    # Last: of batches the rows are locked, one after the other.
    events = await service.cancel_queued(connection, asking.caller, queued, why=why) if queued else {}
    for execution, event in events.items():
        asking.told.note(execution, event)
        outcomes.append(Outcome(execution, Result.DONE, Status.CANCELED))
    return outcomes


def _tell_of_stop(asking: Asking, canceled: service.Cancellation) -> Outcome:
    record = canceled.record
    if canceled.changed and record.worker_id is not None and not record.is_terminal:
        asking.told.workers.add(record.worker_id)
    asking.told.note(record.id, canceled.event)
    done = Result.DONE if record.is_terminal else Result.ACCEPTED
    return Outcome(record.id, done if canceled.changed else Result.UNCHANGED, record.status)


def archive(level: Archive | None) -> Bulk:
    """As `archiving.archive`."""
    return Bulk(Operation.ARCHIVE, partial(_archive, level=level), deleting.lock)


async def _archive(
    connection: Connection, asking: Asking, records: Sequence[Record], *, level: Archive | None
) -> list[Outcome]:
    needing = await archiving.find_needing(connection, records, level=level)
    free = [record for record in records if record.id not in needing]
    events = await archiving.put_aside(connection, asking.caller, free, level=level)
    refused = [
        Outcome(record.id, Result.REFUSED, record.status, error=deleting.needed_by(needing[record.id], asking.caller))
        for record in records
        if record.id in needing
    ]
    return refused + _changed(free, events)


def restore() -> Bulk:
    """As `archiving.restore`."""
    return Bulk(Operation.RESTORE, _restore)


async def _restore(connection: Connection, asking: Asking, records: Sequence[Record]) -> list[Outcome]:
    return _changed(records, await archiving.take_back(connection, asking.caller, records))


def _changed(records: Sequence[Record], events: Container[UUID]) -> list[Outcome]:
    return [
        Outcome(record.id, Result.DONE if record.id in events else Result.UNCHANGED, record.status)
        for record in records
    ]


def delete() -> Bulk:
    """As `deleting.delete_execution`. Those that have not ended are stopped before any is looked at that has."""
    return Bulk(Operation.DELETE, _delete, deleting.lock)


async def _delete(connection: Connection, asking: Asking, records: Sequence[Record]) -> list[Outcome]:
    active = [record for record in records if not record.is_terminal]
    stopped = {outcome.id: outcome for outcome in await _cancel(connection, asking, active)}
    ended = [record.id for record in records if record.is_terminal]
    ended += [outcome.id for outcome in stopped.values() if outcome.status in TERMINAL]
    needing = await deleting.find_needing(connection, ended)
    outcomes: list[Outcome] = []
    later: list[UUID] = []
    gone: list[UUID] = []
    for record in records:
        status = stopped[record.id].status if record.id in stopped else record.status
        if record.is_terminal and record.id in needing:
            refused = deleting.needed_by(needing[record.id], asking.caller)
            outcomes.append(Outcome(record.id, Result.REFUSED, status, error=refused))
        elif status in TERMINAL and record.id not in needing:
            gone.append(record.id)
            outcomes.append(Outcome(record.id, Result.DONE, status))
        elif record.delete_requested_at is None:
            later.append(record.id)
            outcomes.append(Outcome(record.id, Result.ACCEPTED, status))
        else:
            outcomes.append(Outcome(record.id, Result.UNCHANGED, status))
    if later:
        await deleting.ask(connection, asking.caller, later)
    if gone:
        await deleting.remove(connection, gone)
    for execution in gone:
        asking.told.gone(execution)
    return outcomes


def rerun_as(changes: rerun.Changes, once_of: OnceOf | None = None) -> Bulk:
    """As `rerun.rerun`; with what makes each a request of its own, each is run again only once."""

    async def act(connection: Connection, asking: Asking, records: Sequence[Record]) -> list[Outcome]:
        catalog = await look_up_within(
            connection, asking.caller, {name for record in records for name in changes.methods(record)}
        )
        outcomes: list[Outcome] = []
        many: list[rerun.Again] = []
        for record in records:
            if once_of and (known := await _find_rerun(connection, asking, record, once_of(record.id))):
                outcomes.append(known)
                continue
            try:
                many.append(rerun.prepare(asking.process, record, changes, catalog))
            except ServiceError as refused:
                outcomes.append(Outcome(record.id, Result.REFUSED, record.status, error=refused))
        return outcomes + (await _rerun(connection, asking, many, once_of) if many else [])

    return Bulk(Operation.RERUN, act, _lock_nothing, backwards=True)


async def _rerun(
    connection: Connection, asking: Asking, many: Sequence[rerun.Again], once_of: OnceOf | None
) -> list[Outcome]:
    # All at once, so that it is in the order of their ids.
    kept = await rerun.keep(connection, asking.process, asking.caller, many)
    if once_of is None:
        became = await rerun.accept_all(connection, asking.process, asking.caller, many, kept)
    else:
        became = {again.record.id: await _rerun_once(connection, asking, again, kept, once_of) for again in many}
    made = [each for each in became.values() if isinstance(each, UUID)]
    if asking.once is not None and made:
        # The key of the whole request stands for the first that it has made.
        await accepting.add_key(connection, asking.caller.owner, asking.once, made[0])
    outcomes: list[Outcome] = []
    for again in many:
        record, result = again.record, became[again.record.id]
        if isinstance(result, UUID):
            asking.told.pools.add(again.draft.pool)
            outcomes.append(Outcome(record.id, Result.DONE, record.status, rerun=result))
        else:
            outcomes.append(Outcome(record.id, Result.REFUSED, record.status, error=result))
    return outcomes


async def _rerun_once(
    connection: Connection, asking: Asking, again: rerun.Again, kept: rerun.Kept, once_of: OnceOf
) -> UUID | ServiceError:
    """Nothing is written before it is refused."""
    once = once_of(again.record.id)
    try:
        submitted = await rerun.accept(connection, asking.process, asking.caller, again, kept, once=once)
    except ServiceError as refused:
        return refused
    return submitted.record.id


async def _find_rerun(connection: Connection, asking: Asking, record: Record, once: Once) -> Outcome | None:
    """Nothing is judged again of what was accepted before. Raises `InvalidRequest` if another body had the key."""
    known = await service.find_submitted(connection, asking.caller, once)
    return Outcome(record.id, Result.DONE, record.status, rerun=known.record.id) if known else None


async def _lock_nothing(_connection: Connection, _executions: Sequence[UUID]) -> None:
    """A rerun keeps what it refers to, in the order of ids, and what that is it finds out itself."""
