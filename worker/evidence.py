"""SQL of the check of a live system: what is written of executions, containers and workspaces. It only reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import RowMapping, extract, select, text

from app.artifacts.model import Kind
from app.db.engine import Connection
from app.db.orm import clock
from app.executions.model import ExitMeaning, Retries
from app.executions.states import Cause, PauseMode, Status
from app.workers.model import LOST_AFTER
from worker.invariants import UNATTENDED_AT_MOST, Facts, Files, Holder, LogShape, Measured, Moved, Tried

T = TypeVar("T")

_FOLLOWING = text("SELECT id FROM executions WHERE id > :after ORDER BY id LIMIT :most")
_ACTIVE = text("""
    SELECT id FROM executions
    WHERE status IN ('queued', 'preparing', 'running', 'paused', 'stopping') AND id < :before ORDER BY id
""")
_EXECUTIONS = text("""
    SELECT executions.id, status, phase, cause, epoch, attempt, worker_id, pause_mode, retries,
        spec -> 'exit_codes' AS exit_codes, stop_deadline, deadline, finished_at,
        CAST(limits ->> 'pull_timeout' AS bigint) AS pull_timeout, clock_timestamp() AS seen_at,
        extract(epoch FROM clock_timestamp() - coalesce(gone_at, heartbeat_at)) AS unheard_for, engine_ok,
        (
            SELECT count(*) FROM workers AS other
            WHERE other.engine_id = workers.engine_id AND other.id <> workers.id AND other.gone_at IS NULL
                AND other.heartbeat_at > clock_timestamp() - make_interval(secs => :lost_after)
                AND other.started_at < clock_timestamp() - make_interval(secs => :unattended_at_most)
        ) AS colleagues,
        outputs_files, outputs_bytes, outputs_expired_at, checkpoint_files, checkpoint_bytes, checkpoint_expired_at,
        CASE WHEN delete_requested_at IS NOT NULL AND finished_at IS NOT NULL AND NOT coalesce(is_needed, false) THEN
            extract(epoch FROM clock_timestamp() - greatest(delete_requested_at, finished_at, needed_until))
        END AS deletable_for
    FROM executions LEFT JOIN workers ON workers.id = worker_id
    LEFT JOIN LATERAL (
        SELECT bool_or(other.finished_at IS NULL) AS is_needed, max(other.finished_at) AS needed_until
        FROM executions AS other
        WHERE executions.delete_requested_at IS NOT NULL AND (other.resumed_from = executions.id OR other.id IN (
            SELECT execution_id FROM execution_needs WHERE needed_id = executions.id
        ))
    ) AS others ON true
    WHERE executions.id = ANY (CAST(:ids AS uuid[])) ORDER BY executions.id
""")
_EVENTS = text("""
    SELECT execution_id, number, from_status, to_status, cause, at FROM execution_events
    WHERE execution_id = ANY (CAST(:ids AS uuid[])) ORDER BY execution_id, number
""")
_ATTEMPTS = text("""
    SELECT execution_id, number, coalesce(may_have_run, start_intent_at IS NOT NULL) AS ran, finished_at, cause,
        exit_code, message, last_seq
    FROM attempts WHERE execution_id = ANY (CAST(:ids AS uuid[])) ORDER BY execution_id, number
""")
_LOGS = text("""
    SELECT log_heads.execution_id, epoch, next_seq, truncated, coalesce(max(last_seq), 0) AS last,
        coalesce(expires < CAST(timezone('UTC', clock_timestamp()) AS date), false) AS expired,
        count(*) FILTER (WHERE first_seq <= before) AS overlaps,
        count(*) FILTER (WHERE first_seq > before + 1) AS holes,
        count(*) FILTER (WHERE first_seq > before + 1 AND NOT rolling) AS holes_in_head,
        min(first_seq) FILTER (WHERE first_seq <> before + 1) AS broken_at
    FROM log_heads LEFT JOIN (
        SELECT execution_id, first_seq, last_seq, rolling,
            coalesce(lag(last_seq) OVER (PARTITION BY execution_id ORDER BY last_seq), 0) AS before
        FROM (
            SELECT execution_id, first_seq, last_seq, rolling FROM log_chunks
            WHERE execution_id = ANY (CAST(:ids AS uuid[]))
            UNION ALL
            SELECT execution_id, first_seq, last_seq, rolling FROM log_segments
            WHERE execution_id = ANY (CAST(:ids AS uuid[]))
        ) AS runs
    ) AS kept USING (execution_id)
    WHERE log_heads.execution_id = ANY (CAST(:ids AS uuid[]))
    GROUP BY log_heads.execution_id
