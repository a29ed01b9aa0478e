"""Bodies that are not valid in themselves, judged as far as they go: who sends one is told everything at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from typing_extensions import override

from app.auth.service import Caller
from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.db.engine import is_outage
from app.deps import SAFE, BodyRoute, get_process
from app.errors import InvalidRequest, ServiceError
from app.explaining import explain
from app.reasons import together

# Everything that speaks against a body, by whom it was sent.
Judge = Callable[[Process, Caller, Any], Awaitable[Sequence[ServiceError]]]


def judged_by(judge: Judge) -> type[BodyRoute]:
    """Routes whose bodies are judged by it when they are not valid; those that are, cost nothing more."""

    class JudgedRoute(BodyRoute):
        @override
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def telling(request: Request) -> Response:
                try:
                    return await handle(request)
                except RequestValidationError as error:
                    known = explain(error.errors())
                    if request.method in SAFE or not isinstance(known, InvalidRequest) or not await request.body():
                        raise
                    raise together([known, *await _judged(judge, request)]) from None

            return telling

    return JudgedRoute


async def _judged(judge: Judge, request: Request) -> Sequence[ServiceError]:
    """What else speaks against it, if that can be found out now."""
    try:
        return await judge(await get_process(request), request.state.caller, await request.json())
    except Exception as error:
        if being_cancelled() or not is_outage(error):
            raise
        return []
