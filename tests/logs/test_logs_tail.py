import asyncio
import random
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, event, text

from app.bootstrap import Process
from app.db.engine import transaction
from app.executions import repository
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from app.logs import tail as tailing
from app.logs.protocol import progress_message, status_message
from app.logs.store import PAGE_CHUNKS
from stack.redis import EmbeddedRedis
from support.eventually import eventually
from support.logbook import Log, Logbook, writing
from support.reader import ENOUGH, Reader
from support.records import Records, opened
from support.values import NOON


def numbered(count: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(count))


async def write(logbook: Logbook, log: Log, output: bytes, *, piece: int = 997) -> None:
    """All of it, and the end; then everybody is told."""
    for start in range(0, len(output), piece):
        await log.write(output[start : start + piece])
        await asyncio.sleep(0)
    await log.sink.drain()
    await end(logbook, log)


async def end(logbook: Logbook, log: Log) -> None:
    event = await logbook.records.end(log.claim.lease)
    await logbook.process.hints.publish([(log.execution, status_message(event))])
    logbook.writer.close(log.sink)


async def test_a_log_is_replayed_and_then_followed_to_its_end(logbook: Logbook) -> None:
    log = await logbook.begin()
    await log.write(b"before\n")
    await log.sink.drain()
    reader = Reader(logbook.process, log.execution)
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.caught_up)
    assert reader.text == b"before\n"
    await log.write(b"live\n")
    await eventually(lambda: reader.text == b"before\nlive\n")
    await end(logbook, log)
    await reading
    assert reader.end is not None
    assert reader.end.record.status is Status.SUCCEEDED
    assert reader.statuses == ["queued", "preparing", "running", "succeeded"]


async def test_an_ended_log_is_read_whole_whatever_its_length(logbook: Logbook) -> None:
    log = await logbook.begin()
    for number in range(PAGE_CHUNKS * 2 + 3):
        await log.write(b"chunk %d\n" % number)
        await log.sink.drain()
    await end(logbook, log)
    reader = Reader(logbook.process, log.execution)
    await reader.read()
    assert len(reader.lines) == PAGE_CHUNKS * 2 + 3
    assert reader.end is not None
    assert reader.caught_up == 0


async def test_without_following_a_reader_stops_where_the_store_does(logbook: Logbook) -> None:
    log = await logbook.begin()
    await log.write(b"so far\n")
    await log.sink.drain()
    reader = Reader(logbook.process, log.execution)
    await reader.read(follow=False)
    assert (reader.text, reader.caught_up, reader.end) == (b"so far\n", 1, None)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_reader_who_is_cut_off_again_and_again_loses_and_repeats_nothing(logbook: Logbook, seed: int) -> None:
    log = await logbook.begin()
    output = numbered(20_000)
    writing_all = asyncio.create_task(write(logbook, log, output))
    chance = random.Random(seed)  # noqa: S311
    reader = Reader(logbook.process, log.execution)
    for _ in range(50):
        if reader.end is None:
            await reader.read(most=chance.randint(1, 6))
    if reader.end is None:
        await reader.read()
    await writing_all
    assert reader.text == output
    assert reader.statuses == ["queued", "preparing", "running", "succeeded"]


async def test_readers_at_any_cursor_get_exactly_what_is_behind_it(logbook: Logbook) -> None:
    log = await logbook.begin()
    output = numbered(3_000)
    chance = random.Random(4)  # noqa: S311
    readers = [Reader(logbook.process, log.execution, after=chance.randint(0, 3_000)) for _ in range(50)]
    cursors = [reader.after for reader in readers]
    await asyncio.gather(write(logbook, log, output), *(reader.read() for reader in readers))
    lines = output.splitlines(keepends=True)
    for reader, cursor in zip(readers, cursors, strict=True):
        assert reader.text == b"".join(lines[cursor:])


async def test_a_cursor_beyond_the_end_gets_only_the_end(logbook: Logbook) -> None:
    log = await logbook.begin()
    await write(logbook, log, b"one\n")
    reader = Reader(logbook.process, log.execution, after=99)
    await reader.read()
    assert (reader.lines, reader.end is not None) == ([], True)


async def test_only_later_events_than_the_readers_are_told(logbook: Logbook) -> None:
    log = await logbook.begin()
    await write(logbook, log, b"")
    reader = Reader(logbook.process, log.execution, event=2)
    await reader.read()
    assert reader.statuses == ["running", "succeeded"]


