"""Use cases of triggers: make, find, list, change, rotate the token, delete, and look what was posted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from uuid_utils.compat import uuid7

from app.auth.granting import hold
from app.auth.service import Caller, find_owner
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.errors import Conflict, FieldError, InvalidRequest, NotFound, QuotaExceeded, ServiceError
from app.schedules import judging, targets
from app.schedules.targets import Origin, Target
from app.triggers import repository
from app.triggers.delivering import SEALED_AS, TARGET
from app.triggers.model import Delivery, TriggerRecord, hash_of, new_token
from app.triggers.signatures import Signature, new_secret

# Of one owner.
MOST = 1000
# Whoever will post: what that says is not known yet.
_NOBODY = Origin("trigger", {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A trigger as it is asked for, every field valid in itself. Without a `target` that stays as it is."""

    name: str
    note: str | None
    labels: Mapping[str, str]
    payload_input: str | None
    enabled: bool
    max_per_minute: int
    target: Target | None

    def columns(self) -> dict[str, Any]:
        """What is kept of it, but for the target."""
        return {
            "name": self.name,
            "note": self.note,
            "labels": dict(self.labels),
            "payload_input": self.payload_input,
            "enabled": self.enabled,
            "max_per_minute": self.max_per_minute,
        }


@dataclass(frozen=True, slots=True)
class Signing:
    """That senders sign, and the secret with which they do if it is theirs."""

    signature: Signature
    secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What its owner gets to see once: a token, or a secret to sign with."""

    token: str | None = None
    secret: str | None = None


async def add(process: Process, caller: Caller, wanted: Wanted, signing: Signing | None) -> tuple[TriggerRecord, Shown]:
    """A new trigger, and what its senders need, which is shown this once.

    Raises `InvalidRequest`, `NotAllowed`, `QuotaExceeded`; `Conflict` for a name that is taken.
    """
    new = uuid7()
    key, shown = _new_key(process, new, signing)
    sealed = await _judge_target(process, caller, new, wanted.target)
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        if (used := await repository.count(connection, caller.owner)) >= MOST:
            hint = "Delete some."
            raise QuotaExceeded(f"`{caller.owner}` has {used} triggers.", hint=hint, used=used, limit=MOST)
        by = {"set_by": caller.token_id, "key_by": caller.token_id}
        columns = {"id": new, "owner": caller.owner, **by, **key, **wanted.columns(), **sealed}
        if not await repository.add(connection, columns):
            raise _taken(wanted.name)
        return await get_trigger(connection, caller, new), shown


async def get(process: Process, caller: Caller, trigger: UUID) -> TriggerRecord:
    """The trigger as it stands. Raises `NotFound`, also for somebody else's."""
    async with reading(process.database) as connection:
        return await get_trigger(connection, caller, trigger)


async def get_trigger(connection: Connection, caller: Caller, trigger: UUID, *, lock: bool = False) -> TriggerRecord:
    """The same within a transaction."""
    record = await repository.find(connection, trigger, owner=caller.sees, lock=lock)
    if record is None:
        raise NotFound(f"There is no trigger {trigger}.")
    return record


async def get_page(
    process: Process, caller: Caller, *, limit: int, before: UUID | None
) -> tuple[list[TriggerRecord], bool]:
    """One page, newest first, and whether there are more."""
    async with reading(process.database) as connection:
        records = await repository.list_page(connection, limit=limit + 1, before=before, owner=caller.sees)
    return records[:limit], len(records) > limit


async def change(
    process: Process,
    caller: Caller,
    trigger: UUID,
    wanted_of: Callable[[TriggerRecord], Wanted],
    *,
    check: Callable[[TriggerRecord], None],
) -> TriggerRecord:
    """Change it; `check` raises if it is not to be changed as it stands.

    Raises `NotFound`, `InvalidRequest`, `NotAllowed`, `Conflict` for a name that is taken, and what `check` raises.
    """
    before = await get(process, caller, trigger)
    wanted = wanted_of(before)
    sealed = await _judge_target(process, await _judged(process, caller, before), trigger, wanted.target)
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        record = await get_trigger(connection, caller, trigger, lock=True)
        check(record)
        if record.version != before.version:
            raise Conflict("Somebody else has changed it at this moment.", hint="Look at it again.")
        by = {"set_by": caller.token_id} if sealed or wanted.enabled > record.enabled else {}
        if not await repository.change(connection, trigger, {**wanted.columns(), **sealed, **by}):
            raise _taken(wanted.name)
        return await get_trigger(connection, caller, trigger)


