"""What is told to whom: deliveries made of events, and of what programs say of their progress.

A delivery is written in the transaction in which its event is passed (`app/events/following.py`), so exactly once; who
writes events knows nothing of it. Of an execution that was deleted before it was its turn, only that is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from app.db.engine import Connection, transaction
from app.db.orm import clock
from app.events.following import follow
from app.events.store import Happened
from app.executions.record import Record, record_of, select_records
from app.executions.repository import seconds_from_now
from app.executions.tables import Execution
from app.webhooks import payload
from app.webhooks.model import (
    GIVE_UP_AFTER,
    PROGRESS_EVERY,
    PROGRESS_GIVES_UP_AFTER,
    WAITING_AT_MOST,
    DeliveryState,
    EventType,
    Webhook,
    types_of,
)
from app.webhooks.repository import webhook_of
from app.webhooks.tables import DeliveryRow, WebhookRow

CURSOR = "webhooks"
PROGRESS_AT_ONCE = 200

# Of programs that said something new, to whoever wants to hear it, has heard nothing for a while and is up to date.
_PROGRESS = text("""
    SELECT executions.id AS execution, webhooks.id AS webhook, executions.progress_at AS said_at
    FROM executions
    JOIN webhooks ON webhooks.enabled AND webhooks.events ? :progress AND (
        webhooks.execution_id = executions.id
        OR (webhooks.execution_id IS NULL AND webhooks.owner = executions.owner)
    )
    LEFT JOIN LATERAL (
        SELECT said_at, created_at, state FROM webhook_deliveries
        WHERE webhook_id = webhooks.id AND execution_id = executions.id AND event = 'execution.progress'
        ORDER BY id DESC LIMIT 1
    ) AS told ON true
    WHERE executions.status IN ('running', 'stopping')
        AND executions.progress_at > clock_timestamp() - make_interval(secs => :within)
        AND executions.progress_at >= webhooks.created_at
        AND (coalesce(chosen -> 'pools', '[]') = '[]' OR chosen -> 'pools' ? executions.pool)
        AND (coalesce(chosen -> 'methods', '[]') = '[]' OR chosen -> 'methods' ? (spec -> 'method' ->> 'name'))
        AND executions.labels @> coalesce(chosen -> 'labels', '{}')
        AND (told.said_at IS NULL OR (
            told.said_at < executions.progress_at AND told.state <> 'waiting'
            AND told.created_at < clock_timestamp() - make_interval(secs => :every)
        ))
    LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class _Message:
    """One that is to be delivered to all of these."""

    event: EventType
    execution: UUID
    position: int | None
    said_at: datetime | None
    body: str
    webhooks: Sequence[Webhook]


async def follow_events(database: AsyncEngine) -> bool:
    """Make deliveries of the next events; whether there may be more. Raises what the database raises."""
    return await follow(database, CURSOR, _deliver)


async def follow_progress(database: AsyncEngine) -> None:
    """Make deliveries of what programs said of their progress. Raises what the database raises."""
    async with transaction(database) as connection:
        asked = {"progress": EventType.PROGRESS, "every": PROGRESS_EVERY, "within": 6 * PROGRESS_EVERY}
        said = (await connection.execute(_PROGRESS, asked | {"most": PROGRESS_AT_ONCE})).all()
        if not said:
            return
        records = await _records(connection, {row.execution for row in said})
        webhooks = {
            each.id: each for each in await _webhooks(connection, [WebhookRow.id.in_([r.webhook for r in said])])
        }
        messages = [
            _progress(record, row.said_at, webhooks[row.webhook])
            for row in said
            if (record := records.get(row.execution)) is not None and row.webhook in webhooks
        ]
        await _add(connection, messages, give_up_after=PROGRESS_GIVES_UP_AFTER)


def _progress(record: Record, said_at: datetime, webhook: Webhook) -> _Message:
    body = payload.of_progress(record, said_at)
    return _Message(EventType.PROGRESS, record.id, None, said_at, body, [webhook])


