"""Chunks become segments while the log is written, read and taken over; nobody must notice."""

import asyncio
import random
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.executions.tables import Execution
from app.logs.protocol import Entry, decode_lines, encode_lines
from app.logs.segments import compress
from app.logs.store import PAGE_BYTES, Chunk, Missing, read_after, seq_at, seq_before_last
from app.logs.tables import LogChunk, LogHead, LogSegment
from support.eventually import eventually
from support.logbook import Log, Logbook, lines_of, read_parts, writing
from support.racing import repeated
from support.records import Records
from worker import claims
from worker.claims import Orphan
from worker.engine.port import Stream
from worker.log_keeping import LogKeeper
from worker.log_merge import SEGMENT_BYTES, SEGMENT_CHUNKS, MergedAlready, merge, merge_ended
from worker.log_sink import CHUNK_BYTES

ENOUGH = SEGMENT_BYTES + 2 * CHUNK_BYTES


def output(size: int, seed: int = 1) -> bytes:
    """So many bytes in lines, not all of them text."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    written = bytearray()
    while len(written) < size:
        written += b"%d " % len(written) + chance.choice((b"x" * 900, b"\xff\x00" * 50, b"")) + b"\n"
    return bytes(written)


async def keep(process: Process) -> None:
    """What the leader does about logs, once."""
    await LogKeeper(process.database).sweep(days=None)


async def chunks_of(process: Process, execution: UUID) -> list[Chunk]:
    """What a log has in chunks, as they were written."""
    async with reading(process.database) as connection:
        return [part for part in await read_parts(connection, execution) if isinstance(part, Chunk)]


@dataclass(frozen=True)
class Stored:
    """What a test puts where the chunk after the one before belongs: lines, a gap with a reason, or a hole."""

    count: int
    size: int = 1
    what: str = "lines"
    merged: bool = False
    rolling: bool = False


def rows_of(execution: UUID, stored: list[Stored]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    first = 1
    for each in stored:
        last = first + each.count - 1
        entries = [Entry(1000 + seq, "o", b"%d \xff" % seq + b"y" * each.size, False) for seq in range(first, last + 1)]
        frame, raw = encode_lines(first, entries)
        row: dict[str, object] = {"execution_id": execution, "first_seq": first, "last_seq": last}
        row |= {
            "charge": each.count * (each.size + 40),
            "rolling": each.rolling,
            "gap": None,
            "frame": None,
            "raw": None,
        }
        row |= {"first_ms": 1000 + first, "last_ms": 1000 + last}
        if each.what == "lines":
            rows.append(row | {"frame": compress(frame), "raw": raw})
        elif each.what == "gap":
            rows.append(row | {"gap": "engine_log_rotated", "first_ms": None, "last_ms": None})
        first = last + 1
    return rows


async def put(process: Process, execution: UUID, stored: list[Stored]) -> None:
    """Store it, and merge what is to be merged."""
    rows = rows_of(execution, stored)
    async with transaction(process.database) as connection:
        if rows:
            await connection.execute(insert(LogChunk), rows)
        last = sum(each.count for each in stored)
        await connection.execute(update(LogHead).where(LogHead.execution_id == execution).values(next_seq=last + 1))
    ends, end = set(), 0
    for each in stored:
        end += each.count
        if each.merged and each.what != "hole":
            ends.add(end)
    chunks = select(LogChunk.__table__).where(LogChunk.execution_id == execution, LogChunk.last_seq.in_(ends))
    async with reading(process.database) as connection:
        found = (await connection.execute(chunks.order_by(LogChunk.last_seq))).all()
    if found:
        await merge(process.database, found)


def told(stored: list[Stored], after: int) -> list[tuple[int, bytes | str]]:
    """What a reader must hear of it: of each seq its bytes, or why it is not there."""
    heard: list[tuple[int, bytes | str]] = []
    for each in stored:
        for _ in range(each.count):
            seq = len(heard) + 1
            reason = {"gap": "engine_log_rotated", "hole": "log_limit"}.get(each.what)
            heard.append((seq, reason or b"%d \xff" % seq + b"y" * each.size))
    return heard[after:]


def heard(parts: list[Chunk | Missing], after: int) -> list[tuple[int, bytes | str]]:
    said: list[tuple[int, bytes | str]] = []
    for part in parts:
        if isinstance(part, Missing):
            said += [(seq, part.reason) for seq in range(part.first, part.last + 1)]
        else:
            said += [(line.seq, line.data) for line in decode_lines(part.frame, part.raw) if line.seq > after]
    return said


sizes = st.sampled_from([1, 1, 50, PAGE_BYTES // 4])
anything = st.lists(
    st.one_of(
        st.builds(Stored, st.integers(1, 4), sizes, merged=st.booleans(), rolling=st.booleans()),
        st.builds(Stored, st.integers(1, 3), what=st.sampled_from(["gap", "hole"]), merged=st.booleans()),
    ),
    max_size=40,
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(stored=anything, afters=st.lists(st.integers(0, 60), max_size=3))
async def test_whatever_of_a_log_is_merged_a_reader_hears_the_same(
    records: Records, stored: list[Stored], afters: list[int]
) -> None:
    claim = await records.run()
    execution = claim.lease.execution
    await put(records.process, execution, stored)
    async with reading(records.process.database) as connection:
        for after in [0, *afters]:
            parts = await read_parts(connection, execution, after=after)
            assert heard(parts, after) == told(stored, after)
            assert all(part.last + 1 == behind.first for part, behind in pairwise(parts))
            page = await read_after(connection, execution, after)
            sizes = [len(part.frame) + len(part.raw or b"") for part in page.parts if isinstance(part, Chunk)]
            assert sum(sizes[:-1]) < PAGE_BYTES
        kept = [line.seq for line in lines_of(await read_parts(connection, execution))]
        for count, before in [(0, 3), (1, 100), (5, 100), (100, 100), *((after % 7, after) for after in afters)]:
            cursor = await seq_before_last(connection, execution, count, before=before)
            wanted = [seq for seq in kept if seq < before][-count:] if count else []
            assert [seq for seq in kept if cursor < seq < before] == wanted
    await records.end(claim.lease)


async def test_a_log_is_merged_behind_its_writer_and_at_its_end_all_of_it(logbook: Logbook) -> None:
    log = await logbook.begin()
    written = output(3 * ENOUGH)
    await log.write(written)
    await logbook.finish(log)
    # The newest chunk stays until the end is known to whoever keeps what has ended.
    assert await logbook.count(LogChunk, log.execution) > 0
    before = await chunks_of(logbook.process, log.execution)
    await keep(logbook.process)
    assert await logbook.count(LogChunk, log.execution) == 0
    assert 3 <= await logbook.count(LogSegment, log.execution) < len(before)
    assert await chunks_of(logbook.process, log.execution) == before
    assert await logbook.written(log.execution) == written


async def test_what_is_merged_while_it_is_written_is_read_once(logbook: Logbook) -> None:
    log = await logbook.begin()
    written = output(4 * ENOUGH)

    async def write() -> None:
        for start in range(0, len(written), 100_000):
            await log.write(written[start : start + 100_000])
        await log.sink.drain()

    writing_all = asyncio.create_task(write())
    while not writing_all.done() or not await logbook.count(LogSegment, log.execution):
        seqs = [line.seq for line in await logbook.lines(log.execution)]
        assert seqs == list(range(1, len(seqs) + 1))
    await writing_all
    assert await logbook.written(log.execution) == written


async def test_many_small_chunks_are_merged_too_whoever_wrote_them(logbook: Logbook) -> None:
    """An earlier worker left them; the next one takes them with its own."""
    log = await logbook.begin()
    logbook.writer.close(log.sink)
    await put(logbook.process, log.execution, [Stored(1)] * SEGMENT_CHUNKS)
    assert await logbook.count(LogSegment, log.execution) == 0
    log = await logbook.resume(log.claim)
    assert log.sink.last_at_ms == 1000 + SEGMENT_CHUNKS
    await log.write(b"one more\n")

    async def merged() -> bool:
        return await logbook.count(LogSegment, log.execution) == 1

    await eventually(merged)
    assert await logbook.count(LogChunk, log.execution) == 1
    lines = await logbook.lines(log.execution)
    assert [line.seq for line in lines] == list(range(1, SEGMENT_CHUNKS + 2))
    assert lines[-1].text == "one more"


async def test_the_tail_of_a_log_is_merged_only_at_its_end(logbook: Logbook) -> None:
    """Until then it gives way to what is newer."""
    log = await logbook.begin(log_bytes=32 * CHUNK_BYTES)
    for size in (40 * CHUNK_BYTES, 4 * CHUNK_BYTES):
        await log.write(output(size))
        await log.sink.drain()
    await logbook.finish(log)
    before = await logbook.parts(log.execution)
    assert [part.reason for part in before if isinstance(part, Missing)] == ["log_limit"] * 2
    async with reading(logbook.process.database) as connection:
        rolling = select(LogSegment.last_seq).where(LogSegment.execution_id == log.execution, LogSegment.rolling)
        assert (await connection.execute(rolling)).all() == []
    await keep(logbook.process)
    assert await logbook.count(LogChunk, log.execution) == 0
    assert await logbook.parts(log.execution) == before


async def test_what_runs_is_not_taken_for_ended(logbook: Logbook) -> None:
    log = await logbook.begin()
    await log.write(b"line\n")
    await log.sink.drain()
    await keep(logbook.process)
    assert (await logbook.count(LogChunk, log.execution), await logbook.count(LogSegment, log.execution)) == (1, 0)


async def test_a_log_that_cannot_be_merged_does_not_hold_up_the_others(logbook: Logbook) -> None:
    logs = [await logbook.begin() for _ in range(3)]
    for log in logs:
        await log.write(b"line\n")
        await logbook.finish(log)
    (chunk,) = await logbook.parts(logs[1].execution)
    assert isinstance(chunk, Chunk)
    frame = chunk.frame
    spoilt = update(LogChunk).where(LogChunk.execution_id == logs[1].execution).values(frame=b"no zstd at all")
    async with transaction(logbook.process.database) as connection:
        await connection.execute(spoilt)
    keeper = LogKeeper(logbook.process.database)
    for _ in range(2):
        await keeper.sweep(days=None)
        assert [await logbook.count(LogChunk, log.execution) for log in logs] == [0, 1, 0]
    # In a while it is tried again.
    keeper = LogKeeper(logbook.process.database, again_after=0.05)
    await keeper.sweep(days=None)
    mended = update(LogChunk).where(LogChunk.execution_id == logs[1].execution).values(frame=compress(frame))
    async with transaction(logbook.process.database) as connection:
        await connection.execute(mended)

    async def is_merged() -> bool:
        await keeper.sweep(days=None)
        return await logbook.count(LogChunk, logs[1].execution) == 0

    await eventually(is_merged)
    assert await logbook.written(logs[1].execution) == b"line\n"


async def several(logbook: Logbook, count: int) -> list[Log]:
    """Logs that have ended, with some lines each."""
    logs = [await logbook.begin() for _ in range(count)]
    for number, log in enumerate(logs):
        await log.write(output(3000, seed=number))
        await logbook.finish(log)
    return logs


@repeated
async def test_of_two_who_merge_the_same_one_does(logbook: Logbook, repetitions: int) -> None:
    for _ in range(repetitions):
        logs = await several(logbook, 2)
        before = [await logbook.parts(log.execution) for log in logs]
        ended = dict.fromkeys((log.execution for log in logs), None)
        merging = (merge_ended(logbook.process.database, ended) for _ in range(3))
        for outcome in await asyncio.gather(*merging, return_exceptions=True):
            assert outcome is None or isinstance(outcome, MergedAlready)
        assert [await logbook.count(LogChunk, log.execution) for log in logs] == [0, 0]
        assert [await logbook.parts(log.execution) for log in logs] == before


@repeated
async def test_an_execution_that_is_deleted_while_its_log_is_merged_leaves_nothing(
    logbook: Logbook, repetitions: int
) -> None:
    for _ in range(repetitions):
        logs = await several(logbook, 2)

        async def forget(execution: UUID) -> None:
            async with transaction(logbook.process.database) as connection:
                await connection.execute(delete(Execution).where(Execution.id == execution))

        await asyncio.gather(keep(logbook.process), *(forget(log.execution) for log in logs))
        await keep(logbook.process)
        for log in logs:
            for table in (LogChunk, LogSegment):
                assert await logbook.count(table, log.execution) == 0


async def test_a_worker_that_was_replaced_does_no_harm_by_merging(logbook: Logbook) -> None:
    """It merges what is durable, and that is the same for everybody."""
    log = await logbook.begin()
    written = output(2 * ENOUGH)
    await log.write(written)
    await log.sink.drain()
    await logbook.hold_under(log.execution, 2)

    async def merged() -> bool:
        return await logbook.count(LogSegment, log.execution) == 2

    await eventually(merged)
    assert await logbook.written(log.execution) == written


async def test_two_workers_may_merge_what_one_took_over_from_the_other(logbook: Logbook) -> None:
    """The one that was replaced does not know yet."""
    written = output(6 * ENOUGH)
    half = len(written) // 2
    for _ in range(3):
        log = await logbook.begin()
        flooding = asyncio.create_task(log.write(written[:half]))
        await eventually(lambda log=log: log.sink.received(Stream.STDOUT) >= half // 2)
        async with writing(await logbook.records.colleague()) as other:
            orphan = Orphan(log.execution, log.claim.lease.epoch, other.records.worker.id, 99.0, gone=True)
            lease = await other.records.commit(partial(claims.adopt, orphan=orphan, worker=other.records.worker))
            sink = await other.writer.open(lease, log_bytes=2**26)
            await Log(log.claim, sink).write(written[sink.received(Stream.STDOUT) :])
            await sink.drain()
            assert await logbook.written(log.execution) == written
            await asyncio.gather(flooding, return_exceptions=True)
        await keep(logbook.process)
        assert await logbook.written(log.execution) == written


@pytest.mark.parametrize("merged", [False, True])
async def test_a_reader_who_wants_what_is_not_older_than_a_time_begins_before_it(
    records: Records, *, merged: bool
) -> None:
    claim = await records.run()
    stored = [Stored(2), Stored(3), Stored(1, what="gap"), Stored(2), Stored(2, what="hole"), Stored(4)]
    await put(
        records.process, claim.lease.execution, [Stored(each.count, what=each.what, merged=merged) for each in stored]
    )
    async with reading(records.process.database) as connection:
        for at_ms in range(1000, 1020):
            cursor = await seq_at(connection, claim.lease.execution, at_ms)
            lines = lines_of(await read_parts(connection, claim.lease.execution))
            wanted = [line.seq for line in lines if line.at_ms >= at_ms]
            assert cursor < min(wanted, default=15)
            # Exactly that would be needless: it is the beginning of what is stored together.
            assert cursor in ({0, 6, 10, 14} if merged else {0, 2, 6, 10, 14})
        assert await seq_at(connection, claim.lease.execution, 1014) == 10
        assert await seq_at(connection, claim.lease.execution, 1015) == 14


async def test_lines_that_were_written_without_times_are_never_skipped(records: Records) -> None:
    claim = await records.run()
    await put(records.process, claim.lease.execution, [Stored(2), Stored(3), Stored(2)])
    async with transaction(records.process.database) as connection:
        old = (LogChunk.execution_id == claim.lease.execution) & (LogChunk.last_seq == 5)
        await connection.execute(update(LogChunk).where(old).values(first_ms=None, last_ms=None))
        assert await seq_at(connection, claim.lease.execution, 1001) == 0
        assert await seq_at(connection, claim.lease.execution, 9999) == 2
