"""The duty of telling others what happens: one worker at a time, by a lease of seconds, looks whenever something did.

What is to be told stands in the database: whoever leads next goes on with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from app.cancellation import being_cancelled
from app.db.engine import is_outage, reading, transaction
from app.listener import Missed, Subscription
from worker import estate
from worker.context import WorkerContext
from worker.notifications import NotificationSender
from worker.presence import Presence
from worker.webhooks import WebhookSender

log = structlog.get_logger(__name__)

DUTY = "messages"
LEASE = 10.0
RENEW_EVERY = 3.0
# Only a lost hint makes anybody wait so long, and what has failed before.
LOOK_EVERY = 2.0
# What rings within so many seconds is one look.
GATHER = 0.2
TIDY_EVERY = 30.0
RESIGN_WITHIN = 1.0


class Messenger:
    """One worker's part in it. `run` until cancelled."""

    def __init__(self, context: WorkerContext, presence: Presence) -> None:
        self._process = context.process
        self._worker = context.identity.id
        self._presence = presence
        self._webhooks = WebhookSender(context.process, context.metrics)
        self._senders = (self._webhooks, NotificationSender(context.process, context.metrics))
        self._asked_at = self._tidied_at = self._progress_at = self._led_until = float("-inf")

    async def run(self) -> None:
        """Lead when nobody else does."""
        try:
            async with self._process.listener.subscribe(self._process.channels.events) as hints:
                while True:
                    await self._look()
                    await self._until_next_look(hints)
        finally:
            await self._stop()
            await self._resign()

    async def _look(self) -> None:
        await self._let(self._renew)
        if not self._leads:
            await self._stop()
            return
        now = time.monotonic()
        if now >= self._progress_at + LOOK_EVERY:
            self._progress_at = now
            await self._let(self._webhooks.tell_progress)
        await self._let(self._send)
        if now >= self._tidied_at + TIDY_EVERY:
            self._tidied_at = now
            for sender in self._senders:
                await self._let(sender.tidy)

    async def _send(self) -> None:
        async with reading(self._process.database) as connection:
            if not await estate.has_messages(connection):
                return
        for sender in self._senders:
            await self._let(sender.act)

    async def _let(self, act: Callable[[], Awaitable[None]]) -> None:
        """Nobody's attempt hangs on it, nor one kind of messages on the other: the next look tries again."""
        try:
            await act()
        except Exception as error:
            if being_cancelled():
                raise
            log.warning("messages.failed", error=repr(error), exc_info=not is_outage(error))

    async def _stop(self) -> None:
        for sender in self._senders:
            await sender.stop()

    @property
    def _leads(self) -> bool:
        """Whether nobody else begins before we are done with a look."""
        return time.monotonic() < self._led_until - RENEW_EVERY / 2

    async def _renew(self) -> None:
        """Ask for it, now and then. Raises what the database raises."""
        now = time.monotonic()
        if self._presence.certain and now >= self._asked_at + RENEW_EVERY:
            self._asked_at = now
            async with transaction(self._process.database) as connection:
                leading = await estate.lead(connection, DUTY, self._worker, seconds=LEASE)
            # Counted from before we asked, so that nobody else begins before we stop.
            self._led_until = now + LEASE if leading else float("-inf")

    async def _until_next_look(self, hints: Subscription) -> None:
        with suppress(Missed):
            if await hints.get(LOOK_EVERY if self._leads else RENEW_EVERY) is not None:
                until = time.monotonic() + GATHER
                while (left := until - time.monotonic()) > 0 and await hints.get(left) is not None:
                    pass

    async def _resign(self) -> None:
        if self._led_until > time.monotonic():
            with suppress(Exception):
                async with asyncio.timeout(RESIGN_WITHIN), transaction(self._process.database) as connection:
                    await estate.resign(connection, DUTY, self._worker)