""")
_FILES = text("""
    SELECT execution_id, kind, count(*) AS files, CAST(sum(bytes) AS bigint) AS bytes FROM artifacts
    WHERE execution_id = ANY (CAST(:ids AS uuid[])) GROUP BY execution_id, kind, attempt
""")
_MEASURED = text("""
    SELECT total.execution_id, total.attempt, count(tick) AS samples,
        count(*) FILTER (WHERE tick % stride <> 0) AS stray, coalesce(
            total.cores > cores_peak OR total.memory > memory_peak OR total.pids > pids_peak OR total.disk > disk_peak,
            false
        ) AS above_peak
    FROM attempt_usage AS total LEFT JOIN usage_samples USING (execution_id, attempt)
    WHERE execution_id = ANY (CAST(:ids AS uuid[]))
    GROUP BY total.execution_id, total.attempt ORDER BY total.execution_id, total.attempt
""")
_CONTAINERS = text("""
    SELECT container_name AS name, executions.attempt = number
            AND status IN ('preparing', 'running', 'paused', 'stopping')
            AND executions.worker_id IS NOT NULL AS wanted,
        extract(epoch FROM clock_timestamp() - attempts.finished_at) AS over_for
    FROM attempts JOIN executions ON executions.id = execution_id
    WHERE container_name = ANY (CAST(:names AS text[]))
""")
_RUNNING = text("""
    SELECT execution_id AS id, container_name AS name
    FROM attempts JOIN executions ON executions.id = execution_id AND executions.attempt = number
    WHERE status IN ('running', 'paused', 'stopping') AND engine_id = :engine
        AND attempts.started_at IS NOT NULL AND attempts.finished_at IS NULL
""")
_WORKSPACES = text("""
    SELECT execution_id AS id, number FROM attempts JOIN executions ON executions.id = execution_id
    WHERE attempts.finished_at < clock_timestamp() - make_interval(secs => :over_for)
        AND execution_id = ANY (CAST(:ids AS uuid[]))
        AND NOT (number = attempt AND coalesce(spec ->> 'keep_workspace', '') = 'true' AND outputs_expired_at IS NULL)
""")


_REMOVALS = text("""
    SELECT prefix, extract(epoch FROM clock_timestamp() - due_at) AS due_for FROM artifact_removals WHERE rounds < 2
""")
_COUNTS = text("""
    SELECT concat_ws(' ', owner, pool, status, CASE WHEN archived THEN 'archived' END) AS name,
        coalesce(there.n, 0) AS there, coalesce(said.n, 0) AS said
    FROM (
        SELECT owner, pool, status, archived_at IS NOT NULL AS archived, count(*) AS n
        FROM executions WHERE finished_at IS NOT NULL GROUP BY 1, 2, 3, 4
    ) AS there FULL JOIN (
        SELECT owner, pool, status, archived, sum(n) AS n FROM ended_counts GROUP BY 1, 2, 3, 4
    ) AS said USING (owner, pool, status, archived)
