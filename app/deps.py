"""What handlers ask for: the process, and the caller with a scope. `Annotated` aliases only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Request, Response
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from typing_extensions import override

from app.audit import acts
from app.auth.service import Caller, authenticate, authenticate_once
from app.auth.shares import SHOWN
from app.auth.tokens import LOGIN_PREFIX, Scope
from app.background import Background
from app.bootstrap import Process
from app.errors import UnsupportedMediaType
from app.observability.metrics import ApiMetrics
from app.queries import check_query
from app.quotas.rates import Rates

# Only declares the scheme in OpenAPI: WebSockets have no `Request`, so `authenticate` reads the header itself.
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token that begins with `trt_`, or one of the OpenID Connect issuer, if there is one",
)


async def get_process(connection: HTTPConnection) -> Process:
    """What this process holds; for HTTP and WebSockets alike."""
    process: Process = connection.app.state.process
    return process


async def get_background(connection: HTTPConnection) -> Background:
    """Where work beside the response goes."""
    background: Background = connection.app.state.background
    return background


async def get_metrics(connection: HTTPConnection) -> ApiMetrics:
    """What this process counts."""
    metrics: ApiMetrics = connection.app.state.metrics
    return metrics


async def get_rates(connection: HTTPConnection) -> Rates:
    """How often who may come, here."""
    rates: Rates = connection.app.state.rates
    return rates


ProcessDep = Annotated[Process, Depends(get_process)]
BackgroundDep = Annotated[Background, Depends(get_background)]
MetricsDep = Annotated[ApiMetrics, Depends(get_metrics)]
RatesDep = Annotated[Rates, Depends(get_rates)]


async def get_caller(request: Request, process: ProcessDep, _: Annotated[object, Depends(_bearer)]) -> Caller:
    """Who is calling. Raises `NotAuthenticated`."""
    known: Caller | None = getattr(request.state, "caller", None)
    return known or await _recognise(request, process)


async def _recognise(request: Request, process: Process) -> Caller:
    """For all that is done for this request."""
    operation = getattr(request.scope.get("route"), "operation_id", None)
    secure = request.url.scheme == "https"
    if operation == "begin_session":
        find = partial(authenticate_once, process, request.headers, kind=LOGIN_PREFIX, secure=secure)
    else:
        shown, safe = _id_of(request) if operation in SHOWN else None, request.method in SAFE
        find = partial(authenticate, process, request.headers, shown=shown, safe=safe, secure=secure)
    caller: Caller = await (await get_rates(request)).admit(request, find)
    request.state.caller = caller
    if act := acts.current.get():
        await act.look_up(process)
    check_query(request)
    return caller


def _id_of(request: Request) -> UUID | None:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        return None


CallerDep = Annotated[Caller, Depends(get_caller)]


def _having(scope: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    async def check(caller: CallerDep) -> Caller:
        caller.require(scope)
        return caller

    return check


ReaderDep = Annotated[Caller, Depends(_having(Scope.READ))]
SubmitterDep = Annotated[Caller, Depends(_having(Scope.SUBMIT))]
CancelerDep = Annotated[Caller, Depends(_having(Scope.CANCEL))]
AdminDep = Annotated[Caller, Depends(_having(Scope.ADMIN))]

ExecutionId = Annotated[UUID, Path(alias="id", description="The execution's id")]


# They change nothing, and no page of somebody else gets to see the answer.
SAFE = frozenset({"GET", "HEAD"})


class BodyRoute(APIRoute):
    """A route with a JSON body. Token and Content-Type are looked at before the body is read, let alone parsed."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await _recognise(request, await get_process(request))
            _require_json(request)
            return await handle(request)

        return guarded


# What a change is sent as may say so (RFC 7396).
MEDIA_TYPES = {False: {"application/json"}, True: {"application/json", "application/merge-patch+json"}}


def _require_json(request: Request) -> None:
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and media_type not in MEDIA_TYPES[request.method == "PATCH"]:
        sent = f"`{media_type}`" if media_type else "a body without a Content-Type"
        hint = "With curl: -H 'Content-Type: application/json'."
        raise UnsupportedMediaType(f"The body must be `application/json`; this is {sent}.", hint=hint)
