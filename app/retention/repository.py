"""SQL of retention: the policy, and letting go of what is due by it, a small part at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, false, func, or_, select, text, update

from app.artifacts import removals
from app.artifacts.model import ArtifactSet, Kind
from app.artifacts.tables import Artifact
from app.db.engine import Connection
from app.db.orm import clock
from app.executions import deleting
from app.executions.tables import CHECKPOINT_MAY_EXPIRE, MAY_EXPIRE, OUTPUTS_MAY_EXPIRE, Execution
from app.retention.expiry import KEPT_SINCE, NOTICE
from app.retention.model import Policy
from app.retention.tables import Retention
from app.settings import Settings

_DAYS = {field.name: Retention.__table__.c[f"{field.name}_days"] for field in fields(Policy)}


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that holds, since when, and for how many days more nothing goes by it."""

    policy: Policy
    since: datetime
    days_of_notice: float


def policy_of(settings: Settings) -> Policy:
    """What the settings ask for, in which 0 is for ever."""
    days = {name: getattr(settings, f"retention_{name}_days") for name in _DAYS if name != "logs"}
    return Policy(**{name: number or None for name, number in {**days, "logs": settings.log_retention_days}.items()})


async def set_policy(connection: Connection, policy: Policy) -> bool:
    """Let this hold from now on; whether it is another than before."""
    asked = asdict(policy)
    changed = {name: column.is_distinct_from(asked[name]) for name, column in _DAYS.items()}
    # Of logs nothing goes by a change of the policy: when each goes was decided at its end.
    noticed = or_(*(each for name, each in changed.items() if name != "logs"))
    values = {column: asked[name] for name, column in _DAYS.items()}
    since = case((noticed, clock()), else_=Retention.since)
    statement = update(Retention).where(or_(*changed.values())).values({**values, Retention.since: since})
    return (await connection.execute(statement)).rowcount > 0


async def read_policy(connection: Connection) -> InForce:
    """What holds now."""
    left = (func.extract("epoch", Retention.since + NOTICE - clock()) / 86_400).label("left")
    row = (await connection.execute(select(*_DAYS.values(), Retention.since, left))).one()
    return InForce(Policy(**dict(zip(_DAYS, row, strict=False))), row.since, max(0.0, float(row.left)))


def records_due(policy: Policy, *, within_days: int = 0) -> ColumnElement[bool]:
    """Executions whose record goes by this policy within so many days, but for those that somebody needs."""
    return or_(false(), *_records_due(policy, within_days))


def _records_due(policy: Policy, within_days: int = 0) -> list[ColumnElement[bool]]:
    """One condition for each status, as the index has them. `now()` and not `clock()`: an index takes no other."""
    return [
        and_(text(f"status = '{status}' AND {MAY_EXPIRE}"), _is_due(days, within_days))
        for status, days in policy.of_status.items()
        if days is not None
    ]


def files_due(kind: Kind, policy: Policy, *, within_days: int = 0) -> ColumnElement[bool]:
    """Executions whose outputs, or whose checkpoint, go by this policy within so many days."""
    outputs = kind is Kind.OUTPUT
    days = policy.outputs if outputs else policy.checkpoints
    if days is None:
        return false()
    return and_(text(OUTPUTS_MAY_EXPIRE if outputs else CHECKPOINT_MAY_EXPIRE), _is_due(days, within_days))


def _is_due(days: int, within_days: int) -> ColumnElement[bool]:
    return func.now() - func.make_interval(0, 0, 0, days - within_days) >= KEPT_SINCE


async def expire_records(connection: Connection, policy: Policy, *, most: int) -> list[UUID]:
    """Remove records that are due, with all that belongs to them; those that were."""
    executions: list[UUID] = []
    for due in _records_due(policy):
        executions += await _lock(connection, due, most=most - len(executions))
    if executions:
        await deleting.remove(connection, executions)
    return executions


async def expire_files(connection: Connection, kind: Kind, policy: Policy, *, most: int) -> list[UUID]:
    """Remove the outputs, or the checkpoints, that are due; the executions that had them."""
    executions = await _lock(connection, files_due(kind, policy), most=most)
    if executions:
        await forget_files(connection, kind, executions)
    return executions


async def forget_files(connection: Connection, kind: Kind, executions: Collection[UUID]) -> None:
    """Let go of the outputs, or the checkpoints, of these; they have ended, nobody needs them, and they are locked."""
    await _forget_sets(connection, kind, executions)
    there, column = Execution.outputs_files, Execution.outputs_expired_at
    if kind is Kind.CHECKPOINT:
        there, column = Execution.checkpoint_files, Execution.checkpoint_expired_at
    having = Execution.id.in_(executions) & (there > 0) & column.is_(None)
    await connection.execute(update(Execution).where(having).values({column: clock(), Execution.updated_at: clock()}))


async def _lock(connection: Connection, due: ColumnElement[bool], *, most: int) -> list[UUID]:
    """Some of these, the oldest first; what somebody else is at, or needs, is left for later."""
    return await deleting.lock_unneeded(connection, select(Execution.id).where(due).order_by(KEPT_SINCE).limit(most))


async def _forget_sets(connection: Connection, kind: Kind, executions: Collection[UUID]) -> None:
    forgotten = (
        delete(Artifact)
        .where(Artifact.execution_id.in_(executions), Artifact.kind == kind)
        .returning(Artifact.execution_id, Artifact.attempt)
        .cte("forgotten")
    )
    sets = await connection.execute(select(forgotten).distinct())
    prefixes = {ArtifactSet(row.execution_id, row.attempt, kind).prefix: row.execution_id for row in sets}
    if prefixes:
        await removals.ask(connection, prefixes)
