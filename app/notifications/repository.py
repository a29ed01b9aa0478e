"""SQL of notifications: rules as their owners see them, messages on their way, and what is kept of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, case, delete, func, insert, literal, select, update
from uuid_utils.compat import uuid7

from app.db.engine import Connection
from app.db.orm import clock
from app.events.store import last_position
from app.executions.repository import seconds_from_now
from app.executions.states import Cause, Status
from app.notifications.model import TRIES, UNSURE_AFTER, Notification, NotificationKind, NotificationState, Rule
from app.notifications.tables import NotificationRow, RuleRow
from app.webhooks.model import Chosen

FORGOTTEN_AT_ONCE = 1000
RULES_AT_ONCE = 100
_SEEN = tuple(NotificationRow.__table__.c[name] for name in Notification.__slots__)
DIED = "The worker died while it was being sent: it may have arrived"


def rule_of(row: Mapping[Any, Any]) -> Rule:
    """The rule in a row of all columns."""
    chosen = row["chosen"]
    return Rule(
        **{
            **row,
            "statuses": frozenset(map(Status, row["statuses"])),
            "causes": frozenset(map(Cause, row["causes"])),
            "chosen": Chosen(frozenset(chosen["pools"]), frozenset(chosen["methods"]), chosen["labels"]),
        }
    )


def columns_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a rule, as they are kept."""
    columns = dict(fields)
    for name in ("statuses", "causes"):
        if name in columns:
            columns[name] = sorted(columns[name])
    if isinstance(chosen := columns.get("chosen"), Chosen):
        columns["chosen"] = {
            "pools": sorted(chosen.pools),
            "methods": sorted(chosen.methods),
            "labels": dict(chosen.labels),
        }
    return columns


async def count(connection: Connection, owner: str) -> int:
    """How many rules the owner has."""
    statement = select(func.count()).select_from(RuleRow).where(RuleRow.owner == owner)
    return int((await connection.execute(statement)).scalar_one())


async def add(connection: Connection, id_: UUID, owner: str, fields: Mapping[str, Any]) -> Rule:
    """A new one, for what is written from now on."""
    values = {"id": id_, "owner": owner, "after": await last_position(connection), **columns_of(fields)}
    row = await connection.execute(insert(RuleRow).values(**values).returning(*RuleRow.__table__.c))
    return rule_of(row.mappings().one())


