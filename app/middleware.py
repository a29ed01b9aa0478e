"""What every request passes: a request id in our log and in the answer, a limit on its body, and a last resort."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from app.problems import crash_response
from app.version import VERSION

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestContext:
    """Binds the request id to our log, echoes it, says our version, and answers errors that no handler knew.

    It does the latter itself because Starlette's own last resort lies outside of it, where the id is gone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        answering = _Answering(send, request_id)
        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answering)
            except Exception as error:
                # Half an answer cannot be taken back: the server cuts the connection, and the client notices.
                if scope["type"] == "websocket" or answering.started:
                    raise
                await crash_response(error, scope["path"])(scope, receive, answering)


class _Answering:
    """A `send` that adds the request id and remembers whether the answer has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            headers["Tailrace-Version"] = VERSION
        await self._send(message)


def _request_id(headers: Headers) -> str:
    """The client's, if it is harmless in a log; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class BodyLimit:
    """Refuses bodies over a limit: by their Content-Length at once, else as soon as they have passed it.

    `larger` are the limits of paths whose bodies are never in memory.
    """

    def __init__(self, app: ASGIApp, *, limit: int, larger: Mapping[str, int]) -> None:
        self._app = app
        self._limit = limit
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._limit)
        announced = Headers(scope=scope).get("content-length", "")
        received = 0

        async def counted() -> Message:
            nonlocal received
            if announced.isdigit() and int(announced) > limit:
                raise _too_large(limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, counted, send)


def _too_large(limit: int) -> HTTPException:
    # Of all exceptions, FastAPI passes on only this class when raised while it reads a body.
    return HTTPException(413, f"The body is larger than {limit} bytes.")
