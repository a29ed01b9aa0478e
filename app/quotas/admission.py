"""Whether an owner may queue more. Exact, however many submit at once: whoever has a limit submits one after the other.

Whoever accepts executions calls both functions in the transaction that adds them.
"""

from __future__ import annotations

from app.auth.service import Caller
from app.db.engine import Connection
from app.errors import QuotaExceeded
from app.quotas import repository
from app.settings import Settings


def max_queued(caller: Caller, settings: Settings) -> int | None:
    """How many the caller may have queued at once; None is any number."""
    return settings.max_queued_per_owner if caller.max_queued is None else caller.max_queued


async def wait_for_turn(connection: Connection, caller: Caller, settings: Settings) -> None:
    """Wait until no other submission of this owner is under way, if they have a limit. Before anything is locked."""
    if max_queued(caller, settings) is not None:
        await repository.lock_queue(connection, caller.owner)


async def check_room(
    connection: Connection, caller: Caller, settings: Settings, *, adding: int = 1, ahead: int = 0
) -> None:
    """Raises `QuotaExceeded` if that many more are too many, `ahead` being about to be added already."""
    limit = max_queued(caller, settings)
    if limit is None:
        return
    used = ahead + (await repository.count(connection, caller.owner)).queued
    if used + adding > limit:
        wanted = "" if adding == 1 else f", and these are {adding} more"
        raise QuotaExceeded(
            f"`{caller.owner}` has {used} executions queued of at most {limit}{wanted}.",
            hint="Wait until some of them have started, or cancel some.",
            used=used,
            limit=limit,
        )
