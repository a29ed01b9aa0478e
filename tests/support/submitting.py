"""A client that wants its submission accepted, whatever happens to the server, and only once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from support.running import Running
from tailrace import AsyncClient


async def submit_surely(installation: Running, *command: str) -> str:
    """Submit again and again until it is accepted; the execution's id."""
    async with AsyncClient(installation.url, installation.token, patience=math.inf) as client:
        return (await client.run("busybox:local", command)).id


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
    return [record.id async for record in installation.api.list()]
