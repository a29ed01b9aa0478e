"""Who is calling: a bearer token or a share, looked up by its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, LargeBinary, Row, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from app.auth.cookies import session_of
from app.auth.oidc import Identity, is_jwt
from app.auth.oidc_repository import admit, vouched
from app.auth.repository import is_valid, take_ticket
from app.auth.tables import Share, Token
from app.auth.tokens import EVERYTHING, KINDS, LENGTH, SHARE_PREFIX, Scope, hash_token, is_well_formed
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.db.orm import clock
from app.errors import NotAllowed, NotAuthenticated, NotFound
from app.executions.tables import Execution
from app.quotas.model import UNBOUNDED, Bounds
from app.quotas.tables import Quota

log = structlog.get_logger(__name__)

BOOTSTRAP_OWNER = "admin"
# As what a share is on record.
GUEST = "share"
HOW_TO = "Send the header `Authorization: Bearer <token>`."
_TIME = "%Y-%m-%d %H:%M UTC"
_HASHED = bindparam("hashes", type_=ARRAY(LargeBinary))
_LIMITS = (Quota.max_queued, Quota.max_cpus, Quota.max_memory, Quota.max_log_bytes, Quota.max_storage)
# Every request asks this, so it is built once.
_CALLER = (
    select(Token.hash, Token.id, Token.name, Token.owner, Token.scopes, Token.expires_at, *_LIMITS)
    .add_columns(func.extract("epoch", Token.expires_at - clock()).label("expires_in"))
    .outerjoin(Quota, Quota.owner == Token.owner)
    .where(is_valid(Token))
)
_VALID = _CALLER.where(Token.hash == any_(_HASHED))
_SHARED = (
    select(Share.hash, Share.id, Share.execution_id, Execution.owner)
    .add_columns(func.extract("epoch", Share.expires_at - clock()).label("expires_in"))
    .join(Execution, Execution.id == Share.execution_id)
    .where(Share.hash == any_(_HASHED), is_valid(Share))
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent the request, and what their token may do. `max_queued` and `bounds` are limits of their own.

    Who acts in somebody's name has no token. `expires_in` is for how many seconds it was valid when it was looked up.
    """

    owner: str
    scopes: frozenset[Scope]
    max_queued: int | None = None
    token_id: UUID | None = None
    token_name: str | None = None
    expires_at: datetime | None = None
    expires_in: float | None = None
    bounds: Bounds = UNBOUNDED

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


async def authenticate(
    process: Process,
    headers: Mapping[str, str],
    *,
    shown: UUID | None = None,
    safe: bool = False,
    secure: bool = False,
) -> Caller:
    """Who holds the token in these headers, or the cookie, which has another name where they came `secure`, over https.

    A share is good only where the execution is `shown` that it is of. What is not `safe` to be asked for by a page of
    somebody else is not done by a cookie then. Raises `NotAuthenticated`, and `NotAllowed` and `NotFound` for these.
    """
    token = _presented(headers, safe=safe, secure=secure)
    hash_ = hash_token(token)
    if token.startswith(SHARE_PREFIX):
        guest = await process.gathering.add(_find_guests, hash_, partial(_find_guests, process))
        caller = guest.shown(shown) if guest else None
    elif process.oidc is not None and is_jwt(token):
        caller = await _recognise(process, await process.oidc.identify(token))
    else:
        caller = await process.gathering.add(authenticate, hash_, partial(_find_callers, process))
    if caller is None:
        ended = await _how_ended(process, hash_) if token.startswith(SHARE_PREFIX) else None
        raise NotAuthenticated("This token is not valid.", hint=ended or _why_not(token))
    if caller.token_id is not None:
        process.holding.use(caller.token_id)
    return caller


async def authenticate_once(
    process: Process, headers: Mapping[str, str], *, kind: str, shown: UUID | None = None, secure: bool = False
) -> Caller:
    """The same where a ticket of this kind is good as well, by its prefix. It is used up."""
    token = headers.get("authorization", "").partition(" ")[2].strip()
    if not token.startswith(kind):
        return await authenticate(process, headers, shown=shown, secure=secure)
    async with transaction(process.database) as connection:
        holder = await take_ticket(connection, hash_token(token))
        row = (await connection.execute(_CALLER.where(Token.id == holder))).one_or_none() if holder else None
    if row is None:
        raise NotAuthenticated("This ticket is not valid.", hint="It was used, or is too old: get a new one.")
    return _caller_of(row)


