"""What the end of a child, or a word of the batch's owner, means for the other children, as far as it takes more time.

Everything here is looked up in the database and may be done again at any time, by whoever comes by: by the process that
made an end, right after its commit, and for all unfinished batches by a sweep of the workers.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from uuid import UUID

from sqlalchemy import func

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.batches import pacing, repository
from app.batches.model import BatchStopReason
from app.batches.pacing import SYSTEM
from app.batches.repository import Doomed, Look
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import Conflict, NotFound
from app.events.protocol import BELL
from app.executions import service
from app.executions.model import Event
from app.executions.repository import move_queued
from app.executions.service import Cancellation
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.logs.protocol import status_message

# In one transaction: whoever ends another child of the batch waits for that long.
CANCELED_AT_ONCE = 500
# What somebody is changing at this moment is passed over, and looked at again.
LOOKS_AGAIN = 20
LOOK_AGAIN_AFTER = 0.05
LOOKED_AT_FOR_POOLS = 100


async def follow(process: Process, events: Iterable[Event | None]) -> None:
    """See to the batches whose children these ends are, after their commit."""
    ends: dict[UUID, set[Status]] = defaultdict(set)
    for event in events:
        if event is not None and event.batch is not None:
            ends[event.batch].add(event.to_status)
    for batch, statuses in ends.items():
        if statuses == {Status.SUCCEEDED}:
            # Nobody is canceled for that, and gates were opened with it.
            await _finish(process, batch)
        else:
            await settle(process, batch)


async def tell(process: Process, outcome: Cancellation) -> None:
    """`service.tell`, and what it means for others of its batch."""
    await service.tell(process, outcome)
    await follow(process, [outcome.event])


async def settle(process: Process, batch: UUID) -> None:
    """Cancel what is not to run any more, open what may, and write down how the batch ended when it has."""
    look = await _look(process, batch)
    if look is None:
        return
    if look.stop_reason is not None or look.has_needs:
        await _cancel_queued(process, look)
    if look.stop_reason is not None:
        await _stop_active(process, look)
    elif look.has_gates and not look.over:
        async with transaction(process.database) as connection:
            await pacing.open_all(connection, batch)
    await _finish(process, batch)


async def _look(process: Process, batch: UUID) -> Look | None:
    async with reading(process.database) as connection:
        return await repository.look(connection, batch)


async def _finish(process: Process, batch: UUID) -> None:
    """Note how it ended if it has; else wake those who may take what was let go."""
    look = await _look(process, batch)
    if look is None:
        return
    if look.over:
        async with transaction(process.database) as connection:
            sealed = await repository.seal(connection, batch)
        if sealed:
            await process.hints.publish([], to_all=BELL)
    elif look.has_gates:
        async with reading(process.database) as connection:
            pools = await repository.list_ready_pools(connection, batch, most=LOOKED_AT_FOR_POOLS)
        for pool in pools:
            await process.hints.ring(pool)


async def _cancel_queued(process: Process, batch: Look) -> None:
    """Until there is nothing left to cancel."""
    for _ in range(LOOKS_AGAIN):
        async with reading(process.database) as connection:
            reasons = list((await _list_unwanted(connection, batch)).items())
        if not reasons:
            return
        canceled = 0
        for start in range(0, len(reasons), CANCELED_AT_ONCE):
            async with transaction(process.database) as connection:
                events = await _cancel(connection, batch, dict(reasons[start : start + CANCELED_AT_ONCE]))
            frames = [(child, status_message(event)) for child, event in events.items()]
            _tell_settled(process, events.values())
            await process.hints.publish(frames, to_all=BELL)
            canceled += len(events)
        if not canceled:
            await asyncio.sleep(LOOK_AGAIN_AFTER)


async def _list_unwanted(connection: Connection, batch: Look) -> dict[UUID, str]:
    """Queued children that are not to run, and why in words."""
    if batch.stop_reason is None:
        return {doomed.child: _why(doomed) for doomed in await repository.list_doomed(connection, batch.id)}
    queued = await repository.list_queued(connection, batch.id)
    if batch.stop_reason is BatchStopReason.CANCEL:
        return dict.fromkeys(queued, f"Canceled by {batch.stop_by} with its batch.")
    return dict.fromkeys(queued, f"Canceled by {SYSTEM}. Its batch fails fast. {batch.stop_message}")


def _why(doomed: Doomed) -> str:
    fate = f"has ended {doomed.ended} ({doomed.needed})" if doomed.needed else "was deleted"
    return f"Canceled since it needs `{doomed.needs}`, which {fate}."


async def _cancel(connection: Connection, batch: Look, reasons: Mapping[UUID, str]) -> dict[UUID, Event]:
    by_user = batch.stop_reason is BatchStopReason.CANCEL and batch.stop_by != SYSTEM
    return await move_queued(
        connection,
        reasons,
        target=Status.CANCELED,
        actor=(by_user and batch.stop_by) or SYSTEM,
        cause=Cause.CANCELED_BY_USER if by_user else Cause.CANCELED_BY_SYSTEM,
        messages=reasons,
        # Nothing ran since they were queued, so nothing more can be logged.
        changes={"log_complete": func.coalesce(Execution.log_complete, True)},
    )


def _tell_settled(process: Process, events: Iterable[Event | None]) -> None:
    for event in events:
        for told in process.on_settled:
            if event is not None:
                told(event)


async def _stop_active(process: Process, batch: Look) -> None:
    """By the ladder of whoever runs them, as if each had been asked."""
    async with reading(process.database) as connection:
        children = await repository.list_active(connection, batch.id, force=batch.stop_force)
    caller = Caller(batch.stop_by or SYSTEM, frozenset({Scope.ADMIN}))
    why = f"Its batch fails fast. {batch.stop_message}" if batch.stop_reason is BatchStopReason.FAIL_FAST else None
    for child in children:
        # It may have ended, or be deleted, meanwhile.
        with suppress(Conflict, NotFound):
            outcome = await service.cancel(process, caller, child, force=batch.stop_force, why=why)
            _tell_settled(process, [outcome.event])
            await service.tell(process, outcome)
