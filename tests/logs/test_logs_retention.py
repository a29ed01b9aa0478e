"""Logs of what has ended go when their time is over, a week at once; meanwhile everybody reads and writes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import Connection, reading, snapshot, transaction
from app.executions import archiving
from app.executions.finding import get_record
from app.executions.model import Archive
from app.executions.tables import Execution
from app.logs.store import Missing
from app.logs.tables import LogChunk, LogSegment
from app.retention import service as retention
from support.eventually import eventually
from support.logbook import Log, Logbook, read_parts, writing
from support.migrations import NewDatabase
from support.records import Records, opened
from worker.log_keeping import LogKeeper
from worker.log_merge import SEGMENT_BYTES, merge, merge_ended
from worker.log_sink import CHUNK_BYTES
from worker.log_weeks import WEEK, list_weeks, read_today, week_of

DAYS = 10


@pytest.fixture(scope="module")
async def process(
    new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    """An installation of its own: here weeks come and go."""
    async with opened(await new_database(), redis_url, tmp_path_factory.mktemp("data")) as process:
        yield process


@pytest.fixture
async def logbook(process: Process) -> AsyncIterator[Logbook]:
    async with writing(await Records.of(process)) as logbook:
        yield logbook


@pytest.fixture
def keeper(process: Process) -> LogKeeper:
    return LogKeeper(process.database)


async def an_ended(logbook: Logbook, *, days_ago: int = 0, size: int = 10) -> Log:
    """A log of so many bytes, of an execution that ended so many days ago."""
    log = await logbook.begin()
    await log.write((b"x" * 1000 + b"\n") * (size // 1000 + 1))
    if size > 2 * SEGMENT_BYTES:
        # Some of it is merged while it runs.
        await eventually(lambda: logbook.count(LogSegment, log.execution))
    await logbook.finish(log)
    then = Execution.finished_at - timedelta(days=days_ago)
    async with transaction(logbook.process.database) as connection:
        await connection.execute(update(Execution).where(Execution.id == log.execution).values(finished_at=then))
    return log


async def partitions(logbook: Logbook, log: Log) -> set[str]:
    """Where its segments are."""
    places = select(text("tableoid::regclass::text")).select_from(LogSegment)
    async with reading(logbook.process.database) as connection:
        return set((await connection.execute(places.where(LogSegment.execution_id == log.execution))).scalars())


async def test_without_a_retention_logs_are_kept_for_ever(logbook: Logbook) -> None:
    log = await an_ended(logbook, days_ago=4000)
    keeper = LogKeeper(logbook.process.database)
    for _ in range(2):
        await keeper.sweep(days=None)
    assert await partitions(logbook, log) == {"log_segments_kept"}
    assert (await logbook.head(log.execution)).expires is None
    assert len(await logbook.lines(log.execution)) == 1


async def test_a_log_expires_all_at_once_and_says_so(logbook: Logbook, keeper: LogKeeper) -> None:
    size = SEGMENT_BYTES * 2 + CHUNK_BYTES * 3
    old = await an_ended(logbook, days_ago=DAYS + 8, size=size)
    new = await an_ended(logbook, days_ago=DAYS - 1, size=size)
    for log in (old, new):
        # What was merged while it ran is moved to where the rest of it goes.
        assert await partitions(logbook, log) == {"log_segments_kept"}
    lines = len(await logbook.lines(new.execution))
    await keeper.sweep(days=DAYS)
    for log in (old, new):
        assert len(await partitions(logbook, log)) == 1
        assert await logbook.count(LogChunk, log.execution) == 0
        assert await logbook.count(LogSegment, log.execution) >= 3
        # What has expired can be read until it is really gone.
        assert [line.seq for line in await logbook.lines(log.execution)] == list(range(1, lines + 1))
    await keeper.sweep(days=DAYS)
    assert await logbook.parts(old.execution) == [Missing(1, lines, "expired")]
    assert await logbook.parts(old.execution, after=5) == [Missing(6, lines, "expired")]
    assert len(await logbook.lines(new.execution)) == lines
    record = await logbook.records.record(old.execution)
    assert (record.log_lines, record.log_truncated) == (lines, False)


async def test_what_a_worker_merges_late_expires_with_the_rest(logbook: Logbook, keeper: LogKeeper) -> None:
    await keeper.sweep(days=DAYS)
    async with reading(logbook.process.database) as connection:
        today = await read_today(connection)
    log = await logbook.begin()
    for _ in range(3):
        await log.write(b"line\n")
        await log.sink.drain()
    await logbook.finish(log)
    # The worker that wrote it had read its chunks before the end, and gets to it only now.
    oldest = select(LogChunk.__table__).where(LogChunk.execution_id == log.execution).order_by(LogChunk.last_seq)
    async with reading(logbook.process.database) as connection:
        chunks = (await connection.execute(oldest.limit(2))).all()
    await merge(logbook.process.database, chunks)
    assert await partitions(logbook, log) == {"log_segments_kept"}
    await merge_ended(logbook.process.database, {log.execution: today + timedelta(days=DAYS)})
    assert await partitions(logbook, log) == {f"log_segments_{week_of(today + timedelta(days=DAYS)):%Y_%m_%d}"}
    assert await logbook.written(log.execution) == b"line\n" * 3


async def test_weeks_are_made_before_they_are_needed(process: Process, keeper: LogKeeper) -> None:
    for _ in range(2):
        await keeper.sweep(days=DAYS)
        async with reading(process.database) as connection:
            soon = week_of(await read_today(connection) + timedelta(days=DAYS))
            assert {soon, soon + WEEK} <= set(await list_weeks(connection))
            # What is compressed already is stored as it is.
            storage = "SELECT DISTINCT attstorage::text FROM pg_attribute WHERE attname = 'frames'"
            assert (await connection.execute(text(storage))).scalars().all() == ["e"]


async def test_deleting_an_execution_deletes_its_log_wherever_it_is(logbook: Logbook, keeper: LogKeeper) -> None:
    log, other = await an_ended(logbook), await an_ended(logbook)
    await keeper.sweep(days=DAYS)
    async with transaction(logbook.process.database) as connection:
        await connection.execute(delete(Execution).where(Execution.id == log.execution))
    assert await logbook.count(LogSegment, log.execution) == 0
    assert await logbook.count(LogSegment, other.execution) == 1


@asynccontextmanager
async def in_the_middle_of(process: Process, statement: Any) -> AsyncIterator[Connection]:
    """Somebody has executed this, and has not ended the transaction yet."""
    async with process.database.connect() as connection:
        await connection.execute(statement)
        yield connection
        await connection.rollback()


async def test_a_week_that_somebody_reads_is_dropped_later_and_nobody_waits(
    logbook: Logbook, keeper: LogKeeper
) -> None:
    old, new = await an_ended(logbook, days_ago=DAYS + 8), await an_ended(logbook)
    await keeper.sweep(days=DAYS)
    async with in_the_middle_of(logbook.process, select(LogSegment.last_seq)):
        await keeper.sweep(days=DAYS)
        # The sweep went on with the rest, and so does everybody else.
        assert len(await logbook.lines(old.execution)) == 1
        newest = await an_ended(logbook)
        await asyncio.gather(keeper.sweep(days=DAYS), logbook.lines(new.execution), logbook.lines(newest.execution))
        assert await logbook.count(LogChunk, newest.execution) == 0
    await keeper.sweep(days=DAYS)
    assert await logbook.parts(old.execution) == [Missing(1, 1, "expired")]


async def test_a_week_is_added_under_the_eyes_of_readers_and_writers(logbook: Logbook) -> None:
    keeper = LogKeeper(logbook.process.database)
    log = await an_ended(logbook)
    writes = update(Execution).where(Execution.id == log.execution).values(note="")
    async with in_the_middle_of(logbook.process, writes), in_the_middle_of(logbook.process, select(LogSegment)):
        await keeper.sweep(days=1000)
        assert await logbook.count(LogChunk, log.execution) == 0
    assert len(await logbook.lines(log.execution)) == 1


async def test_a_reader_in_the_middle_of_a_log_reads_it_to_its_end_or_is_told(
    logbook: Logbook, keeper: LogKeeper
) -> None:
    log = await an_ended(logbook, days_ago=DAYS + 8, size=SEGMENT_BYTES)
    await keeper.sweep(days=DAYS)
    async with snapshot(logbook.process.database) as connection:
        before = await read_parts(connection, log.execution)
        await keeper.sweep(days=DAYS)
        assert await read_parts(connection, log.execution) == before
    await keeper.sweep(days=DAYS)
    assert await logbook.parts(log.execution, after=before[2].last) == [
        Missing(before[3].first, before[-1].last, "expired")
    ]


async def test_the_dry_run_counts_what_is_still_there(logbook: Logbook, keeper: LogKeeper) -> None:
    async def due() -> int:
        return (await retention.rehearse(logbook.process, days=0)).now["logs"].count

    for _ in range(2):
        await keeper.sweep(days=DAYS)
    before = await due()
    await an_ended(logbook, days_ago=DAYS + 80)
    reduced = await an_ended(logbook, days_ago=DAYS + 80)
    await keeper.sweep(days=DAYS)
    assert await due() == before + 2
    caller = Caller("ann", frozenset({Scope.CANCEL}))
    await archiving.archive(logbook.process, caller, reduced.execution, level=Archive.RECORD)
    await put_aside(logbook, reduced, restore=True)
    assert await due() == before + 1
    await keeper.sweep(days=DAYS)
    assert await due() == before


async def put_aside(logbook: Logbook, log: Log, *, restore: bool = False) -> None:
    """As the API does when it is asked to archive or restore it."""
    caller = Caller("ann", frozenset({Scope.CANCEL}))
    act = archiving.restore if restore else archiving.archive
    await act(logbook.process, caller, log.execution)


async def test_what_is_archived_in_time_is_kept_for_ever(logbook: Logbook, keeper: LogKeeper) -> None:
    log = await an_ended(logbook, days_ago=DAYS + 8, size=SEGMENT_BYTES * 3)
    other = await an_ended(logbook, days_ago=DAYS + 8)
    lines = len(await logbook.lines(log.execution))
    # Merged to where it expires, and its week is over: the next sweep would drop it.
    await keeper.sweep(days=DAYS)
    assert "log_segments_kept" not in await partitions(logbook, log)
    await put_aside(logbook, log)
    for _ in range(2):
        await keeper.sweep(days=DAYS)
    assert await partitions(logbook, log) == {"log_segments_kept"}
    assert len(await logbook.lines(log.execution)) == lines
    head = await logbook.head(log.execution)
    assert (head.expires, head.moving) == (None, False)
    # The week waited for it, and went then.
    await keeper.sweep(days=DAYS)
    assert (await logbook.parts(other.execution))[0].reason == "expired"


async def test_a_log_that_cannot_be_moved_holds_up_no_other(logbook: Logbook, keeper: LogKeeper) -> None:
    stuck, log = [await an_ended(logbook) for _ in range(2)]
    await keeper.sweep(days=DAYS)
    # A copy of it lies where it is to go.
    for_ever = text("DATE 'infinity'")
    columns = {column.name: for_ever if column.name == "expires" else column for column in LogSegment.__table__.columns}
    copy = select(*columns.values()).where(LogSegment.execution_id == stuck.execution)
    async with transaction(logbook.process.database) as connection:
        await connection.execute(insert(LogSegment).from_select([*columns], copy))
    for each in (stuck, log):
        await put_aside(logbook, each)
    late = await an_ended(logbook)
    await keeper.sweep(days=DAYS)
    assert await partitions(logbook, log) == {"log_segments_kept"}
    assert await logbook.count(LogChunk, late.execution) == 0
    assert (await logbook.head(stuck.execution)).moving
    mended = delete(LogSegment).where(LogSegment.execution_id == stuck.execution, LogSegment.expires == for_ever)
    async with transaction(logbook.process.database) as connection:
        await connection.execute(mended)
    await keeper.sweep(days=DAYS)
    assert await partitions(logbook, stuck) == {"log_segments_kept"}


async def test_a_week_is_not_dropped_under_who_archives_at_that_moment(logbook: Logbook, keeper: LogKeeper) -> None:
    log = await an_ended(logbook, days_ago=DAYS + 8)
    await keeper.sweep(days=DAYS)
    async with transaction(logbook.process.database) as connection:
        caller = Caller("ann", frozenset({Scope.CANCEL}))
        record = await get_record(connection, log.execution, caller.sees, lock=True)
        await archiving.put_aside(connection, caller, [record])
        await keeper.sweep(days=DAYS)
    await keeper.sweep(days=DAYS)
    assert await partitions(logbook, log) == {"log_segments_kept"}
    assert len(await logbook.lines(log.execution)) == 1


async def test_what_is_archived_without_its_log_has_none_whatever_comes_then(
    logbook: Logbook, keeper: LogKeeper
) -> None:
    merged, unmerged = [await an_ended(logbook, size=SEGMENT_BYTES * 3) for _ in range(2)]
    lines = len(await logbook.lines(merged.execution))
    caller = Caller("ann", frozenset({Scope.CANCEL}))
    for log in (merged, unmerged):
        if log is merged:
            await keeper.sweep(days=DAYS)
        await archiving.archive(logbook.process, caller, log.execution, level=Archive.RECORD)
        assert await logbook.count(LogChunk, log.execution) == await logbook.count(LogSegment, log.execution) == 0
        await put_aside(logbook, log, restore=True)
        await keeper.sweep(days=DAYS)
        assert await logbook.parts(log.execution) == [Missing(1, lines, "expired")]
        record = await logbook.records.record(log.execution)
        assert (record.log_lines, record.log_expired_at is None) == (lines, False)


async def test_what_is_restored_expires_as_if_it_ended_now(logbook: Logbook, keeper: LogKeeper) -> None:
    log = await an_ended(logbook, days_ago=DAYS + 8)
    await put_aside(logbook, log)
    await keeper.sweep(days=DAYS)
    assert await partitions(logbook, log) == {"log_segments_kept"}
    await put_aside(logbook, log, restore=True)
    await keeper.sweep(days=DAYS)
    async with reading(logbook.process.database) as connection:
        day = await read_today(connection) + timedelta(days=DAYS)
    assert (await logbook.head(log.execution)).expires == day
    assert await partitions(logbook, log) == {f"log_segments_{week_of(day):%Y_%m_%d}"}
    assert len(await logbook.lines(log.execution)) == 1
