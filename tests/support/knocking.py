"""What an application of this process sends, message by message: over a WebSocket, and of an answer that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson
from starlette.types import ASGIApp

PATIENCE = 20.0


class Knock:
    """One connection. `code` is how the server closed it, once it has."""

    def __init__(self, app: ASGIApp, path: str, headers: Mapping[str, str]) -> None:
        path, _, query = path.partition("?")
        self._scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "ws",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("tailrace", 80),
            "subprotocols": [],
            "state": {},
        }
        self._app = app
        self._to: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from: asyncio.Queue[Any] = asyncio.Queue()
        self.code: int | None = None

    async def __aenter__(self) -> Self:
        await self._to.put({"type": "websocket.connect"})
        self._serving = asyncio.create_task(self._app(self._scope, self._to.get, self._from.put))  # type: ignore[arg-type]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._to.put({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(PATIENCE):
            await self._serving

    async def frames(self) -> AsyncIterator[dict[str, Any]]:
        """Until it is closed."""
        while self.code is None:
            async with asyncio.timeout(PATIENCE):
                message = await self._from.get()
            if message["type"] == "websocket.close":
                self.code = message["code"]
            elif message["type"] == "websocket.send":
                yield orjson.loads(message.get("text") or message["bytes"])

    async def first(self) -> dict[str, Any] | None:
        """The next frame; None if it is closed."""
        return await anext(aiter(self.frames()), None)


@asynccontextmanager
async def knock(app: ASGIApp, path: str, token: str | None = None, **headers: str) -> AsyncIterator[Knock]:
    """As who holds this token."""
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    async with Knock(app, path, headers) as connection:
        yield connection


async def stream(app: ASGIApp, path: str, token: str) -> list[dict[str, Any]]:
    """All that is sent as the answer to a GET, also if it is never completed."""
    sent: list[dict[str, Any]] = []
    nothing: asyncio.Queue[Any] = asyncio.Queue()

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("tailrace", 80),
        "state": {},
    }
    await app(scope, nothing.get, send)
    return sent
