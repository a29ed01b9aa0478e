"""What can go wrong.

    TailraceError
    ├── ConfigError            the configuration is wrong: a profile that does not exist, a file that cannot be read
    ├── ConnectionFailed       no answer, after all attempts
    │   └── NotTailrace        something answers there, but no Tailrace
    ├── ApiError               the API refused; with its problem
    │   ├── BadRequest         400, and every other 4xx without a class of its own
    │   ├── Unauthorized       401
    │   ├── Forbidden          403
    │   ├── NotFound           404: no such thing, or somebody else's
    │   ├── Conflict           409, 412: its status does not allow it, or it was changed meanwhile
    │   ├── Invalid            422: `errors` names every field
    │   ├── TooMany            429: a quota, or a rate
    │   └── ServerError        5xx, after all attempts
    ├── WaitTimeout            it has not ended yet (a `TimeoutError` as well)
    └── ExecutionFailed        it ended, but not well, and `check=True` was asked for

Whatever else is raised is a mistake in a call, such as a `TypeError`, or one of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from tailrace._nouns import BatchRecord
    from tailrace._records import Record


class TailraceError(Exception):
    """The root of everything that this package raises on purpose."""

    hint: str | None = None
    """What to do about it, or None."""


class TailraceWarning(UserWarning):
    """Something is odd, such as a server of another version."""


class ConfigError(TailraceError):
    """The configuration is wrong, or cannot be read."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConnectionFailed(TailraceError):
    """No answer came, however often it was tried.

    Attributes:
        url: The server's address, or that of the request.
        reason: What the network said.
    """

    _says = "does not answer"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} {self._says}: {reason}")
        self.url = url
        self.reason = reason
        self.hint = "Is it running, and is the address right? TAILRACE_URL or the configuration file says which it is."


class NotTailrace(ConnectionFailed):
    """Something answers at the address, but it is no Tailrace, or a proxy that does not let it through."""

    _says = "does not answer as a Tailrace does"

    def __init__(self, url: str, reason: str = "something else is there", *, hint: str | None = None) -> None:
        super().__init__(url, reason)
        self.hint = hint or self.hint


class ApiError(TailraceError):
    """The API refused.

    Attributes:
        status: The HTTP status.
        code: What was wrong, in a word that does not change, such as `not_found`.
        title: The same in a few words.
        detail: The same as a sentence.
        hint: What to do about it, or None.
        errors: One `{"field", "code", "message"}` for every wrong field.
        problem: All of the answer (RFC 9457).
        request_id: By which the server's log has it.
    """

    def __init__(self, status: int, problem: Mapping[str, Any] | None = None, *, request_id: str | None = None) -> None:
        problem = problem or {}
        self.status = status
        self.code = str(problem.get("type") or "").rpartition(":")[2] or "unknown"
        self.title = str(problem.get("title") or f"HTTP {status}")
        self.detail = str(problem.get("detail") or self.title)
        hint = problem.get("hint")
        self.hint = str(hint) if hint else None
        errors = problem.get("errors")
        self.errors: Sequence[Mapping[str, Any]] = errors if isinstance(errors, list) else []
        self.problem = problem
        self.request_id = request_id
        super().__init__(self.detail)

    @override
    def __str__(self) -> str:
        return f"{self.detail} {self.hint}" if self.hint else self.detail


class BadRequest(ApiError):
    """400, and every other 4xx without a class of its own."""


class Unauthorized(ApiError):
    """401: no token, or one that is not valid."""


class Forbidden(ApiError):
    """403: the token lacks a scope, or the policy does not allow it."""


class NotFound(ApiError):
    """404: no such thing, or somebody else's."""


class Conflict(ApiError):
    """409 and 412: its status does not allow it, or it was changed meanwhile."""


class Invalid(ApiError):
    """422: fields are wrong; `errors` names all of them."""


class TooMany(ApiError):
    """429: a quota or a rate is used up."""


class ServerError(ApiError):
    """5xx: the fault is the server's."""


class WaitTimeout(TailraceError, TimeoutError):
    """It has not ended within the time.

    Attributes:
        record: As it was then.
    """

    def __init__(self, record: Record | BatchRecord, seconds: float) -> None:
        super().__init__(f"{record.name or record.id} is {record.status} after {seconds:g} s.")
        self.record = record


class ExecutionFailed(TailraceError):
    """It ended, but did not succeed.

    Attributes:
        record: Says why: its `cause`, its `message`, its `exit_code`.
    """

    def __init__(self, record: Record | BatchRecord) -> None:
        why = f" ({record.cause})" if record.cause else ""
        super().__init__(f"{record.name or record.id} is {record.status}{why}: {record.message}")
        self.record = record
        self.hint = record.hint


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    422: Invalid,
    429: TooMany,
}


def api_error(status: int, problem: Mapping[str, Any] | None, *, request_id: str | None = None) -> ApiError:
    """The exception for an answer that is not a success."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else BadRequest)
    return kind(status, problem, request_id=request_id)
