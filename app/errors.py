"""Every error a client can meet, as one tree. One handler (`app/problems.py`) turns it into an RFC 9457 problem.

ServiceError
├── NotAuthenticated      401
├── NotAllowed            403
├── NotFound              404
├── Conflict              409
├── NotAcceptable         406
├── PayloadTooLarge       413
├── UnsupportedMediaType  415
├── InvalidRequest        400 / 422   names every field
└── Unavailable           503         Retry-After
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field; `field` is a path such as `limits.timeout`."""

    field: str
    code: str
    message: str


class ServiceError(Exception):
    """An error with a stable code, a sentence and a hint. `status` is the HTTP status."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, hint: str = "", fields: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.fields = tuple(fields)


class NotAuthenticated(ServiceError):
    """No token, or not a valid one."""

    status, code, title = 401, "not_authenticated", "Not authenticated"


class NotAllowed(ServiceError):
    """The token is valid but lacks the scope."""

    status, code, title = 403, "not_allowed", "Not allowed"


class NotFound(ServiceError):
    """It does not exist, or it is somebody else's: the answer is the same."""

    status, code, title = 404, "not_found", "Not found"


class NotAcceptable(ServiceError):
    """None of the representations asked for can be given."""

    status, code, title = 406, "not_acceptable", "Not acceptable"


class Conflict(ServiceError):
    """The current status does not allow it; the detail names the status."""

    status, code, title = 409, "conflict", "Conflict with the current status"


class PayloadTooLarge(ServiceError):
    """The request body is over the limit."""

    status, code, title = 413, "payload_too_large", "Request body too large"


class UnsupportedMediaType(ServiceError):
    """The body is not JSON by its Content-Type."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class MalformedRequest(ServiceError):
    """The request cannot even be read."""

    status, code, title = 400, "malformed_request", "Malformed request"


class InvalidRequest(ServiceError):
    """It can be read, but fields are wrong; `fields` lists all of them."""

    status, code, title = 422, "invalid_request", "Invalid request"


class Unavailable(ServiceError):
    """The database is away. Try again after `Retry-After` seconds; look first whether a change was made."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"
