"""SQL of who did what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Text,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.audit.model import REFUSED, Entry, Kept, Wanted
from app.audit.tables import AuditEntry
from app.db.engine import Connection
from app.db.orm import clock

_NAMES = [field.name for field in fields(Entry)]
_ROWS = (
    func.jsonb_to_recordset(bindparam("acts", type_=JSONB))
    .table_valued(*(column(name, AuditEntry.__table__.c[name].type) for name in _NAMES))
    .render_derived(with_types=True)
)
_ADD = insert(AuditEntry).from_select(_NAMES, select(*_ROWS.c))
# In so many words, as the index has it.
_REFUSED = AuditEntry.status >= literal_column(str(REFUSED))
# The trigger lets nobody delete who does not say that it is for age.
_LETTING_GO = text("SET LOCAL tailrace.letting_go = 'audit'")


def adding() -> CTE:
    """As part of another statement, which has the parameter `acts`: `rows_of` them."""
    return _ADD.cte("acts")


def rows_of(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """As JSON, whose keys are the columns."""
    # A driver's own kind of UUID is one too, but not to who writes JSON.
    return [asdict(entry) | {"token_id": str(entry.token_id) if entry.token_id else None} for entry in entries]


async def add(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write them, if there are any."""
    if entries:
        await connection.execute(_ADD, {"acts": rows_of(entries)})


async def list_entries(connection: Connection, wanted: Wanted, *, limit: int, before: int | None) -> list[Kept]:
    """Newest first, those before this one."""
    statement = select(AuditEntry.__table__).where(*_conditions(wanted)).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    return [Kept(**row) for row in (await connection.execute(statement)).mappings()]


async def expire(connection: Connection, *, days: int, most: int, refused: bool = False) -> list[int]:
    """Let go of the oldest of those that are older, or of what was `refused` only, and say which that were."""
    await connection.execute(_LETTING_GO)
    # They are in the order of time, more or less: who finds none has not read the whole table.
    looked_at = select(AuditEntry.id, AuditEntry.at).order_by(AuditEntry.id).limit(most)
    first = (looked_at.where(_REFUSED) if refused else looked_at).subquery("first")
    old = select(first.c.id).where(first.c.at < clock() - func.make_interval(0, 0, 0, days))
    letting_go = delete(AuditEntry).where(AuditEntry.id.in_(old)).returning(AuditEntry.id)
    return list((await connection.execute(letting_go)).scalars())


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    entry = AuditEntry
    equal = {"sees": entry.owner, "owner": entry.owner, "actor": entry.actor, "action": entry.action}
    conditions = [column == value for name, column in equal.items() if (value := getattr(wanted, name)) is not None]
    if (path := wanted.object) is not None:
        # `0` is what follows `/`.
        whole, begin, end = (literal(each, Text()) for each in (path, f"{path}/", f"{path}0"))
        conditions.append(or_(entry.object == whole, (entry.object >= begin) & (entry.object < end)))
    if wanted.token is not None:
        conditions.append(entry.token_id == wanted.token)
    if wanted.refused is not None:
        conditions.append(_REFUSED if wanted.refused else ~_REFUSED)
    if wanted.since is not None:
        conditions.append(entry.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(entry.at < wanted.until)
    return conditions
