"""What the database refuses by itself, whoever writes."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import bad_rows
import pytest
from sqlalchemy import ColumnElement, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.artifacts.tables import Artifact
from app.batches.tables import Batch
from app.db.engine import Connection, transaction
from app.db.registry import metadata
from app.executions.tables import Attempt, Execution, Instance
from app.logs.tables import LogChunk, LogSegment
from app.pools.tables import Pool
from app.quotas.tables import Quota
from app.retention.tables import Retention
from app.workers.tables import Worker
from support.moves import CAUSES, MOVES, STATUSES, TERMINAL
from support.records import Records
from support.values import NOON, an_id

STOP = {"stop_reason": "cancel", "stop_by": "ann", "stop_requested_at": NOON, "stop_deadline": NOON}
PAUSE = {"pause_mode": "freeze", "pause_by": "ann", "pause_requested_at": NOON, "paused_at": NOON}
Columns = dict[str, Any]


def an_execution(status: str, records: Records) -> Columns:
    """A row that satisfies every CHECK."""
    columns = {"id": uuid4(), "owner": "ann", "pool": records.worker.pool, "spec": {}, "limits": {}, "status": status}
    return columns | what_goes_with(status, records)


def what_goes_with(status: str, records: Records) -> Columns:
    """All columns that a CHECK binds to the status."""
    held = {"worker_id": records.worker.id if status in {"preparing", "running", "paused", "stopping"} else None}
    end = {"cause": min(CAUSES[status]), "finished_at": NOON} if status in TERMINAL else {}
    stop = STOP if status == "stopping" else dict.fromkeys(STOP)
    pause = PAUSE if status == "paused" else dict.fromkeys(PAUSE)
    return {"cause": None, "finished_at": None, **held, **end, **stop, **pause}


def violated(error: DBAPIError) -> str:
    """The constraint that the driver names."""
    return str(error.orig.__cause__.constraint_name)  # type: ignore[union-attr]


async def refused(connection: Connection, statement: Any) -> str | None:
    """The constraint that refused the statement; None when it was taken. Either way nothing of it remains."""
    savepoint = await connection.begin_nested()
    try:
        await connection.execute(statement)
    except IntegrityError as error:
        return violated(error)
    finally:
        await savepoint.rollback()
    return None


@pytest.mark.parametrize("source", STATUSES)
async def test_the_database_takes_exactly_the_moves_of_the_design(records: Records, source: str) -> None:
    async with transaction(records.process.database) as connection:
        taken = set()
        for target in STATUSES:
            row = an_execution(source, records)
            await connection.execute(insert(Execution).values(row))
            change = update(Execution).where(Execution.id == row["id"])
            values = {"status": target, **what_goes_with(target, records)}
            refusal = await refused(connection, change.values(values))
            assert refusal in {None, "executions_refuse_illegal_move"}
            if refusal is None:
                taken.add(target)
        await connection.rollback()
    # Writing the status that it has already is no move.
    assert taken - {source} == {target for target in STATUSES if (source, target) in MOVES}
    assert source in taken


async def test_a_raw_update_cannot_bring_an_ended_execution_back(records: Records) -> None:
    async with transaction(records.process.database) as connection:
        row = an_execution("succeeded", records)
        await connection.execute(insert(Execution).values(row))
        raw = text("UPDATE executions SET status = 'running', cause = NULL, finished_at = NULL WHERE id = :id")
        savepoint = await connection.begin_nested()
        with pytest.raises(IntegrityError, match="an execution cannot go from succeeded to running"):
            await connection.execute(raw.bindparams(id=row["id"]))
        await savepoint.rollback()
        await connection.rollback()


# One bad row for every CHECK, and a second one where it has two sides.
BAD_EXECUTIONS: list[tuple[str, str, Columns]] = [
    ("ck_executions_status", "queued", {"status": "done"}),
    ("ck_executions_cause", "failed", {"cause": "bad_luck"}),
    ("ck_executions_cause_iff_terminal", "failed", {"cause": None}),
    ("ck_executions_finished_iff_terminal", "running", {"finished_at": NOON}),
    ("ck_executions_finished_iff_terminal", "failed", {"finished_at": None}),
    ("ck_executions_held_by_a_worker", "preparing", {"worker_id": None}),
    ("ck_executions_held_by_a_worker", "running", {"worker_id": None}),
    ("ck_executions_held_by_a_worker", "stopping", {"worker_id": None}),
    ("ck_executions_stop_reason", "stopping", {"stop_reason": "boredom"}),
    ("ck_executions_stopping_has_reason", "stopping", dict.fromkeys(STOP)),
    *(("ck_executions_stop_whole", "running", STOP | {name: None}) for name in STOP if name != "stop_reason"),
    ("ck_executions_stop_whole", "running", STOP | {"stop_reason": None}),
    ("ck_executions_pause_mode", "running", PAUSE | {"pause_mode": "nap"}),
    ("ck_executions_pause_whole", "running", {"pause_mode": "freeze"}),
    ("ck_executions_pause_whole", "running", {"pause_by": "ann", "pause_requested_at": NOON}),
    ("ck_executions_pause_deadline", "running", PAUSE | {"pause_deadline": NOON}),
    *(
        ("ck_executions_paused_in_a_mode", "paused", changes)
        for changes in (
            {"paused_at": None},
            dict.fromkeys(PAUSE) | {"paused_at": NOON},
            {"deadline": NOON},
            {"worker_id": None},
            {"pause_mode": "checkpoint"},
        )
    ),
    ("ck_executions_progress_percent", "running", {"progress_percent": -1}),
    ("ck_executions_progress_percent", "running", {"progress_percent": 101}),
    ("ck_executions_priority", "queued", {"priority": -101}),
    ("ck_executions_priority", "queued", {"priority": 101}),
    ("ck_executions_lane", "queued", {"lane": "fast"}),
    ("ck_executions_needs_left", "queued", {"needs_left": -1}),
    ("ck_executions_batch_whole", "queued", {"batch_index": 0}),
    ("ck_executions_batch_whole", "queued", {"batch_size": 1}),
    ("ck_executions_stop_clock", "stopping", {"stop_clock": "sundial"}),
    ("ck_executions_archived_has_ended", "running", {"archived_at": NOON}),
    ("ck_executions_delete_whole", "running", {"delete_requested_at": NOON}),
    ("ck_executions_delete_whole", "running", {"delete_requested_by": "ann"}),
    *(
        ("ck_executions_cause_fits_status", status, {"cause": cause})
        for status in TERMINAL
        for other in TERMINAL
        if other != status
        for cause in sorted(CAUSES[other])[:1]
    ),
]


@pytest.mark.parametrize(("constraint", "status", "changes"), BAD_EXECUTIONS)
async def test_a_bad_execution_is_refused(records: Records, constraint: str, status: str, changes: Columns) -> None:
    # Of a row that breaks several rules, Postgres names the first by name.
    async with transaction(records.process.database) as connection:
        good = an_execution(status, records)
        assert await refused(connection, insert(Execution).values(good)) is None
        assert await refused(connection, insert(Execution).values(good | changes)) == constraint


@pytest.mark.parametrize("status", TERMINAL)
async def test_the_database_takes_exactly_the_causes_of_the_design(records: Records, status: str) -> None:
    async with transaction(records.process.database) as connection:
        taken = {
            cause
            for cause in set().union(*CAUSES.values())
            if await refused(connection, insert(Execution).values(an_execution(status, records) | {"cause": cause}))
            is None
        }
    assert taken == CAUSES[status]


BAD_ATTEMPTS: list[tuple[str, Columns]] = [
    ("ck_attempts_cause", {"cause": "bad_luck"}),
    ("ck_attempts_start_was_meant", {"started_at": NOON}),
]
BAD_CHUNKS: list[tuple[str, Columns]] = [
    ("ck_log_chunks_seqs", {"first_seq": 0}),
    ("ck_log_chunks_seqs", {"first_seq": 8}),
    ("ck_log_chunks_frame_or_gap", {"frame": None}),
    ("ck_log_chunks_frame_or_gap", {"gap": "log_limit"}),
]
BAD_SEGMENTS: list[tuple[str, Columns]] = [
    ("ck_log_segments_seqs", {"first_seq": 0}),
    ("ck_log_segments_seqs", {"first_seq": 8}),
    ("ck_log_segments_frames_or_gap", {"frames": None}),
    ("ck_log_segments_frames_or_gap", {"gap": "log_limit"}),
]
BAD_ARTIFACTS: list[tuple[str, Columns]] = [("ck_artifacts_kind", {"kind": "souvenir"})]
BAD_POOLS: list[tuple[str, Columns]] = [
    ("ck_pools_max_running", {"max_running": -1}),
    ("ck_pools_max_running_per_owner", {"max_running_per_owner": -1}),
]
BAD_QUOTAS: list[tuple[str, Columns]] = [
    ("ck_quotas_max_queued", {"max_queued": -1}),
    ("ck_quotas_max_running", {"max_running": -1}),
    ("ck_quotas_max_cpus", {"max_cpus": -0.5}),
    ("ck_quotas_max_memory", {"max_memory": -1}),
    ("ck_quotas_max_log_bytes", {"max_log_bytes": -1}),
    ("ck_quotas_max_storage", {"max_storage": -1}),
]
BAD_BATCHES: list[tuple[str, Columns]] = [
    ("ck_batches_size", {"size": 0}),
    ("ck_batches_max_parallel", {"max_parallel": 0}),
    ("ck_batches_finished_whole", {"finished_at": NOON}),
    ("ck_batches_finished_whole", {"ended": {}}),
    ("ck_batches_delete_whole", {"delete_requested_by": "ann"}),
    ("ck_batches_stop_reason", {"stop_reason": "boredom"}),
    *(("ck_batches_stop_whole", {name: None}) for name in ("stop_by", "stop_message", "stop_requested_at")),
]
BAD_WORKERS: list[tuple[str, Columns]] = [("ck_workers_wanted", {"wanted": "rest"})]


async def is_refused(records: Records, table: Table, good: Columns, bad: Columns) -> str | None:
    async with transaction(records.process.database) as connection:
        assert await refused(connection, insert(table).values(good)) is None
        return await refused(connection, insert(table).values(good | bad))


@pytest.mark.parametrize(("constraint", "changes"), BAD_ATTEMPTS)
async def test_a_bad_attempt_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"execution_id": await records.submit(), "number": 1, "worker_id": records.worker.id, "engine_id": "e"}
    assert await is_refused(records, Attempt.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), BAD_CHUNKS)
async def test_a_bad_chunk_of_a_log_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"execution_id": await records.submit(), "first_seq": 3, "last_seq": 7, "charge": 1, "frame": b"f"}
    assert await is_refused(records, LogChunk.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), BAD_SEGMENTS)
async def test_a_bad_segment_of_a_log_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"execution_id": await records.submit(), "first_seq": 3, "last_seq": 7, "charge": 1, "frames": b"f"}
    assert await is_refused(records, LogSegment.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), BAD_ARTIFACTS)
async def test_a_bad_artifact_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"execution_id": await records.submit(), "kind": "output", "attempt": 1, "path": "p", "bytes": 1}
    good |= {"sha256": "", "media_type": "", "executable": False}
    assert await is_refused(records, Artifact.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), BAD_POOLS)
async def test_a_bad_pool_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"name": f"pool-{uuid4().hex}", "max_running": 0, "max_running_per_owner": 0}
    assert await is_refused(records, Pool.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), BAD_QUOTAS)
async def test_a_bad_quota_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"owner": f"owner-{uuid4().hex}", "max_queued": 0, "max_running": 0}
    assert await is_refused(records, Quota.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), BAD_BATCHES)
async def test_a_bad_batch_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"id": uuid4(), "owner": "ann", "size": 1, "stop_reason": "cancel", "stop_by": "ann", "stop_message": "m"}
    good |= {"stop_requested_at": NOON}
    assert await is_refused(records, Batch.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), BAD_WORKERS)
async def test_a_bad_worker_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    good = {"id": uuid4(), "pool": records.worker.pool, "host": "here", "pid": 1, "version": "0", "slots": 4}
    good |= {"engine_id": "e", "engine_version": "20.10"}
    assert await is_refused(records, Worker.__table__, good, changes) == constraint


@pytest.mark.parametrize(("constraint", "changes"), bad_rows.BAD)
async def test_a_bad_row_beside_the_record_is_refused(records: Records, constraint: str, changes: Columns) -> None:
    table = bad_rows.table_of(constraint)
    good = bad_rows.GOOD[table.name]
    async with transaction(records.process.database) as connection:
        savepoint = await connection.begin_nested()
        if parent := bad_rows.PARENT.get(table.name):
            await connection.execute(insert(metadata.tables[parent]).values(bad_rows.GOOD[parent]))
        assert await refused(connection, insert(table).values(good)) is None
        assert await refused(connection, insert(table).values(good | changes)) == constraint
        await savepoint.rollback()


async def test_there_is_one_instance_and_it_stays_the_one(records: Records) -> None:
    async with transaction(records.process.database) as connection:
        assert (await connection.execute(select(func.count()).select_from(Instance))).scalar_one() == 1
        second = insert(Instance).values(id=an_id(1))
        assert await refused(connection, second) == "uq_instance_one"
        assert await refused(connection, second.values(one=False)) == "ck_instance_one"


async def test_there_is_one_policy_of_retention(records: Records) -> None:
    async with transaction(records.process.database) as connection:
        second = insert(Retention)
        assert await refused(connection, second.values(one=True)) == "pk_retention"
        assert await refused(connection, second.values(one=False)) == "ck_retention_one"


async def test_every_check_of_the_database_has_a_bad_row_here(records: Records) -> None:
    logs = [*BAD_CHUNKS, *BAD_SEGMENTS]
    others = [*BAD_ATTEMPTS, *logs, *BAD_ARTIFACTS, *BAD_POOLS, *BAD_QUOTAS, *BAD_BATCHES, *BAD_WORKERS, *bad_rows.BAD]
    tested = {row[0] for row in [*BAD_EXECUTIONS, *others]} | {"ck_instance_one", "ck_retention_one"}
    checks = text("SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace")
    async with transaction(records.process.database) as connection:
        assert set((await connection.execute(checks)).scalars()) == tested


async def test_deleting_an_execution_takes_everything_of_it_along(records: Records) -> None:
    claim = await records.run()
    later = await records.submit()
    execution = claim.lease.execution
    gone = delete(Execution).where(Execution.id == execution)
    linked = update(Execution).where(Execution.id == later)
    async with transaction(records.process.database) as connection:
        await connection.execute(linked.values(resumed_from=execution))
        await connection.execute(gone)
    assert (await records.record(later)).resumed_from is None
    left = text("SELECT count(*) FROM attempts, execution_events, log_heads WHERE attempts.execution_id = :id")
    async with transaction(records.process.database) as connection:
        assert (await connection.execute(left.bindparams(id=execution))).scalar_one() == 0


async def test_times_are_the_databases_own(records: Records) -> None:
    before = await _now(records)
    record = await records.record(await records.submit())
    after = await _now(records)
    assert before <= record.created_at <= after + timedelta(0)
    assert record.created_at.utcoffset() == timedelta(0)


async def _now(records: Records) -> Any:
    clock: ColumnElement[Any] = func.clock_timestamp()
    async with transaction(records.process.database) as connection:
        return (await connection.execute(select(clock))).scalar_one()
