"""Tokens of an OIDC issuer: signed by one of its keys, for this API, valid now; and who holds them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import jwt
from yarl import URL

from app.auth.oidc_keys import Keys
from app.auth.oidc_rules import Rules
from app.auth.tokens import Scope
from app.errors import NotAuthenticated
from app.explaining import printable
from app.settings import Settings

# What it says that it is: an access token (RFC 9068), or just a JWT; not one to log out with, for instance.
KINDS = frozenset({"jwt", "at+jwt", "application/at+jwt"})
MOST_CHARS = 16_384
MOST_SUBJECT_CHARS = 255
# What is later than that is no time for everybody who has to read it: the year 9999.
LAST = 253_370_764_800
_GET_ANOTHER = "Get a new one from your issuer."
# The first that fits says why one is not taken.
_WHY: tuple[tuple[type[jwt.PyJWTError], str, str], ...] = (
    (jwt.ExpiredSignatureError, "This token has expired.", _GET_ANOTHER),
    (jwt.ImmatureSignatureError, "This token is not valid yet.", "It begins later, or a clock is wrong."),
    (
        jwt.InvalidAudienceError,
        "This token is for somebody else: its audience is not this API.",
        "Ask your issuer for one with the audience of this API, which its administrator knows.",
    ),
    (jwt.InvalidSignatureError, "The signature of this token is not its issuer's.", _GET_ANOTHER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who holds one token of an issuer, and what they may do until it ends; `name` says whose it is, for people.

    `hash` is of what is signed in the token and of the rules that it was judged by, and of nothing that could be sent.
    For what is done in the owner's name they are vouched for until later.
    """

    hash: bytes
    name: str
    owner: str
    scopes: frozenset[Scope]
    expires_at: datetime
    vouched_until: datetime


class Oidc:
    """The one issuer of an installation."""

    def __init__(self, rules: Rules, keys: Keys) -> None:
        self._rules = rules
        self._host = URL(rules.issuer).host
        self.keys = keys

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None if the settings name none."""
        rules = Rules.of(settings)
        if rules is None:
            return None
        return cls(rules, Keys(rules.issuer, rules.algorithms, outbound_allow=settings.outbound_allow))

    async def identify(self, token: str) -> Identity:
        """Who holds it. Raises `NotAuthenticated` with the reason, and `Unavailable`."""
        rules = self._rules
        header = self._judge_unread(token)
        key = await self.keys.find((header.get("kid"), header["alg"]))
        if key is None:
            raise NotAuthenticated("This token is signed with a key that its issuer does not have.", hint=_GET_ANOTHER)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=rules.algorithms,
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=rules.leeway,
                options={"require": ["exp", "sub", "aud", "iss"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise _refusal(error) from None
        return self._identity_of(token, claims)

    def _judge_unread(self, token: str) -> dict[str, Any]:
        """Its header, if looking for the key is worth while: nothing of it is believed yet. Raises the same."""
        if len(token) > MOST_CHARS:
            raise NotAuthenticated("This token is too long.", hint=f"At most {MOST_CHARS} characters are read.")
        try:
            unread = jwt.decode_complete(token, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise _refusal(error) from None
        header: dict[str, Any] = unread["header"]
        if header.get("alg") not in self._rules.algorithms:
            hint = f"Signatures may be by {', '.join(self._rules.algorithms)}."
            raise NotAuthenticated("This token is signed in a way that is not taken here.", hint=hint)
        if str(header.get("typ", "JWT")).lower() not in KINDS:
            raise NotAuthenticated("This token is not for access.", hint=_GET_ANOTHER)
        if unread["payload"].get("iss") != self._rules.issuer:
            raise NotAuthenticated("This token is of another issuer.", hint="Get one from the issuer of this API.")
        return header

    def _identity_of(self, token: str, claims: dict[str, Any]) -> Identity:
        rules = self._rules
        try:
            owner = rules.owner_of(claims)
        except ValueError as error:
            hint = "Its administrator chooses the claim: TAILRACE_OIDC_OWNER_CLAIM."
            detail = f"This token does not say whose it is: `{rules.owner_claim}` {error}."
            raise NotAuthenticated(detail, hint=hint) from None
        expires_at = datetime.fromtimestamp(min(int(claims["exp"]) + rules.leeway, LAST), UTC)
        # What is signed, since one signature can be written in several ways, and each would be another row: one that is
        # revoked came in again. No text has this byte in UTF-8, so nobody can send what has this hash.
        judged = b"\xff".join((b"oidc", repr(rules).encode(), token.rpartition(".")[0].encode()))
        subject = printable(claims["sub"].replace("\0", "\ufffd"))[:MOST_SUBJECT_CHARS]
        return Identity(
            hash=hashlib.sha256(judged).digest(),
            name=f"{subject} at {self._host}",
            owner=owner,
            scopes=rules.scopes_of(claims),
            expires_at=expires_at,
            vouched_until=expires_at + min(rules.absence, datetime.max.replace(tzinfo=UTC) - expires_at),
        )


def is_jwt(token: str) -> bool:
    """Whether it looks like one of an issuer; ours never do."""
    return token.startswith("eyJ") and token.count(".") == 2


def _refusal(error: jwt.PyJWTError) -> NotAuthenticated:
    """Why not, and what to do about it; not what the library quotes of the token."""
    for kind, detail, hint in _WHY:
        if isinstance(error, kind):
            return NotAuthenticated(detail, hint=hint)
    if isinstance(error, jwt.MissingRequiredClaimError):
        return NotAuthenticated(f"This token does not have the claim `{error.claim}`.", hint=_GET_ANOTHER)
    return NotAuthenticated("This token cannot be read.", hint="It is cut or damaged, or no JWT (RFC 7519).")
