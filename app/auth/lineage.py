"""What was made with a token, and with what that made: the end of all of it, for after a theft. One transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from app.audit import acts
from app.audit import repository as audit
from app.auth import granting, repository
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.notifications import repository as notifications
from app.schedules import repository as schedules
from app.triggers import repository as triggers
from app.webhooks import outbox as webhooks

SwitchOff = Callable[[Connection, Collection[UUID]], Awaitable[list[tuple[UUID, str]]]]
# By the first part of their paths.
_ACTING: Mapping[str, SwitchOff] = {
    "schedules": schedules.switch_off,
    "triggers": triggers.switch_off,
    "webhooks": webhooks.switch_off,
    "notifications": notifications.switch_off,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What has come to its end: tokens and shares are revoked, all else is switched off."""

    tokens: list[UUID]
    shares: list[UUID]
    schedules: list[UUID]
    triggers: list[UUID]
    webhooks: list[UUID]
    notifications: list[UUID]


async def revoke(process: Process, caller: Caller, token: UUID) -> Ended:
    """A token, and all that follows from it, each of it on record. Raises `NotFound` and `NotAllowed`.

    Who may revoke the token may do so with what was made with it, which may no more than that.
    """
    async with transaction(process.database) as connection:
        await granting.find_revocable(connection, caller, token)
        family = await repository.lock_family(connection, token)
        ended = {"tokens": await repository.revoke_tokens(connection, family)}
        shares = await repository.revoke_shares(connection, family)
        ended |= {noun: await switch_off(connection, family) for noun, switch_off in _ACTING.items()}
        touched = {f"{noun}/{each}": owner for noun, found in ended.items() for each, owner in found}
        touched |= {f"executions/{execution}/shares/{share}": owner for share, execution, owner in shares}
        await audit.add(connection, acts.entries_of(touched))
    if touched:
        acts.note_written()
    ids = {noun: [each for each, _ in found] for noun, found in ended.items()}
    return Ended(shares=[share for share, _, _ in shares], **ids)


async def tell(process: Process, ended: Ended) -> None:
    """What is open by any of it is to end, here and everywhere, after the commit."""
    await granting.tell(process, *ended.tokens, *ended.shares)
    if ended.schedules:
        await process.hints.reschedule()
