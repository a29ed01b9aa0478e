"""WebSockets that are followed: opened, asked whether they are still there, and opened again after every cut."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from tailrace._errors import ConnectionFailed, NotTailrace, api_error
from tailrace._outage import reason_of
from tailrace._retrying import Patience
from tailrace._transport import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection

T = TypeVar("T")
Frame = Mapping[str, Any]

# The server pings every 20 s. A line that says nothing for so long is asked whether it is still there; one that does
# not answer either, such as after the sleep of a laptop, is given up.
QUIET = 30.0
MAX_FRAME = 2**24
# What the server says with a close code.
REFUSALS = {4400: 422, 4401: 401, 4403: 403, 4404: 404}
# Answers to a handshake after which there is a use in coming again: faults of servers, and being too many.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
PROXY = "A proxy in between has to pass WebSockets on; and the address has to be that of a Tailrace."


async def followed(
    transport: Transport, connection: Callable[[], AsyncGenerator[T, None]], ended: Callable[[], bool]
) -> AsyncGenerator[T, None]:
    """What one connection after the other has. Cuts, restarts of the server, and sleep are passed over, however long
    they take.

    Raises:
        ApiError: The API refused.
        NotTailrace: What answers there has no WebSockets of ours.
    """
    from websockets.exceptions import WebSocketException

    patience = Patience(math.inf, transport.outage)
    while not ended():
        error: Exception | None = None
        try:
            async for page in connection():
                patience = Patience(math.inf, transport.outage)
                yield page
        except (OSError, WebSocketException) as cut:
            _check(cut, transport)
            error = ConnectionFailed(transport.config.url, _said(cut))
        if not ended():
            await patience.rest(error)


@asynccontextmanager
async def frames(
    transport: Transport, path: str, params: Mapping[str, Any], *, quiet: float = QUIET
) -> AsyncIterator[AsyncGenerator[Frame, None]]:
    """One connection, and its frames."""
    import httpx
    from websockets.asyncio.client import connect

    query = httpx.QueryParams([pair for name, value in params.items() for pair in _pairs(name, value)])
    socket = await connect(
        f"{transport.config.url.replace('http', 'ws', 1)}{path}?{query}",
        additional_headers=transport.headers,
        user_agent_header=None,
        compression=None,
        max_size=MAX_FRAME,
        # On a thin line the answer to a ping waits behind the frames: `_received` knows better.
        ping_interval=None,
        close_timeout=1,
    )
    try:
        yield _frames_of(socket, transport, quiet)
    finally:
        with suppress(OSError):
            await socket.close()


async def _frames_of(socket: ClientConnection, transport: Transport, quiet: float) -> AsyncGenerator[Frame, None]:
    while True:
        message = await _received(socket, quiet)
        try:
            frame = json.loads(message)
        except ValueError:
            frame = None
        if not isinstance(frame, Mapping) or "type" not in frame:
            raise NotTailrace(transport.config.url, hint=PROXY)
        transport.outage.over()
        yield frame


async def _received(socket: ClientConnection, quiet: float) -> str | bytes:
    """The next message. Raises `TimeoutError`, which is an `OSError`, if nobody is there any more."""
    import asyncio

    import anyio

    with anyio.move_on_after(quiet):
        return await socket.recv()
    while True:
        answer = asyncio.ensure_future(await socket.ping())
        with anyio.move_on_after(quiet):
            return await socket.recv()
        if not answer.done():
            raise TimeoutError("The server does not answer any more.")


def _said(error: Exception) -> str:
    """Why it was cut, in the words of the server if it had some."""
    closed = getattr(error, "rcvd", None)
    return (closed.reason if closed is not None else "") or reason_of(error)


def _check(error: Exception, transport: Transport) -> None:
    """Raises what the server said, if it said that there is no use in coming again."""
    import ssl

    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in REFUSALS:
        status = REFUSALS[error.rcvd.code]
        raise api_error(status, {"detail": error.rcvd.reason or f"Closed with {error.rcvd.code}."}) from error
    why = None
    if isinstance(error, InvalidStatus):
        # Refusals of ours come after the handshake.
        status = error.response.status_code
        why = None if status in PASSING else f"{status} is no answer to who opens a WebSocket"
    elif isinstance(error, InvalidHandshake):
        # A server that goes away in the middle is none that speaks another language, such as HTTP/1.0.
        why = None if isinstance(error.__cause__, OSError | EOFError) else f"it has no WebSockets: {error}"
    elif isinstance(error, ssl.SSLCertVerificationError) or (
        isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER"
    ):
        why = str(error)
    if why is not None:
        raise NotTailrace(transport.config.url, why, hint=PROXY) from error


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    """As addresses have it: None is left out, lists are repeated."""
    if isinstance(value, bool):
        return [(name, "true" if value else "false")]
    if isinstance(value, list | tuple | set | frozenset):
        return [pair for item in value for pair in _pairs(name, item)]
    moment = getattr(value, "isoformat", None)
    return [] if value is None else [(name, str(moment() if moment else value))]
