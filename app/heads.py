"""`HEAD` wherever there is a `GET`: the same answer by the same rules, without its body, and at once."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Only a GET is for a part of something.
_OF_PARTS = frozenset({b"range", b"if-range"})
# Says when the answer is to come, not what it is.
_WAITING = "wait"


class Heads:
    """Middleware: what is inside sees a GET whose client leaves as soon as the answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        answered = asyncio.Event()
        is_read = False

        async def read() -> Message:
            nonlocal is_read
            if not is_read:
                is_read = True
                return {"type": "http.request", "body": b""}
            # Whoever streams listens here for the client to leave.
            await answered.wait()
            return {"type": "http.disconnect"}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                answered.set()

        # A copy: the server has to know that it was a HEAD.
        await self._app(_as_get(scope), read, answer)


def _as_get(scope: Scope) -> Scope:
    query: bytes = scope["query_string"]
    # As it is but for this, also where it is no UTF-8.
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    asked = urlencode([pair for pair in pairs if pair[0] != _WAITING], encoding="latin-1").encode()
    headers = [each for each in scope["headers"] if each[0] not in _OF_PARTS]
    return {**scope, "method": "GET", "query_string": asked, "headers": headers}
