"""Sends webhooks as the worker that leads does, whenever a test looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeVar, cast

import httpx
import orjson
from standardwebhooks.webhooks import Webhook as Verifier

from app.bootstrap import Process
from support.eventually import eventually
from support.receiver import Received, Receiver
from worker.metrics import WorkerMetrics
from worker.webhooks import WebhookSender

T = TypeVar("T")


@dataclass(frozen=True)
class Post:
    """A sender that looks whenever it is asked to."""

    sender: WebhookSender

    async def until(self, check: Callable[[], T | Awaitable[T]], *, within: float = 20.0) -> T:
        """Look, again and again, until the check returns something true; and that."""

        async def look() -> T:
            await self.sender.tell_progress()
            await self.sender.act()
            outcome = check()
            return cast("T", await outcome if isawaitable(outcome) else outcome)

        return await eventually(look, within=within)

    async def until_received(self, receiver: Receiver, number: int) -> list[dict[str, Any]]:
        """What was sent there, when it is so much at least."""
        await self.until(lambda: len(receiver.received) >= number)
        return [orjson.loads(each.body) for each in receiver.received]

    async def until_idle(self) -> None:
        """When nothing is due or on its way any more."""
        await self.until(lambda: not self.sender._sending)


@asynccontextmanager
async def posting(process: Process) -> AsyncIterator[Post]:
    sender = WebhookSender(process, WorkerMetrics())
    try:
        yield Post(sender)
    finally:
        await sender.stop()


def verified(received: Received, secret: str) -> dict[str, Any]:
    """What it says, if the secret is that of its signature."""
    message: dict[str, Any] = Verifier(secret).verify(received.body, dict(received.headers))
    return message


async def add_webhook(client: httpx.AsyncClient, receiver: Receiver, *events: str, **fields: Any) -> dict[str, Any]:
    """One of this user, for that receiver."""
    wanted = {"events": list(events)} if events else {}
    response = await client.post("/v1/webhooks", json={"url": f"{receiver.url}/hook", **wanted, **fields})
    assert response.status_code == 201, response.text
    webhook: dict[str, Any] = response.json()
    return webhook


async def deliveries_of(client: httpx.AsyncClient, webhook: str, **query: Any) -> list[dict[str, Any]]:
    response = await client.get(f"/v1/webhooks/{webhook}/deliveries", params=query)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items
