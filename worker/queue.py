"""SQL of the queue: whose turn it is, and the claim of it.

All claims of a pool wait for each other at the row of the pool, so that what is counted under that lock, limits and
turns alike, is exact. Submissions do not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

import orjson
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
from app.executions.intents import NO_PAUSE
from app.executions.model import Event, Lane, Lease
from app.executions.record import LOG_COLUMNS, record_of
from app.executions.tables import OF_A_METHOD, READY, TAKES_A_SLOT, Attempt, Execution
from app.logs.tables import LogHead
from app.pools.order import ANY_IN_LANE, MAY_START, OWN_ORDER, OWNERS, TURNS
from app.pools.tables import PoolTurn
from worker.claims import Claim, Identity

ANY_NUMBER = 2**31
# Whoever may run only so much over all pools, of those who wait here: what they run is counted under the lock of their
# quota, which other pools take, too. Without it (they have come since) they have no turn this time.
_IS_LIMITED = "num_nonnulls(max_running, max_cpus, max_memory) > 0"
_LIMITED_OWNERS = f"""
    SELECT owner, max_running, max_cpus, max_memory FROM quotas
    WHERE {_IS_LIMITED} AND EXISTS (
        SELECT FROM unnest(CAST(:lanes AS text[])) AS lanes (lane) WHERE (
            SELECT true FROM executions
            WHERE pool = :pool AND lane = lanes.lane AND owner = quotas.owner AND {READY} ORDER BY {OWN_ORDER} LIMIT 1
        )
    )
"""  # noqa: S608 - of constants
# The methods of what waits here, by as many steps through their index; one that comes later has no turn this time.
_METHODS = f"""
    WITH RECURSIVE waiting AS (
        (
            SELECT method_name FROM executions WHERE pool = :pool AND {READY} AND {OF_A_METHOD}
            ORDER BY method_name LIMIT 1
        )
        UNION ALL
        SELECT following.method_name FROM waiting CROSS JOIN LATERAL (
            SELECT method_name FROM executions
            WHERE pool = :pool AND {READY} AND {OF_A_METHOD} AND method_name > waiting.method_name
            ORDER BY method_name LIMIT 1
        ) AS following
    )
    SELECT method_name FROM waiting
"""  # noqa: S608 - of constants
# Nobody is locked out for a worker that takes nothing, or has nothing to take.
_LOCK = text(f"""
    SELECT max_running, max_running_per_owner,
        ARRAY ({_METHODS}) AS methods,
        ARRAY (
            SELECT lane FROM unnest(CAST(:lanes AS text[])) WITH ORDINALITY AS lanes (lane, place)
            WHERE ({ANY_IN_LANE}) ORDER BY place
        ) AS lanes,
        EXISTS ({_LIMITED_OWNERS}) AS has_limited_owners
    FROM pools
    WHERE name = :pool
        AND EXISTS (SELECT FROM executions WHERE pool = :pool AND {READY})
        AND EXISTS (SELECT FROM workers WHERE id = :worker AND wanted = 'work' AND gone_at IS NULL)
    FOR NO KEY UPDATE OF pools
""")  # noqa: S608 - of constants
# What of a method runs is counted under the lock of its row, which other pools take, too.
_LOCK_METHODS = text("""
    SELECT name, CASE WHEN runnable THEN max_running ELSE 0 END AS most FROM methods
    WHERE name = ANY (CAST(:methods AS text[])) AND (max_running IS NOT NULL OR NOT runnable)
    ORDER BY name FOR NO KEY UPDATE
""")
_COUNT_METHODS = text(f"""
    SELECT method_name, count(*) AS running FROM executions
    WHERE method_name = ANY (CAST(:methods AS text[])) AND {TAKES_A_SLOT} AND {OF_A_METHOD} GROUP BY method_name
""")  # noqa: S608 - of constants
_LOCK_QUOTAS = text(f"{_LIMITED_OWNERS} ORDER BY owner FOR NO KEY UPDATE")
_CPUS, _MEMORY = "(limits ->> 'cpus')::float8", "(limits ->> 'memory')::bigint"
_COUNT_OWNERS = text(f"""
    SELECT owner, count(*) AS running, sum({_CPUS}) AS cpus, sum({_MEMORY})::bigint AS memory FROM executions
    WHERE owner = ANY (CAST(:owners AS text[])) AND {TAKES_A_SLOT} GROUP BY owner
""")  # noqa: S608 - of constants
# What is more than its owner may have at once would wait for ever, and others of theirs behind it.
_FITS = f"""
    CASE WHEN max_cpus IS NULL THEN true ELSE {_CPUS} <= max_cpus END
    AND CASE WHEN max_memory IS NULL THEN true ELSE {_MEMORY} <= max_memory END
