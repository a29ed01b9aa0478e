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
from app.events.following import follow, owner_of
from app.events.store import BatchEnded, Happened
from app.executions.record import Record, record_of, select_records
from app.executions.repository import seconds_from_now
from app.executions.tables import Execution
from app.quotas.model import EVERYBODY
from app.webhooks import payload
from app.webhooks.model import (
    GIVE_UP_AFTER,
    PROGRESS_EVERY,
    PROGRESS_GIVES_UP_AFTER,
    WAITING_AT_MOST,
    DeliveryState,
    EventType,
    Webhook,
    facts_of,
    facts_of_batch,
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
        OR (
            webhooks.execution_id IS NULL AND webhooks.batch_id IS NULL
            AND webhooks.owner IN (executions.owner, :everybody)
        )
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
    execution: UUID | None
    batch: UUID | None
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
        times = {"every": PROGRESS_EVERY, "within": 6 * PROGRESS_EVERY}
        asked = {"progress": EventType.PROGRESS, "everybody": EVERYBODY, "most": PROGRESS_AT_ONCE}
        said = (await connection.execute(_PROGRESS, asked | times)).all()
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
    return _Message(EventType.PROGRESS, record.id, None, None, said_at, body, [webhook])


async def _deliver(connection: Connection, events: Sequence[Happened | BatchEnded]) -> None:
    executions = {each.execution for each in events if isinstance(each, Happened)}
    batches = {each.batch.record.id for each in events if isinstance(each, BatchEnded)}
    owners = {EVERYBODY} | {owner_of(each) for each in events}
    of_many = WebhookRow.execution_id.is_(None) & WebhookRow.batch_id.is_(None)
    of_one = WebhookRow.execution_id.in_(executions), WebhookRow.batch_id.in_(batches)
    interested = await _webhooks(connection, [or_(*of_one, of_many & WebhookRow.owner.in_(owners))])
    if not interested:
        return
    records = await _records(connection, executions)
    now = (await connection.execute(select(clock()))).scalar_one()
    await _add(connection, _messages(events, interested, records, now), give_up_after=GIVE_UP_AFTER)


def _messages(
    events: Iterable[Happened | BatchEnded], webhooks: Sequence[Webhook], records: Mapping[UUID, Record], now: datetime
) -> list[_Message]:
    # By the owner, or by the one execution or batch.
    interested = defaultdict[str | UUID, list[Webhook]](list)
    for webhook in webhooks:
        interested[webhook.execution or webhook.batch or webhook.owner].append(webhook)
    messages: list[_Message] = []
    for told in events:
        candidates = interested[owner_of(told)] + interested[EVERYBODY]
        if isinstance(told, BatchEnded):
            messages += _of_batch(told, candidates + interested[told.batch.record.id])
        else:
            record = records.get(told.execution)
            messages += _of_execution(told, record, candidates + interested[told.execution], now)
    return messages


def _of_batch(ended: BatchEnded, candidates: Sequence[Webhook]) -> list[_Message]:
    wanted = _wanting(candidates, EventType.BATCH_ENDED, ended.position, facts_of_batch(ended.batch))
    if not wanted:
        return []
    body = payload.of_batch(ended.batch)
    return [_Message(EventType.BATCH_ENDED, None, ended.batch.record.id, ended.position, None, body, wanted)]


def _of_execution(
    happened: Happened, record: Record | None, candidates: Sequence[Webhook], now: datetime
) -> list[_Message]:
    facts = facts_of(record) if record is not None else _facts_of_deleted(happened)
    return [
        _Message(type_, happened.execution, None, happened.position, None, _body(type_, happened, record, now), wanted)
        for type_ in _types(happened, record)
        if (wanted := _wanting(candidates, type_, happened.position, facts))
    ]


def _wanting(candidates: Sequence[Webhook], type_: EventType, position: int, facts: dict[str, Any]) -> list[Webhook]:
    return [
        each for each in candidates if type_ in each.events and each.after < position and each.chosen.takes(**facts)
    ]


def _types(happened: Happened, record: Record | None) -> list[EventType]:
    if happened.deleted:
        return [EventType.DELETED]
    return types_of(happened.event, record) if record is not None else []


def _body(type_: EventType, happened: Happened, record: Record | None, now: datetime) -> str:
    if record is None or type_ is EventType.DELETED:
        return payload.of_deletion(happened, now)
    return payload.of_event(type_, happened, record)


def _facts_of_deleted(happened: Happened) -> dict[str, Any]:
    return {"pools": (happened.subject.pool,), "methods": (), "labels": happened.subject.labels}


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
        "batch_id": message.batch,
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
