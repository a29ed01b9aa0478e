"""SQL of webhooks: what their owners see and change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from app.db.engine import Connection
from app.db.orm import clock
from app.events.store import last_position
from app.executions.repository import seconds_from_now
from app.webhooks.model import GIVE_UP_AFTER, Chosen, Delivery, DeliveryState, EventType, Webhook
from app.webhooks.tables import DeliveryRow, WebhookRow

_SEEN = tuple(column for column in DeliveryRow.__table__.c if column.name not in {"body", "position", "said_at"})
FRESH = {"failures": 0, "failing_since": None, "paused_until": None, "disabled_reason": None}


def webhook_of(row: Mapping[Any, Any]) -> Webhook:
    """The webhook in a row of all columns."""
    fields = dict(row)
    chosen = fields.pop("chosen")
    return Webhook(
        **fields
        | {
            "execution": fields.pop("execution_id"),
            "batch": fields.pop("batch_id"),
            "events": frozenset(map(EventType, fields["events"])),
            "chosen": Chosen(
                frozenset(chosen.get("pools", ())), frozenset(chosen.get("methods", ())), chosen.get("labels", {})
            ),
        }
    )


def _chosen(chosen: Chosen) -> dict[str, Any]:
    return {"pools": sorted(chosen.pools), "methods": sorted(chosen.methods), "labels": dict(chosen.labels)}


async def count(connection: Connection, owner: str) -> int:
    """How many the owner has, beside those of single executions and batches."""
    statement = select(func.count()).where(
        WebhookRow.owner == owner, WebhookRow.execution_id.is_(None), WebhookRow.batch_id.is_(None)
    )
    return int((await connection.execute(statement)).scalar_one())


async def add(
    connection: Connection,
    *,
    id_: UUID,
    owner: str,
    url: str,
    events: Collection[EventType],
    chosen: Chosen,
    enabled: bool,
    description: str | None,
    sealed: bytes,
    set_by: UUID | None,
) -> Webhook:
    """A new one, that is told what is written from now on."""
    row = await connection.execute(
        insert(WebhookRow)
        .values(
            id=id_,
            owner=owner,
            url=url,
            events=sorted(events),
            chosen=_chosen(chosen),
            enabled=enabled,
            description=description,
            sealed=sealed,
            set_by=set_by,
            after=await last_position(connection),
        )
        .returning(*WebhookRow.__table__.c)
    )
    return webhook_of(row.mappings().one())


async def find(connection: Connection, webhook: UUID, *, owner: str | None, lock: bool = False) -> Webhook | None:
    """One, if it exists and, with `owner`, is theirs."""
    statement = select(WebhookRow.__table__).where(WebhookRow.id == webhook)
    if owner is not None:
        statement = statement.where(WebhookRow.owner == owner)
    row = (await connection.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    return webhook_of(row) if row is not None else None


async def list_webhooks(
    connection: Connection,
    *,
    owner: str | None,
    execution: UUID | None,
    batch: UUID | None,
    after: UUID | None,
    most: int,
) -> list[Webhook]:
    """Those of an owner, or of one execution or batch; the newest first."""
    statement = select(WebhookRow.__table__).order_by(WebhookRow.id.desc()).limit(most)
    # SQL of `= None` is `IS NULL`.
    statement = statement.where(WebhookRow.execution_id == execution, WebhookRow.batch_id == batch)
    if owner is not None:
        statement = statement.where(WebhookRow.owner == owner)
    if after is not None:
        statement = statement.where(WebhookRow.id < after)
    return [webhook_of(row) for row in (await connection.execute(statement)).mappings()]


async def change(connection: Connection, webhook: UUID, values: Mapping[str, Any]) -> Webhook:
    """Set these columns; for whoever holds its lock."""
    given = dict(values)
    if isinstance(given.get("chosen"), Chosen):
        given["chosen"] = _chosen(given["chosen"])
    statement = update(WebhookRow).where(WebhookRow.id == webhook).values(**given, updated_at=clock())
    row = (await connection.execute(statement.returning(*WebhookRow.__table__.c))).mappings().one()
    return webhook_of(row)


async def rotate(connection: Connection, webhook: Webhook, sealed: bytes, *, overlap: float) -> Webhook:
    """A new secret; the one before stays valid for so many seconds."""
    both = overlap > 0 and webhook.sealed is not None
    values = {
        "sealed": sealed,
        "sealed_before": webhook.sealed if both else None,
        "before_until": seconds_from_now(overlap) if both else None,
    }
    return await change(connection, webhook.id, values)


async def remove(connection: Connection, webhook: UUID) -> None:
    """With everything that was on its way to it."""
    await connection.execute(delete(WebhookRow).where(WebhookRow.id == webhook))


def _delivery_of(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(**{**row, "event": EventType(row["event"]), "state": DeliveryState(row["state"])})


async def list_deliveries(
    connection: Connection,
    webhook: UUID,
    *,
    state: DeliveryState | None,
    execution: UUID | None,
    after: UUID | None,
    most: int,
) -> list[Delivery]:
    """The log, the newest first."""
    wanted: list[ColumnElement[bool]] = [DeliveryRow.webhook_id == webhook]
    wanted += [DeliveryRow.state == state] if state is not None else []
    wanted += [DeliveryRow.execution_id == execution] if execution is not None else []
    wanted += [DeliveryRow.id < after] if after is not None else []
    rows = await connection.execute(select(*_SEEN).where(*wanted).order_by(DeliveryRow.id.desc()).limit(most))
    return [_delivery_of(row) for row in rows.mappings()]


async def read_body(connection: Connection, webhook: UUID, delivery: UUID) -> str | None:
    """What is or was sent."""
    statement = select(DeliveryRow.body).where(DeliveryRow.id == delivery, DeliveryRow.webhook_id == webhook)
    return (await connection.execute(statement)).scalar_one_or_none()


async def add_delivery(connection: Connection, id_: UUID, webhook: UUID, event: EventType, body: str) -> Delivery:
    """A message of no event."""
    row = await connection.execute(
        insert(DeliveryRow)
        .values(
            id=id_,
            webhook_id=webhook,
            event=event,
            body=body,
            next_at=clock(),
            give_up_at=seconds_from_now(GIVE_UP_AFTER),
        )
        .returning(*_SEEN)
    )
    return _delivery_of(row.mappings().one())


async def send_again(connection: Connection, webhook: UUID, delivery: UUID) -> Delivery | None:
    """Let a delivery wait for a try at once, with all its time before it; None if there is none of this id."""
    row = await connection.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery, DeliveryRow.webhook_id == webhook)
        .values(
            state=DeliveryState.WAITING,
            done_at=None,
            next_at=clock(),
            give_up_at=seconds_from_now(GIVE_UP_AFTER),
        )
        .returning(*_SEEN)
    )
    found = row.mappings().one_or_none()
    return _delivery_of(found) if found is not None else None


async def add_asked(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Those that came with submissions, in whose transaction this is."""
    if rows:
        await connection.execute(insert(WebhookRow), list(rows))
