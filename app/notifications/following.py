"""What is to be said of each end: written, and counted, in the transaction in which its event is passed; so once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from app.db.engine import Connection
from app.db.orm import clock
from app.events.following import follow, owner_of
from app.events.store import BatchEnded, Happened
from app.executions.record import Record, record_of, select_records
from app.executions.states import Cause
from app.executions.tables import Execution
from app.notifications.model import (
    NotificationKind,
    Rule,
    Streak,
    count,
    words_of_batch,
    words_of_end,
    words_of_streak,
)
from app.notifications.repository import rule_of
from app.notifications.tables import NotificationRow, RuleRow, StreakRow
from app.quotas.model import EVERYBODY

CURSOR = "notifications"


async def follow_events(database: AsyncEngine) -> bool:
    """Write what is to be said of the next events; whether there may be more. Raises what the database raises."""
    return await follow(database, CURSOR, _tell)


async def _tell(connection: Connection, events: Sequence[Happened | BatchEnded]) -> None:
    ends = [each for each in events if isinstance(each, BatchEnded) or (each.event.moves and each.event.cause)]
    if not ends:
        return
    # Counting is one after the other, should somebody else follow at the same time.
    owners = {EVERYBODY} | {owner_of(each) for each in ends}
    statement = select(RuleRow.__table__).where(RuleRow.enabled, RuleRow.owner.in_(owners)).order_by(RuleRow.id)
    rules = defaultdict[str, list[Rule]](list)
    for row in (await connection.execute(statement.with_for_update(key_share=True))).mappings():
        rules[row["owner"]].append(rule_of(row))
    if not rules:
        return
    records = await _records(connection, {each.execution for each in ends if isinstance(each, Happened)})
    for told in ends:
        concerned = [rule for rule in rules[owner_of(told)] + rules[EVERYBODY] if rule.after < told.position]
        if isinstance(told, BatchEnded):
            await _tell_of_batch(connection, concerned, told)
            continue
        record, cause = records.get(told.execution), told.event.cause
        for rule in concerned:
            if record is not None and cause is not None and rule.takes(record, cause):
                await _tell_by(connection, rule, told, record, cause)


async def _tell_of_batch(connection: Connection, rules: Sequence[Rule], ended: BatchEnded) -> None:
    for rule in rules:
        if rule.takes_batch(ended.batch):
            await _add(connection, rule, ended, NotificationKind.ENDED, words_of_batch(ended.batch))


async def _tell_by(connection: Connection, rule: Rule, happened: Happened, record: Record, cause: Cause) -> None:
    status = happened.event.to_status
    if rule.alert_after is None:
        if status in rule.statuses and (not rule.causes or cause in rule.causes):
            await _add(connection, rule, happened, NotificationKind.ENDED, words_of_end(record, cause, status))
        return
    key = rule.key_of(record)
    before = await _streak(connection, rule.id, key)
    after, kind = count(before, status, rule.alert_after)
    if after != before:
        await _keep(connection, rule.id, key, after)
    if kind is not None:
        failures = max(before.failures, after.failures)
        await _add(connection, rule, happened, kind, words_of_streak(kind, failures, key, rule, record, cause))


async def _add(
    connection: Connection, rule: Rule, told: Happened | BatchEnded, kind: NotificationKind, words: tuple[str, str]
) -> None:
    title, body = words
    subject = {"batch_id": told.batch.record.id} if isinstance(told, BatchEnded) else {"execution_id": told.execution}
    values = {**subject, "position": told.position, "kind": kind}
    await connection.execute(
        insert(NotificationRow).values(id=uuid7(), rule_id=rule.id, title=title, body=body, next_at=clock(), **values)
    )


async def _streak(connection: Connection, rule: UUID, key: str) -> Streak:
    statement = select(StreakRow.failures, StreakRow.alerted).where(StreakRow.rule_id == rule, StreakRow.key == key)
    row = (await connection.execute(statement)).one_or_none()
    return Streak(*row) if row is not None else Streak()


async def _keep(connection: Connection, rule: UUID, key: str, streak: Streak) -> None:
    if streak == Streak():
        await connection.execute(delete(StreakRow).where(StreakRow.rule_id == rule, StreakRow.key == key))
        return
    values: dict[str, Any] = {"failures": streak.failures, "alerted": streak.alerted}
    await connection.execute(
        upsert(StreakRow)
        .values(rule_id=rule, key=key, **values)
        .on_conflict_do_update(index_elements=[StreakRow.rule_id, StreakRow.key], set_=values)
    )


async def _records(connection: Connection, executions: set[UUID]) -> dict[UUID, Record]:
    rows = await connection.execute(select_records().where(Execution.id.in_(executions)))
    return {row["id"]: record_of(row) for row in rows.mappings()}
