"""SQL of deliveries on their way: which are due, what came of a try, and what of the log is kept.

A try is noted after it was made: whoever dies in between leaves a delivery that is sent again, under the same id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, case, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from app.auth.model import SWITCHED_OFF
from app.batches.tables import Batch
from app.db.engine import Connection
from app.db.orm import clock
from app.executions.repository import seconds_from_now
from app.executions.tables import Execution
from app.webhooks.model import DeliveryState, Webhook
from app.webhooks.repository import FRESH, webhook_of
from app.webhooks.tables import DeliveryRow, WebhookRow

FORGOTTEN_AT_ONCE = 1000
MEASURED_AT_MOST = 10_000

# From one webhook to the next, so that it takes as long as webhooks have something waiting, however much that is.
_DUE = text("""
    WITH RECURSIVE waiting AS (
        (SELECT webhook_id FROM webhook_deliveries WHERE state = 'waiting' ORDER BY webhook_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT more.webhook_id FROM webhook_deliveries AS more
            WHERE more.state = 'waiting' AND more.webhook_id > waiting.webhook_id ORDER BY more.webhook_id LIMIT 1
        )
        FROM waiting WHERE waiting.webhook_id IS NOT NULL
    )
    SELECT webhooks.id FROM waiting JOIN webhooks ON webhooks.id = waiting.webhook_id
    WHERE (webhooks.paused_until IS NULL OR webhooks.paused_until <= clock_timestamp()) AND EXISTS (
        SELECT FROM webhook_deliveries AS due
        WHERE due.webhook_id = webhooks.id AND due.state = 'waiting' AND due.next_at <= clock_timestamp()
    )
""")


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery that is due, whole."""

    id: UUID
    execution: UUID | None
    body: str
    tries: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is due to one webhook, in the order in which it happened, and the time of the database."""

    webhook: Webhook
    letters: list[Letter]
    now: datetime


async def list_due(connection: Connection) -> list[UUID]:
    """Webhooks that something may be sent to now."""
    return list((await connection.execute(_DUE)).scalars())


async def read_due(connection: Connection, webhook: UUID, *, most: int) -> Bundle | None:
    """What is to be sent there now, if anything. After a pause it is one, to see how it is received."""
    statement = select(WebhookRow.__table__, clock().label("now")).where(
        WebhookRow.id == webhook,
        WebhookRow.enabled,
        or_(WebhookRow.paused_until.is_(None), WebhookRow.paused_until <= clock()),
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        return None
    fields = dict(row)
    now = fields.pop("now")
    found = webhook_of(fields)
    due = (
        select(DeliveryRow.id, DeliveryRow.execution_id, DeliveryRow.body, DeliveryRow.tries)
        .where(
            DeliveryRow.webhook_id == webhook,
            DeliveryRow.state == DeliveryState.WAITING,
            DeliveryRow.next_at <= clock(),
        )
        .order_by(DeliveryRow.next_at, DeliveryRow.id)
        .limit(1 if found.paused_until is not None else most)
    )
    letters = [Letter(*row) for row in await connection.execute(due)]
    letters.sort(key=lambda letter: letter.id)
    return Bundle(found, letters, now) if letters else None


async def note_delivered(connection: Connection, webhook: UUID, delivery: UUID, tried: Mapping[str, Any]) -> None:
    """It arrived; whatever failed before is forgiven."""
    # The webhook first, as everywhere.
    await connection.execute(
        update(WebhookRow).where(WebhookRow.id == webhook, WebhookRow.failures > 0).values(**_FORGIVEN)
    )
    await connection.execute(
        _noting(delivery, tried).values(state=DeliveryState.DELIVERED, next_at=None, done_at=clock())
    )


async def note_failed(connection: Connection, delivery: UUID, tried: Mapping[str, Any], *, wait: float) -> None:
    """It did not. It is tried again after so many seconds, the last time when it would be given up."""
    over = DeliveryRow.give_up_at <= clock()
    await connection.execute(
        _noting(delivery, tried).values(
            state=case((over, DeliveryState.FAILED), else_=DeliveryState.WAITING),
            next_at=case((over, None), else_=func.least(seconds_from_now(wait), DeliveryRow.give_up_at)),
            done_at=case((over, clock())),
        )
    )


async def count_failure(connection: Connection, webhook: UUID) -> int:
    """How many in a row failed there, this one included; 0 if it is disabled by now."""
    failing_since = func.coalesce(WebhookRow.failing_since, clock())
    statement = (
        update(WebhookRow)
        .where(WebhookRow.id == webhook, WebhookRow.enabled)
        .values(failures=WebhookRow.failures + 1, failing_since=failing_since)
        .returning(WebhookRow.failures)
    )
    return int((await connection.execute(statement)).scalar_one_or_none() or 0)


async def pause(connection: Connection, webhook: UUID, *, seconds: float) -> None:
    """Leave it alone for so long."""
    await connection.execute(
        update(WebhookRow).where(WebhookRow.id == webhook).values(paused_until=seconds_from_now(seconds))
    )


async def disable(connection: Connection, webhook: UUID, reason: str, *, failing_for: float = 0) -> bool:
    """Send nothing there any more, if it has failed for so many seconds; whether that was so.

    What waits for it is given up.
    """
    enough = WebhookRow.failing_since <= seconds_from_now(-failing_for) if failing_for else WebhookRow.enabled
    disabled = await connection.execute(
        update(WebhookRow)
        .where(WebhookRow.id == webhook, WebhookRow.enabled, enough)
        .values(**FRESH | {"enabled": False, "disabled_reason": reason, "updated_at": clock()})
    )
    if not disabled.rowcount:
        return False
    await give_up_waiting(connection, webhook)
    return True


async def switch_off(connection: Connection, tokens: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Those that were set by one of these tokens send nothing any more; which, and whose."""
    values = FRESH | {"enabled": False, "disabled_reason": SWITCHED_OFF, "updated_at": clock()}
    theirs = WebhookRow.set_by == any_(literal(list(tokens), ARRAY(Uuid)))
    switching = update(WebhookRow).where(theirs, WebhookRow.enabled).values(values)
    found = [
        (row.id, row.owner) for row in await connection.execute(switching.returning(WebhookRow.id, WebhookRow.owner))
    ]
    for webhook, _ in found:
        await give_up_waiting(connection, webhook)
    return found


