"""SQL of usage. Workers write it, all their executions in one statement; whoever lost its lease writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, select, text

from app.db.engine import Connection
from app.executions.model import Lease
from app.usage.model import SAMPLES_AT_MOST, TICK, Sample
from app.usage.tables import AttemptUsage, UsageSample

# In `held`, the bits of a number are those of its text in base two. `before` is how the attempt stood before this
# statement: where its stride has grown since, samples between go.
_ADD = text("""
    WITH held AS (
        SELECT id, executions.attempt, tick, clock_timestamp() AS at,
            1 << length(ltrim(CAST(CAST(CAST(tick / :most AS integer) AS bit(32)) AS text), '0')) AS stride,
            read.cpu_seconds, read.cores, read.memory, read.memory_peak, read.pids, read.disk, read.missing
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:epochs AS bigint[]), CAST(:cpu_seconds AS double precision[]),
            CAST(:cores AS double precision[]), CAST(:memory AS bigint[]), CAST(:memory_peak AS bigint[]),
            CAST(:pids AS bigint[]), CAST(:disk AS bigint[]), CAST(:missing AS text[])
        ) AS read (id, epoch, cpu_seconds, cores, memory, memory_peak, pids, disk, missing)
        JOIN executions USING (id, epoch)
        JOIN attempts ON execution_id = id AND number = executions.attempt,
        LATERAL (
            SELECT CAST(floor(extract(epoch FROM clock_timestamp() - attempts.started_at) / :every) AS bigint) AS tick
        ) AS counted
        WHERE executions.finished_at IS NULL AND tick >= 0
        FOR KEY SHARE OF executions SKIP LOCKED
    ), thinned AS (
        DELETE FROM usage_samples AS old USING held JOIN attempt_usage AS before ON execution_id = id
        WHERE before.attempt = held.attempt AND before.stride < held.stride
            AND old.execution_id = id AND old.attempt = held.attempt AND old.tick % held.stride <> 0
    ), noted AS (
        INSERT INTO attempt_usage AS known (
            execution_id, attempt, at, stride, missing, cpu_seconds, cores, memory, pids, disk,
            cores_peak, memory_peak, pids_peak, disk_peak
        )
        SELECT id, attempt, at, stride, CAST(missing AS jsonb), cpu_seconds, cores, memory, pids, disk,
            cores, greatest(memory, memory_peak), pids, disk
        FROM held
        ON CONFLICT (execution_id, attempt) DO UPDATE SET
            at = excluded.at, stride = excluded.stride, missing = excluded.missing,
            cores = excluded.cores, memory = excluded.memory, pids = excluded.pids,
            disk = coalesce(excluded.disk, known.disk),
            cpu_seconds = greatest(known.cpu_seconds, excluded.cpu_seconds),
            cores_peak = greatest(known.cores_peak, excluded.cores_peak),
            memory_peak = greatest(known.memory_peak, excluded.memory_peak),
            pids_peak = greatest(known.pids_peak, excluded.pids_peak),
            disk_peak = greatest(known.disk_peak, excluded.disk_peak)
    )
    INSERT INTO usage_samples (execution_id, attempt, tick, at, cpu_seconds, cores, memory, pids, disk)
    SELECT id, attempt, tick, at, cpu_seconds, cores, memory, pids, disk FROM held WHERE tick % stride = 0
    ON CONFLICT (execution_id, attempt, tick) DO UPDATE SET
        at = excluded.at, cpu_seconds = excluded.cpu_seconds, cores = coalesce(excluded.cores, usage_samples.cores),
        memory = excluded.memory, pids = excluded.pids, disk = coalesce(excluded.disk, usage_samples.disk)
""")
_NUMBERS = ("cpu_seconds", "cores", "memory", "memory_peak", "pids", "disk")


async def add(connection: Connection, samples: Mapping[Lease, Sample]) -> None:
    """Samples taken just now; there is at least one."""
    numbers = {name: [getattr(sample, name) for sample in samples.values()] for name in _NUMBERS}
    asked = {
        "ids": [lease.execution for lease in samples],
        "epochs": [lease.epoch for lease in samples],
        "most": SAMPLES_AT_MOST,
        "every": TICK,
        "missing": [orjson.dumps(sample.missing).decode() for sample in samples.values()],
    }
    await connection.execute(_ADD, {**asked, **numbers})


async def read(connection: Connection, execution: UUID, attempt: int) -> tuple[Row[Any] | None, list[Row[Any]]]:
    """What is known of an attempt in all, and its samples."""
    total = select(AttemptUsage.__table__).where(
        AttemptUsage.execution_id == execution, AttemptUsage.attempt == attempt
    )
    samples = (
        select(UsageSample.__table__)
        .where(UsageSample.execution_id == execution, UsageSample.attempt == attempt)
        .order_by(UsageSample.tick)
    )
    return (await connection.execute(total)).one_or_none(), list((await connection.execute(samples)).all())
