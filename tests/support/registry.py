"""Images at the edge of being there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from stack.engine import ensure_engine


@asynccontextmanager
async def silent_registry() -> AsyncIterator[str]:
    """A registry that takes every connection and never says a word; its address."""
    waiting: set[asyncio.StreamWriter] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.add(writer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for writer in waiting:
            writer.transport.abort()


@asynccontextmanager
async def tagged(name: str) -> AsyncIterator[None]:
    """`busybox:local` under another name too."""
    repository, _, tag = name.rpartition(":")
    with ensure_engine().client() as client:
        made = client.post("/images/busybox:local/tag", params={"repo": repository, "tag": tag})
        assert made.status_code == httpx.codes.CREATED, made.text
        try:
            yield
        finally:
            client.delete(f"/images/{name}")
