"""Use cases of shares: tokens that show one execution to whoever has them. Each is at most one short transaction."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

from app.auth import repository
from app.auth.granting import expiry_of, hold
from app.auth.model import SHARES_PER_EXECUTION, ShareRecord
from app.auth.service import Caller
from app.auth.tokens import SHARE_PREFIX, hash_token, new_token
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.errors import NotFound, QuotaExceeded
from app.executions.finding import get_record

# The operations that one is enough for, beside the WebSocket `tail`: below the address of the execution, and reading.
SHOWN = frozenset(
    {
        "get_execution",
        "get_share",
        "list_events",
        "list_attempts",
        "get_usage",
        "read_logs",
        "list_outputs",
        "download_outputs",
        "download_output",
        "preview_output",
    }
)
# Unless another time is asked for.
DAYS = 7
# With those that are not valid any more.
MOST_LISTED = 1000


async def make(
    process: Process, caller: Caller, execution: UUID, *, expires_in: float | None, note: str | None
) -> tuple[ShareRecord, str]:
    """A new one, and its token, which is not kept. Raises `NotFound`, `InvalidRequest` and `QuotaExceeded`."""
    token = new_token(SHARE_PREFIX)
    expires_at = expiry_of(caller, expires_in, usual=DAYS * 86_400)
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        await get_record(connection, execution, caller.sees)
        if (used := await repository.lock_shares(connection, execution)) >= SHARES_PER_EXECUTION:
            raise QuotaExceeded(
                f"The execution is shared {used} times.",
                hint=f"Revoke one: DELETE /v1/executions/{execution}/shares/{{share}}.",
                used=used,
                limit=SHARES_PER_EXECUTION,
            )
        columns = {
            "id": uuid7(),
            "hash": hash_token(token),
            "execution_id": execution,
            "note": note,
            "made_by": caller.owner,
            "made_with": caller.token_id,
            "expires_at": expires_at,
        }
        return await repository.add_share(connection, columns), token


async def get_own(process: Process, caller: Caller, execution: UUID) -> ShareRecord:
    """The one that the caller has come by. Raises `NotFound` for who comes otherwise."""
    async with reading(process.database) as connection:
        await get_record(connection, execution, caller.sees)
        share = await repository.find_share(connection, execution, caller.token_id) if caller.token_id else None
    if share is None:
        raise NotFound("This was not asked for by a share.", hint=f"All: GET /v1/executions/{execution}/shares.")
    return share


async def list_all(process: Process, caller: Caller, execution: UUID) -> list[ShareRecord]:
    """Of one execution, the newest first, also those that have ended lately. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await get_record(connection, execution, caller.sees)
        return await repository.list_shares(connection, execution, most=MOST_LISTED)


async def revoke(process: Process, caller: Caller, execution: UUID, share: UUID) -> None:
    """It is not valid from now on, wherever it is in use. Raises `NotFound`."""
    async with transaction(process.database) as connection:
        await get_record(connection, execution, caller.sees)
        if await repository.find_share(connection, execution, share) is None:
            raise NotFound(f"There is no share {share} of this execution.")
        await repository.revoke_share(connection, share)
