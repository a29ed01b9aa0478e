"""Use cases of webhooks. Each is at most one short transaction; a host is looked up before it begins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.auth.granting import hold
from app.auth.service import Caller
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.db.orm import clock
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.events.protocol import BELL
from app.outbound.policy import Refused
from app.quotas.model import EVERYBODY
from app.webhooks import outbox, payload, repository, sealing
from app.webhooks.model import WEBHOOKS_PER_OWNER, Chosen, Delivery, DeliveryState, EventType, Webhook
from app.webhooks.repository import FRESH
from app.webhooks.signing import new_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A webhook whose every field is valid in itself."""

    url: str
    events: Collection[EventType]
    chosen: Chosen
    enabled: bool
    description: str | None
    everybody: bool = False


def owner_for(caller: Caller, *, everybody: bool) -> str:
    """Whose what is made becomes. Raises `NotAllowed` when it is to hear of everybody's, and the caller may not."""
    if everybody:
        caller.require(Scope.ADMIN, to='give `owner` as "*"')
    return EVERYBODY if everybody else caller.owner


async def create(process: Process, caller: Caller, draft: Draft) -> tuple[Webhook, str]:
    """A new one, and its secret. Raises `InvalidRequest`, `NotAllowed` and `Conflict`."""
    owner = owner_for(caller, everybody=draft.everybody)
    _check_key(process)
    await _check_url(process, draft.url)
    id_, secret = uuid7(), new_secret()
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        if await repository.count(connection, owner) >= WEBHOOKS_PER_OWNER:
            raise Conflict(f"There are {WEBHOOKS_PER_OWNER} webhooks already.", hint="Delete one that nobody needs.")
        webhook = await repository.add(
            connection,
            id_=id_,
            owner=owner,
            url=draft.url,
            events=draft.events,
            chosen=draft.chosen,
            enabled=draft.enabled,
            description=draft.description,
            sealed=sealing.seal(process.vault, id_, secret),
            set_by=caller.token_id,
        )
    return webhook, secret


async def get(process: Process, caller: Caller, webhook: UUID) -> Webhook:
    """One. Raises `NotFound`."""
    async with reading(process.database) as connection:
        return await _get(connection, caller, webhook)


async def get_page(
    process: Process,
    caller: Caller,
    *,
    execution: UUID | None,
    batch: UUID | None,
    limit: int,
    before: UUID | None,
) -> tuple[list[Webhook], bool]:
    """One page, and whether there are more."""
    async with reading(process.database) as connection:
        found = await repository.list_webhooks(
            connection, owner=caller.sees, execution=execution, batch=batch, after=before, most=limit + 1
        )
    return found[:limit], len(found) > limit


async def change(process: Process, caller: Caller, webhook: UUID, given: Mapping[str, Any]) -> Webhook:
    """Set these fields; to enable it forgives what failed. Raises `NotFound` and `InvalidRequest`."""
    values = {name: given[name] for name in ("url", "enabled", "description") if name in given}
    if "events" in given:
        values["events"] = sorted(given["events"])
    if "url" in given:
        await _check_url(process, given["url"])
    if given.get("enabled"):
        values |= FRESH
    if "url" in given or given.get("enabled"):
        values["set_by"] = caller.token_id
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        known = await _get(connection, caller, webhook, lock=True)
        if not given.keys().isdisjoint(("pools", "methods", "labels")):
            values["chosen"] = Chosen(
                frozenset(given.get("pools", known.chosen.pools)),
                frozenset(given.get("methods", known.chosen.methods)),
                given.get("labels", known.chosen.labels),
            )
        changed = await repository.change(connection, webhook, values)
        if not changed.enabled:
            await outbox.give_up_waiting(connection, webhook)
        return changed


async def remove(process: Process, caller: Caller, webhook: UUID) -> None:
    """Delete it, with the log of its deliveries. Raises `NotFound`."""
    async with transaction(process.database) as connection:
        await _get(connection, caller, webhook, lock=True)
        await repository.remove(connection, webhook)


