"""Use cases of notifications. Each is at most one short transaction; a channel is looked at before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.auth.granting import hold
from app.auth.service import Caller
from app.batches.model import BatchStatus
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.events.protocol import BELL
from app.notifications import channels, repository
from app.notifications.model import RULES_PER_OWNER, Notification, Rule
from app.outbound.policy import Refused
from app.secrets.vault import Vault
from app.webhooks.model import Chosen
from app.webhooks.service import owner_for

_NAME = "notification"
_CHOOSING = ("pools", "methods", "labels")
_OF_BATCHES = ("batches", "statuses", "causes", "alert_after")


def open_url(vault: Vault, rule: UUID, sealed: bytes) -> str:
    """Where a rule leads to. Raises `NoKey`, `WrongKey`."""
    return vault.open(sealed, execution=rule, name=_NAME)


async def create(
    process: Process, caller: Caller, url: str, fields: Mapping[str, Any], *, everybody: bool = False
) -> Rule:
    """A new rule. Raises `InvalidRequest`, `NotAllowed` and `Conflict`."""
    owner = owner_for(caller, everybody=everybody)
    id_, values = uuid7(), {**fields, "chosen": Chosen()}
    _check_batches(values)
    values |= await _channel(process, id_, url)
    values["set_by"] = caller.token_id
    _choose(values)
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        if await repository.count(connection, owner) >= RULES_PER_OWNER:
            raise Conflict(f"There are {RULES_PER_OWNER} rules already.", hint="Delete one that nobody needs.")
        return await repository.add(connection, id_, owner, values)


async def get(process: Process, caller: Caller, rule: UUID) -> Rule:
    """One. Raises `NotFound`."""
    async with reading(process.database) as connection:
        return await _get(connection, caller, rule)


async def get_page(process: Process, caller: Caller, *, limit: int, before: UUID | None) -> tuple[list[Rule], bool]:
    """One page, and whether there are more."""
    async with reading(process.database) as connection:
        found = await repository.list_rules(connection, owner=caller.sees, after=before, most=limit + 1)
    return found[:limit], len(found) > limit


async def change(process: Process, caller: Caller, rule: UUID, given: Mapping[str, Any]) -> Rule:
    """Set these fields. Raises `NotFound` and `InvalidRequest`."""
    values = dict(given)
    if "to" in values:
        values |= await _channel(process, rule, values.pop("to"))
    if "sealed" in values or values.get("enabled"):
        values["set_by"] = caller.token_id
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        known = await _get(connection, caller, rule, lock=True)
        _check_batches({name: values.get(name, getattr(known, name)) for name in _OF_BATCHES})
        if not values.keys().isdisjoint(_CHOOSING):
            values["chosen"] = known.chosen
            _choose(values)
        changed = await repository.change(connection, rule, values)
        if not changed.enabled:
            await repository.give_up_waiting(connection, rule)
        return changed


async def remove(process: Process, caller: Caller, rule: UUID) -> None:
    """Delete it, with its log. Raises `NotFound`."""
    async with transaction(process.database) as connection:
        await _get(connection, caller, rule, lock=True)
        await repository.remove(connection, rule)


async def test(process: Process, caller: Caller, rule: UUID) -> Notification:
    """Say something about nothing. Raises `NotFound` and `Conflict`."""
    async with transaction(process.database) as connection:
        known = await _get(connection, caller, rule)
        if not known.enabled:
            raise Conflict("The rule is disabled.", hint=f'PATCH /v1/notifications/{rule} with {{"enabled": true}}.')
        body = f"This is a test of the rule {rule}, asked for by {caller.owner}."
        return await repository.add_test(connection, rule, "[Tailrace] A test", body)


async def get_log(
    process: Process, caller: Caller, rule: UUID, *, limit: int, before: UUID | None
) -> tuple[list[Notification], bool]:
    """One page of what was said, and whether there are more. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await _get(connection, caller, rule)
        found = await repository.list_notifications(connection, rule, after=before, most=limit + 1)
    return found[:limit], len(found) > limit


async def wake(process: Process) -> None:
    """Something is to be said: whoever does it need not wait for its next look."""
    await process.hints.publish([], to_all=BELL)


async def _channel(process: Process, rule: UUID, url: str) -> dict[str, Any]:
    """The service of a URL, and the URL as it is kept. Raises `InvalidRequest`."""
    if not process.vault.has_key:
        message = "cannot be kept by this installation: it has no key to encrypt it with"
        hint = "Its administrator has to set TAILRACE_SECRET_KEY, for the API and for the workers."
        raise InvalidRequest(f"`to` {message}.", hint=hint, fields=[FieldError("to", "no_secret_key", message)])
    try:
        channel = await channels.check(process, url)
    except Refused as refused:
        hint = refused.hint or "How they look: https://github.com/caronc/apprise/wiki"
        fields = [FieldError("to", "refused", str(refused))]
        raise InvalidRequest(f"`to` {refused}.", hint=hint, fields=fields) from None
    return {"channel": channel, "sealed": process.vault.seal(url, execution=rule, name=_NAME)}


def _check_batches(values: Mapping[str, Any]) -> None:
    """What a batch does not have cannot be asked of one. Raises `InvalidRequest`."""
    if not values["batches"]:
        return
    causes, streaks = "is of executions: the end of a batch has no cause", "is of executions: batches are not counted"
    wrong = [FieldError(name, "not_of_batches", why) for name, why in (("causes", causes), ("alert_after", streaks))]
    wrong = [each for each in wrong if values[each.field]]
    if not any(status in set(BatchStatus) for status in values["statuses"]):
        wrong.append(FieldError("statuses", "not_of_batches", "must have `succeeded`, `failed` or `canceled` in it"))
    if wrong:
        raise InvalidRequest.of(wrong)


def _choose(values: dict[str, Any]) -> None:
    """Let what is given of them be chosen."""
    known: Chosen = values["chosen"]
    values["chosen"] = Chosen(
        frozenset(values.pop("pools", known.pools)),
        frozenset(values.pop("methods", known.methods)),
        values.pop("labels", known.labels),
    )


async def _get(connection: Connection, caller: Caller, rule: UUID, *, lock: bool = False) -> Rule:
    found = await repository.find(connection, rule, owner=caller.sees, lock=lock)
    if found is None:
        raise NotFound(f"There is no rule {rule}.", hint="List yours: GET /v1/notifications.")
    return found
