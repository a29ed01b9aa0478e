import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.db.engine import reading, transaction
from app.executions.model import Lease, Retries
from app.executions.states import Cause
from app.executions.tables import Execution
from app.logs.protocol import Kind, unpack_message
from app.logs.tables import LogChunk, LogHead
from support.eventually import eventually
from support.faults import forgetful_line
from support.logbook import Log, Logbook, raw, writing
from support.racing import repeated
from support.records import Records, opened
from worker import claims
from worker.claims import Orphan
from worker.engine.port import Piece, Stream
from worker.log_sink import Fenced
from worker.log_writer import LogWriter
from worker.metrics import WorkerMetrics

# What real programs write, and what they should not.
BITS = [
    b"line\n",
    b"x" * 700,
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    "é€😀".encode(),
    b"\x1b[1mbold\x1b[0m\n",
    b"y" * 20_000,
]


def noise(seed: int, count: int) -> list[tuple[Stream, bytes]]:
    """Pieces of output, cut anywhere; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    return [
        (chance.choice(list(Stream)), b"".join(chance.choices(BITS, k=chance.randint(0, 30)))) for _ in range(count)
    ]


def sent(pieces: list[tuple[Stream, bytes]], stream: Stream) -> bytes:
    return b"".join(data for to, data in pieces if to is stream)


async def adopted(lease: Lease, *, by: Records) -> Lease:
    orphan = Orphan(lease.execution, lease.epoch, by.worker.id, 99.0, gone=True)
    taken = await by.commit(lambda connection: claims.adopt(connection, orphan, by.worker))
    assert taken is not None
    return taken


async def feed(log: Log, pieces: list[tuple[Stream, bytes]]) -> None:
    for stream, data in pieces:
        await log.write(data, stream)


async def test_every_byte_of_many_logs_at_once_is_kept_once_and_in_order(logbook: Logbook) -> None:
    logs = [await logbook.begin() for _ in range(8)]
    written = [noise(number, 60) for number in range(8)]
    await asyncio.gather(*(feed(log, pieces) for log, pieces in zip(logs, written, strict=True)))
    await asyncio.gather(*(logbook.finish(log) for log in logs))
    for log, pieces in zip(logs, written, strict=True):
        lines = await logbook.lines(log.execution)
        assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
        for stream in Stream:
            assert raw(lines, stream) == sent(pieces, stream)


async def test_the_offsets_are_those_of_the_durable_bytes_at_every_moment(logbook: Logbook) -> None:
    log = await logbook.begin()
    pieces = noise(1, 150)

    async def write() -> None:
        await feed(log, pieces)
        await logbook.finish(log)

    writing_all = asyncio.create_task(write())
    seen = set()
    while True:
        over = writing_all.done()
        head, lines = await logbook.at_once(log.execution)
        assert (head.out_bytes, head.err_bytes) == (len(raw(lines, Stream.STDOUT)), len(raw(lines, Stream.STDERR)))
        assert head.next_seq == len(lines) + 1
        assert head.total_bytes == head.out_bytes + head.err_bytes
        seen.add(head.next_seq)
        if over:
            break
    await writing_all
    assert len(seen) > 2
    record = await logbook.records.record(log.execution)
    assert (record.log_lines, record.log_bytes) == (len(lines), sum(len(data) for _, data in pieces))
    assert not record.log_truncated


async def test_a_log_is_continued_behind_its_offsets_by_whoever_comes_next(records: Records, logbook: Logbook) -> None:
    """Workers die one after the other; each successor reads the same container output behind what is durable."""
    log = await logbook.begin()
    pieces = noise(2, 40)
    output = {stream: sent(pieces, stream) for stream in Stream}
    lease = log.claim.lease
    for share in (0.3, 0.7, 1.0):
        sink = await logbook.writer.open(lease, log_bytes=2**26)
        held = Log(log.claim, sink)
        for stream in Stream:
            data = output[stream][: int(len(output[stream]) * share)]
            await held.write(data[sink.received(stream) :], stream)
        if share == 1.0:
            await sink.drain()
        logbook.writer.close(sink)
        lease = await adopted(lease, by=await records.colleague())
    for stream in Stream:
        assert await logbook.written(log.execution, stream) == output[stream]


async def test_after_an_adoption_the_old_holder_writes_and_publishes_nothing(logbook: Logbook) -> None:
    log = await logbook.begin()
    channel = logbook.process.channels.execution(log.execution)
    async with logbook.process.listener.subscribe(channel) as messages:
        await log.write(b"before\n")
        assert await messages.get(10.0)
        await logbook.hold_under(log.execution, 2)
        await log.write(b"after\n")
        with pytest.raises(Fenced):
            await log.sink.drain()
        with pytest.raises(Fenced):
            await log.write(b"more\n")
        # The others of this worker go on, and a message would have come before theirs.
        other = await logbook.begin()
        await other.write(b"other\n")
        await other.sink.drain()
        assert await messages.get(0.05) is None
    assert await logbook.written(log.execution) == b"before\n"
    assert await logbook.written(other.execution) == b"other\n"


@repeated
async def test_at_whatever_moment_a_log_is_taken_over_it_is_whole(logbook: Logbook, repetitions: int) -> None:
    heir = await logbook.records.colleague()
    chance = random.Random(5)  # noqa: S311
    output = b"".join(b"line %d\n" % number for number in range(4000))
    for _ in range(repetitions):
        log = await logbook.begin()

        async def flood(log: Log = log) -> None:
            for start in range(0, len(output), 1000):
                await log.write(output[start : start + 1000])
            await log.sink.drain()

        flooding = asyncio.create_task(flood())
        some = chance.randint(0, 20_000)
        await eventually(lambda log=log, some=some: log.sink.received(Stream.STDOUT) >= some)
        lease = await adopted(log.claim.lease, by=heir)
        sink = await logbook.writer.open(lease, log_bytes=2**26)
        rest = output[sink.received(Stream.STDOUT) :]
        await Log(log.claim, sink).write(rest)
        await sink.drain()
        # Either it had written all of it before, or it was told.
        (outcome,) = await asyncio.gather(flooding, return_exceptions=True)
        assert outcome is None or isinstance(outcome, Fenced)
        assert await logbook.written(log.execution) == output
        for each in (log.sink, sink):
            logbook.writer.close(each)


async def test_the_log_of_an_execution_that_was_deleted_is_refused(logbook: Logbook) -> None:
    log = await logbook.begin()
    async with transaction(logbook.process.database) as connection:
        await connection.execute(delete(Execution).where(Execution.id == log.execution))
    await log.write(b"x\n")
    with pytest.raises(Fenced):
        await log.sink.drain()


async def test_whoever_deletes_an_execution_and_its_log_writer_never_wait_for_each_other(logbook: Logbook) -> None:
    log, other = await logbook.begin(), await logbook.begin()
    async with transaction(logbook.process.database) as connection:
        await connection.execute(select(Execution.id).where(Execution.id == log.execution).with_for_update())
        await log.write(b"late\n")
        for number in range(3):
            await other.write(b"%d\n" % number)
            await other.sink.drain()
        await connection.execute(delete(Execution).where(Execution.id == log.execution))
    with pytest.raises(Fenced):
        await log.sink.drain()
    assert await logbook.written(other.execution) == b"0\n1\n2\n"


@repeated
async def test_an_execution_can_be_deleted_while_its_log_is_written(logbook: Logbook, repetitions: int) -> None:
    for _ in range(repetitions):
        logs = [await logbook.begin() for _ in range(3)]
        floods = [asyncio.create_task(feed(log, noise(1, 60))) for log in logs]
        async with transaction(logbook.process.database) as connection:
            for log in logs:
                await connection.execute(delete(Execution).where(Execution.id == log.execution))
        for log, outcome in zip(logs, await asyncio.gather(*floods, return_exceptions=True), strict=True):
            assert outcome is None or isinstance(outcome, Fenced)
            assert await logbook.count(LogChunk, log.execution) == 0
            logbook.writer.close(log.sink)


async def test_a_few_lines_do_not_wait_for_the_commit_of_a_flood(logbook: Logbook) -> None:
    flood, quiet = await logbook.begin(), await logbook.begin()
    # Wherever its chunks end: to store one waits for whoever has put something there and may still take it back.
    rows = [
        {"execution_id": flood.execution, "first_seq": seq, "last_seq": seq, "charge": 1, "gap": "log_limit"}
        for seq in range(1, 1001)
    ]
    async with logbook.process.database.connect() as connection:
        await connection.execute(insert(LogChunk), rows)
        await flood.write((b"x" * 1000 + b"\n") * 1000)
        for number in range(3):
            await quiet.write(b"%d\n" % number)
            await quiet.sink.drain()
        assert await logbook.written(flood.execution) == b""
        await connection.rollback()
    await flood.sink.drain()
    assert len(await logbook.lines(flood.execution)) == 1000


async def test_a_log_that_cannot_be_written_does_not_hold_up_the_others(logbook: Logbook) -> None:
    """Somebody has put a chunk where the next one belongs: a mistake, not an outage."""
    logs = [await logbook.begin() for _ in range(5)]
    bad = logs[2]
    row = {"execution_id": bad.execution, "first_seq": 1, "last_seq": 1, "charge": 1, "gap": "log_limit"}
    async with transaction(logbook.process.database) as connection:
        await connection.execute(insert(LogChunk).values(row))
    for log in logs:
        await log.write(b"line\n")
    outcomes = await asyncio.gather(*(log.sink.drain() for log in logs), return_exceptions=True)
    assert isinstance(outcomes[2], IntegrityError)
    assert [outcome for outcome in outcomes if outcome is not outcomes[2]] == [None] * 4
    for log in logs:
        if log is not bad:
            assert await logbook.written(log.execution) == b"line\n"
    # Whoever feeds it learns why, so that the attempt is taken over and not forgotten.
    with pytest.raises(IntegrityError):
        await bad.write(b"more\n")


async def test_a_log_that_cannot_be_encoded_does_not_hold_up_the_others(logbook: Logbook) -> None:
    """An engine that says nonsense, for instance a time that is no number of this world."""
    logs = [await logbook.begin() for _ in range(3)]
    await logs[1].sink.feed(Piece(Stream.STDOUT, b"from the far future\n", at_ms=2**70), patience=None)
    for log in (logs[0], logs[2]):
        await log.write(b"line\n")
        await log.sink.drain()
        assert await logbook.written(log.execution) == b"line\n"
    with pytest.raises(TypeError):
        await logs[1].sink.drain()
    assert await logbook.written(logs[1].execution) == b""


async def test_a_log_whose_row_somebody_holds_does_not_hold_up_the_others(logbook: Logbook) -> None:
    """It waits alone, and is written when its turn comes."""
    held, free = await logbook.begin(), await logbook.begin()
    lock = select(LogHead.epoch).where(LogHead.execution_id == held.execution).with_for_update()
    async with transaction(logbook.process.database) as connection:
        await connection.execute(lock)
        await held.write(b"waits\n")
        for number in range(3):
            await free.write(b"%d\n" % number)
            await free.sink.drain()
        assert await logbook.written(free.execution) == b"0\n1\n2\n"
        assert await logbook.written(held.execution) == b""
    await held.sink.drain()
    assert await logbook.written(held.execution) == b"waits\n"


async def test_whoever_waits_for_a_row_that_is_taken_over_meanwhile_is_told(logbook: Logbook) -> None:
    log, other = await logbook.begin(), await logbook.begin()
    async with transaction(logbook.process.database) as connection:
        await connection.execute(update(LogHead).where(LogHead.execution_id == log.execution).values(epoch=2))
        await log.write(b"late\n")
        await other.write(b"line\n")
        await other.sink.drain()
    with pytest.raises(Fenced):
        await log.sink.drain()
    assert await logbook.written(log.execution) == b""


async def test_chunks_know_the_oldest_and_the_newest_time_in_them(logbook: Logbook) -> None:
    log = await logbook.begin()
    for said in ([5000, 3000, 4000], [2000]):
        for at_ms in said:
            await log.sink.feed(Piece(Stream.STDOUT, b"line\n", at_ms=at_ms), patience=None)
        await log.sink.drain()
    ours = LogChunk.execution_id == log.execution
    async with reading(logbook.process.database) as connection:
        known = select(func.min(LogChunk.first_ms), func.max(LogChunk.last_ms)).where(ours)
        assert (await connection.execute(known)).one() == (2000, 5000)
    # Whoever goes on knows the newest, wherever it stands; older versions wrote no times.
    assert (await logbook.resume(log.claim)).sink.last_at_ms == 5000
    async with transaction(logbook.process.database) as connection:
        await connection.execute(update(LogChunk).where(ours).values(first_ms=None, last_ms=None))
    assert (await logbook.resume(log.claim)).sink.last_at_ms == 2000


async def test_floods_share_a_commit_so_that_nobody_waits_long_for_its_end(records: Records) -> None:
    metrics = WorkerMetrics()
    writer = LogWriter(records.process.database, records.process.hints, metrics)
    logbook = Logbook(records, writer)
    logs = [await logbook.begin() for _ in range(16)]
    # There before the first commit.
    await asyncio.gather(*(log.write((b"x" * 1000 + b"\n") * 1000) for log in logs))
    running = asyncio.create_task(writer.run())
    await asyncio.gather(*(log.sink.drain() for log in logs))
    running.cancel()
    commits = {
        sample.labels.get("le"): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "tailrace_log_commit_bytes_bucket"
    }
    assert commits["+Inf"] >= 4
    assert commits["1e+07"] == commits["+Inf"]
    assert [len(await logbook.lines(log.execution)) for log in logs] == [1000] * len(logs)


async def test_what_a_watcher_hears_is_durable_and_nothing_is_left_out(logbook: Logbook) -> None:
    log = await logbook.begin(log_bytes=256 * 1024)
    channel = logbook.process.channels.execution(log.execution)

    async def write() -> None:
        for number in range(60):
            await log.write(b"%06d\n" % number * 1000)
        await logbook.finish(log)

    expected = 1
    async with asyncio.timeout(60), logbook.process.listener.subscribe(channel) as messages:
        writing_all = asyncio.create_task(write())
        while not writing_all.done() or expected < (await logbook.head(log.execution)).next_seq:
            message = await messages.get(0.5)
            if message is None:
                continue
            kind, first, last, _ = unpack_message(message)
            if kind in {Kind.LINES, Kind.GAP}:
                assert first == expected
                expected = last + 1
                assert (await logbook.head(log.execution)).next_seq > last
    await writing_all
    assert expected == 60_001


async def test_published_frames_are_the_stored_bytes(logbook: Logbook) -> None:
    log = await logbook.begin()
    channel = logbook.process.channels.execution(log.execution)
    async with logbook.process.listener.subscribe(channel) as messages:
        await log.write(b"one\ntwo \xff\n")
        await log.sink.drain()
        message = await messages.get(30.0)
    assert message is not None
    (chunk,) = await logbook.parts(log.execution)
    assert unpack_message(message) == (Kind.LINES, chunk.first, chunk.last, chunk.frame)  # type: ignore[union-attr]


async def test_a_quiet_prompt_appears_as_a_line_that_goes_on(logbook: Logbook) -> None:
    log = await logbook.begin()
    await log.write(b"name? ")
    (prompt,) = await eventually(lambda: logbook.lines(log.execution))
    assert (prompt.text, prompt.continues) == ("name? ", True)
    await log.write(b"ann\n")
    await log.sink.drain()
    assert await logbook.written(log.execution) == b"name? ann\n"


async def test_a_line_that_an_attempt_leaves_without_its_end_ends_where_the_next_begins(
    records: Records, logbook: Logbook
) -> None:
    twice = Retries(max_attempts=3, retry_on=(Cause.EXIT_NONZERO,))
    claim = await records.run(retries=twice)
    shown = []
    for out, err in [(b"ok\n{}", b"whole\n"), (b"begins", b"no end"), (b"last", b"\n")]:
        log = await logbook.resume(claim)
        # Whoever takes the attempt over at once finds the same, and ends it once.
        logbook.writer.close(log.sink)
        log = await logbook.resume(claim)
        await log.write(out)
        await log.write(err, Stream.STDERR)
        await log.sink.drain()
        head = await logbook.head(log.execution)
        assert (head.out_bytes, head.err_bytes) == (len(out), len(err))
        logbook.writer.close(log.sink)
        shown.append(await logbook.written(log.execution))
        if len(shown) < 3:
            await records.end(claim.lease, Cause.EXIT_NONZERO)
            await records.change(log.execution, not_before=None)
            (claim,) = await records.take()
            await records.start(claim.lease)
    assert shown == [b"ok\n{}", b"ok\n{}\nbegins", b"ok\n{}\nbegins\nlast"]
    assert await logbook.written(log.execution, Stream.STDERR) == b"whole\nno end\n\n"
    assert head.total_bytes == len(b"ok\n{}beginslastwhole\nno end\n")


async def test_a_log_beyond_its_cap_keeps_head_and_tail_and_says_so(logbook: Logbook) -> None:
    cap = 64 * 1024
    log = await logbook.begin(log_bytes=cap)
    for number in range(300):
        await log.write(b"%06d %s\n" % (number, b"x" * 90) * 10)
        assert await logbook.charge(log.execution) <= cap + 32 * 1024
    log.sink.flush()
    log.sink.system("Ended.")
    await logbook.finish(log)
    parts = await logbook.parts(log.execution)
    lines = await logbook.lines(log.execution)
    head = await logbook.head(log.execution)
    assert head.truncated
    assert (await logbook.records.record(log.execution)).log_truncated
    # Every seq is either a line or within a gap, in order.
    assert [part.first for part in parts] == [1, *(part.last + 1 for part in parts[:-1])]
    assert parts[-1].last == head.next_seq - 1 == 3001
    gaps = [part for part in parts if not hasattr(part, "frame")]
    assert gaps
    assert {gap.reason for gap in gaps} == {"log_limit"}  # type: ignore[union-attr]
    first_gap = gaps[0].first
    assert [line.seq for line in lines if line.seq < first_gap] == list(range(1, first_gap))
    assert all(line.text.startswith(f"{(line.seq - 1) // 10:06d} ") for line in lines[:-1])
    assert (lines[-1].letter, lines[-1].text) == ("s", "Ended.")
    assert lines[-2].text.startswith("000299 ")
    assert (head.out_bytes, head.total_bytes) == (300 * 10 * 98, 300 * 10 * 98)


async def test_a_commit_whose_answer_was_lost_is_not_written_twice(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with (
        forgetful_line(database_url, tmp_path) as (url, line),
        opened(url, redis_url, tmp_path) as process,
        writing(await Records.of(process)) as logbook,
    ):
        log = await logbook.begin()
        for number in range(4):
            line.lose_next = True
            await log.write(b"line %d\n" % number)
            await log.sink.drain()
        lines = await logbook.lines(log.execution)
        assert line.lost == 4
        assert [(text.seq, text.text) for text in lines] == [(seq + 1, f"line {seq}") for seq in range(4)]
        assert (await logbook.head(log.execution)).out_bytes == 4 * 7


async def test_lines_of_ours_stand_between_those_of_the_program(logbook: Logbook) -> None:
    log = await logbook.begin()
    log.sink.system("Attempt 1 is prepared.")
    await log.write(b"hello\n")
    log.sink.system("Ended.")
    await logbook.finish(log)
    lines = await logbook.lines(log.execution)
    assert [(line.letter, line.text) for line in lines] == [
        ("s", "Attempt 1 is prepared."),
        ("o", "hello"),
        ("s", "Ended."),
    ]
    head: Any = await logbook.head(log.execution)
    assert (head.out_bytes, head.err_bytes, head.total_bytes) == (6, 0, 6)


async def test_a_log_that_was_closed_takes_no_part_any_more(logbook: Logbook) -> None:
    log, other = await logbook.begin(), await logbook.begin()
    logbook.writer.close(log.sink)
    await log.write(b"into the void\n")
    await other.write(b"kept\n")
    await other.sink.drain()
    assert await logbook.written(log.execution) == b""
