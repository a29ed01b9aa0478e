"""SQL of triggers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, RowMapping, Select, Uuid, any_, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.db.engine import Connection
from app.db.orm import clock
from app.executions.repository import seconds_from_now
from app.triggers.model import Delivery, DeliveryStatus, TriggerRecord
from app.triggers.signatures import Signature
from app.triggers.tables import ACCEPTED, Trigger, TriggerDelivery

# Of one trigger, the newest; and in any case those of so many seconds, since a sender may send them again.
DELIVERIES_KEPT = 1000
KEPT_FOR = 86_400.0
_PRUNED = 100
_RECORD = tuple(field.name for field in fields(TriggerRecord) if field.name != "signature")


async def add(connection: Connection, columns: Mapping[str, Any]) -> bool:
    """A new one; False if its owner has one of this name."""
    statement = insert(Trigger).values(columns).on_conflict_do_nothing(index_elements=["owner", "name"])
    return (await connection.execute(statement)).rowcount > 0


async def count(connection: Connection, owner: str) -> int:
    """How many this owner has."""
    statement = select(func.count()).select_from(Trigger).where(Trigger.owner == owner)
    return int((await connection.execute(statement)).scalar_one())


async def find(
    connection: Connection, trigger: UUID, *, owner: str | None = None, lock: bool = False
) -> TriggerRecord | None:
    """The trigger, if it exists and, with `owner`, is theirs; `lock` keeps it until the transaction ends."""
    statement = _records().where(Trigger.id == trigger)
    if owner is not None:
        statement = statement.where(Trigger.owner == owner)
    if lock:
        statement = statement.with_for_update(key_share=True)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return _record_of(row) if row else None


async def list_page(
    connection: Connection, *, limit: int, before: UUID | None, owner: str | None
) -> list[TriggerRecord]:
    """Newest first, all older than `before`."""
    statement = _records().order_by(Trigger.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Trigger.id < before)
    if owner is not None:
        statement = statement.where(Trigger.owner == owner)
    return [_record_of(row) for row in (await connection.execute(statement)).mappings()]


async def change(connection: Connection, trigger: UUID, columns: Mapping[str, Any]) -> bool:
    """Change what it is; False if its owner has another one of this name."""
    values = {**columns, "version": Trigger.version + 1, "updated_at": clock()}
    try:
        async with connection.begin_nested():
            await connection.execute(update(Trigger).where(Trigger.id == trigger).values(values))
    except IntegrityError:
        return False
    return True


async def rotate(connection: Connection, trigger: TriggerRecord, key: Mapping[str, Any], *, overlap: float) -> None:
    """By what senders are known from now on; a secret before stays valid for so many seconds."""
    both = overlap > 0 and trigger.signature is not None and trigger.signature == key["signature"]
    before = {
        "signing_before": trigger.signing if both else None,
        "before_until": seconds_from_now(overlap) if both else None,
    }
    await change(connection, trigger.id, {**key, **before})


async def remove(connection: Connection, trigger: UUID) -> None:
    """Nobody can post to it any more; what was submitted stays."""
    await connection.execute(delete(Trigger).where(Trigger.id == trigger))


async def find_accepted(connection: Connection, trigger: UUID, key: str) -> Mapping[str, str] | None:
    """What was submitted when this delivery was accepted, if it was."""
    statement = select(TriggerDelivery.made).where(
        TriggerDelivery.trigger_id == trigger, TriggerDelivery.key == key, text(ACCEPTED)
    )
    return (await connection.execute(statement)).scalar_one_or_none()


async def count_recent(connection: Connection, trigger: UUID, *, seconds: float) -> int:
    """How many were posted within so many seconds, whatever came of them."""
    recent = select(func.count()).where(
        TriggerDelivery.trigger_id == trigger, TriggerDelivery.at > seconds_from_now(-seconds)
    )
    return int((await connection.execute(recent)).scalar_one())


async def note(connection: Connection, trigger: UUID, delivery: Delivery) -> None:
    """Note what came of a post, and forget the oldest."""
    came = {"status": delivery.status, "made": delivery.made, "problem": delivery.problem, "at": clock()}
    noting = insert(TriggerDelivery).values(id=uuid7(), trigger_id=trigger, key=delivery.key, **came)
    at = (await connection.execute(noting.returning(TriggerDelivery.at))).scalar_one()
    await connection.execute(update(Trigger).where(Trigger.id == trigger).values(last_used_at=at))
    old = (
        select(TriggerDelivery.id)
        .where(TriggerDelivery.trigger_id == trigger, TriggerDelivery.at < seconds_from_now(-KEPT_FOR))
        .order_by(TriggerDelivery.at.desc())
        .offset(DELIVERIES_KEPT)
        .limit(_PRUNED)
    )
    await connection.execute(delete(TriggerDelivery).where(TriggerDelivery.id.in_(old)))


async def switch_off(connection: Connection, tokens: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Nobody can post to those that one of these tokens has set, or was shown the token of; which, and whose."""
    these = any_(literal(list(tokens), ARRAY(Uuid)))
    values = {"enabled": False, "version": Trigger.version + 1, "updated_at": clock()}
    theirs = or_(Trigger.set_by == these, Trigger.key_by == these)
    switching = update(Trigger).where(theirs, Trigger.enabled).values(values)
    switched = await connection.execute(switching.returning(Trigger.id, Trigger.owner))
    return [(row.id, row.owner) for row in switched]


async def list_deliveries(
    connection: Connection, trigger: UUID, *, limit: int, before: datetime | None
) -> list[Delivery]:
    """Newest first, all earlier than `before`."""
    statement = select(TriggerDelivery.__table__).where(TriggerDelivery.trigger_id == trigger)
    if before is not None:
        statement = statement.where(TriggerDelivery.at < before)
    rows = await connection.execute(statement.order_by(TriggerDelivery.at.desc()).limit(limit))
    return [_delivery_of(row) for row in rows.mappings()]


def _records() -> Select[Any]:
    return select(Trigger.__table__, clock().label("now"))


def _record_of(row: RowMapping) -> TriggerRecord:
    signature = Signature(row["signature"]) if row["signature"] else None
    return TriggerRecord(**{name: row[name] for name in _RECORD}, signature=signature)


def _delivery_of(row: RowMapping) -> Delivery:
    return Delivery(
        key=row["key"],
        status=DeliveryStatus(row["status"]),
        made=row["made"],
        problem=row["problem"],
        at=row["at"],
    )
