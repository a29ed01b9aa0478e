"""SQL of pools, but for the claim, which is in `worker/queue.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Connection
from app.db.orm import clock
from app.executions.tables import CLOSED, READY, Execution
from app.pools.model import PoolRecord
from app.pools.tables import Pool
from app.workers.model import LOST_AFTER
from app.workers.repository import is_present
from app.workers.tables import Worker

_POOLS = text(f"""
    SELECT pools.*, there.workers, there.slots,
        (SELECT count(*) FROM executions WHERE pool = pools.name AND {READY})
            + (SELECT count(*) FROM executions WHERE pool = pools.name AND {CLOSED}) AS queued,
        (
            SELECT count(*) FROM executions
            WHERE pool = pools.name AND status IN ('preparing', 'running', 'paused', 'stopping')
                AND worker_id IS NOT NULL
        ) AS running
    FROM pools CROSS JOIN LATERAL (
        SELECT count(*) AS workers,
            coalesce(sum(slots) FILTER (WHERE wanted = 'work' AND message IS NULL), 0)::bigint AS slots
        FROM workers
        WHERE pool = pools.name AND gone_at IS NULL
            AND heartbeat_at > clock_timestamp() - make_interval(secs => :lost_after)
    ) AS there
    WHERE deleted_at IS NULL AND (CAST(:name AS text) IS NULL OR name = :name)
    ORDER BY name
""")  # noqa: S608 - of constants
_ON_ITS_WAY = "status IN ('preparing', 'running', 'paused', 'stopping')"
_FIELDS = tuple(field.name for field in fields(PoolRecord))


async def list_pools(connection: Connection, *, name: str | None = None) -> list[PoolRecord]:
    """All that are not deleted, by name; or the one of this name."""
    rows = (await connection.execute(_POOLS, {"name": name, "lost_after": LOST_AFTER})).mappings()
    return [PoolRecord(**{name: row[name] for name in _FIELDS}) for row in rows]


async def find_pool(connection: Connection, name: str) -> PoolRecord | None:
    """One pool."""
    found = await list_pools(connection, name=name)
    return found[0] if found else None


async def list_names(connection: Connection, *, most: int) -> list[str]:
    """The names of pools that are not deleted."""
    names = await connection.execute(select(Pool.name).where(Pool.deleted_at.is_(None)).order_by(Pool.name).limit(most))
    return list(names.scalars())


async def add_pool(connection: Connection, name: str, columns: Mapping[str, Any]) -> bool:
    """A new pool, or a deleted one again; False if there is one of this name."""
    again = {**columns, "created_at": clock(), "deleted_at": None}
    added = await connection.execute(
        insert(Pool)
        .values(name=name, **columns)
        .on_conflict_do_update(index_elements=[Pool.name], set_=again, where=Pool.deleted_at.is_not(None))
    )
    return added.rowcount > 0


async def change_pool(connection: Connection, name: str, columns: Mapping[str, Any]) -> bool:
    """Change some columns; False if there is no such pool. Waits for a claim that is under way."""
    statement = update(Pool).where(Pool.name == name, Pool.deleted_at.is_(None))
    # With the name, since an empty change is one too.
    return (await connection.execute(statement.values(name=name, **columns))).rowcount > 0


async def lock_pool(connection: Connection, name: str) -> bool:
    """Until the transaction ends nothing is submitted to it, claimed from it or registered in it; False if there is no
    such pool.
    """
    statement = select(Pool.name).where(Pool.name == name, Pool.deleted_at.is_(None)).with_for_update()
    return (await connection.execute(statement)).one_or_none() is not None


async def is_in_use(connection: Connection, name: str) -> bool:
    """Whether anything in it has not ended, or a worker that is present serves it."""
    # In the words of the partial indexes, which between them have all that is active.
    active = [exists().where(Execution.pool == name, text(some)) for some in (READY, CLOSED, _ON_ITS_WAY)]
    served = exists().where(Worker.pool == name, is_present())
    return bool((await connection.execute(select(or_(*active, served)))).scalar_one())


async def delete_pool(connection: Connection, name: str) -> None:
    """From now on nobody finds it. Its row stays: records of the past name it."""
    await connection.execute(update(Pool).where(Pool.name == name).values(deleted_at=func.now()))
