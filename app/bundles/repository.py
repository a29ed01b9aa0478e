"""SQL of what was imported: an execution that has ended elsewhere, with its history, log and files, as it was there."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, delete, exists, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from app.bundles.document import BundledAttempt, BundledEvent, BundledGap, BundledLine, BundledRecord, Imported
from app.bundles.tables import Import
from app.db.engine import Connection
from app.db.orm import clock
from app.executions.tables import Attempt, Execution, ExecutionEvent
from app.logs.protocol import Entry, GapReason, encode_lines
from app.logs.records import RECORD_OVERHEAD
from app.logs.segments import Chunk, pack
from app.logs.tables import LogHead, LogSegment
from app.pools.tables import Pool
from app.workers.tables import Worker

SOURCE = "import"
# Of a log, what is encoded as one frame, and how many of these are stored in one piece.
FRAME_BYTES = 128 * 1024
FRAMES_PER_SEGMENT = 8
# In one transaction; each has some 1 MiB of records.
SEGMENTS_AT_ONCE = 16
ROWS_PER_STATEMENT = 500
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

# What the record there has in columns of the same name here.
_SAME = (
    "id", "name", "note", "labels", "pool", "priority", "lane", "image_id", "image_digest", "status", "cause",
    "message", "exit_code", "oom_killed", "attempt", "ran_seconds", "announced", "progress_percent", "progress_phase",
    "progress_at", "warnings", "result", "log_complete", "outputs_partial", "outputs_expired_at",
    "checkpoint_expired_at", "deadline", "created_at", "queued_at", "started_at", "finished_at",
)  # fmt: skip


async def is_here(connection: Connection, execution: UUID) -> bool:
    """Whether there is an execution of this id already."""
    return bool((await connection.execute(select(exists().where(Execution.id == execution)))).scalar_one())


async def claim(connection: Connection, execution: UUID, holder: UUID, *, within: timedelta) -> bool:
    """Be the only one who takes it in, for so long; False if somebody else is."""
    values = {"holder": holder, "until": clock() + literal(within, Interval())}
    claimed = insert_or_not(Import).values(execution_id=execution, **values)
    claimed = claimed.on_conflict_do_update(
        index_elements=[Import.execution_id], set_=values, where=Import.until < clock()
    )
    return (await connection.execute(claimed)).rowcount > 0


async def hold(connection: Connection, execution: UUID, holder: UUID, *, within: timedelta) -> bool:
    """Stay the one for so long; False if they are not any more. Nobody else becomes it until the transaction ends."""
    held = update(Import).where(*_is_held(execution, holder))
    return (await connection.execute(held.values(until=clock() + literal(within, Interval())))).rowcount > 0


async def release(connection: Connection, execution: UUID, holder: UUID) -> None:
    """It is on record, or nothing is left of it; what they do not hold any more is not theirs to say."""
    await connection.execute(delete(Import).where(*_is_held(execution, holder)))


def _is_held(execution: UUID, holder: UUID) -> tuple[ColumnElement[bool], ...]:
    """Not by who was late: what they had written may be on its way out."""
    return Import.execution_id == execution, Import.holder == holder, Import.until >= clock()


async def clear(connection: Connection, execution: UUID) -> bool:
    """Remove some of what was written of it, unless it is on record; False if there is nothing. Its import is held."""
    if await is_here(connection, execution):
        return False
    some = select(LogSegment.last_seq).where(LogSegment.execution_id == execution).limit(SEGMENTS_AT_ONCE)
    segments = delete(LogSegment).where(LogSegment.execution_id == execution, LogSegment.last_seq.in_(some))
    return (await connection.execute(segments)).rowcount > 0


async def clear_abandoned(connection: Connection) -> list[UUID]:
    """Remove some of what was written of one that nobody takes in any more; which that was, if there is one."""
    lapsed = select(Import.execution_id).where(Import.until < clock()).order_by(Import.until).limit(1)
    execution = (await connection.execute(lapsed.with_for_update(skip_locked=True))).scalar_one_or_none()
    if execution is None:
        return []
    if not await clear(connection, execution):
        await connection.execute(delete(Import).where(Import.execution_id == execution))
    return [execution]


async def add_execution(connection: Connection, record: BundledRecord, imported: Imported, **sums: int) -> bool:
    """Its record, which has ended; `sums` are those of its files. False if there is one of this id."""
    # One that there is not, or not any more, is one that was deleted: nothing can be submitted to it.
    await connection.execute(insert_or_not(Pool).values(name=record.pool, deleted_at=clock()).on_conflict_do_nothing())
    new = {
        **{name: getattr(record, name) for name in _SAME},
        **sums,
        "owner": imported.by,
        "source": SOURCE,
        "spec": record.spec.model_dump(mode="json"),
        "limits": record.limits.model_dump(mode="json"),
        "retries": record.retries.model_dump(mode="json"),
        "method_name": record.spec.method.name if record.spec.method else None,
        "method_version": record.spec.method.version if record.spec.method else None,
        "imported": imported.model_dump(mode="json"),
        # As if each attempt had been claimed once: nobody claims it here.
        "epoch": record.attempt,
        # From now on the days count for which it is kept.
        "restored_at": clock(),
    }
    added = await connection.execute(insert_or_not(Execution).values(new).on_conflict_do_nothing(index_elements=["id"]))
    return added.rowcount > 0


async def add_history(connection: Connection, execution: UUID, events: Sequence[BundledEvent]) -> None:
    """What happened to it there. It has no place among the events of this installation."""
    await _add_rows(connection, ExecutionEvent, execution, events)


async def add_attempts(connection: Connection, execution: UUID, attempts: Sequence[BundledAttempt], pool: str) -> None:
    """Its containers, and the workers that ran them, which are not here."""
    engines = {attempt.worker_id: attempt.engine_id for attempt in attempts}
    # Never heard of: else an engine of the same id here would be taken for one that answers.
    times = dict.fromkeys(("started_at", "heartbeat_at", "engine_ok_at", "gone_at"), _LONG_AGO)
    nobody = {"pool": pool, "host": "elsewhere", "pid": 0, "version": "", "engine_version": "", "slots": 0, **times}
    workers = [{"id": worker, "engine_id": engine, **nobody} for worker, engine in engines.items()]
    for start in range(0, len(workers), ROWS_PER_STATEMENT):
        some = workers[start : start + ROWS_PER_STATEMENT]
        await connection.execute(insert_or_not(Worker).values(some).on_conflict_do_nothing())
    await _add_rows(connection, Attempt, execution, attempts, start_intent_at="started_at")


async def _add_rows(
    connection: Connection,
    table: type[ExecutionEvent | Attempt],
    execution: UUID,
    parts: Sequence[BundledEvent | BundledAttempt],
    **alike: str,
) -> None:
    rows = [{**dict(part), "execution_id": execution} for part in parts]
    for row in rows:
        row |= {name: row[other] for name, other in alike.items()}
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        await connection.execute(insert(table).values(rows[start : start + ROWS_PER_STATEMENT]))


async def add_log_head(connection: Connection, record: BundledRecord) -> None:
    """How far its log came."""
    await connection.execute(
        insert(LogHead).values(
            execution_id=record.id,
            epoch=record.attempt,
            next_seq=record.log_lines + 1,
            total_bytes=record.log_bytes,
            charged=record.log_bytes + RECORD_OVERHEAD * record.log_lines,
            truncated=record.log_truncated,
        )
    )


async def add_segments(connection: Connection, segments: Sequence[dict[str, Any]]) -> None:
    """Pieces of its log."""
    await connection.execute(insert(LogSegment), segments)


def missing_log(record: BundledRecord) -> Iterator[dict[str, Any]]:
    """In the place of a log that did not come along."""
    if record.log_lines:
        yield _gap(record.id, 1, record.log_lines, GapReason.NOT_IMPORTED)


def segments(execution: UUID, log: Iterable[BundledLine | BundledGap]) -> Iterator[dict[str, Any]]:
    """The log as it is stored. Raises what reading it raises."""
    held: list[list[BundledLine]] = []
    for run in _runs(log):
        if isinstance(run, list):
            held.append(run)
        if held and (isinstance(run, BundledGap) or len(held) == FRAMES_PER_SEGMENT):
            yield _segment(execution, held)
            held = []
        if isinstance(run, BundledGap):
            yield _gap(execution, run.first, run.last, run.gap)
    if held:
        yield _segment(execution, held)


def _runs(log: Iterable[BundledLine | BundledGap]) -> Iterator[list[BundledLine] | BundledGap]:
    """What goes into one frame each, and the gaps between."""
    run: list[BundledLine] = []
    size = 0
    for part in log:
        if run and (isinstance(part, BundledGap) or size >= FRAME_BYTES):
            yield run
            run, size = [], 0
        if isinstance(part, BundledGap):
            yield part
        else:
            run.append(part)
            size += _charge(part)
    if run:
        yield run


def _charge(line: BundledLine) -> int:
    return len(line.text.encode()) + RECORD_OVERHEAD


def _entry(line: BundledLine) -> Entry:
    data = line.text.encode() if line.raw is None else base64.b64decode(line.raw)
    return Entry(line.at, line.letter, data, line.continues)


def _segment(execution: UUID, runs: Sequence[list[BundledLine]]) -> dict[str, Any]:
    chunks = [Chunk(run[0].seq, run[-1].seq, *encode_lines(run[0].seq, [_entry(line) for line in run])) for run in runs]
    lines = [line for run in runs for line in run]
    return {
        "execution_id": execution,
        "first_seq": lines[0].seq,
        "last_seq": lines[-1].seq,
        "charge": sum(map(_charge, lines)),
        "frames": pack(chunks),
        "gap": None,
        "first_ms": min(line.at for line in lines),
        "last_ms": max(line.at for line in lines),
    }


def _gap(execution: UUID, first: int, last: int, reason: GapReason) -> dict[str, Any]:
    return {
        "execution_id": execution,
        "first_seq": first,
        "last_seq": last,
        "charge": 0,
        "frames": None,
        "gap": reason,
        "first_ms": None,
        "last_ms": None,
    }
