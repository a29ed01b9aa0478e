"""Errors as RFC 9457 problems: one shape for everything that is not a success."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from itertools import chain

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.db.engine import is_outage
from app.errors import (
    MalformedRequest,
    NotAuthenticated,
    NotFound,
    PayloadTooLarge,
    ServiceError,
    Unavailable,
)
from app.explaining import explain, printable, problem_of

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class ProblemError(BaseModel):
    """One thing wrong with one field."""

    field: str = Field(description="A path such as `limits.timeout` or `command[0]`")
    code: str
    message: str


class Problem(BaseModel):
    """What went wrong, for people and programs (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:tailrace:problem:invalid_request",
                    "title": "Invalid request",
                    "status": 422,
                    "detail": "2 fields are wrong: `image` is required; `limits.timeout` must be at least 1.",
                    "hint": "Send it too; /docs has an example of the whole. Its limits are at /docs.",
                    "errors": [
                        {"field": "image", "code": "missing", "message": "is required"},
                        {"field": "limits.timeout", "code": "greater_than_equal", "message": "must be at least 1"},
                    ],
                    "instance": "/v1/executions",
                },
            ],
        },
    )

    type: str = Field(description="`urn:tailrace:problem:<code>`; the codes are stable")
    title: str
    status: int
    detail: str
    hint: str | None = Field(description="What to do about it")
    errors: list[ProblemError] = Field(description="Everything wrong with the fields of the request")
    instance: str = Field(description="The path that was asked for")
    used: int = Field(default=0, description="Of a quota, where one is exceeded; else left out")
    limit: int = Field(default=0, description="The quota itself, where one is exceeded; else left out")


def add_handlers(app: FastAPI) -> None:
    """Make problems of all errors that FastAPI knows; `app.middleware` sees to the rest."""
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def problem_response(error: ServiceError, path: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that failed with this error."""
    problem = {**problem_of(error), "instance": printable(path), **error.members}
    more = {**error.headers, **(headers or {})}
    if isinstance(error, NotAuthenticated):
        more["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        more["Retry-After"] = str(error.retry_after)
    return Response(orjson.dumps(problem), status_code=error.status, media_type=MEDIA_TYPE, headers=more)


def crash_response(error: Exception, path: str) -> Response:
    """The answer to an error that no handler met: 503 if the database is away; else, if it is none of ours, 500 without
    a detail.
    """
    if is_outage(error):
        log.warning("database.unavailable", path=path, error=repr(error))
        # A commit may have got through although its answer did not: so no word on whether anything was changed.
        hint = "Try again in a moment. If this was a submission without a key, look first whether it is on record."
        return problem_response(Unavailable("The database cannot be reached.", hint=hint), path)
    if isinstance(error, ServiceError):
        return problem_response(error, path)
    log.error("request.failed", path=path, exc_info=error)
    return problem_response(ServiceError("Something went wrong on our side; our log has the details."), path)


async def _on_service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this class
    return problem_response(error, request.url.path)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return problem_response(explain(error.errors()), request.url.path)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    path = request.url.path
    headers = {**(error.headers or {}), **({"Allow": _allowed(request)} if error.status_code == 405 else {})}
    return problem_response(_named(error, path, request.method), path, headers=headers)


def _allowed(request: Request) -> str:
    """Of all routes with this path; the framework names the methods of the first one."""
    routes = iter_route_contexts(request.app.routes)
    found = (route.methods or () for route in routes if route.matches(dict(request.scope))[0] is not Match.NONE)
    methods = set(chain.from_iterable(found))
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _named(error: HTTPException, path: str, method: str) -> ServiceError:
    """An error of the framework as one of ours."""
    match error.status_code:
        case 404:
            return NotFound(f"There is nothing at {path}.", hint="The API is described at /docs.")
        case 405:
            return MethodNotAllowed(f"{method} is not possible here.", hint="The API is described at /docs.")
        case 413:
            return PayloadTooLarge(error.detail)
        case 400:
            return MalformedRequest("The body is not JSON.")
        case status:
            log.error("request.unnamed_status", status=status, detail=error.detail)
            return ServiceError(HTTPStatus(status).phrase)


class MethodNotAllowed(ServiceError):
    """The path exists, but not for this method."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"
