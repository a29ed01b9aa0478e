"""SQL of the queue: whose turn it is, and the claim of it.

All claims of a pool wait for each other at the row of the pool, so that what is counted under that lock, limits and
turns alike, is exact. Submissions do not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Row,
    RowMapping,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    literal_column,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db.engine import Connection
from app.db.orm import clock
from app.executions import repository
from app.executions.model import Event, Lease
from app.executions.record import LOG_COLUMNS, record_of
from app.executions.tables import TURN, Attempt, Execution
from app.logs.tables import LogHead
from app.pools.tables import PoolTurn
from worker.claims import Claim, Identity

# Nobody is locked out for a worker that takes nothing, or has nothing to take.
_LOCK = text("""
    SELECT max_running, max_running_per_owner FROM pools
    WHERE name = :pool
        AND EXISTS (SELECT FROM executions WHERE pool = :pool AND status = 'queued')
        AND EXISTS (SELECT FROM workers WHERE id = :worker AND wanted = 'work' AND gone_at IS NULL)
    FOR NO KEY UPDATE OF pools
""")
# Whoever holds least is next, then whoever waited longest for a turn. The nth pick (from 0) of an owner who holds h
# comes as if h + n were held already and the turn just taken: so the order by h + n, then n, then the last turn before
# this claim is that of picking one by one. It also means that nobody but the first `most` owners can be picked from,
# which is why no more of them are looked at closely. The owners of a queue are found by as many steps through its
# index, however long it is.
_PICK = text(
    """
    WITH RECURSIVE heads AS (
        (
            SELECT owner, queued_at FROM executions WHERE pool = :pool AND status = 'queued'
            ORDER BY owner, {turn}, id LIMIT 1
        )
        UNION ALL
        SELECT following.owner, following.queued_at FROM heads CROSS JOIN LATERAL (
            SELECT owner, queued_at FROM executions
            WHERE pool = :pool AND status = 'queued' AND owner > heads.owner
            ORDER BY owner, {turn}, id LIMIT 1
        ) AS following
    ), holding AS (
        SELECT owner, count(*) AS held FROM executions
        WHERE pool = :pool AND status IN ('preparing', 'running', 'stopping') GROUP BY owner
    ), owners AS (
        SELECT heads.owner, coalesce(held, 0) AS held, served_at, queued_at
        FROM heads
        LEFT JOIN holding ON holding.owner = heads.owner
        LEFT JOIN pool_turns ON pool_turns.pool = :pool AND pool_turns.owner = heads.owner
        WHERE coalesce(coalesce(held, 0) < CAST(:most_per_owner AS bigint), true)
        ORDER BY held, served_at NULLS FIRST, queued_at, owner OFFSET 0
    ), next_owners AS (
        SELECT owners.* FROM owners CROSS JOIN LATERAL (
            SELECT FROM executions
            WHERE pool = :pool AND status = 'queued' AND owner = owners.owner AND {may_start}
            ORDER BY {turn}, id LIMIT 1
        ) AS head
        ORDER BY held, served_at NULLS FIRST, queued_at, owner LIMIT :most
    )
    SELECT id, owner FROM next_owners CROSS JOIN LATERAL (
        SELECT id, row_number() OVER () - 1 AS nth FROM (
            SELECT id FROM executions
            WHERE pool = :pool AND status = 'queued' AND owner = next_owners.owner AND {may_start}
            ORDER BY {turn}, id LIMIT least(CAST(:most AS bigint), CAST(:most_per_owner AS bigint) - held)
        ) AS ordered
    ) AS candidates
    ORDER BY held + nth, nth, served_at NULLS FIRST, queued_at, owner
    LIMIT greatest(0, (
        SELECT least(CAST(:most AS bigint), CAST(:most_in_pool AS bigint) - coalesce(sum(held), 0)) FROM holding
    ))
    """.format(  # noqa: S608 - of constants
        turn=TURN,
        may_start="coalesce(not_before <= clock_timestamp(), true) AND id <> ALL (CAST(:passed_over AS uuid[]))",
    )
)

_taken = Execution.id == any_(bindparam("executions", type_=ARRAY(Uuid)))
_attempts = (
    insert(Attempt)
    .from_select(
        ["execution_id", "number", "worker_id", "engine_id", "claimed_at"],
        select(
            Execution.id, Execution.attempt, Execution.worker_id, bindparam("engine", type_=Text), Execution.updated_at
        ).where(_taken),
    )
    .cte("attempts_begun")
)
_logs = (
    update(LogHead)
    .where(LogHead.execution_id == Execution.id, _taken)
    .values(epoch=Execution.epoch, out_bytes=0, err_bytes=0, told_steps=0)
    .returning(LogHead.execution_id, *LOG_COLUMNS)
    .cte("logs_begun")
)
_turn = (
    func.unnest(bindparam("owners", type_=ARRAY(Text))).table_valued("owner", with_ordinality="place").render_derived()
)
_served = upsert(PoolTurn).from_select(
    ["pool", "owner", "served_at"],
    select(
        bindparam("pool", type_=Text),
        _turn.c.owner,
        clock() + _turn.c.place * literal_column("interval '1 microsecond'"),
    ),
)
_turns = _served.on_conflict_do_update(
    index_elements=[PoolTurn.pool, PoolTurn.owner], set_={"served_at": _served.excluded.served_at}
).cte("turns_taken")
# What follows from a move out of the queue, in one statement; then the records.
_BEGIN = (
    select(Execution.__table__, null().label("waiting_on"), _logs.c.log_lines, _logs.c.log_bytes, _logs.c.log_truncated)
    .join(_logs, _logs.c.execution_id == Execution.id)
    .add_cte(_attempts, _turns)
)


async def claim(connection: Connection, worker: Identity, *, most: int) -> list[Claim]:
    """Take up to `most` of the queue of the worker's pool, within its limits, in the order of turns."""
    if most <= 0:
        return []
    asked = {"pool": worker.pool, "worker": worker.id}
    pool = (await connection.execute(_LOCK, asked)).one_or_none()
    taken: list[Claim] = []
    passed_over: list[UUID] = []
    while pool is not None and len(taken) < most:
        picked = await _pick(connection, worker, pool, most=most - len(taken), passed_over=passed_over)
        claims = await _take(connection, worker, picked)
        taken += claims
        # What somebody is canceling at this moment is not waited for; somebody else's turn comes instead.
        missed = {row.id for row in picked} - {claim.lease.execution for claim in claims}
        if not missed:
            break
        passed_over += missed
    return taken


