"""The use case of retention: the dry run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.artifacts.model import Kind
from app.bootstrap import Process
from app.db.engine import Connection, snapshot
from app.retention import preview, repository
from app.retention.preview import NOTHING, Part
from app.retention.repository import InForce


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The policy in force; what goes now, and what within some days, by what it is."""

    force: InForce
    now: Mapping[str, Part]
    within_days: Mapping[str, Part]


async def rehearse(process: Process, *, days: int) -> Rehearsal:
    """What would be removed, as of one moment. Nothing is."""
    async with snapshot(process.database) as connection:
        force = await repository.read_policy(connection)
        now = await _due(connection, force, within_days=0)
        return Rehearsal(force, now, await _due(connection, force, within_days=days) if days else now)


async def _due(connection: Connection, force: InForce, *, within_days: int) -> dict[str, Part]:
    logs = await preview.of_logs(connection, within_days=within_days)
    if force.days_of_notice > within_days:
        return {"records": NOTHING, "outputs": NOTHING, "checkpoints": NOTHING, "logs": logs}
    return {
        "records": await preview.of_records(connection, force.policy, within_days=within_days),
        "outputs": await preview.of_files(connection, Kind.OUTPUT, force.policy, within_days=within_days),
        "checkpoints": await preview.of_files(connection, Kind.CHECKPOINT, force.policy, within_days=within_days),
        "logs": logs,
    }