async def _recognise(process: Process, identity: Identity) -> Caller:
    """Who holds an issuer's token: from when it comes first as a row, by which it ends, and can be revoked here.

    Raises `NotAuthenticated`.
    """
    find = partial(_find_callers, process)
    caller: Caller | None = await process.gathering.add(authenticate, identity.hash, find)
    if caller is None:
        async with transaction(process.database) as connection:
            await admit(connection, identity)
        caller = await process.gathering.add(authenticate, identity.hash, find)
    if caller is None:
        raise NotAuthenticated("This token is not valid any more.", hint="It was revoked here, or has just expired.")
    return caller


async def _find_callers(process: Process, hashes: list[bytes]) -> list[Caller | None]:
    """Who holds the tokens of these hashes; None for one that is not valid."""
    async with reading(process.database) as connection:
        rows = (await connection.execute(_VALID, {"hashes": list(set(hashes))})).all()
    callers = {row.hash: _caller_of(row) for row in rows}
    return [callers.get(each) for each in hashes]


def _caller_of(row: Row[Any]) -> Caller:
    return Caller(
        row.owner,
        frozenset(map(Scope, row.scopes)),
        row.max_queued,
        row.id,
        row.name,
        row.expires_at,
        None if row.expires_in is None else float(row.expires_in),
        _bounds_of(row),
    )


def _bounds_of(row: Any) -> Bounds:
    return Bounds(
        max_cpus=row.max_cpus, max_memory=row.max_memory, max_log_bytes=row.max_log_bytes, max_storage=row.max_storage
    )


@dataclass(frozen=True, slots=True)
class _Guest:
    """Who holds a share: whom they are to be taken for, and where."""

    execution: UUID
    caller: Caller

    def shown(self, execution: UUID | None) -> Caller:
        """As a caller, where this is shown. Raises `NotAllowed` and `NotFound`."""
        if execution is None:
            hint = "Its record, log and outputs can be read, and nothing else."
            raise NotAllowed("This address shows one execution.", hint=hint)
        if execution != self.execution:
            raise NotFound(f"There is no execution {execution}.")
        return self.caller


async def _find_guests(process: Process, hashes: list[bytes]) -> list[_Guest | None]:
    """The same for shares."""
    async with reading(process.database) as connection:
        rows = (await connection.execute(_SHARED, {"hashes": list(set(hashes))})).all()
    scopes = frozenset({Scope.READ})
    guests = {
        row.hash: _Guest(
            row.execution_id,
            Caller(row.owner, scopes, token_id=row.id, token_name=GUEST, expires_in=float(row.expires_in)),
        )
        for row in rows
    }
    return [guests.get(each) for each in hashes]


async def _how_ended(process: Process, hash_: bytes) -> str | None:
    """Who holds a share is told why it shows nothing any more, as long as that is known."""
    async with reading(process.database) as connection:
        ended = select(Share.revoked_at, Share.expires_at).where(Share.hash == hash_)
        row = (await connection.execute(ended)).one_or_none()
    if row is None:
        return None
    return (
        f"It was revoked at {row.revoked_at:{_TIME}}." if row.revoked_at else f"It expired at {row.expires_at:{_TIME}}."
    )


async def find_owner(connection: Connection, owner: str, *, most: frozenset[Scope] = EVERYTHING) -> Caller:
    """An owner as a caller, for what happens in their name: with all that their valid tokens may do, and what an issuer
    vouches for.

    No more than at `most`: who holds one of their lesser tokens is to gain nothing by having it done so.
    """
    mine = select(Token.scopes).where(Token.owner == owner, is_valid(Token)).union_all(vouched(owner))
    scopes = {Scope(scope) for row in await connection.execute(mine) for scope in row.scopes}
    row = (await connection.execute(select(*_LIMITS).where(Quota.owner == owner))).one_or_none()
    limit, bounds = (row.max_queued, _bounds_of(row)) if row else (None, UNBOUNDED)
    return Caller(owner, most & (EVERYTHING if Scope.ADMIN in scopes else scopes), limit, bounds=bounds)


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


def _presented(headers: Mapping[str, str], *, safe: bool, secure: bool) -> str:
    """The token of the header; without one that of the cookie, if the request comes from a page of ours."""
    header = headers.get("authorization", "")
    session = None if header else session_of(headers, secure=secure, safe=safe)
    return session or _bearer(header)


def _bearer(header: str) -> str:
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if not header:
        raise NotAuthenticated("This needs a token.", hint=HOW_TO)
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("The Authorization header is not a bearer token.", hint=HOW_TO)
    return token


def _why_not(token: str) -> str:
    if token.startswith(KINDS) and not is_well_formed(token):
        return "It is cut or mistyped: its checksum does not match."
    if is_jwt(token):
        return "It looks like one of an issuer (OpenID Connect), and this API has none."
    if token.startswith(SHARE_PREFIX):
        return "It is unknown here: what it showed may have been deleted."
    return "It is unknown here, expired or revoked."