async def test_a_gap_of_the_cap_is_the_same_for_those_who_watched_and_those_who_come_later(logbook: Logbook) -> None:
    log = await logbook.begin(log_bytes=64 * 1024)
    output = numbered(40_000)
    watcher = Reader(logbook.process, log.execution)
    await asyncio.gather(write(logbook, log, output, piece=20_000), watcher.read())
    later = Reader(logbook.process, log.execution)
    await later.read()
    lines = output.splitlines()
    for reader in (watcher, later):
        assert reader.gaps
        assert reader.after == 40_000
        assert [line.data for line in reader.lines] == [lines[line.seq - 1] for line in reader.lines]
        assert reader.lines[-1].seq == 40_000


async def test_progress_is_told_as_it_comes(logbook: Logbook) -> None:
    log = await logbook.begin()
    reader = Reader(logbook.process, log.execution)
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.caught_up)
    for percent in (10, 20):
        await logbook.process.hints.publish([(log.execution, progress_message(percent, None, NOON))])
    await eventually(lambda: reader.progress == [10, 20])
    await end(logbook, log)
    await reading


async def test_lines_are_found_although_nobody_was_told_of_them(
    logbook: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hint may get lost: then only looking helps."""
    monkeypatch.setattr(tailing, "LOOK_ANYWAY_EVERY", 0.2)
    log = await logbook.begin()
    reader = Reader(logbook.process, log.execution)
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.caught_up)
    batch = await silently(logbook, log, b"unheard\n")
    assert batch == 1
    await eventually(lambda: reader.text == b"unheard\n")
    await logbook.records.end(log.claim.lease)
    await reading
    assert reader.end is not None


async def silently(logbook: Logbook, log: Log, data: bytes) -> int:
    """Commit without publishing, as if Redis had lost it; how many batches that took."""
    logbook.writer.close(log.sink)
    await log.write(data)
    batches = 0
    while (batch := log.sink.take(0.0)) is not None:
        await logbook.writer._commit([(log.sink, batch)])
        batches += 1
    return batches


async def test_a_line_after_one_that_was_lost_sends_the_reader_to_the_store(logbook: Logbook) -> None:
    log = await logbook.begin()
    reader = Reader(logbook.process, log.execution)
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.caught_up)
    await silently(logbook, log, b"unheard\n")
    resumed = await logbook.resume(log.claim)
    await resumed.write(b"heard\n")
    await eventually(lambda: reader.text == b"unheard\nheard\n")
    await end(logbook, resumed)
    await reading


async def test_a_reader_who_is_too_slow_for_the_live_feed_loses_nothing(logbook: Logbook) -> None:
    log = await logbook.begin()
    output = b"".join(b"%07d %s\n" % (number, b"x" * 1000) for number in range(12_000))
    reader = Reader(logbook.process, log.execution)
    items = reader.items()
    # It subscribes and catches up, and then takes nothing while more is published than its backlog holds.
    while not reader.caught_up:
        reader.take(await anext(items))
    await write(logbook, log, output, piece=100_000)
    async with asyncio.timeout(ENOUGH), aclosing(items):
        async for item in items:
            reader.take(item)
    assert reader.text == output
    assert reader.end is not None
    assert reader.caught_up >= 1


async def test_the_end_comes_at_once_even_if_it_was_seen_before_the_record_was(
    logbook: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is committed and told in the middle of a look: neither before nor after may it get lost."""
    monkeypatch.setattr(tailing, "LOOK_ANYWAY_EVERY", ENOUGH * 2)
    log = await logbook.begin()
    await log.write(b"all\n")
    await log.sink.drain()
    reader = Reader(logbook.process, log.execution)
    async with transaction(logbook.process.database) as connection:
        await connection.execute(text("LOCK TABLE execution_events IN ACCESS EXCLUSIVE MODE"))
        reading = asyncio.create_task(reader.read())
        await eventually(lambda: somebody_waits(logbook))
        event = await repository.move(
            connection, log.execution, Status.SUCCEEDED, actor="worker", cause=Cause.OK, message="It ended."
        )
    await logbook.process.hints.publish([(log.execution, status_message(event))])
    await reading
    assert reader.text == b"all\n"
    assert reader.statuses == ["queued", "preparing", "running", "succeeded"]
    assert reader.end is not None
    assert reader.end.record.status is Status.SUCCEEDED


async def somebody_waits(logbook: Logbook) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'execution_events'::regclass")
    async with transaction(logbook.process.database) as connection:
        return bool((await connection.execute(waiting)).scalar_one())


async def test_a_reader_of_an_execution_that_is_deleted_comes_to_an_end(
    logbook: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "LOOK_ANYWAY_EVERY", 0.2)
    log = await logbook.begin()
    await log.write(b"gone\n")
    await log.sink.drain()
    reader = Reader(logbook.process, log.execution)
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.caught_up)
    async with transaction(logbook.process.database) as connection:
        await connection.execute(delete(Execution).where(Execution.id == log.execution))
    await reading
    assert (reader.text, reader.end) == (b"gone\n", None)


