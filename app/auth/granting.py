"""Use cases of tokens. Each is at most one short transaction.

Nobody gives more than they have: not other scopes, not for longer, and only an admin to somebody else. And nobody
takes away a token that may more than their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal
from uuid_utils.compat import uuid7

from app.auth import repository
from app.auth.holding import no_longer_valid
from app.auth.model import TOKENS_PER_OWNER, TokenKind, TokenRecord
from app.auth.service import Caller
from app.auth.tokens import Scope, hash_token, new_token
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import FieldError, InvalidRequest, NotAllowed, NotFound, QuotaExceeded
from app.executions.repository import seconds_from_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A token as it is asked for. Without an owner it is the caller's, without a time it is valid as long as may be."""

    name: str
    owner: str | None
    scopes: frozenset[Scope]
    expires_in: float | None


async def make(process: Process, caller: Caller, wanted: Wanted) -> tuple[TokenRecord, str]:
    """A new token, and what it is, which is not kept. Raises `NotAllowed`, `InvalidRequest` and `QuotaExceeded`."""
    owner = wanted.owner or caller.owner
    if owner != caller.owner:
        caller.require(Scope.ADMIN, to="make a token for somebody else")
    for scope in sorted(wanted.scopes):
        caller.require(scope, to=f"give the scope `{scope}`")
    columns = {
        "name": wanted.name,
        "owner": owner,
        "scopes": sorted(wanted.scopes),
        "expires_at": expiry_of(caller, wanted.expires_in),
        "made_by": caller.token_id,
    }
    async with transaction(process.database) as connection:
        await repository.forget_tokens(connection, owner)
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        await _check_room(connection, owner)
        return await add(connection, columns)


async def hold(connection: Connection, caller: Caller) -> None:
    """Whoever revokes the caller's token waits until the transaction ends, and then finds what was made with it.

    Raises `NotAuthenticated` for one that was revoked while its request was on its way.
    """
    if caller.token_id is not None and not await repository.hold_token(connection, caller.token_id):
        raise no_longer_valid()


async def _check_room(connection: Connection, owner: str) -> None:
    """Whether they may have another one; nobody else makes one until the transaction ends. Raises `QuotaExceeded`."""
    if (used := await repository.lock_tokens(connection, owner)) >= TOKENS_PER_OWNER:
        raise QuotaExceeded(
            f"`{owner}` has {used} valid tokens.",
            hint="Revoke those that nobody needs: DELETE /v1/tokens/{id}.",
            used=used,
            limit=TOKENS_PER_OWNER,
        )


async def add(connection: Connection, columns: Mapping[str, Any]) -> tuple[TokenRecord, str]:
    """A new token with these columns, and what it is."""
    token = new_token()
    return await repository.add_token(connection, {"id": uuid7(), "hash": hash_token(token), **columns}), token


def expiry_of(caller: Caller, seconds: float | None, *, usual: float | None = None) -> ColumnElement[datetime] | None:
    """When something ends that is asked for so many seconds, and for the `usual` if for none; None is never.

    It ends with the caller's token at the latest, unless that is an admin's. Raises `InvalidRequest`.
    """
    own = None if caller.may(Scope.ADMIN) else caller.expires_at
    if own is not None and seconds is not None and seconds > (caller.expires_in or 0):
        message = f"must be at most {int(caller.expires_in or 0)}: the token that you ask with ends then"
        raise InvalidRequest(f"`expires_in` {message}.", fields=[FieldError("expires_in", "outlives", message)])
    wanted = usual if seconds is None else seconds
    ends = [seconds_from_now(wanted)] if wanted is not None else []
    ends += [literal(own)] if own is not None else []
    return func.least(*ends) if ends else None


async def get(process: Process, caller: Caller, token: UUID) -> TokenRecord:
    """One. Raises `NotFound`."""
    async with reading(process.database) as connection:
        return await _get(connection, caller, token)


async def get_page(
    process: Process,
    caller: Caller,
    *,
    owner: str | None,
    kind: TokenKind | None,
    dead: bool,
    limit: int,
    before: UUID | None,
) -> tuple[list[TokenRecord], bool]:
    """One page, and whether there are more. Of another `owner` there is nothing to be seen."""
    if caller.sees is not None and owner not in {None, caller.owner}:
        return [], False
    async with reading(process.database) as connection:
        found = await repository.list_tokens(
            connection, owner=owner or caller.sees, kind=kind, dead=dead, before=before, most=limit + 1
        )
    return found[:limit], len(found) > limit


async def revoke(process: Process, caller: Caller, token: UUID) -> list[UUID]:
    """It is not valid from now on, wherever it is in use, nor are its sessions. Raises `NotFound` and `NotAllowed`."""
    async with transaction(process.database) as connection:
        await find_revocable(connection, caller, token)
        return await repository.revoke_token(connection, token)


async def find_revocable(connection: Connection, caller: Caller, token: UUID) -> TokenRecord:
    """One that this caller may revoke. Raises `NotFound` and `NotAllowed`."""
    found = await _get(connection, caller, token)
    if token != caller.token_id and not all(map(caller.may, found.scopes)):
        raise NotAllowed("This token may more than yours.", hint=f"Its scopes: {', '.join(sorted(found.scopes))}.")
    return found


async def tell(process: Process, *tokens: UUID) -> None:
    """What is open by them is to end, here and everywhere, after the commit."""
    for token in tokens:
        process.holding.suspect(token)
        await process.hints.revoked(token)


async def _get(connection: Connection, caller: Caller, token: UUID) -> TokenRecord:
    found = await repository.find_token(connection, token, owner=caller.sees)
    if found is None:
        raise NotFound(f"There is no token {token}.", hint="List yours: GET /v1/tokens.")
    return found
