"""The order in which a pool picks from its queue, as SQL that the claim and a place in the queue share.

Higher lanes come first. Within a lane, whoever holds least is next, then whoever waited longest for a turn. The nth
pick (from 0) of an owner who holds h comes as if h + n were held already and the turn just taken: so the order by
h + n, then n, then the last turn is that of picking one by one.
"""

from __future__ import annotations

from app.executions.tables import READY, TAKES_A_SLOT, TURN

# An owner's own order, and what of it is not only ready, but may start by now.
OWN_ORDER = f"{TURN}, id"
MAY_START = f"{READY} AND coalesce(not_before <= clock_timestamp(), true)"
# Of owners who hold the same: who waited longest for a turn, whoever never had one before all others.
TURNS = "served_at NULLS FIRST, queued_at, owner"
# Whether there is anything in a lane of a pool, by one step through its index. Not by EXISTS, for which a scan looks as
# good, although most lanes are empty.
ANY_IN_LANE = f"""
    SELECT true FROM executions WHERE pool = :pool AND lane = lanes.lane AND {READY} ORDER BY owner, {OWN_ORDER} LIMIT 1
"""  # noqa: S608 - of constants
# Whoever has something in this lane of this pool, and what of the pool they hold. The owners of a queue are found by as
# many steps through its index, however long it is.
OWNERS = f"""
    heads AS (
        (
            SELECT owner, queued_at FROM executions WHERE pool = :pool AND lane = :lane AND {READY}
            ORDER BY owner, {OWN_ORDER} LIMIT 1
        )
        UNION ALL
        SELECT following.owner, following.queued_at FROM heads CROSS JOIN LATERAL (
            SELECT owner, queued_at FROM executions
            WHERE pool = :pool AND lane = :lane AND {READY} AND owner > heads.owner
            ORDER BY owner, {OWN_ORDER} LIMIT 1
        ) AS following
    ), holding AS (
        SELECT owner, count(*) AS held FROM executions WHERE pool = :pool AND {TAKES_A_SLOT} GROUP BY owner
    ), owners AS (
        SELECT heads.owner, coalesce(held, 0) AS held, served_at, queued_at
        FROM heads
        LEFT JOIN holding ON holding.owner = heads.owner
        LEFT JOIN pool_turns ON pool_turns.pool = :pool AND pool_turns.owner = heads.owner
    )
"""  # noqa: S608 - of constants
