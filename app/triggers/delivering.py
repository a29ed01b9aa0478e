"""The use case of posting to a trigger: something is submitted, once per delivery, and the sender learns no more."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from pydantic import TypeAdapter, ValidationError

from app.auth.service import Caller, find_owner
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.cancellation import being_cancelled
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, is_outage, reading, transaction
from app.errors import (
    Conflict,
    Crowded,
    FieldError,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServiceError,
    Unavailable,
)
from app.executions.vocabulary import Inputs
from app.explaining import explain, problem_of
from app.schedules import targets
from app.schedules.targets import Accepted, Origin, Prepared
from app.secrets.vault import NoKey, WrongKey
from app.triggers import repository
from app.triggers.model import Delivery, DeliveryStatus, TriggerRecord
from app.triggers.signatures import Signature, is_genuine

log = structlog.get_logger(__name__)

WINDOW = 60.0
# So many posts to one trigger are under way in a process, and none of them waits for longer than so many seconds.
AT_ONCE = 20
WAIT_FOR = 10.0
# A trigger that is changed while something is posted to it is looked at so often.
TRIES = 5
TARGET = "target"
# What the vault calls a secret that senders sign with.
SEALED_AS = "signature"
_INPUTS: TypeAdapter[dict[str, Any]] = TypeAdapter(Inputs)
_NOBODY = Caller("", frozenset())


@dataclass(frozen=True, slots=True)
class Post:
    """What was sent, and by what its sender may be known: a token, or a signature among the headers."""

    token: str
    headers: Mapping[str, str]
    body: bytes


class _Changed(Exception):
    """The trigger is not any more as it was read."""


@dataclass(frozen=True, slots=True)
class _Intent:
    """What a delivery is to become: as whom and what, or why not."""

    caller: Caller = _NOBODY
    prepared: list[Prepared] | None = None
    refused: ServiceError | None = None


async def find_known(process: Process, trigger: UUID, token: str) -> TriggerRecord:
    """The trigger of this token, or one whose posts are signed. Raises `NotFound`, whatever is wrong: that there is
    one is nobody's business.
    """
    async with reading(process.database) as connection:
        record = await repository.find(connection, trigger)
    if record is None or not record.enabled or not (record.signature or record.knows(token)):
        raise _unknown()
    return record


def check_signature(process: Process, record: TriggerRecord, post: Post) -> None:
    """Whether who sent this has signed it, if they are to. Raises `NotFound`, and `Unavailable` without our key."""
    if record.signature is None:
        return
    sealed = [record.signing]
    if record.before_until is not None and record.now < record.before_until:
        sealed.append(record.signing_before)
    try:
        known = [process.vault.open(each, execution=record.id, name=SEALED_AS) for each in sealed if each is not None]
    except (NoKey, WrongKey):
        log.exception("trigger.no_key", trigger_id=str(record.id))
        raise Unavailable("Its secret was sealed with a key that is not set here any more.") from None
    if not is_genuine(record.signature, known, post.headers, post.body, record.now):
        raise _unknown()


def is_ping(record: TriggerRecord, post: Post) -> bool:
    """Whether GitHub only asks if anybody is there, as it does when a webhook is made."""
    return record.signature is Signature.GITHUB and post.headers.get("x-github-event") == "ping"


async def deliver(process: Process, record: TriggerRecord, post: Post, key: str, payload: Any) -> Mapping[str, str]:
    """Submit its target with what was posted; what that is. The same delivery again is what it was before.

    Raises `NotFound` if its sender is not known any more, `RateLimited`, and `InvalidRequest`, which does not say why.
    """
    # They would wait for the row's lock one after the other, each with a connection.
    async with process.turns.one(record.id, most=AT_ONCE, within=WAIT_FOR):
        for _ in range(TRIES):
            with suppress(_Changed):
                return await _deliver(process, record, key, payload)
            record = await find_known(process, record.id, post.token)
            check_signature(process, record, post)
    raise Crowded("It is being changed again and again.", hint="Send it again in a moment.")


async def _deliver(process: Process, record: TriggerRecord, key: str, payload: Any) -> Mapping[str, str]:
    """Raises `_Changed` too."""
    async with reading(process.database) as connection:
        # What is too much, or here already, is not worth the work; it is looked at again under the lock.
        known = await _find_answer(connection, record, key)
    if known is not None:
        return known
    intent = await _intend(process, record, payload)
    async with transaction(process.database) as connection:
        now = await repository.find(connection, record.id, lock=True)
        if now is None or now.version != record.version:
            raise _Changed
        known = await _find_answer(connection, record, key)
        if known is not None:
            return known
        accepted, delivery = await _submit(connection, process, intent, key)
        await repository.note(connection, record.id, delivery)
    if accepted is None or delivery.made is None:
        raise InvalidRequest("It was not accepted. Its owner can see why.")
    crash_here(CrashPoint.ACCEPTED)
    for pool in sorted(accepted.pools):
        await process.hints.ring(pool)
    return delivery.made


async def _find_answer(connection: Connection, record: TriggerRecord, key: str) -> Mapping[str, str] | None:
    """What the same delivery was answered before. Raises `RateLimited` if that is none, and there are too many."""
    made = await repository.find_accepted(connection, record.id, key)
    if made is not None:
        return made
    if await repository.count_recent(connection, record.id, seconds=WINDOW) >= record.max_per_minute:
        raise RateLimited("More came within a minute than this takes.", hint="Send it again later.")
    return None


async def _intend(process: Process, record: TriggerRecord, payload: Any) -> _Intent:
    """All that takes no lock."""
    async with reading(process.database) as connection:
        caller = await find_owner(connection, record.owner, most=record.most)
    try:
        caller.require(Scope.SUBMIT, to="submit what your triggers get")
        origin = Origin("trigger", _inputs_of(record, payload))
        (body,) = targets.unseal(process.vault, record.id, [record.target], record.sealed)
        return _Intent(caller, await targets.prepare(process, caller, {TARGET: body}, origin))
    except ServiceError as refused:
        return _Intent(caller, refused=refused)
    except (NoKey, WrongKey):
        return _Intent(caller, refused=Conflict("Its secrets were sealed with a key that is not set here any more."))


def _inputs_of(record: TriggerRecord, payload: Any) -> dict[str, Any]:
    """What was posted, as inputs. Raises `ServiceError`."""
    given = payload if record.payload_input is None else {record.payload_input: payload}
    if not isinstance(given, dict):
        message = "must be an object, whose keys are inputs, unless the trigger has a `payload_input`"
        raise InvalidRequest.of([FieldError("payload", "not_an_object", message)])
    try:
        return _INPUTS.validate_python(given)
    except ValidationError as error:
        raise explain([{**each, "loc": ("payload", *each["loc"])} for each in error.errors()]) from None


async def _submit(
    connection: Connection, process: Process, intent: _Intent, key: str
) -> tuple[Accepted | None, Delivery]:
    refused = intent.refused
    if refused is None:
        try:
            async with connection.begin_nested():
                accepted = await targets.accept(connection, process, intent.caller, intent.prepared or [])
            if accepted.made:
                return accepted, Delivery(key=key, status=DeliveryStatus.ACCEPTED, made=accepted.made[0])
            refused = Conflict("No execution matches what its batch is to be about.")
        except ServiceError as error:
            refused = error
        except Exception as error:
            if is_outage(error) or being_cancelled():
                raise
            log.exception("trigger.failed")
            refused = ServiceError("Something went wrong on our side; our log has the details.")
    return None, Delivery(key=key, status=DeliveryStatus.REFUSED, problem=problem_of(refused))


def _unknown() -> NotFound:
    hint = "Or its address has another token, what came is not signed as it has to be, or it is disabled."
    return NotFound("There is no such trigger.", hint=hint)
