"""Errors as RFC 9457 problems: one shape for everything that is not a success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from app.db.engine import is_outage
from app.errors import (
    MAX_FIELD_CHARS,
    FieldError,
    InvalidRequest,
    MalformedRequest,
    NotAuthenticated,
    NotFound,
    PayloadTooLarge,
    ServiceError,
    Unavailable,
)

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
# A body can have any number of things wrong with it; the answer is not to be larger than the question.
MAX_ERRORS = 100

_WHOLE = "must be a whole number"
_NUMBER = "must be a number"
_OBJECT = "must be an object"
_LIST = "must be a list"
_TRUTH = "must be true or false"
_UUID = "must be a UUID"
_SIZE = "must be a size: a number of bytes, or a string with a unit such as `512MiB`"
_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "must be at least {min_length} characters long",
    "string_too_long": "must be at most {max_length} characters long",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "enum": "must be {expected}",
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
}


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
                    "hint": None,
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
    problem = {
        "type": f"urn:tailrace:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": _printable(error.detail),
        "hint": _printable(error.hint) or None,
        "errors": [
            {"field": _printable(item.field)[:MAX_FIELD_CHARS], "code": item.code, "message": _printable(item.message)}
            for item in error.fields[:MAX_ERRORS]
        ],
        "instance": _printable(path),
        **error.members,
    }
    more = dict(headers or {})
    if isinstance(error, NotAuthenticated):
        more["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        more["Retry-After"] = str(error.retry_after)
    return Response(orjson.dumps(problem), status_code=error.status, media_type=MEDIA_TYPE, headers=more)


def crash_response(error: Exception, path: str) -> Response:
    """The answer to an error that nobody foresaw: 503 if the database is away, else 500 without a detail of ours."""
    if is_outage(error):
        log.warning("database.unavailable", path=path, error=repr(error))
        # A commit may have got through although its answer did not: so no word on whether anything was changed.
        hint = "Try again in a moment. If this was a submission without a key, look first whether it is on record."
        return problem_response(Unavailable("The database cannot be reached.", hint=hint), path)
    log.error("request.failed", path=path, exc_info=error)
    return problem_response(ServiceError("Something went wrong on our side; our log has the details."), path)


async def _on_service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this class
    return problem_response(error, request.url.path)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return problem_response(explain(error.errors()), request.url.path)


def explain(errors: Sequence[Any]) -> ServiceError:
    """What pydantic found wrong, every field of it."""
    for error in errors:
        if error["type"] == "json_invalid":
            return MalformedRequest(f"The body is not JSON: {error['ctx']['error']} at character {error['loc'][-1]}.")
    return InvalidRequest.of(fields_of(errors))


def fields_of(errors: Sequence[Any]) -> list[FieldError]:
    """The same field by field."""
    return [FieldError(_path_of(error), error["type"], _sentence_of(error)) for error in errors]


def _path_of(error: Mapping[str, Any]) -> str:
    """`("body", "limits", "timeout")` → `limits.timeout`, `("body", "command", 0)` → `command[0]`."""
    where, *parts = error["loc"]
    # Pydantic marks a bad key of a mapping so; the path names the key already.
    parts = [part for part in parts if part != "[key]"]
    if nested := error.get("ctx", {}).get("at"):
        parts.append(nested)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.removeprefix(".") or where


def _sentence_of(error: Mapping[str, Any]) -> str:
    template = _SENTENCES.get(error["type"])
    if template is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return template.format_map(error.get("ctx", {}))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    path = request.url.path
    return problem_response(_named(error, path, request.method), path, headers=error.headers)


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


def _printable(text: str) -> str:
    """What JSON can carry: clients can send half a surrogate pair, and we quote them."""
    return text.encode(errors="replace").decode()
