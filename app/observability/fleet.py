"""How the whole fleet stands, by pool, in three statements: what is queued, what is held, and who is there for it.

Each is answered from a partial index that has only what is active, whatever the database has seen in its life.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Connection, reading
from app.executions.states import Status
from app.executions.tables import CLOSED, READY
from app.workers.model import LOST_AFTER

# Of a pool's queue, no more than this is counted: a scrape stays cheap however long it is.
COUNT_AT_MOST = 10_000
# However many ask, the database is asked once in so many seconds.
KEEP_FOR = 3.0

# The order is that of the index of the queue; without one, a limit makes a scan of the whole table look cheap.
_QUEUES = text(f"""
    SELECT pools.name AS pool, queue.length + closed.length AS length, queue.oldest
    FROM pools CROSS JOIN LATERAL (
        SELECT count(*) AS length, extract(epoch FROM clock_timestamp() - min(since))::float AS oldest
        FROM (
            SELECT greatest(queued_at, not_before) AS since FROM executions
            WHERE {READY} AND pool = pools.name ORDER BY lane, owner LIMIT :most
        ) AS waiting
    ) AS queue CROSS JOIN LATERAL (
        SELECT count(*) AS length FROM (
            SELECT FROM executions WHERE {CLOSED} AND pool = pools.name LIMIT :most
        ) AS waiting
    ) AS closed
    WHERE pools.deleted_at IS NULL
""").bindparams(  # noqa: S608 - of constants
    most=COUNT_AT_MOST
)
_HELD = text("""
    SELECT pool, status, count(*) AS number FROM executions
    WHERE status IN ('preparing', 'running', 'paused', 'stopping') GROUP BY pool, status
""")
_WORKERS = text("""
    SELECT pool,
        count(*) FILTER (WHERE silent <= :lost_after) AS present,
        count(*) FILTER (WHERE silent > :lost_after) AS lost,
        max(silent) FILTER (WHERE silent <= :lost_after) AS lease_age,
        sum(held) FILTER (WHERE silent <= :lost_after) AS busy,
        sum(greatest(slots - held, 0)) FILTER (
            WHERE silent <= :lost_after AND wanted = 'work' AND message IS NULL
        ) AS free
    FROM (
        SELECT pool, slots, wanted, message, extract(epoch FROM clock_timestamp() - heartbeat_at)::float AS silent, (
            SELECT count(*) FROM executions
            WHERE worker_id = workers.id AND status IN ('preparing', 'running', 'paused', 'stopping')
        ) AS held
        FROM workers WHERE gone_at IS NULL
    ) AS there
    GROUP BY pool
""").bindparams(lost_after=LOST_AFTER)


@dataclass(slots=True)
class PoolState:
    """One pool. Times are seconds; `lease_age` is the longest silence among the workers that are present."""

    executions: dict[Status, int] = field(default_factory=dict)
    oldest_seconds: float = 0.0
    present: int = 0
    lost: int = 0
    lease_age: float = 0.0
    busy: int = 0
    free: int = 0


Fleet = Mapping[str, PoolState]


class FleetReader:
    """Reads the fleet, and remembers it for a moment."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._fleet: Fleet = {}
        self._read_at = float("-inf")

    async def read(self, database: AsyncEngine) -> Fleet:
        """How it stands now, or stood less than `KEEP_FOR` ago."""
        async with self._turn:
            if time.monotonic() - self._read_at >= KEEP_FOR:
                async with reading(database) as connection:
                    self._fleet = await read_fleet(connection)
                self._read_at = time.monotonic()
            return self._fleet


async def read_fleet(connection: Connection) -> Fleet:
    """Every pool that exists, or still has something in it."""
    fleet: defaultdict[str, PoolState] = defaultdict(PoolState)
    for row in await connection.execute(_QUEUES):
        fleet[row.pool].executions[Status.QUEUED] = row.length
        fleet[row.pool].oldest_seconds = max(0.0, row.oldest or 0.0)
    for row in await connection.execute(_HELD):
        fleet[row.pool].executions[Status(row.status)] = row.number
    for row in await connection.execute(_WORKERS):
        state = fleet[row.pool]
        state.present, state.lost, state.lease_age = row.present, row.lost, row.lease_age or 0.0
        state.busy, state.free = int(row.busy or 0), int(row.free or 0)
    return fleet