async def _pick(
    connection: Connection, worker: Identity, pool: Row[Any], *, most: int, passed_over: Sequence[UUID]
) -> Sequence[Row[Any]]:
    parameters = {
        "pool": worker.pool,
        "most": most,
        "most_in_pool": pool.max_running,
        "most_per_owner": pool.max_running_per_owner,
        "passed_over": list(passed_over),
    }
    return (await connection.execute(_PICK, parameters)).all()


async def _take(connection: Connection, worker: Identity, picked: Sequence[Row[Any]]) -> list[Claim]:
    """Make them ours, but for those that somebody else is changing: the next epoch, an attempt, a turn."""
    if not picked:
        return []
    changes = {
        "worker_id": worker.id,
        "epoch": Execution.epoch + 1,
        "attempt": Execution.attempt + 1,
        "phase": "claimed",
    }
    events = await repository.move_queued(connection, [row.id for row in picked], actor=worker.actor, changes=changes)
    owners = [row.owner for row in picked if row.id in events]
    rows = await connection.execute(
        _BEGIN,
        {
            "pool": worker.pool,
            "engine": worker.engine.id,
            "executions": list(events),
            # Whose turn was last, among those who had several, comes last.
            "owners": list(reversed(dict.fromkeys(reversed(owners)))),
        },
    )
    claims = {row["id"]: _claim_of(row, events[row["id"]]) for row in rows.mappings()}
    return [claims[row.id] for row in picked if row.id in claims]


def _claim_of(row: RowMapping, event: Event) -> Claim:
    record = record_of(row)
    return Claim(Lease(record.id, record.epoch), record, event)
