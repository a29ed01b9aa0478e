"""Whose an object is that somebody else is about to change."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Uuid, select

from app.db.engine import Connection
from app.db.registry import metadata

# The first part of a path, and the table whose row it names.
TABLES: Mapping[str, str] = {
    "executions": "executions",
    "batches": "batches",
    "methods": "methods",
    "files": "files",
    "schedules": "schedules",
    "triggers": "triggers",
    "webhooks": "webhooks",
    "notifications": "notification_rules",
    "tokens": "tokens",
}
# Everybody has only their own.
OWN = frozenset({"secrets"})
# What has no row is named after its owner.
OWNERS = frozenset({"quotas"})


async def find_owner(connection: Connection, path: str, *, asking: str) -> str | None:
    """Whose it is; None if it is nobody's, or is not there."""
    kind, _, name = path.partition("/")
    if kind in OWN:
        return asking
    name = name.partition("/")[0]
    if kind in OWNERS:
        return name
    if kind not in TABLES:
        return None
    table = metadata.tables[TABLES[kind]]
    (key,) = table.primary_key.columns
    try:
        value = UUID(name) if isinstance(key.type, Uuid) else name
    except ValueError:
        return None
    return (await connection.execute(select(table.c.owner).where(key == value))).scalar_one_or_none()
