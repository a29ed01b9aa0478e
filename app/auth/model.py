"""Value types of tokens and shares: what is known of them, but for what they are themselves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.auth.tokens import Scope

# Valid at once.
TOKENS_PER_OWNER = 100
SHARES_PER_EXECUTION = 100
# Of one token. One more ends the oldest.
SESSIONS_PER_TOKEN = 20
TICKETS_PER_TOKEN = 100
# What is not valid any more is listed for so long, and of one owner or execution so many.
DEAD_DAYS = 90
DEAD_PER_OWNER = 1000
DEAD_PER_EXECUTION = 900
# Why something does nothing any more.
SWITCHED_OFF = "The token by which it was set was revoked, with all that was made with it."


class Role(StrEnum):
    """A named set of scopes."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What tokens of this role may do."""
        return _SCOPES[self]


class TokenKind(StrEnum):
    """How somebody came to have a token: it was made, it is a browser's session, or an issuer's (OpenID Connect)."""

    TOKEN = "token"  # noqa: S105 - a word
    SESSION = "session"
    OIDC = "oidc"


_SCOPES = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.SUBMIT, Scope.CANCEL}),
    Role.ADMIN: frozenset(Scope),
}


def role_of(scopes: frozenset[Scope]) -> Role | None:
    """The role with just these scopes, if there is one."""
    return next((role for role in Role if role.scopes == scopes), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token. `made_by` is the one that made it."""

    id: UUID
    kind: TokenKind
    name: str
    owner: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    made_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRecord:
    """A token that shows one execution. `made_by` is an owner."""

    id: UUID
    execution_id: UUID
    note: str | None
    made_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
