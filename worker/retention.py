"""Letting go of what is not kept any more, for the worker that leads this duty: a small part at a time, and for some
seconds per sweep, so that what is left half done the next sweep finds again.

What was deleted while it ran goes first, then what has expired by the policy, then the audit's old entries, then the
files that nobody needs.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any

import structlog
from obstore.exceptions import BaseError

from app.artifacts import removals
from app.artifacts.model import Kind
from app.artifacts.removals import Removal
from app.audit import repository as audit
from app.bootstrap import Process
from app.bundles import repository as imports
from app.db.engine import Connection, reading, transaction
from app.executions import deleting
from app.files import repository as file_records
from app.retention import repository as retention

log = structlog.get_logger(__name__)

# In one transaction: each takes its log and its manifest with it.
EXECUTIONS_AT_ONCE = 20
FILES_AT_ONCE = 50
ENTRIES_AT_ONCE = 1000
# A sweep has other things to do; seconds.
SWEEP_AT_MOST = 5.0

Take = Callable[[Connection], Awaitable[Collection[Any]]]


class RetentionKeeper:
    """Lets go of what is due by the policy of the installation: that of the worker that was started last."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def begin(self) -> None:
        """Make the policy of this worker's settings that of the installation."""
        policy = retention.policy_of(self._process.settings)
        async with transaction(self._process.database) as connection:
            before = (await retention.read_policy(connection)).policy
            changed = await retention.set_policy(connection, policy)
        if changed:
            log.warning("retention.changed", before=str(before), policy=str(policy))

    async def sweep(self) -> None:
        """Let go of what is due, as much as there is time for. Raises what the database raises."""
        until = time.monotonic() + SWEEP_AT_MOST
        async with reading(self._process.database) as connection:
            force = await retention.read_policy(connection)
        await self._drain("deleted executions", partial(deleting.remove_asked, most=EXECUTIONS_AT_ONCE), until)
        if not force.days_of_notice:
            take = partial(retention.expire_records, policy=force.policy, most=EXECUTIONS_AT_ONCE)
            await self._drain("expired executions", take, until)
            for kind in Kind:
                files = partial(retention.expire_files, kind=kind, policy=force.policy, most=EXECUTIONS_AT_ONCE)
                await self._drain(f"{kind}s", files, until)
            uploaded = partial(file_records.expire, days=force.policy.files, most=FILES_AT_ONCE)
            await self._drain("uploaded files", uploaded, until, watched=False)
        settings = self._process.settings
        for days, refused in ((settings.retention_audit_days, False), (settings.retention_refused_days, True)):
            if days:
                done = partial(audit.expire, days=days, most=ENTRIES_AT_ONCE, refused=refused)
                await self._drain("audit entries", done, until, watched=False)
        await self._drain("imports that broke off", imports.clear_abandoned, until, watched=False)
        await self._remove_files(until)

    async def _drain(self, what: str, take: Take, until: float, *, watched: bool = True) -> None:
        """Take some, again and again, until none are left or the time is over; executions may be watched."""
        while time.monotonic() < until:
            async with transaction(self._process.database) as connection:
                taken = await take(connection)
            if not taken:
                return
            log.info("retention.removed", what=what, number=len(taken))
            if watched:
                await deleting.tell_gone(self._process, taken)

    async def _remove_files(self, until: float) -> None:
        while time.monotonic() < until:
            async with transaction(self._process.database) as connection:
                due = await removals.take_due(connection, most=FILES_AT_ONCE)
            if not due:
                break
            done = [removal.prefix for removal in due if await self._remove(removal)]
            async with transaction(self._process.database) as connection:
                await removals.note_done(connection, done)
            if len(done) < len(due):
                break  # the store is away: later
        async with transaction(self._process.database) as connection:
            await removals.forget_old(connection)

    async def _remove(self, removal: Removal) -> bool:
        async with reading(self._process.database) as connection:
            kept = await removals.list_kept(connection, removal)
        try:
            await self._process.artifacts.clear(removal.prefix, but=kept)
        except (OSError, BaseError):
            log.exception("artifacts.not_removed", prefix=removal.prefix)
            return False
        return True
