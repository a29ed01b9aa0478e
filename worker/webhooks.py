"""Sending webhooks, for the worker that leads this duty.

Each receiver has a task of its own while something is due to it: whoever hangs, or never answers, delays nobody else.
What happened to one execution is sent to a receiver in its order; only what has failed comes again later.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.db.engine import Connection, is_outage, reading, transaction
from app.outbound.client import Answer, NoAnswer
from app.outbound.policy import Refused
from app.secrets.vault import NoKey, WrongKey
from app.webhooks import following, outbox, sealing
from app.webhooks.model import message_id, pause_after, wait_after
from app.webhooks.outbox import Bundle, Letter
from app.webhooks.signing import headers_of
from worker.errands import Errands
from worker.metrics import WorkerMetrics

log = structlog.get_logger(__name__)

AT_ONCE = 50
# To one receiver, at the same time.
STREAMS = 4
RECEIVERS = 200
SNIPPET_BYTES = 512
RETRY_AFTER_OUTAGE = 1.0
GONE = 410
TOO_MANY = 429
UNAVAILABLE = 503


class WebhookSender:
    """All deliveries of an installation, while we lead."""

    def __init__(self, process: Process, metrics: WorkerMetrics) -> None:
        self._process = process
        self._metrics = metrics
        self._database = process.database
        self._sending = Errands(self._send_all, most=RECEIVERS, name="webhook")

    async def act(self) -> None:
        """Make deliveries of what is new, and let a task send to each receiver that something is due to.

        Raises what the database raises.
        """
        while await following.follow_events(self._database):
            pass
        async with reading(self._database) as connection:
            due = await outbox.list_due(connection)
        for webhook in due:
            self._sending.start(webhook)

    async def tell_progress(self) -> None:
        """Make deliveries of what programs say of their progress. Raises what the database raises."""
        await following.follow_progress(self._database)

    async def tidy(self) -> None:
        """Let go of what is not kept any more, and measure what waits. Raises what the database raises."""
        async with transaction(self._database) as connection:
            await outbox.forget_old(connection, days=self._process.settings.webhook_log_days)
            waiting, oldest = await outbox.measure(connection)
        self._metrics.webhooks_wait(waiting, oldest=oldest)

    async def stop(self) -> None:
        """Send nothing more: somebody else does, or will."""
        await self._sending.stop()
        self._metrics.webhooks_wait(0, oldest=0.0)

    async def _send_all(self, webhook: UUID) -> None:
        """Until nothing is due there any more, or it is to be left alone."""
        try:
            while True:
                async with reading(self._database) as connection:
                    bundle = await outbox.read_due(connection, webhook, most=AT_ONCE)
                if bundle is None:
                    return
                await self._send_bundle(bundle)
        except Exception as error:
            if being_cancelled():
                raise
            log.warning("webhook.failed", webhook=str(webhook), error=repr(error), exc_info=not is_outage(error))
            await asyncio.sleep(RETRY_AFTER_OUTAGE)

    async def _send_bundle(self, bundle: Bundle) -> None:
        """Some executions side by side, what happened to each of them in its order."""
        of_execution = defaultdict[UUID | None, list[Letter]](list)
        for letter in bundle.letters:
            of_execution[letter.execution].append(letter)
        queues = list(of_execution.values())
        post = _Post(self._process, self._metrics, bundle)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(STREAMS, len(queues))):
                group.create_task(_drain(post, queues))


async def _drain(post: _Post, queues: list[list[Letter]]) -> None:
    while queues and not post.left_alone:
        for letter in queues.pop(0):
            if post.left_alone:
                return
            await post.send(letter)


class _Post:
    """What is due to one receiver, and how it is received."""

    def __init__(self, process: Process, metrics: WorkerMetrics, bundle: Bundle) -> None:
        self._process = process
        self._metrics = metrics
        self._settings = process.settings
        self._webhook = bundle.webhook
        self._now, self._since = bundle.now, time.monotonic()
        self.left_alone = False

    async def send(self, letter: Letter) -> None:
        """Try one, and note what came of it. Raises what the database raises."""
        at, began = self._now + timedelta(seconds=time.monotonic() - self._since), time.monotonic()
        tried: dict[str, Any] = {"at": at.isoformat(), "status": None, "error": None, "response": None}
        answer: Answer | None = None
        try:
            answer = await self._post(letter, at.replace(microsecond=0))
        except (NoAnswer, Refused, NoKey, WrongKey) as error:
            tried["error"] = _sentence_of(error)
        else:
            tried |= {"status": answer.status, "response": answer.body.decode(errors="replace").replace("\0", "\ufffd")}
        tried["seconds"] = round(time.monotonic() - began, 3)
        await self._note(letter, tried, answer)

    async def _post(self, letter: Letter, at: datetime) -> Answer:
        secrets = sealing.secrets_of(self._process.vault, self._webhook, at)
        headers = headers_of(message_id(letter.id), at, letter.body, secrets)
        body, within = letter.body.encode(), self._settings.webhook_timeout
        return await self._process.outbound.post(
            self._webhook.url, body, headers=headers, within=within, most=SNIPPET_BYTES
        )

    async def _note(self, letter: Letter, tried: dict[str, Any], answer: Answer | None) -> None:
        arrived = answer is not None and 200 <= answer.status < 300
        self._metrics.webhook_tried(delivered=arrived)
        async with transaction(self._process.database) as connection:
            if arrived:
                await outbox.note_delivered(connection, self._webhook.id, letter.id, tried)
                return
            first, jitter = self._settings.webhook_retry_after, random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            wait = wait_after(letter.tries + 1, first, asked=_asked(answer)) * jitter
            failures = await outbox.count_failure(connection, self._webhook.id)
            await outbox.note_failed(connection, letter.id, tried, wait=wait)
            if answer is not None and answer.status == GONE:
                self.left_alone = await outbox.disable(connection, self._webhook.id, "It answered 410 Gone")
            elif pause := pause_after(failures, first):
                self.left_alone = True
                await self._break(connection, pause * jitter)

    async def _break(self, connection: Connection, seconds: float) -> None:
        limit = self._settings.webhook_disable_after
        reason = f"Nothing could be delivered for {_duration(limit)}"
        if await outbox.disable(connection, self._webhook.id, reason, failing_for=limit):
            log.warning("webhook.disabled", webhook=str(self._webhook.id), owner=self._webhook.owner)
        else:
            await outbox.pause(connection, self._webhook.id, seconds=seconds)


def _asked(answer: Answer | None) -> float:
    """For how many seconds the receiver wants to be left alone."""
    if answer is None or answer.status not in {TOO_MANY, UNAVAILABLE}:
        return 0.0
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0.0


def _sentence_of(error: Exception) -> str:
    match error:
        case NoKey() | WrongKey():
            return "Its secret cannot be opened with the key of this installation"
        case Refused():
            return f"Its URL {error}"
        case _:
            return str(error)


def _duration(seconds: float) -> str:
    return f"{seconds / 86_400:g} days" if seconds >= 86_400 else f"{seconds:g} s"
