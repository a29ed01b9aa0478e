"""Every error a client can meet, as one tree. One handler (`app/problems.py`) turns it into an RFC 9457 problem.

ServiceError
├── NotAuthenticated      401
├── NotAllowed            403
├── NotFound              404
├── Conflict              409
├── NotAcceptable         406
├── PreconditionFailed    412
├── PayloadTooLarge       413
├── UnsupportedMediaType  415
├── RangeNotSatisfiable   416
├── InvalidRequest        400 / 422   names every field
├── QuotaExceeded         429         Retry-After, used and limit
├── RateLimited           429         Retry-After
│   ├── Crowded           429         Retry-After
│   └── TooFast           429         Retry-After, RateLimit, RateLimit-Policy
└── Unavailable           503         Retry-After
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from typing_extensions import override

MAX_FIELD_CHARS = 200
FIELDS_IN_WORDS = 5


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
    # Seconds after which it may be worth trying again.
    retry_after: int | None = None

    def __init__(self, detail: str, *, hint: str = "", fields: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.fields = tuple(fields)

    @property
    def members(self) -> Mapping[str, int]:
        """What a problem of this kind says besides."""
        return {}

    @property
    def headers(self) -> Mapping[str, str]:
        """What else the answer says of it."""
        return {}


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


class PreconditionFailed(ServiceError):
    """It was changed since it was read as `If-Match` says."""

    status, code, title = 412, "precondition_failed", "Precondition failed"


class PayloadTooLarge(ServiceError):
    """The request body is over the limit."""

    status, code, title = 413, "payload_too_large", "Request body too large"


class UnsupportedMediaType(ServiceError):
    """The body is not JSON by its Content-Type."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class RangeNotSatisfiable(ServiceError):
    """The file has no byte of the part that is asked for."""

    status, code, title = 416, "range_not_satisfiable", "Range not satisfiable"


class MalformedRequest(ServiceError):
    """The request cannot even be read."""

    status, code, title = 400, "malformed_request", "Malformed request"


class InvalidRequest(ServiceError):
    """It can be read, but fields are wrong; `fields` lists all of them."""

    status, code, title = 422, "invalid_request", "Invalid request"
    # So many are wrong beside `fields`.
    besides: int = 0

    @classmethod
    def of(cls, fields: Sequence[FieldError], *, besides: int = 0) -> Self:
        """That these are wrong, the first of them in words; and so many that nobody needs to be told one by one."""
        shown = "; ".join(f"`{item.field[:MAX_FIELD_CHARS]}` {item.message}" for item in fields[:FIELDS_IN_WORDS])
        count = len(fields) + besides
        if count == 1:
            return cls(f"{shown}.", fields=fields)
        unsaid = count - FIELDS_IN_WORDS
        more = f"; and {unsaid} more" if unsaid > 0 else ""
        error = cls(f"{count} fields are wrong: {shown}{more}.", fields=fields)
        error.besides = besides
        return error


class QuotaExceeded(ServiceError):
    """The owner has as much as they may have. `used` and `limit` say how much that is."""

    status, code, title = 429, "quota_exceeded", "Quota exceeded"
    retry_after = 10

    def __init__(self, detail: str, *, hint: str = "", used: int, limit: int) -> None:
        super().__init__(detail, hint=hint)
        self.used = used
        self.limit = limit

    @property
    @override
    def members(self) -> Mapping[str, int]:
        return {"used": self.used, "limit": self.limit}


class RateLimited(ServiceError):
    """More came within a minute than may."""

    status, code, title = 429, "rate_limited", "Too many requests"
    retry_after = 60


class Crowded(RateLimited):
    """So many came at the same time that this one is not to wait, too."""

    retry_after = 2


class TooFast(RateLimited):
    """A token, or an address without a valid one, came more often than it may. `policy` says how often that is."""

    def __init__(self, detail: str, *, hint: str, after: int, policy: str, kind: str) -> None:
        super().__init__(detail, hint=hint)
        self.retry_after = after
        self._policy = policy
        self._kind = kind

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        # As in draft-ietf-httpapi-ratelimit-headers-10.
        return {"RateLimit-Policy": self._policy, "RateLimit": f'"{self._kind}";r=0;t={self.retry_after}'}


class Unavailable(ServiceError):
    """The database is away, or an issuer whose keys are needed. Try again after `Retry-After` seconds; look first
    whether a change was made.
    """

    status, code, title = 503, "unavailable", "Temporarily unavailable"
    retry_after = 2
