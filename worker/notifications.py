"""Sending notifications, for the worker that leads this duty: each is claimed before it is sent, so that it is sent
once, and by each rule one after the other, so that a service that hangs delays nobody else's.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.db.engine import is_outage, reading, transaction
from app.notifications import channels, following, repository
from app.notifications.model import NotificationState, wait_after
from app.notifications.repository import Claimed
from app.notifications.service import open_url
from app.outbound.policy import Refused
from app.secrets.vault import NoKey, WrongKey
from worker.errands import Errands
from worker.metrics import WorkerMetrics

log = structlog.get_logger(__name__)

RULES_AT_ONCE = 20
RETRY_AFTER_OUTAGE = 1.0
NOT_TAKEN = "The service did not take it"
LATE = "The service did not say in time whether it took it"
SEALED = "Where it leads to cannot be opened with the key of this installation"


class NotificationSender:
    """All notifications of an installation, while we lead."""

    def __init__(self, process: Process, metrics: WorkerMetrics) -> None:
        self._process = process
        self._metrics = metrics
        self._database = process.database
        self._sending = Errands(self._send_all, most=RULES_AT_ONCE, name="notifications")

    async def act(self) -> None:
        """Write what is to be said, and let a task send what is due by each rule. Raises what the database raises."""
        while await following.follow_events(self._database):
            pass
        async with reading(self._database) as connection:
            due = await repository.list_due(connection)
        for rule in due:
            self._sending.start(rule)

    async def tidy(self) -> None:
        """Tell of what nobody knows any more, and let go of what is not kept. Raises what the database raises."""
        async with transaction(self._database) as connection:
            await repository.note_unsure(connection)
            await repository.forget_old(connection, days=self._process.settings.webhook_log_days)

    async def stop(self) -> None:
        """Send nothing more. What is on its way goes on without us, and is told to be unsure."""
        await self._sending.stop()

    async def _send_all(self, rule: UUID) -> None:
        try:
            while True:
                async with transaction(self._database) as connection:
                    claimed = await repository.claim(connection, rule)
                if claimed is None:
                    return
                await self._send(claimed)
        except Exception as error:
            if being_cancelled():
                raise
            log.warning("notification.failed", rule=str(rule), error=repr(error), exc_info=not is_outage(error))
            await asyncio.sleep(RETRY_AFTER_OUTAGE)

    async def _send(self, claimed: Claimed) -> None:
        """Send one that is ours, and note what came of it. Raises what the database raises."""
        taken, error, state = False, NOT_TAKEN, NotificationState.FAILED
        try:
            url = open_url(self._process.vault, claimed.rule, claimed.sealed)
            taken = await channels.send(self._process, url, title=claimed.title, body=claimed.body)
        except Refused as refused:
            error = f"Where it leads to {refused}"
        except (NoKey, WrongKey):
            error = SEALED
        except TimeoutError:
            error, state = LATE, NotificationState.UNSURE
        self._metrics.notified(sent=taken)
        async with transaction(self._database) as connection:
            if taken:
                await repository.note_over(connection, claimed.id, NotificationState.SENT)
            elif state is NotificationState.UNSURE:
                await repository.note_over(connection, claimed.id, state, error)
            else:
                wait = wait_after(claimed.tries, self._process.settings.webhook_retry_after)
                await repository.note_refused(connection, claimed.id, error, wait=wait)
