"""Counts requests as they are answered. Outermost of all, so that nothing that a client gets is missed."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.metrics import ApiMetrics

NO_ROUTE = "none"


class RequestMetrics:
    """Middleware. A route counts by its template, such as `/v1/executions/{id}`, never by a path that a client made."""

    def __init__(self, app: ASGIApp, *, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path_format", NO_ROUTE)
                self._metrics.answered(scope["method"], route, message["status"], after=time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, counted)