"""
# Of a method of which more may run, or of none: whatever is of another one is not looked at.
_HAS_ROOM = "CASE WHEN method_name IS NULL THEN true ELSE method_name = ANY (CAST(:methods AS text[])) END"
_MAY_BE_PICKED = f"{MAY_START} AND {_HAS_ROOM} AND {_FITS}"
# How large what is next of these owners is.
_HEADS = text(f"""
    SELECT owner, cpus, memory FROM quotas CROSS JOIN LATERAL (
        SELECT {_CPUS} AS cpus, {_MEMORY} AS memory FROM executions
        WHERE pool = :pool AND lane = :lane AND owner = quotas.owner AND {_MAY_BE_PICKED} ORDER BY {OWN_ORDER} LIMIT 1
    ) AS head
    WHERE owner = ANY (CAST(:owners AS text[]))
""")  # noqa: S608 - of constants
# By the order in `app/pools/order.py`, nobody but the first `most` owners can be picked from, which is why no more of
# them are looked at closely.
_PICK = text(f"""
    WITH RECURSIVE {OWNERS}, roomy AS (
        SELECT owners.*, least(
            CAST(:most_per_owner AS bigint) - held,
            CASE WHEN {_IS_LIMITED} THEN coalesce((CAST(:rooms AS jsonb) ->> owner)::bigint, 0) END
        ) AS room, max_cpus, max_memory
        FROM owners LEFT JOIN quotas USING (owner)
    ), next_owners AS (
        SELECT candidates.* FROM (
            SELECT * FROM roomy WHERE coalesce(room > 0, true) ORDER BY held, {TURNS} OFFSET 0
        ) AS candidates CROSS JOIN LATERAL (
            SELECT FROM executions
            WHERE pool = :pool AND lane = :lane AND owner = candidates.owner AND {_MAY_BE_PICKED}
                AND id <> ALL (CAST(:passed_over AS uuid[]))
            ORDER BY {OWN_ORDER} LIMIT 1
        ) AS head
        ORDER BY held, {TURNS} LIMIT :most
    )
    SELECT id, owner, method_name, cpus, memory FROM next_owners CROSS JOIN LATERAL (
        SELECT id, method_name, cpus, memory, row_number() OVER () - 1 AS nth FROM (
            SELECT id, method_name, {_CPUS} AS cpus, {_MEMORY} AS memory FROM executions
            WHERE pool = :pool AND lane = :lane AND owner = next_owners.owner AND {_MAY_BE_PICKED}
                AND id <> ALL (CAST(:passed_over AS uuid[]))
            ORDER BY {OWN_ORDER} LIMIT least(CAST(:most AS bigint), room)
        ) AS ordered
    ) AS candidates
    ORDER BY held + nth, nth, {TURNS}
    LIMIT greatest(0, (
        SELECT least(CAST(:most AS bigint), CAST(:most_in_pool AS bigint) - coalesce(sum(held), 0)) FROM holding
    ))
""")  # noqa: S608 - of constants

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
    """Take up to `most` of the queue of the worker's pool, within its limits, in the order of lanes and turns."""
    if most <= 0:
        return []
    asked = {"pool": worker.pool, "worker": worker.id, "lanes": list(Lane)}
    pool = (await connection.execute(_LOCK, asked)).one_or_none()
    if pool is None:
        return []
    within = {
        "pool": worker.pool,
        "most_in_pool": pool.max_running,
        "most_per_owner": pool.max_running_per_owner,
    }
    owners = await _Owners.of(connection, asked) if pool.has_limited_owners else _Owners({})
    methods = await _Methods.of(connection, pool.methods)
    taken: list[Claim] = []
    for lane in pool.lanes:
        if len(taken) < most:
            asked = within | {"lane": lane}
            taken += await _claim_of_lane(connection, worker, asked, owners, methods, most=most - len(taken))
    return taken


@dataclass(slots=True)
class _Methods:
    """How many more of each method may be started; None is any number."""

    room: dict[str, int | None]

    @classmethod
    async def of(cls, connection: Connection, names: Sequence[str]) -> Self:
        """Lock those that have a limit, and count what runs of them."""
        room: dict[str, int | None] = dict.fromkeys(names)
        if names:
            most = {row.name: row.most for row in await connection.execute(_LOCK_METHODS, {"methods": list(names)})}
            running = await connection.execute(_COUNT_METHODS, {"methods": list(most)}) if any(most.values()) else ()
            room |= most | {row.method_name: most[row.method_name] - row.running for row in running}
        return cls(room)

    @property
    def open(self) -> list[str]:
        """Those of which more may be started."""
        return [name for name, room in self.room.items() if room is None or room > 0]

    def admit(self, picked: Sequence[Row[Any]]) -> list[Row[Any]]:
        """Those for which there is room, in this order."""
        left = {name: room for name, room in self.room.items() if room is not None}
        admitted = []
        for row in picked:
            if row.method_name in left:
                left[row.method_name] -= 1
            if left.get(row.method_name, 0) >= 0:
                admitted.append(row)
        return admitted

    def take(self, claims: Sequence[Claim]) -> None:
        """These are started."""
        for claim in claims:
            method = claim.record.spec.method
            if method is not None and (room := self.room.get(method.name)) is not None:
                self.room[method.name] = room - 1


