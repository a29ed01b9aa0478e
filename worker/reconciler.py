"""Makes engine, data directory and record agree again where a death in between left them apart.

One worker per engine sweeps what is on it, one worker of all gives up what is on lost hosts, and one keeps the logs of
what has ended. It acts only on what it saw wrong for a while, on a bounded part per sweep, and never on what is not
ours: containers carry the id of this installation, directories belong to attempts on record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import TypeVar
from uuid import UUID

import structlog

from app.artifacts import removals
from app.batches import repository as batches
from app.batches.settling import settle
from app.cancellation import being_cancelled
from app.db.engine import is_outage, reading, transaction
from app.events import store as events
from app.executions.states import Cause
from app.idempotency import repository as idempotency
from app.quotas import repository as quotas
from app.retention import repository as retention
from app.secrets import repository as secrets
from app.stats import repository as counts
from worker import estate
from worker.container import INSTANCE_LABEL, attempt_of
from worker.context import WorkerContext
from worker.engine.port import EngineError, EngineUnreachable
from worker.log_keeping import LogKeeper
from worker.presence import Presence
from worker.retention import RetentionKeeper
from worker.workspace import Workspace, list_workspaces

log = structlog.get_logger(__name__)

T = TypeVar("T", bound=Hashable)
NOBODYS = (UUID(int=0), 0)
# Of each kind, in one sweep.
AT_MOST = 100
# Each may have ten thousand children to look at.
BATCHES_AT_MOST = 20
LOOKED_UP_AT_ONCE = 1000
# A leader who misses so many sweeps is not one any more.
SWEEPS_MISSED = 3


class Suspects:
    """What looked wrong, and since when: whatever looks right once is innocent."""

    def __init__(self) -> None:
        self._since: dict[Hashable, float] = {}

    def guilty(self, seen: Mapping[T, float]) -> list[T]:
        """Those that were seen at every look for as many seconds as each is given, and at this one; twice at least."""
        now = time.monotonic()
        known = self._since
        self._since = {suspect: known.get(suspect, now) for suspect in seen}
        return [suspect for suspect, after in seen.items() if suspect in known and now - known[suspect] >= after]


class Reconciler:
    """The sweeps of one worker, for the duties that it leads."""

    def __init__(self, context: WorkerContext, presence: Presence) -> None:
        self._context = context
        self._presence = presence
        self._containers = Suspects()
        self._workspaces = Suspects()
        self._settled: UUID | None = None
        self._logs = LogKeeper(context.process.database)
        self._retention = RetentionKeeper(context.process)
        self._begun = False

    async def sweep(self) -> None:
        """Once through the duties that are ours. Raises what the database raises."""
        if not self._presence.certain:
            return
        if not self._begun:
            await self._retention.begin()
            self._begun = True
        for duty, act in (
            (f"engine {self._context.identity.engine.id}", self._clear_engine),
            ("records", self._settle_records),
            ("logs", self._keep_logs),
            ("retention", self._retention.sweep),
            ("counts", self._fold_counts),
        ):
            if await self._lead(duty):
                await self._do(duty.partition(" ")[0], act)

    async def _do(self, duty: str, act: Callable[[], Awaitable[None]]) -> None:
        began = time.monotonic()
        try:
            await act()
        except Exception as error:
            if is_outage(error) or being_cancelled():
                raise
            # Nobody's attempt hangs on a sweep: the next one tries again.
            log.exception("reconciler.failed", duty=duty)
        self._context.metrics.reconciled(duty, time.monotonic() - began)

    async def _lead(self, duty: str) -> bool:
        seconds = SWEEPS_MISSED * self._context.process.settings.reconcile_every
        async with transaction(self._context.process.database) as connection:
            return await estate.lead(connection, duty, self._context.identity.id, seconds=seconds)

    async def _clear_engine(self) -> None:
        try:
            await self._remove_containers()
        except EngineError as error:
            log.warning("reconciler.engine_failed", error=str(error))
        await self._remove_workspaces()

    async def _remove_containers(self) -> None:
        """Containers of ours that no attempt wants any more. One that still runs is killed: nobody watches over it."""
        runtime, after = self._context.runtime, self._context.process.settings.orphan_after
        found = await runtime.list_containers({INSTANCE_LABEL: str(self._context.process.instance)})
        attempts = {container.id: attempt_of(container.labels) for container in found}
        fates = await self._find_fates(attempt for attempt in attempts.values() if attempt)
        unwanted: dict[str, float] = {}
        for container in found:
            fate = fates.get(attempts[container.id] or NOBODYS)
            if fate is None or fate.container_name != container.name:
                # What the record knows to be over for long enough need not wait anew for every new leader.
                unwanted[container.id] = 0.0 if fate and fate.over else after
        for id_ in self._containers.guilty(unwanted)[:AT_MOST]:
            try:
                await runtime.remove(id_, force=True)
            except EngineUnreachable:
                raise
            except EngineError as error:
                log.warning("container.not_removed", container=id_, error=str(error))
            else:
                self._removed("container", id_)

    async def _remove_workspaces(self) -> None:
        """Directories of attempts that are over, or that were deleted. Of all others nobody knows whose they are."""
        data, secrets = self._context.process.settings.data, self._context.process.settings.secrets
        found = await asyncio.to_thread(list_workspaces, data)
        fates = await self._find_fates(found)
        for execution, attempt in (each for each, fate in fates.items() if fate.kept):
            try:
                await asyncio.to_thread(Workspace(data, execution, attempt, secrets=secrets).forget_secrets)
            except OSError as error:
                log.warning("secrets.not_removed", execution_id=str(execution), attempt=attempt, error=str(error))
        over = {attempt: 0.0 for attempt, fate in fates.items() if fate.over}
        unknown = [attempt for attempt in found if attempt not in fates]
        if unknown:
            async with reading(self._context.process.database) as connection:
                deleted = await removals.known_deleted(connection, [execution for execution, _ in unknown])
            after = self._context.process.settings.orphan_after
            over |= {attempt: after for attempt in unknown if attempt[0] in deleted}
        for execution, attempt in self._workspaces.guilty(over)[:AT_MOST]:
            try:
                await asyncio.to_thread(Workspace(data, execution, attempt, secrets=secrets).remove)
            except (OSError, RecursionError) as error:
                log.warning("workspace.not_removed", execution_id=str(execution), attempt=attempt, error=str(error))
            else:
                self._removed("workspace", f"{execution}/{attempt}")

    async def _find_fates(self, attempts: Iterable[tuple[UUID, int]]) -> dict[tuple[UUID, int], estate.Fate]:
        over_for = self._context.process.settings.orphan_after
        async with reading(self._context.process.database) as connection:
            fates: dict[tuple[UUID, int], estate.Fate] = {}
            left = list(attempts)
            while left:
                batch, left = left[:LOOKED_UP_AT_ONCE], left[LOOKED_UP_AT_ONCE:]
                fates |= await estate.find_fates(connection, batch, over_for=over_for)
        return fates

    def _removed(self, kind: str, name: str) -> None:
        self._context.metrics.orphan_removed(kind)
        log.warning("orphan.removed", kind=kind, name=name)

    async def _settle_records(self) -> None:
        # An outage of the database is nobody's silence: whoever was away in it has as long to come back.
        if self._presence.steady_for >= self._context.process.settings.host_lost_after:
            await self._give_up_lost()
        async with transaction(self._context.process.database) as connection:
            await idempotency.forget_old(connection)
            await events.forget_old(connection)
            await secrets.forget_ended(connection)
        await self._settle_batches()

    async def _keep_logs(self) -> None:
        async with reading(self._context.process.database) as connection:
            force = await retention.read_policy(connection)
        await self._logs.sweep(days=force.policy.logs)

    async def _fold_counts(self) -> None:
        async with transaction(self._context.process.database) as connection:
            await counts.fold(connection)
            await quotas.fold_kept(connection)

    async def _settle_batches(self) -> None:
        """What somebody died over before it was done. A part of them at each sweep, and then the next."""
        async with reading(self._context.process.database) as connection:
            found = await batches.list_unfinished(connection, after=self._settled, most=BATCHES_AT_MOST)
        for batch in found:
            await settle(self._context.process, batch)
        self._settled = found[-1] if len(found) == BATCHES_AT_MOST else None

    async def _give_up_lost(self) -> None:
        settings, database = self._context.process.settings, self._context.process.database
        patience = estate.Patience(settings.host_lost_after, settings.engine_lost_after)
        async with reading(database) as connection:
            found = await estate.find_lost(connection, patience, most=AT_MOST)
        async with transaction(database) as connection:
            await estate.sign_off_silent(connection, silent_for=settings.host_lost_after)
        for lost in found:
            async with transaction(database) as connection:
                event = await estate.give_up(connection, lost, patience, actor=self._context.identity.actor)
            if event is not None:
                log.warning("attempt.host_lost", execution_id=str(lost.lease.execution), attempt=event.attempt)
                self._context.metrics.concluded(Cause.HOST_LOST, event.to_status)
                await self._context.announce(lost.lease.execution, event)