""")


async def first_of(connection: Connection, *, within: float) -> UUID:
    """Below the ids of what was submitted in the last so many seconds: the first part of an id is its time."""
    seconds = (await connection.execute(select(extract("epoch", clock())))).scalar_one()
    return UUID(int=int((float(seconds) - within) * 1000) << 80)


async def following(connection: Connection, after: UUID, *, most: int) -> list[UUID]:
    """The next executions in their order."""
    return list((await connection.execute(_FOLLOWING, {"after": after, "most": most})).scalars())


async def active_before(connection: Connection, execution: UUID) -> list[UUID]:
    """Older ones that have not ended."""
    return list((await connection.execute(_ACTIVE, {"before": execution})).scalars())


async def gather(connection: Connection, executions: Sequence[UUID]) -> list[Facts]:
    """All that is written of these; those that were deleted meanwhile are left out."""
    asked = {"ids": list(executions)}
    bounds = {"lost_after": LOST_AFTER, "unattended_at_most": UNATTENDED_AT_MOST}
    rows = (await connection.execute(_EXECUTIONS, asked | bounds)).mappings().all()
    events = _grouped(await connection.execute(_EVENTS, asked))
    attempts = _grouped(await connection.execute(_ATTEMPTS, asked))
    logs = {row.execution_id: row for row in await connection.execute(_LOGS, asked)}
    files = _grouped(await connection.execute(_FILES, asked))
    measured = _grouped(await connection.execute(_MEASURED, asked))
    return [
        Facts(
            **{name: row[name] for name in _PLAIN},
            status=Status(row["status"]),
            cause=_cause(row["cause"]),
            pause_mode=PauseMode(row["pause_mode"]) if row["pause_mode"] else None,
            retries=Retries.read(row["retries"]),
            exit_codes={code: ExitMeaning(meaning) for code, meaning in (row["exit_codes"] or {}).items()},
            events=[_moved(event) for event in events[row["id"]]],
            attempts=[_tried(attempt) for attempt in attempts[row["id"]]],
            log=_shape(logs.get(row["id"])),
            holder=_holder(row),
            files=[_files(row, kind, files[row["id"]]) for kind in Kind],
            measured=[_measured(each) for each in measured[row["id"]]],
            deletable_for=None if row["deletable_for"] is None else float(row["deletable_for"]),
        )
        for row in rows
    ]


_PLAIN = (
    "id",
    "phase",
    "epoch",
    "attempt",
    "worker_id",
    "pull_timeout",
    "stop_deadline",
    "deadline",
    "finished_at",
    "seen_at",
)


def _grouped(rows: Iterable[Any]) -> Mapping[UUID, list[Any]]:
    groups: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.execution_id].append(row)
    return groups


def _cause(name: str | None) -> Cause | None:
    return Cause(name) if name else None


def _moved(row: Any) -> Moved:
    return Moved(
        number=row.number,
        from_status=Status(row.from_status) if row.from_status else None,
        to_status=Status(row.to_status),
        cause=_cause(row.cause),
        at=row.at,
    )


def _tried(row: Any) -> Tried:
    return Tried(
        number=row.number,
        ran=row.ran,
        finished_at=row.finished_at,
        cause=_cause(row.cause),
        exit_code=row.exit_code,
        message=row.message,
        last_seq=row.last_seq,
    )


def _shape(row: Any) -> LogShape | None:
    if row is None:
        return None
    return LogShape(
        epoch=row.epoch,
        next_seq=row.next_seq,
        truncated=row.truncated,
        last=row.last,
        overlaps=row.overlaps,
        holes=row.holes,
        holes_in_head=row.holes_in_head,
        broken_at=row.broken_at,
        expired=row.expired and row.last == 0,
    )


def _files(row: RowMapping, kind: Kind, sets: Sequence[Any]) -> Files:
    name = {Kind.OUTPUT: "outputs", Kind.CHECKPOINT: "checkpoint"}[kind]
    return Files(
        kind=kind,
        files=row[f"{name}_files"],
        bytes=row[f"{name}_bytes"],
        expired=row[f"{name}_expired_at"] is not None,
        sets=[(each.files, each.bytes) for each in sets if each.kind == kind],
    )


def _measured(row: Any) -> Measured:
    return Measured(attempt=row.attempt, samples=row.samples, stray=row.stray, above_peak=row.above_peak)


def _holder(row: RowMapping) -> Holder | None:
    if row["unheard_for"] is None:
        return None
    return Holder(unheard_for=float(row["unheard_for"]), engine_ok=row["engine_ok"], colleagues=row["colleagues"])


@dataclass(frozen=True, slots=True)
class KnownContainer:
    """What the record says of a container. `over_for`: how long ago its attempt ended, in seconds."""

    wanted: bool
    over_for: float | None


async def known_containers(connection: Connection, names: Collection[str]) -> dict[str, KnownContainer]:
    """Those of these containers that are on record."""
    rows = await connection.execute(_CONTAINERS, {"names": list(names)})
    return {row.name: KnownContainer(row.wanted, None if row.over_for is None else float(row.over_for)) for row in rows}


async def running_on(connection: Connection, engine: str) -> dict[str, UUID]:
    """Container names of what runs on an engine, and the executions that they belong to."""
    return {row.name: row.id for row in await connection.execute(_RUNNING, {"engine": engine})}


async def long_over(
    connection: Connection, attempts: Collection[tuple[UUID, int]], *, over_for: float
) -> set[tuple[UUID, int]]:
    """Those of these attempts that ended more than so many seconds ago."""
    asked = {"ids": list({execution for execution, _ in attempts}), "over_for": over_for}
    ended = {(row.id, row.number) for row in await connection.execute(_WORKSPACES, asked)}
    return ended & set(attempts)


async def removals(connection: Connection) -> dict[str, float]:
    """Prefixes of files that are to be removed, and since when each is due, in seconds."""
    return {row.prefix: float(row.due_for) for row in await connection.execute(_REMOVALS)}


async def counts(connection: Connection) -> dict[str, tuple[int, int]]:
    """What has ended, by owner, pool, status and archive: how many there are, and how many are counted."""
    return {row.name: (row.there, int(row.said)) for row in await connection.execute(_COUNTS)}
