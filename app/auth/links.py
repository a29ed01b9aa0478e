"""Addresses with a share or a ticket in their query, for who can send no header: it leaves the address before anybody
sees it. Or with the id of a share, which the browser has in a cookie.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.cookies import only_share
from app.auth.tokens import SHARE_PREFIX, TICKET_PREFIX

PARAMETERS = {"share": SHARE_PREFIX, "ticket": TICKET_PREFIX}
_GIVEN = "tailrace.credential_in_address"
_KEPT_BY_NOBODY_ELSE = ("private", "no-store")


class CredentialLinks:
    """Middleware: such a parameter goes on as a bearer token. A token of another kind does not.

    An id goes on as the cookie of that share, and the browser's session does not: an address says as whom it is asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in {"http", "websocket"} or not _take(scope):
            await self._app(scope, receive, send)
            return

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The address is as good as a token: it goes to nobody else, and what it shows is not to outlive it.
                headers = MutableHeaders(scope=message)
                headers["Referrer-Policy"] = "no-referrer"
                kept = headers.get("cache-control", "no-cache")
                if not any(word in kept for word in _KEPT_BY_NOBODY_ELSE):
                    headers["Cache-Control"] = f"private, {kept}"
            await send(message)

        await self._app(scope, receive, answered)


def is_in_address(scope: Mapping[str, Any]) -> bool:
    """Whether the address that a browser shows has one: whatever runs in what is shown there could read it."""
    return _GIVEN in scope


def _take(scope: Scope) -> bool:
    """Out of the query, in place: the server's own log has the address from this very scope. Whether one was there."""
    query = scope.get("query_string", b"")
    if not any(name.encode() in query for name in PARAMETERS):
        return False
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = [(name, value) for name, value in pairs if name in PARAMETERS]
    if given:
        scope["query_string"] = urlencode([pair for pair in pairs if pair not in given]).encode()
        name, token = given[0]
        if name == "share" and len(given) == 1 and (share := _id_of(token)):
            _come_by(scope, share)
            return True
        scope[_GIVEN] = True
        if token.startswith(PARAMETERS[name]) and "authorization" not in Headers(scope=scope):
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]
    return bool(given)


def _come_by(scope: Scope, share: UUID) -> None:
    """As who has the cookie of this share, and as nobody else."""
    secure = scope.get("scheme") in {"https", "wss"}
    cookies = only_share(Headers(scope=scope).get("cookie", ""), share, secure=secure)
    others = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    scope["headers"] = [*others, (b"cookie", cookies.encode("latin-1"))]


def _id_of(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