async def test_an_execution_that_does_not_exist_has_no_log(process: Process) -> None:
    reader = Reader(process, uuid4())
    await reader.read()
    assert (reader.lines, reader.end) == ([], None)


async def test_redis_may_go_and_come_while_somebody_reads(database_url: str, tmp_path: Path) -> None:
    async with (
        EmbeddedRedis(tmp_path / "redis", tmp_path / "run") as server,
        opened(database_url, server.url, tmp_path) as process,
        writing(await Records.of(process)) as logbook,
    ):
        log = await logbook.begin()
        readers = [Reader(process, log.execution) for _ in range(3)]
        reading = [asyncio.create_task(reader.read()) for reader in readers]
        sent = b""
        for round_ in range(7):
            if round_ > 0:
                await (server.kill() if round_ % 2 else server.start())
            for number in range(200):
                line = b"%d %d\n" % (round_, number)
                sent += line
                await log.write(line)
            await eventually(lambda sent=sent: all(reader.text == sent for reader in readers))
        # Nobody can be told of the end either.
        await server.kill()
        await end(logbook, log)
        await asyncio.gather(*reading)
    assert all(reader.end is not None for reader in readers)


async def test_nobody_holds_a_connection_while_they_wait(logbook: Logbook) -> None:
    log = await logbook.begin()
    readers = [Reader(logbook.process, log.execution) for _ in range(60)]
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    await eventually(lambda: all(reader.caught_up for reader in readers))
    pool = logbook.process.database.pool
    await eventually(lambda: pool.checkedout() <= 1)  # type: ignore[attr-defined]
    await write(logbook, log, b"hello\n")
    await asyncio.gather(*reading)
    assert {reader.text for reader in readers} == {b"hello\n"}


async def test_a_crowd_that_has_to_look_looks_together(logbook: Logbook) -> None:
    """When it comes, at a change of status, at the end, and when all come back with the same cursor."""
    log = await logbook.begin()
    await log.write(b"before\n")
    await log.sink.drain()
    with checkouts(logbook.process) as looks:
        crowd = [Reader(logbook.process, log.execution) for _ in range(300)]
        reading = [asyncio.create_task(reader.read()) for reader in crowd]
        await eventually(lambda: all(reader.caught_up for reader in crowd))
        await log.write(b"live\n")
        await log.sink.drain()
        await end(logbook, log)
        await asyncio.gather(*reading)
        back = [Reader(logbook.process, log.execution, after=1) for _ in range(300)]
        await asyncio.gather(*(reader.read() for reader in back))
    assert {reader.text for reader in crowd} == {b"before\nlive\n"}
    assert {reader.text for reader in back} == {b"live\n"}
    assert all(reader.statuses[-1] == "succeeded" and reader.end for reader in crowd + back)
    assert len(looks) < 60


async def test_what_slow_readers_hold_of_a_log_is_one_and_is_let_go_with_the_last_of_them(logbook: Logbook) -> None:
    log = await logbook.begin()
    await write(logbook, log, numbered(100_000), piece=100_000)
    pages = logbook.process.pages
    readers = [Reader(logbook.process, log.execution) for _ in range(5)]
    opened = [reader.items() for reader in readers]
    firsts = [await anext(items) for items in opened]
    assert len({id(first) for first in firsts}) == 1, "each holds a page of its own"
    assert len(pages) == 1
    for reader, first, items in zip(readers, firsts, opened, strict=True):
        reader.take(first)
        async with aclosing(items):
            async for item in items:
                reader.take(item)
    assert {reader.text for reader in readers} == {numbered(100_000)}
    assert not pages


@contextmanager
def checkouts(process: Process) -> Iterator[list[None]]:
    """One for each time that somebody takes a connection to the database."""
    taken: list[None] = []

    def note(*_: object) -> None:
        taken.append(None)

    pool = process.database.sync_engine.pool
    event.listen(pool, "checkout", note)
    try:
        yield taken
    finally:
        event.remove(pool, "checkout", note)


async def test_a_reader_that_leaves_is_forgotten(logbook: Logbook) -> None:
    log = await logbook.begin()
    reader = Reader(logbook.process, log.execution)
    await reader.read(most=2)
    channel = logbook.process.channels.execution(log.execution)
    assert channel not in logbook.process.listener._channels
