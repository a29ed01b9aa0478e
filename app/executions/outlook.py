"""SQL of what lies ahead of an execution: its place in the queue, and how long it will run. Looked up for one record at
a time: neither is cheap enough for a list.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from app.db.engine import Connection
from app.executions.model import Lane
from app.executions.record import Record
from app.executions.states import Status
from app.executions.tables import KIND, PAST_RUNS, READY, TURN
from app.executions.waiting import WaitingOn
from app.pools.order import MAY_START, OWN_ORDER, OWNERS

# A place beyond is not told exactly: it would take longer to find, and change before it is read.
COUNT_AT_MOST = 10_000
# So many past runs are looked at, and with fewer than this nothing is expected.
RUNS = 20
RUNS_AT_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What can be said of an active execution. The place counts from 1, durations are seconds; None is not known."""

    queue_position: int | None = None
    expected_seconds: float | None = None
    expected_seconds_p90: float | None = None


UNKNOWN = Outlook()


def _count_of(lane: Lane) -> str:
    # Written out, not asked for: Postgres knows whether there is much or next to nothing of it, and how to find that.
    return f"""
        SELECT count(*) FROM (
            SELECT FROM executions WHERE pool = :pool AND lane = '{lane}' AND {MAY_START} LIMIT :most
        ) AS {lane}
    """  # noqa: S608 - of constants


# How many would be picked before this one if all slots became free now and nothing else changed: what may start in
# higher lanes; of its own owner what comes first in their order; of the others what comes before its turn, which is the
# nth of its owner (from 0). That what is picked from higher lanes changes who holds most is left out.
_POSITION = text(f"""
    WITH RECURSIVE {OWNERS}, this AS (
        SELECT id AS this_id, owner AS this_owner, {TURN} AS this_turn FROM executions
        WHERE id = :execution AND {READY}
    ), own AS (
        SELECT owners.*, nth FROM this JOIN owners ON owner = this_owner CROSS JOIN LATERAL (
            SELECT count(*) AS nth FROM (
                SELECT FROM executions
                WHERE pool = :pool AND lane = :lane AND owner = this_owner AND {MAY_START}
                    AND ({OWN_ORDER}) < (this_turn, this_id)
                ORDER BY {OWN_ORDER} LIMIT :most
            ) AS earlier
        ) AS its_turn
    ), others AS (
        SELECT other.owner, own.held + own.nth - other.held AS level, (
            (own.held + own.nth - other.held, coalesce(other.served_at, '-infinity'), other.queued_at, other.owner)
            < (own.nth, coalesce(own.served_at, '-infinity'), own.queued_at, own.owner)
        ) AS is_first_there
        FROM own JOIN owners AS other ON other.owner <> own.owner
    )
    SELECT least(:most, 1 + nth + (
        SELECT count(*) FROM (
            SELECT FROM others CROSS JOIN LATERAL (
                SELECT FROM executions
                WHERE pool = :pool AND lane = :lane AND owner = others.owner AND {MAY_START}
                ORDER BY {OWN_ORDER} LIMIT greatest(0, level + is_first_there::int)
            ) AS theirs
            LIMIT :most
        ) AS before_it
    ) + CASE WHEN :lane = 'high' THEN 0 ELSE ({_count_of(Lane.HIGH)}) END
    + CASE WHEN :lane = 'low' THEN ({_count_of(Lane.NORMAL)}) ELSE 0 END) FROM own
""").bindparams(most=COUNT_AT_MOST)  # noqa: S608 - of constants
_EXPECTED = text(f"""
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) AS p90
    FROM (
        SELECT owner AS this_owner, {KIND} AS this_kind FROM executions WHERE id = :execution
    ) AS this CROSS JOIN LATERAL (
        SELECT extract(epoch FROM finished_at - started_at)::float AS seconds FROM executions
        WHERE owner = this_owner AND {KIND} = this_kind AND {PAST_RUNS}
        ORDER BY finished_at DESC LIMIT :runs
    ) AS past
    HAVING count(*) >= :at_least
""").bindparams(runs=RUNS, at_least=RUNS_AT_LEAST)  # noqa: S608 - of constants


async def foresee(connection: Connection, record: Record) -> Outlook:
    """What is to be expected of one that has not ended."""
    expected = (await connection.execute(_EXPECTED, {"execution": record.id})).one_or_none()
    return Outlook(
        queue_position=await _position(connection, record),
        expected_seconds=round(expected.p50, 3) if expected else None,
        expected_seconds_p90=round(expected.p90, 3) if expected else None,
    )


async def _position(connection: Connection, record: Record) -> int | None:
    """None for what has no place yet: it is held, or its time has not come."""
    if record.status is not Status.QUEUED or record.waiting_on is WaitingOn.NOT_BEFORE:
        return None
    asked = {"execution": record.id, "pool": record.pool, "lane": record.lane}
    return (await connection.execute(_POSITION, asked)).scalar_one_or_none()