async def rotate(process: Process, caller: Caller, webhook: UUID, *, overlap: float) -> tuple[Webhook, str]:
    """A new secret; the one before stays valid for so many seconds. Raises `NotFound` and `InvalidRequest`."""
    _check_key(process)
    secret = new_secret()
    async with transaction(process.database) as connection:
        known = await _get(connection, caller, webhook, lock=True)
        sealed = sealing.seal(process.vault, webhook, secret)
        return await repository.rotate(connection, known, sealed, overlap=overlap), secret


async def ping(process: Process, caller: Caller, webhook: UUID) -> Delivery:
    """Send it something that says nothing. Raises `NotFound` and `Conflict`."""
    async with transaction(process.database) as connection:
        _require_enabled(await _get(connection, caller, webhook))
        now = (await connection.execute(select(clock()))).scalar_one()
        body = payload.of_ping(webhook, now)
        return await repository.add_delivery(connection, uuid7(), webhook, EventType.PING, body)


async def get_deliveries(
    process: Process,
    caller: Caller,
    webhook: UUID,
    *,
    state: DeliveryState | None,
    execution: UUID | None,
    limit: int,
    before: UUID | None,
) -> tuple[list[Delivery], bool]:
    """One page of its log, and whether there are more. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await _get(connection, caller, webhook)
        found = await repository.list_deliveries(
            connection, webhook, state=state, execution=execution, after=before, most=limit + 1
        )
    return found[:limit], len(found) > limit


async def get_body(process: Process, caller: Caller, webhook: UUID, delivery: UUID) -> str:
    """What is or was sent. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await _get(connection, caller, webhook)
        body = await repository.read_body(connection, webhook, delivery)
    if body is None:
        raise _no_such_delivery(delivery)
    return body


async def redeliver(process: Process, caller: Caller, webhook: UUID, delivery: UUID) -> Delivery:
    """Send it again, under the same id. Raises `NotFound` and `Conflict`."""
    async with transaction(process.database) as connection:
        _require_enabled(await _get(connection, caller, webhook))
        again = await repository.send_again(connection, webhook, delivery)
    if again is None:
        raise _no_such_delivery(delivery)
    return again


async def wake(process: Process) -> None:
    """Something is to be sent: whoever does it need not wait for its next look."""
    await process.hints.publish([], to_all=BELL)


async def _get(connection: Connection, caller: Caller, webhook: UUID, *, lock: bool = False) -> Webhook:
    found = await repository.find(connection, webhook, owner=caller.sees, lock=lock)
    if found is None:
        raise NotFound(f"There is no webhook {webhook}.", hint="List yours: GET /v1/webhooks.")
    return found


def _no_such_delivery(delivery: UUID) -> NotFound:
    return NotFound(
        f"There is no delivery {delivery} of this webhook.", hint="Those that are over are kept for a while."
    )


def _require_enabled(webhook: Webhook) -> None:
    if not webhook.enabled:
        hint = f'Enable it: PATCH /v1/webhooks/{webhook.id} with {{"enabled": true}}.'
        raise Conflict(
            f"The webhook is disabled{f': {webhook.disabled_reason}' if webhook.disabled_reason else ''}.", hint=hint
        )


_NO_KEY = "cannot be kept by this installation: it has no key to encrypt it with"


def _check_key(process: Process) -> None:
    if not process.vault.has_key:
        raise InvalidRequest(
            f"The secret of a webhook {_NO_KEY}.",
            hint="Its administrator has to set TAILRACE_SECRET_KEY, for the API and for the workers.",
            fields=[FieldError("secret", "no_secret_key", _NO_KEY)],
        )


async def _check_url(process: Process, url: str) -> None:
    try:
        await process.outbound.check(url)
    except Refused as refused:
        raise InvalidRequest(
            f"`url` {refused}.", hint=refused.hint, fields=[FieldError("url", "refused", str(refused))]
        ) from None
