"""What is refused, as RFC 9457 problems like those of the real server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

FIELDS_IN_WORDS = 5
_TITLES = {
    400: ("malformed_request", "Malformed request"),
    401: ("not_authenticated", "Not authenticated"),
    403: ("not_allowed", "Not allowed"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    409: ("conflict", "Conflict with the current status"),
    412: ("precondition_failed", "Precondition failed"),
    422: ("invalid_request", "Invalid request"),
    429: ("rate_limited", "Too many requests"),
    500: ("internal", "Internal error"),
    501: ("not_faked", "Not in the fake"),
    503: ("unavailable", "Temporarily unavailable"),
}


class Wrong(NamedTuple):
    """One thing wrong with one field."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """A request is refused."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        hint: str | None = None,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.errors = errors
        self.headers = headers or {}

    def document(self, path: str) -> dict[str, Any]:
        """As it is answered."""
        code, title = _TITLES.get(self.status, ("unknown", f"HTTP {self.status}"))
        return {
            "type": f"urn:tailrace:problem:{code}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            "errors": [error._asdict() for error in self.errors],
            "instance": path,
        }


def invalid(errors: Sequence[Wrong]) -> Problem:
    """These fields are wrong."""
    shown = "; ".join(f"`{error.field}` {error.message}" for error in errors[:FIELDS_IN_WORDS])
    more = f"; and {len(errors) - FIELDS_IN_WORDS} more" if len(errors) > FIELDS_IN_WORDS else ""
    detail = f"{shown}." if len(errors) == 1 else f"{len(errors)} fields are wrong: {shown}{more}."
    return Problem(422, detail, hint="What may be sent is described at /docs.", errors=errors)


def not_found(what: str, name: str) -> Problem:
    """There is none, or it is somebody else's."""
    return Problem(404, f"There is no {what} {name}.")


def not_faked(what: str) -> Problem:
    """The real server can do that, this one can not."""
    hint = "docs/testing.md says what it covers. For the rest, test with a real one: `make up`."
    return Problem(501, f"The fake server of tailrace.testing has no {what}.", hint=hint)