async def give_up_waiting(connection: Connection, webhook: UUID) -> None:
    """Nothing waits for this one any more."""
    await connection.execute(
        update(DeliveryRow)
        .where(DeliveryRow.webhook_id == webhook, DeliveryRow.state == DeliveryState.WAITING)
        .values(state=DeliveryState.FAILED, next_at=None, done_at=clock())
    )


async def forget_old(connection: Connection, *, days: int) -> None:
    """Of what is over, and of webhooks of what is not there any more; some of them, if they are many."""
    old = (
        select(DeliveryRow.id)
        .where(DeliveryRow.done_at < seconds_from_now(-days * 86_400))
        .order_by(DeliveryRow.done_at)
        .limit(FORGOTTEN_AT_ONCE)
    )
    await connection.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(old)))
    waited_for = select(DeliveryRow.id).where(DeliveryRow.webhook_id == WebhookRow.id)
    gone = (
        select(WebhookRow.id)
        .where(
            or_(WebhookRow.execution_id.is_not(None), WebhookRow.batch_id.is_not(None)),
            # Long enough for the end of it to be told.
            WebhookRow.created_at < seconds_from_now(-3600),
            ~select(Execution.id).where(Execution.id == WebhookRow.execution_id).exists(),
            ~select(Batch.id).where(Batch.id == WebhookRow.batch_id).exists(),
            ~waited_for.exists(),
        )
        .limit(FORGOTTEN_AT_ONCE)
    )
    await connection.execute(delete(WebhookRow).where(WebhookRow.id.in_(gone)))


async def measure(connection: Connection) -> tuple[int, float]:
    """How many deliveries wait, as far as that is counted, and for how many seconds the oldest of them has."""
    waiting = (
        select(DeliveryRow.created_at).where(DeliveryRow.state == DeliveryState.WAITING).limit(MEASURED_AT_MOST)
    ).subquery()
    age = func.extract("epoch", clock() - func.min(waiting.c.created_at))
    row = (await connection.execute(select(func.count(), age).select_from(waiting))).one()
    return int(row[0]), float(row[1] or 0)


_FORGIVEN = {"failures": 0, "failing_since": None, "paused_until": None}


def _noting(delivery: UUID, tried: Mapping[str, Any]) -> Any:
    """One try more in the log of a delivery that waits."""
    return (
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery, DeliveryRow.state == DeliveryState.WAITING)
        .values(tries=DeliveryRow.tries + 1, log=DeliveryRow.log.concat(literal([dict(tried)], JSONB)))
    )
