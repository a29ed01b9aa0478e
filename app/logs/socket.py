"""One open WebSocket: what it sends, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar
from uuid import UUID

from fastapi import WebSocket, WebSocketDisconnect

from app.auth.holding import Ended, no_longer_valid
from app.auth.service import Caller, authenticate_once
from app.auth.tokens import TICKET_PREFIX, Scope
from app.bootstrap import Process
from app.db.engine import is_outage
from app.errors import NotAllowed, NotAuthenticated, NotFound, ServiceError, TooFast, Unavailable
from app.logs.protocol import CloseCode
from app.quotas.rates import Rates
from app.wire import sender

T = TypeVar("T")

# What fits into a close frame; a reason may quote what somebody wrote.
REASON_BYTES = 120
_REFUSALS = {
    NotAuthenticated: CloseCode.NOT_AUTHENTICATED,
    NotAllowed: CloseCode.NOT_ALLOWED,
    NotFound: CloseCode.NOT_FOUND,
    Unavailable: CloseCode.RESTARTING,
    TooFast: CloseCode.TOO_MANY_REQUESTS,
}


async def close(socket: WebSocket, code: CloseCode, reason: str = "") -> None:
    """Say why we go, to a client that may be gone already."""
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(code, reason.encode()[:REASON_BYTES].decode(errors="ignore"))


async def refuse(socket: WebSocket, error: ServiceError) -> None:
    """Close it before the first frame, with the code of what is wrong."""
    await close(socket, _REFUSALS.get(type(error), CloseCode.BAD_REQUEST), _reason(error))


def _reason(error: ServiceError) -> str:
    """The sentence; or only what is wrong, if it is too much for that."""
    if len(error.fields) < 2 or len(error.detail.encode()) <= REASON_BYTES:
        return error.detail
    return f"Wrong: {', '.join(item.field for item in error.fields)}."


async def admit(
    socket: WebSocket, begin: Callable[[Caller], Awaitable[T]], *, shown: UUID | None = None
) -> tuple[Caller, T] | None:
    """A caller who may read, and what `begin` gives them. None if there is none: then it is closed, and says why.

    `shown` is the execution of which a share is enough.
    """
    process: Process = socket.app.state.process
    # A close code reaches the client only after the handshake: an HTTP refusal shows as 1006 in browsers.
    await socket.accept()
    try:
        secure = socket.url.scheme == "wss"
        kind = TICKET_PREFIX
        find = partial(authenticate_once, process, socket.headers, kind=kind, shown=shown, secure=secure)
        rates: Rates = socket.app.state.rates
        caller = await rates.admit(socket, find)
        caller.require(Scope.READ)
        return caller, await begin(caller)
    except ServiceError as error:
        await refuse(socket, error)
    except Exception as error:
        if not is_outage(error):
            raise
        await close(socket, CloseCode.RESTARTING, "the database is away, try again")
    return None


class Session:
    """A send loop, and a receive loop that notices when the client goes. It ends with the caller's token.

    Whether a client still takes anything is not judged here (`app/stalled.py`): a send that takes long may as well be a
    large frame on a thin line.
    """

    def __init__(self, socket: WebSocket, caller: Caller) -> None:
        self._socket = socket
        self._caller = caller
        self._send_frame = sender(socket)

    async def run(self, frames: AsyncIterator[bytes]) -> None:
        """Until the frames end, the client leaves, or their token is not valid any more."""
        process: Process = self._socket.app.state.process
        with process.holding.hold(self._caller) as ended:
            await self._run(frames, ended)
        if ended.done():
            await refuse(self._socket, no_longer_valid())

    async def _run(self, frames: AsyncIterator[bytes], ended: Ended) -> None:
        sender = asyncio.create_task(self._send(frames))
        receiver = asyncio.create_task(self._drain())
        try:
            await asyncio.wait({sender, receiver, ended}, return_when=asyncio.FIRST_COMPLETED)
            finished = sender.done()
        finally:
            sender.cancel()
            receiver.cancel()
            results = await asyncio.gather(sender, receiver, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result
        if finished and results[0] is None:
            await close(self._socket, CloseCode.ENDED)

    async def _send(self, frames: AsyncIterator[bytes]) -> None:
        async for frame in frames:
            await self._send_frame(frame)

    async def _drain(self) -> None:
        # Without a pending receive the server sees no pongs and cuts a healthy client.
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            pass