async def _deliver(connection: Connection, events: Sequence[Happened]) -> None:
    executions = {happened.execution for happened in events}
    interested = await _webhooks(
        connection,
        [
            or_(
                WebhookRow.execution_id.in_(executions),
                WebhookRow.execution_id.is_(None) & WebhookRow.owner.in_({each.subject.owner for each in events}),
            )
        ],
    )
    if not interested:
        return
    records = await _records(connection, executions)
    now = (await connection.execute(select(clock()))).scalar_one()
    await _add(connection, _messages(events, interested, records, now), give_up_after=GIVE_UP_AFTER)


def _messages(
    events: Iterable[Happened], webhooks: Sequence[Webhook], records: Mapping[UUID, Record], now: datetime
) -> list[_Message]:
    of_owner, of_execution = defaultdict[str, list[Webhook]](list), defaultdict[UUID, list[Webhook]](list)
    for webhook in webhooks:
        if webhook.execution is not None:
            of_execution[webhook.execution].append(webhook)
        else:
            of_owner[webhook.owner].append(webhook)
    messages = []
    for happened in events:
        candidates = of_owner[happened.subject.owner] + of_execution[happened.execution]
        record = records.get(happened.execution)
        for type_ in _types(happened, record):
            facts = _facts(record) if record is not None else _facts_of_deleted(happened)
            wanted = [
                webhook
                for webhook in candidates
                if type_ in webhook.events and webhook.after < happened.position and webhook.chosen.takes(**facts)
            ]
            if wanted:
                body = _body(type_, happened, record, now)
                messages.append(_Message(type_, happened.execution, happened.position, None, body, wanted))
    return messages


def _types(happened: Happened, record: Record | None) -> list[EventType]:
    if happened.deleted:
        return [EventType.DELETED]
    return types_of(happened.event, record) if record is not None else []


def _body(type_: EventType, happened: Happened, record: Record | None, now: datetime) -> str:
    if record is None or type_ is EventType.DELETED:
        return payload.of_deletion(happened, now)
    return payload.of_event(type_, happened, record)


def _facts(record: Record) -> dict[str, Any]:
    method = record.spec.method
    return {"pool": record.pool, "method": method.name if method else None, "labels": record.labels}


def _facts_of_deleted(happened: Happened) -> dict[str, Any]:
    return {"pool": happened.subject.pool, "method": None, "labels": happened.subject.labels}


async def _webhooks(connection: Connection, where: Sequence[Any]) -> list[Webhook]:
    rows = await connection.execute(select(WebhookRow.__table__).where(WebhookRow.enabled, *where))
    return [webhook_of(row) for row in rows.mappings()]


async def _records(connection: Connection, executions: Collection[UUID]) -> dict[UUID, Record]:
    rows = await connection.execute(select_records().where(Execution.id.in_(executions)))
    return {row["id"]: record_of(row) for row in rows.mappings()}


async def _add(connection: Connection, messages: Sequence[_Message], *, give_up_after: float) -> None:
    """Let them wait, to each receiver as many as there is room for."""
    of_webhook = defaultdict[UUID, list[_Message]](list)
    for message in messages:
        for webhook in message.webhooks:
            of_webhook[webhook.id].append(message)
    rows: list[dict[str, Any]] = []
    for webhook_id, theirs in of_webhook.items():
        room = max(WAITING_AT_MOST - await _count_waiting(connection, webhook_id), 0)
        rows += [_row(webhook_id, message) for message in theirs[:room]]
        if len(theirs) > room:
            more = WebhookRow.dropped + len(theirs) - room
            await connection.execute(update(WebhookRow).where(WebhookRow.id == webhook_id).values(dropped=more))
    if rows:
        times = {"next_at": clock(), "give_up_at": seconds_from_now(give_up_after)}
        await connection.execute(insert(DeliveryRow).values(**times), rows)


def _row(webhook: UUID, message: _Message) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "webhook_id": webhook,
        "execution_id": message.execution,
        "event": message.event,
        "position": message.position,
        "said_at": message.said_at,
        "body": message.body,
        "state": DeliveryState.WAITING,
    }


async def _count_waiting(connection: Connection, webhook: UUID) -> int:
    waiting = (
        select(literal(1))
        .where(DeliveryRow.webhook_id == webhook, DeliveryRow.state == DeliveryState.WAITING)
        .limit(WAITING_AT_MOST)
    ).subquery()
    return int((await connection.execute(select(func.count()).select_from(waiting))).scalar_one())
