"""SQL of idempotency keys. A new one is written by `app.executions.accepting.add_once`, with its execution."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from app.db.engine import Connection
from app.executions.record import Record, record_of, select_records
from app.executions.repository import seconds_from_now
from app.executions.tables import Execution
from app.idempotency.tables import IdempotencyKey

# For how long a key is kept at least, seconds.
KEPT_FOR = 86_400.0
# As many are forgotten in one statement.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Original:
    """What a key stands for: the execution as it is now, and the hash of the body that asked for it."""

    record: Record
    body_sha256: bytes


async def find_original(connection: Connection, owner: str, key: str) -> Original | None:
    """What this owner's key stands for, once that is committed."""
    statement = (
        select_records()
        .add_columns(IdempotencyKey.body_sha256)
        .join(IdempotencyKey, IdempotencyKey.execution_id == Execution.id)
        .where(IdempotencyKey.owner == owner, IdempotencyKey.key == key)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return Original(record_of(row), row["body_sha256"]) if row else None


async def forget_old(connection: Connection, older_than: float = KEPT_FOR, *, most: int = MOST) -> int:
    """Forget keys older than so many seconds, the oldest first and at most `most`; how many there were."""
    old = (
        select(IdempotencyKey.owner, IdempotencyKey.key)
        .where(IdempotencyKey.created_at < seconds_from_now(-older_than))
        .order_by(IdempotencyKey.created_at)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    forgotten = await connection.execute(
        delete(IdempotencyKey).where(IdempotencyKey.owner == old.c.owner, IdempotencyKey.key == old.c.key)
    )
    return forgotten.rowcount
