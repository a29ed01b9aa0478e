"""SQL of the reconciler: who leads a duty, what on an engine is still wanted, and whose host is lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, exists, func, or_, select, text, true, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db.engine import Connection
from app.db.orm import clock
from app.executions import repository
from app.executions.model import Event, Lease, Outcome
from app.executions.states import Cause
from app.executions.tables import Attempt, Execution
from app.workers.tables import Leadership, Worker
from worker import claims, ending
from worker.claims import ON_AN_ENGINE
from worker.ending import End


async def lead(connection: Connection, duty: str, worker: UUID, *, seconds: float) -> bool:
    """Whether the duty is ours for so long from now: one worker at a time, until it stops renewing, or is gone."""
    is_gone = exists().where(Worker.id == Leadership.worker_id, Worker.gone_at.is_not(None))
    ours = {"worker_id": worker, "until": repository.seconds_from_now(seconds)}
    taken = await connection.execute(
        upsert(Leadership)
        .values(duty=duty, **ours)
        .on_conflict_do_update(
            index_elements=[Leadership.duty],
            set_=ours,
            where=or_(Leadership.worker_id == worker, Leadership.until < clock(), is_gone),
        )
        .returning(Leadership.duty),
    )
    return taken.one_or_none() is not None


async def resign(connection: Connection, duty: str, worker: UUID) -> None:
    """The duty is not ours any more: somebody else need not wait."""
    await connection.execute(delete(Leadership).where(Leadership.duty == duty, Leadership.worker_id == worker))


_MESSAGES = text("""
    SELECT EXISTS (
        SELECT FROM (VALUES ('webhooks'), ('notifications')) AS followers(name) LEFT JOIN event_cursors USING (name)
        WHERE position IS DISTINCT FROM (
            SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_positions_position_seq
        )
    ) OR EXISTS (SELECT FROM webhook_deliveries WHERE state = 'waiting' AND next_at <= clock_timestamp())
    OR EXISTS (SELECT FROM notifications WHERE state = 'waiting' AND next_at <= clock_timestamp())
""")


async def has_messages(connection: Connection) -> bool:
    """Whether anything happened that may have to be told, or anything is due to be sent."""
    return bool((await connection.execute(_MESSAGES)).scalar_one())


@dataclass(frozen=True, slots=True)
class Fate:
    """What the record says of an attempt. `container_name` is its container's while it may still need one; `kept` is
    that it is over, but its workspace is to stay.
    """

    container_name: str | None
    over: bool
    kept: bool = False


async def find_fates(
    connection: Connection, attempts: Collection[tuple[UUID, int]], *, over_for: float
) -> dict[tuple[UUID, int], Fate]:
    """The fate of these attempts; `over` are those that ended so many seconds ago, and are not to be kept."""
    last = Execution.attempt == Attempt.number
    current = last & _is_held()
    kept = last & (Execution.spec["keep_workspace"].astext == "true") & Execution.outputs_expired_at.is_(None)
    ended = Attempt.finished_at <= repository.seconds_from_now(-over_for)
    rows = await connection.execute(
        select(
            Attempt.execution_id,
            Attempt.number,
            case((current, Attempt.container_name)).label("container_name"),
            (func.coalesce(ended, False) & ~func.coalesce(kept, False)).label("over"),
            (func.coalesce(ended, False) & func.coalesce(kept, False)).label("kept"),
        )
        .join(Execution, Execution.id == Attempt.execution_id)
        .where(tuple_(Attempt.execution_id, Attempt.number).in_(attempts)),
    )
    return {(row.execution_id, row.number): Fate(row.container_name, row.over, row.kept) for row in rows}


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """An attempt on an engine that is taken for lost: no worker of it is heard of, or it does not answer any."""

    lease: Lease
    pool: str
    may_have_run: bool
    heard_of: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many seconds of silence a host, or an engine, is lost."""

    host: float
    engine: float


async def find_lost(
    connection: Connection, patience: Patience, *, most: int, only: UUID | None = None
) -> list[LostAttempt]:
    """Attempts of engines from which nothing was heard for too long; with `only`, that one if it still is."""
    engines = (
        select(
            Worker.engine_id,
            func.max(Worker.heartbeat_at).label("heard_at"),
            func.max(Worker.engine_ok_at).label("ok_at"),
        )
        .group_by(Worker.engine_id)
        .subquery("engines")
    )
    heard_of = engines.c.heard_at > repository.seconds_from_now(-patience.host)
    rows = await connection.execute(
        select(
            Execution.id,
            Execution.epoch,
            Execution.pool,
            Attempt.start_intent_at.is_not(None).label("may_have_run"),
            heard_of.label("heard_of"),
        )
        .join(Attempt, (Attempt.execution_id == Execution.id) & (Attempt.number == Execution.attempt))
        .join(engines, engines.c.engine_id == Attempt.engine_id)
        .where(
            _is_held(),
            or_(~heard_of, engines.c.ok_at < repository.seconds_from_now(-patience.engine)),
            Execution.id == only if only is not None else true(),
        )
        .order_by(Execution.id)
        .limit(most),
    )
    return [LostAttempt(Lease(row.id, row.epoch), row.pool, row.may_have_run, row.heard_of) for row in rows]


def _is_held() -> ColumnElement[bool]:
    """What is paused by its checkpoint is on no engine any more."""
    return Execution.status.in_(ON_AN_ENGINE) & Execution.worker_id.is_not(None)


async def sign_off_silent(connection: Connection, *, silent_for: float) -> None:
    """Workers of which nothing was heard for so long, in seconds, and that hold nothing any more, are gone."""
    holds = exists().where(Execution.worker_id == Worker.id, Execution.status.in_(ON_AN_ENGINE))
    await connection.execute(
        update(Worker)
        .where(Worker.gone_at.is_(None), Worker.heartbeat_at < repository.seconds_from_now(-silent_for), ~holds)
        .values(gone_at=clock()),
    )


async def give_up(connection: Connection, lost: LostAttempt, patience: Patience, *, actor: str) -> Event | None:
    """End an attempt whose engine is lost. The next epoch first: should its worker come back, it writes nothing.

    None, and nothing is written, if it has come back or started the program since it was looked for.
    """
    await connection.execute(
        select(Execution.id).where(Execution.id == lost.lease.execution).with_for_update(key_share=True)
    )
    if await find_lost(connection, patience, most=1, only=lost.lease.execution) != [lost]:
        return None
    lease = await claims.take_again(connection, lost.lease)
    if lease is None:
        return None
    if lost.heard_of:
        why = "Its container engine did not answer for too long; what became of the container is not known."
    else:
        why = "Nothing was heard of its host for too long; what became of the container is not known."
    end = End(outcome=Outcome(Cause.HOST_LOST, why), ran=lost.may_have_run)
    return await ending.conclude(connection, lease, end, actor=actor)