async def rotate(
    process: Process,
    caller: Caller,
    trigger: UUID,
    signing_of: Callable[[TriggerRecord], Signing | None],
    *,
    overlap: float,
) -> tuple[TriggerRecord, Shown]:
    """A new token, or a new secret, beside which the one before stays valid for so many seconds.

    Raises `NotFound`, and `InvalidRequest`.
    """
    async with transaction(process.database) as connection:
        await hold(connection, caller)
        record = await get_trigger(connection, caller, trigger, lock=True)
        key, shown = _new_key(process, trigger, signing_of(record))
        await repository.rotate(connection, record, {**key, "key_by": caller.token_id}, overlap=overlap)
        return await get_trigger(connection, caller, trigger), shown


def _new_key(process: Process, trigger: UUID, signing: Signing | None) -> tuple[dict[str, Any], Shown]:
    """By what its senders are known, as it is kept, and what is shown of it. Raises `InvalidRequest`."""
    token = new_token()
    if signing is None:
        return {"token_hash": hash_of(token), "signature": None, "signing": None}, Shown(token=token)
    if not process.vault.has_key:
        message = "needs a secret, which cannot be kept by this installation: it has no key to encrypt it with"
        raise InvalidRequest(
            f"`signature` {message}.",
            hint="Its administrator has to set TAILRACE_SECRET_KEY, for the API and for the workers.",
            fields=[FieldError("signature", "no_secret_key", message)],
        )
    secret = signing.secret.get_secret_value() if signing.secret is not None else new_secret(signing.signature)
    sealed = process.vault.seal(secret, execution=trigger, name=SEALED_AS)
    # A token that nobody has.
    key = {"token_hash": hash_of(token), "signature": signing.signature, "signing": sealed}
    return key, Shown(secret=secret)


async def delete(process: Process, caller: Caller, trigger: UUID, *, check: Callable[[TriggerRecord], None]) -> None:
    """Nobody can post to it any more; what was submitted stays. Raises `NotFound`, and what `check` raises."""
    async with transaction(process.database) as connection:
        check(await get_trigger(connection, caller, trigger, lock=True))
        await repository.remove(connection, trigger)


async def get_deliveries(
    process: Process, caller: Caller, trigger: UUID, *, limit: int, before: datetime | None
) -> tuple[list[Delivery], bool]:
    """What was posted, newest first, and whether there is more. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await get_trigger(connection, caller, trigger)
        deliveries = await repository.list_deliveries(connection, trigger, limit=limit + 1, before=before)
    return deliveries[:limit], len(deliveries) > limit


async def _judge_target(process: Process, caller: Caller, trigger: UUID, target: Target | None) -> dict[str, Any]:
    """The target, if there is a new one, as it is kept, once it would be accepted now, which is taken back.

    Of a method it is not known yet what its inputs will be: they are judged when something is posted. Raises what a
    submission raises, but for quotas.
    """
    if target is None:
        return {}
    targets.check_size(TARGET, [target])
    secret = await targets.find_secret_inputs(process, caller, {TARGET: target})
    if not target.names_methods:
        await judging.rehearse(process, caller, {TARGET: target.body}, _NOBODY)
    (kept,), sealed = targets.seal(process.vault, trigger, [target], secret)
    might = {"as_admin": caller.may(Scope.ADMIN), "scopes": sorted(caller.scopes)}
    return {"target": kept, "sealed": sealed, **might}


async def find_reasons(process: Process, caller: Caller, document: Any) -> list[ServiceError]:
    """What speaks against the target of a trigger that is not valid in itself, or against a change of it."""
    target = document.get(TARGET) if isinstance(document, dict) else None
    if judging.names_a_method(target):
        return []
    return await judging.find_reasons(process, caller, {TARGET: target}, _NOBODY)


async def _judged(process: Process, caller: Caller, record: TriggerRecord) -> Caller:
    """Whose rights count: it submits as its owner, whoever changes it."""
    if caller.owner == record.owner:
        return caller
    async with reading(process.database) as connection:
        return await find_owner(connection, record.owner, most=record.most)


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a trigger `{name}` already.", hint="Change that one, or take another name.")
