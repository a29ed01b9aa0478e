"""Who is calling: a bearer token, looked up by its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import ARRAY, LargeBinary, any_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from app.auth.tables import Token
from app.auth.tokens import LENGTH, PREFIX, Scope, hash_token, is_well_formed
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import NotAllowed, NotAuthenticated
from app.quotas.tables import Quota

log = structlog.get_logger(__name__)

BOOTSTRAP_OWNER = "admin"
HOW_TO = "Send the header `Authorization: Bearer <token>`."
_IS_VALID = (Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > func.now()))
# Every request asks this, so it is built once.
_VALID = (
    select(Token.hash, Token.owner, Token.scopes, Quota.max_queued)
    .outerjoin(Quota, Quota.owner == Token.owner)
    .where(
        Token.hash == any_(bindparam("hashes", type_=ARRAY(LargeBinary))),
        *_IS_VALID,
    )
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent the request, and what their token may do. `max_queued` is their own limit, if they have one."""

    owner: str
    scopes: frozenset[Scope]
    max_queued: int | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the token has this scope; `admin` has them all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scope: Scope, *, to: str | None = None) -> None:
        """Raises `NotAllowed` without this scope; `to` says for what of the request it is needed."""
        if not self.may(scope):
            held = ", ".join(sorted(self.scopes)) or "none"
            needs = f"To {to} you need" if to else "This needs"
            raise NotAllowed(f"{needs} a token with the scope `{scope}`.", hint=f"Scopes of this token: {held}.")

    @property
    def sees(self) -> str | None:
        """Whose objects: their own, or (None) everybody's."""
        return None if Scope.ADMIN in self.scopes else self.owner


async def authenticate(process: Process, headers: Mapping[str, str]) -> Caller:
    """Who holds the token in these headers, of a request or a WebSocket's handshake. Raises `NotAuthenticated`."""
    token = _bearer(headers.get("authorization", ""))
    caller = await process.gathering.add(authenticate, hash_token(token), partial(_find_callers, process))
    if caller is None:
        raise NotAuthenticated("This token is not valid.", hint=_why_not(token))
    return caller


async def _find_callers(process: Process, hashes: list[bytes]) -> list[Caller | None]:
    """Who holds the tokens of these hashes; None for one that is not valid."""
    async with reading(process.database) as connection:
        rows = await connection.execute(_VALID, {"hashes": list(set(hashes))})
    callers = {row.hash: Caller(row.owner, frozenset(map(Scope, row.scopes)), row.max_queued) for row in rows}
    return [callers.get(each) for each in hashes]


async def find_owner(connection: Connection, owner: str, *, as_admin: bool) -> Caller:
    """An owner as a caller, for what happens in their name: with all that their valid tokens may do.

    As an admin only `as_admin`: who holds one of their lesser tokens is to gain nothing by having it done so.
    """
    mine = select(Token.scopes).where(Token.owner == owner, *_IS_VALID)
    scopes = {Scope(scope) for row in await connection.execute(mine) for scope in row.scopes}
    if Scope.ADMIN in scopes and not as_admin:
        scopes = set(Scope) - {Scope.ADMIN}
    limit = (await connection.execute(select(Quota.max_queued).where(Quota.owner == owner))).scalar_one_or_none()
    return Caller(owner, frozenset(scopes), limit)


async def ensure_bootstrap_token(process: Process) -> None:
    """Make the token of the settings valid, for an admin. Several processes may do so at once."""
    setting = process.settings.bootstrap_token
    if setting is None:
        return
    token = setting.get_secret_value()
    if not is_well_formed(token) and len(token) < LENGTH:
        log.warning("auth.bootstrap_token_weak", wanted_length=LENGTH)
    async with transaction(process.database) as connection:
        await connection.execute(
            insert(Token)
            .values(id=uuid7(), hash=hash_token(token), name="bootstrap", owner=BOOTSTRAP_OWNER, scopes=list(Scope))
            .on_conflict_do_nothing(index_elements=[Token.hash]),
        )


def _bearer(header: str) -> str:
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if not header:
        raise NotAuthenticated("This needs a token.", hint=HOW_TO)
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("The Authorization header is not a bearer token.", hint=HOW_TO)
    return token


def _why_not(token: str) -> str:
    if token.startswith(PREFIX) and not is_well_formed(token):
        return "It is cut or mistyped: its checksum does not match."
    return "It is unknown here, expired or revoked."