async def find(connection: Connection, rule: UUID, *, owner: str | None, lock: bool = False) -> Rule | None:
    """One, if it exists and, with `owner`, is theirs."""
    statement = select(RuleRow.__table__).where(RuleRow.id == rule)
    if owner is not None:
        statement = statement.where(RuleRow.owner == owner)
    row = (await connection.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    return rule_of(row) if row is not None else None


async def list_rules(connection: Connection, *, owner: str | None, after: UUID | None, most: int) -> list[Rule]:
    """Those of an owner; the newest first."""
    statement = select(RuleRow.__table__).order_by(RuleRow.id.desc()).limit(most)
    if owner is not None:
        statement = statement.where(RuleRow.owner == owner)
    if after is not None:
        statement = statement.where(RuleRow.id < after)
    return [rule_of(row) for row in (await connection.execute(statement)).mappings()]


async def change(connection: Connection, rule: UUID, fields: Mapping[str, Any]) -> Rule:
    """Set these; for whoever holds its lock."""
    statement = update(RuleRow).where(RuleRow.id == rule).values(**columns_of(fields), updated_at=clock())
    return rule_of((await connection.execute(statement.returning(*RuleRow.__table__.c))).mappings().one())


async def remove(connection: Connection, rule: UUID) -> None:
    """With everything that was to be said by it."""
    await connection.execute(delete(RuleRow).where(RuleRow.id == rule))


def notification_of(row: Mapping[Any, Any]) -> Notification:
    """The message in a row."""
    return Notification(**{**row, "kind": NotificationKind(row["kind"]), "state": NotificationState(row["state"])})


async def add_test(connection: Connection, rule: UUID, title: str, body: str) -> Notification:
    """A message about nothing."""
    values = {
        "id": uuid7(),
        "rule_id": rule,
        "kind": NotificationKind.TEST,
        "title": title,
        "body": body,
        "next_at": clock(),
    }
    row = await connection.execute(insert(NotificationRow).values(**values).returning(*_SEEN))
    return notification_of(row.mappings().one())


async def list_notifications(
    connection: Connection, rule: UUID, *, after: UUID | None, most: int
) -> list[Notification]:
    """What was said, the newest first."""
    statement = select(*_SEEN).where(NotificationRow.rule_id == rule).order_by(NotificationRow.id.desc()).limit(most)
    if after is not None:
        statement = statement.where(NotificationRow.id < after)
    return [notification_of(row) for row in (await connection.execute(statement)).mappings()]


async def switch_off(connection: Connection, tokens: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Nothing is said any more by rules that were set by one of these tokens; which, and whose."""
    theirs = RuleRow.set_by == any_(literal(list(tokens), ARRAY(Uuid)))
    switching = update(RuleRow).where(theirs, RuleRow.enabled).values(enabled=False, updated_at=clock())
    found = [(row.id, row.owner) for row in await connection.execute(switching.returning(RuleRow.id, RuleRow.owner))]
    for rule, _ in found:
        await give_up_waiting(connection, rule)
    return found


async def give_up_waiting(connection: Connection, rule: UUID) -> None:
    """Nothing waits for this rule any more."""
    await connection.execute(
        update(NotificationRow)
        .where(NotificationRow.rule_id == rule, NotificationRow.state == NotificationState.WAITING)
        .values(state=NotificationState.FAILED, next_at=None, done_at=clock(), error="The rule was disabled")
    )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send, and where to."""

    id: UUID
    rule: UUID
    sealed: bytes
    title: str
    body: str
    tries: int


async def list_due(connection: Connection) -> list[UUID]:
    """Rules by which something may be said now."""
    due = (
        select(NotificationRow.rule_id)
        .where(NotificationRow.state == NotificationState.WAITING, NotificationRow.next_at <= clock())
        .distinct()
        .limit(RULES_AT_ONCE)
    )
    return list((await connection.execute(due)).scalars())


async def claim(connection: Connection, rule: UUID) -> Claimed | None:
    """The oldest that is due: from the commit on, nobody else sends it."""
    oldest = (
        select(NotificationRow.id)
        .where(
            NotificationRow.rule_id == rule,
            NotificationRow.state == NotificationState.WAITING,
            NotificationRow.next_at <= clock(),
        )
        .order_by(NotificationRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    statement = (
        update(NotificationRow)
        .where(NotificationRow.id == oldest, RuleRow.id == NotificationRow.rule_id)
        .values(state=NotificationState.SENDING, next_at=None, claimed_at=clock(), tries=NotificationRow.tries + 1)
        .returning(
            NotificationRow.id,
            NotificationRow.rule_id,
            RuleRow.sealed,
            NotificationRow.title,
            NotificationRow.body,
            NotificationRow.tries,
        )
    )
    row = (await connection.execute(statement)).one_or_none()
    return Claimed(*row) if row is not None else None


async def note_over(
    connection: Connection, notification: UUID, state: NotificationState, error: str | None = None
) -> None:
    """What became of one that was claimed."""
    await connection.execute(
        update(NotificationRow)
        .where(NotificationRow.id == notification, NotificationRow.state == NotificationState.SENDING)
        .values(state=state, done_at=clock(), error=error)
    )


async def note_refused(connection: Connection, notification: UUID, error: str, *, wait: float) -> None:
    """The service did not take it: again after so many seconds, but only so often."""
    over = NotificationRow.tries >= TRIES
    await connection.execute(
        update(NotificationRow)
        .where(NotificationRow.id == notification, NotificationRow.state == NotificationState.SENDING)
        .values(
            state=case((over, NotificationState.FAILED), else_=NotificationState.WAITING),
            next_at=case((over, None), else_=seconds_from_now(wait)),
            done_at=case((over, clock())),
            error=error,
        )
    )


async def note_unsure(connection: Connection) -> None:
    """Of those whose sender died it is told; nobody sends them again."""
    await connection.execute(
        update(NotificationRow)
        .where(
            NotificationRow.state == NotificationState.SENDING,
            NotificationRow.claimed_at < seconds_from_now(-UNSURE_AFTER),
        )
        .values(state=NotificationState.UNSURE, done_at=clock(), error=DIED)
    )


async def forget_old(connection: Connection, *, days: int) -> None:
    """Of what is over; some of it, if it is much."""
    old = (
        select(NotificationRow.id)
        .where(NotificationRow.done_at < seconds_from_now(-days * 86_400))
        .order_by(NotificationRow.done_at)
        .limit(FORGOTTEN_AT_ONCE)
    )
    await connection.execute(delete(NotificationRow).where(NotificationRow.id.in_(old)))
