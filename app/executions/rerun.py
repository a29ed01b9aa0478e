"""Running again what has ended: a new execution, by what is on the record and what is asked for otherwise."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from app.auth.service import Caller
from app.batches.repository import copy_needs
from app.bootstrap import Process
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, transaction
from app.executions import repository, service
from app.executions.finding import get_record
from app.executions.operations import Operation, is_due
from app.executions.record import Record
from app.executions.service import Draft, Submitted
from app.idempotency.model import Once

# What an execution becomes when it is run again; raises what a body raises that is not valid.
DraftOf = Callable[[Record], Draft]


async def rerun(
    process: Process, caller: Caller, execution: UUID, draft_of: DraftOf, *, once: Once | None = None
) -> Submitted:
    """Accept it anew, durably; with `once` only if that has not been done.

    Raises `NotFound`, `Conflict` when it has not ended, and `InvalidRequest`.
    """
    async with transaction(process.database) as connection:
        submitted = await _again(connection, process, caller, execution, draft_of, once)
    crash_here(CrashPoint.ACCEPTED)
    return submitted


async def rehearse(process: Process, caller: Caller, execution: UUID, draft_of: DraftOf) -> Record:
    """What `rerun` would do, by doing it and taking it back. Raises the same."""
    async with process.database.connect() as connection:  # never committed
        return (await _again(connection, process, caller, execution, draft_of, None)).record


async def _again(
    connection: Connection, process: Process, caller: Caller, execution: UUID, draft_of: DraftOf, once: Once | None
) -> Submitted:
    # Nothing is judged again of what was accepted before: by now the original may be deleted.
    if once is not None and (submitted := await service.find_submitted(connection, caller, once)):
        return submitted
    record = await get_record(connection, execution, caller.sees)
    return await rerun_within(connection, process, caller, record, draft_of, once=once)


async def rerun_within(
    connection: Connection,
    process: Process,
    caller: Caller,
    record: Record,
    draft_of: DraftOf,
    *,
    once: Once | None = None,
) -> Submitted:
    """`rerun` within the caller's transaction. Raises the same."""
    is_due(Operation.RERUN, record.status, record.pause_mode)
    draft = draft_of(record)
    service.check_key(process, draft)
    # As long as the new one is being accepted nobody deletes what it refers to; somebody may have just done so.
    await repository.keep(connection, {each for each in (record.id, draft.resume_from) if each is not None})
    await get_record(connection, record.id)
    submitted = await service.accept(connection, process, caller, draft, once=once)
    if (record.batch_id or record.rerun_of) is not None and not submitted.replayed:
        await copy_needs(connection, record.id, submitted.record.id)
    return submitted
