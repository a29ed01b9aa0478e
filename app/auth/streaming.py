"""Answers that go on for as long as something happens, and not longer than the caller's token is valid."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar

import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.auth.service import Caller
from app.bootstrap import Process
from app.errors import NotAuthenticated

log = structlog.get_logger(__name__)

# Of a request whose answer was broken off on purpose. What its task says afterwards is the server's.
_cut: ContextVar[bool] = ContextVar("cut", default=False)


def is_no_cut(_: logging.LogRecord) -> bool:
    """A filter of the server's log: that we break off an answer is an error to it, and has been told by us."""
    return not _cut.get()


class FollowResponse(StreamingResponse):
    """Broken off when the token ends, so that nobody takes what came for all there was."""

    def __init__(
        self,
        process: Process,
        caller: Caller,
        content: AsyncIterator[bytes],
        *,
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._process = process
        self._caller = caller

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. What is not completed the server breaks off."""

        async def stream() -> None:
            await StreamingResponse.__call__(self, scope, receive, send)

        try:
            await self._process.holding.while_valid(self._caller, stream)
        except NotAuthenticated:
            _cut.set(True)
            log.info("tokens.stream_cut", token_id=str(self._caller.token_id))
