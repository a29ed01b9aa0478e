"""A client that wants its submission accepted, whatever happens to the server, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx

from support.running import Running

PATIENCE = 0.2
# Answers that ask to try again.
AGAIN = {httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE}


async def submit_surely(installation: Running, *command: str) -> str:
    """Submit with a key, again and again until it is accepted; the execution's id."""
    body = {"image": "busybox:local", "command": list(command)}
    headers = {"Idempotency-Key": uuid4().hex}
    while True:
        try:
            answer = await installation.request("POST", "/v1/executions", json=body, headers=headers)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code not in AGAIN:
            assert answer.status_code == httpx.codes.CREATED, answer.text
            execution: str = answer.json()["id"]
            return execution
        await asyncio.sleep(PATIENCE)


async def submit_while(installation: Running, act: Callable[[], Awaitable[None]], *command: str) -> list[str]:
    """Submit one after the other while something happens; those that were accepted."""
    accepted: list[str] = []
    acting = asyncio.ensure_future(act())
    while not acting.done():
        accepted.append(await submit_surely(installation, *command))
    await acting
    return accepted


async def list_all(installation: Running) -> list[str]:
    """Every execution there is, page after page."""
    found: list[str] = []
    page = await installation.get("/v1/executions", params={"limit": 200})
    while True:
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return found
        page = await installation.get("/v1/executions", params={"limit": 200, "cursor": page["next"]})
