"""Use cases of browsers, which can neither send a header with a WebSocket nor keep a token to themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, literal

from app.auth import repository
from app.auth.granting import add, tell
from app.auth.model import SESSIONS_PER_TOKEN, TokenRecord
from app.auth.service import Caller
from app.auth.tokens import LOGIN_PREFIX, TICKET_PREFIX, hash_token, new_token
from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.errors import NotAllowed
from app.executions.repository import seconds_from_now

SESSION_SECONDS = 12 * 3600
TICKET_SECONDS = 30
LOGIN_SECONDS = 600


async def begin(process: Process, caller: Caller) -> tuple[TokenRecord, str]:
    """A token for a cookie, that may what the caller's may and ends with it. Raises `NotAllowed`."""
    expires_at = func.least(seconds_from_now(SESSION_SECONDS), literal(caller.expires_at))
    columns = {
        "name": "session",
        "owner": caller.owner,
        "scopes": sorted(caller.scopes),
        "expires_at": expires_at,
        "made_by": caller.token_id,
        "session": True,
    }
    async with transaction(process.database) as connection:
        await repository.forget_tokens(connection, caller.owner)
    async with transaction(process.database) as connection:
        # Whoever revokes the token at this moment waits, and then finds the session.
        token = await _hold_token(connection, caller)
        ended = await repository.end_oldest_sessions(connection, token, keep=SESSIONS_PER_TOKEN - 1)
        begun = await add(connection, columns)
    await tell(process, *ended)
    return begun


async def end(process: Process, caller: Caller) -> list[UUID]:
    """The session that the caller came with is over, if it is one; what was revoked."""
    async with transaction(process.database) as connection:
        if caller.token_id is None or not await repository.is_session(connection, caller.token_id):
            return []
        return await repository.revoke_token(connection, caller.token_id)


async def give_ticket(process: Process, caller: Caller) -> tuple[str, datetime]:
    """What opens one WebSocket as this caller, and until when."""
    assert caller.token_id is not None  # noqa: S101 - whoever sends a request has one
    ticket = new_token(TICKET_PREFIX)
    async with transaction(process.database) as connection:
        until = await repository.add_ticket(connection, hash_token(ticket), caller.token_id, seconds=TICKET_SECONDS)
    return ticket, until


async def give_login(process: Process, caller: Caller) -> tuple[str, datetime]:
    """What begins one session as this caller, and until when. Raises `NotAllowed`."""
    ticket = new_token(LOGIN_PREFIX)
    async with transaction(process.database) as connection:
        token = await _hold_token(connection, caller)
        until = await repository.add_ticket(connection, hash_token(ticket), token, seconds=LOGIN_SECONDS)
    return ticket, until


async def _hold_token(connection: Connection, caller: Caller) -> UUID:
    """The caller's token, valid until the transaction ends. Raises `NotAllowed` if that is none, or a session."""
    if caller.token_id is None or not await repository.hold_token(connection, caller.token_id, session=False):
        raise NotAllowed("A session begins with a token, not with another session.", hint="Send the token.")
    return caller.token_id