@dataclass(slots=True)
class _Room:
    """How much more somebody may run; None is any number."""

    running: int | None
    cpus: float | None
    memory: int | None
    # What is next of theirs did not fit: it is waited for, or small ones would come before it for ever.
    is_shut: bool = False

    def less(self, cpus: float, memory: int) -> _Room:
        """What is left of it with one more of this size."""
        return _Room(
            None if self.running is None else self.running - 1,
            None if self.cpus is None else round(self.cpus - cpus, 6),
            None if self.memory is None else self.memory - memory,
        )

    @property
    def most(self) -> int:
        """How many of theirs may be picked."""
        return 0 if self.is_shut else ANY_NUMBER if self.running is None else max(0, self.running)

    @property
    def is_sized(self) -> bool:
        """Whether it depends on the size of the next one if there is any."""
        return self.most > 0 and (self.cpus is not None or self.memory is not None)

    @property
    def is_enough(self) -> bool:
        """Whether it is not less than nothing."""
        return all(left is None or left >= 0 for left in (self.running, self.cpus, self.memory))


@dataclass(slots=True)
class _Owners:
    """Those who may run only so much over all pools."""

    room: dict[str, _Room]

    @classmethod
    async def of(cls, connection: Connection, asked: Mapping[str, Any]) -> Self:
        """Lock their quotas, and count what they run."""
        quotas = (await connection.execute(_LOCK_QUOTAS, asked)).all()
        counted = await connection.execute(_COUNT_OWNERS, {"owners": [row.owner for row in quotas]})
        running = {row.owner: row for row in counted}
        return cls({row.owner: _room_of(row, running.get(row.owner)) for row in quotas})

    async def look_ahead(self, connection: Connection, asked: Mapping[str, Any]) -> None:
        """Shut out at once all whose next one in this lane does not fit; picking would find them out one by one."""
        sized = [owner for owner, room in self.room.items() if room.is_sized]
        if sized:
            for row in await connection.execute(_HEADS, {**asked, "owners": sized}):
                room = self.room[row.owner]
                room.is_shut = not room.less(row.cpus, row.memory).is_enough

    @property
    def rooms(self) -> str:
        """How many more of each may be picked, as JSON."""
        return orjson.dumps({owner: room.most for owner, room in self.room.items()}).decode()

    def admit(self, picked: Sequence[Row[Any]]) -> list[Row[Any]]:
        """Those for which there is room, in this order; nothing of an owner after one for which there is none."""
        left = dict(self.room)
        admitted = []
        for row in picked:
            room = left.get(row.owner)
            if room is not None:
                left[row.owner] = room.less(row.cpus, row.memory)
                if self.room[row.owner].is_shut or not left[row.owner].is_enough:
                    self.room[row.owner].is_shut = True
                    continue
            admitted.append(row)
        return admitted

    def take(self, claims: Sequence[Claim]) -> None:
        """These are started."""
        for claim in claims:
            record = claim.record
            if room := self.room.get(record.owner):
                less = room.less(record.limits.cpus, int(record.limits.memory))
                self.room[record.owner] = replace(less, is_shut=room.is_shut)


def _room_of(quota: Row[Any], running: Row[Any] | None) -> _Room:
    if running is None:
        return _Room(quota.max_running, quota.max_cpus, quota.max_memory)
    return _Room(
        None if quota.max_running is None else quota.max_running - running.running,
        None if quota.max_cpus is None else round(quota.max_cpus - running.cpus, 6),
        None if quota.max_memory is None else quota.max_memory - running.memory,
    )


async def _claim_of_lane(
    connection: Connection,
    worker: Identity,
    within: Mapping[str, Any],
    owners: _Owners,
    methods: _Methods,
    *,
    most: int,
) -> list[Claim]:
    taken: list[Claim] = []
    passed_over: list[UUID] = []
    await owners.look_ahead(connection, {**within, "methods": methods.open})
    while len(taken) < most:
        open_to = {"rooms": owners.rooms, "methods": methods.open}
        asked = {**within, **open_to, "most": most - len(taken), "passed_over": passed_over}
        picked = (await connection.execute(_PICK, asked)).all()
        admitted = owners.admit(methods.admit(picked))
        claims = await _take(connection, worker, admitted)
        owners.take(claims)
        methods.take(claims)
        taken += claims
        # What somebody is canceling at this moment is not waited for, and of a method that is full, or of an owner
        # whose next one does not fit, no more is taken; somebody else's turn comes instead.
        missed = {row.id for row in admitted} - {claim.lease.execution for claim in claims}
        if not missed and len(admitted) == len(picked):
            break
        passed_over = [*passed_over, *missed]
    return taken


async def _take(connection: Connection, worker: Identity, picked: Sequence[Row[Any]]) -> list[Claim]:
    """Make them ours, but for those that somebody else is changing: the next epoch, an attempt, a turn."""
    if not picked:
        return []
    changes = {
        "worker_id": worker.id,
        "epoch": Execution.epoch + 1,
        "attempt": Execution.attempt + 1,
        "phase": "claimed",
        # An older version leaves a request to pause on what it queues again.
        **NO_PAUSE,
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
