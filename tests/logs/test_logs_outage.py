"""The database goes and comes while logs are written and read."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.executions.states import Status
from app.logs.filters import Selection
from app.logs.narrowing import Chosen, More, MoreReason, Picked
from app.logs.protocol import status_message
from app.logs.reading import Start, read
from app.logs.tail import LATE_SECONDS
from stack.postgres import EmbeddedPostgres
from support.eventually import eventually
from support.faults import breakable_postgres
from support.logbook import Log, Logbook, raw, writing
from support.reader import Reader
from support.records import Records, opened
from worker.engine.port import Piece, Stream
from worker.log_sink import Stalled


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with breakable_postgres(tmp_path) as server:
        yield server


@pytest.fixture
async def logbook(server: EmbeddedPostgres, redis_url: str, tmp_path: Path) -> AsyncIterator[Logbook]:
    async with (
        opened(server.url(), redis_url, tmp_path / "data") as process,
        writing(await Records.of(process)) as logbook,
    ):
        yield logbook


async def speak(log: Log, until: asyncio.Event) -> bytes:
    """A program that goes on writing whatever happens; what it wrote."""
    said = b""
    number = 0
    while not until.is_set():
        line = b"line %d\n" % number
        await log.write(line)
        said += line
        number += 1
        await asyncio.sleep(0.001)
    return said


async def test_what_is_written_while_the_database_is_away_is_caught_up_and_nothing_is_doubled(
    server: EmbeddedPostgres, logbook: Logbook
) -> None:
    logs = [await logbook.begin() for _ in range(4)]
    enough = asyncio.Event()
    speaking = [asyncio.create_task(speak(log, enough)) for log in logs]
    readers = [Reader(logbook.process, log.execution) for log in logs]
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    for end in (server.stop, server.kill, server.kill):
        seen = [len(reader.lines) for reader in readers]
        await eventually(
            lambda seen=seen: all(len(reader.lines) > known for reader, known in zip(readers, seen, strict=True)),
            within=60,
        )
        await end()
        taken = [log.sink.received(Stream.STDOUT) for log in logs]
        # They go on while it is away.
        await eventually(
            lambda taken=taken: all(
                log.sink.received(Stream.STDOUT) > known for log, known in zip(logs, taken, strict=True)
            ),
        )
        await server.start()
    enough.set()
    said = await asyncio.gather(*speaking)
    for log in logs:
        await log.sink.drain()
        event = await logbook.records.end(log.claim.lease)
        await logbook.process.hints.publish([(log.execution, status_message(event))])
    await asyncio.gather(*reading)
    for log, reader, wrote in zip(logs, readers, said, strict=True):
        assert raw(await logbook.lines(log.execution), Stream.STDOUT) == wrote
        assert reader.text == wrote
        assert reader.end is not None
        assert reader.end.record.status is Status.SUCCEEDED


async def test_who_reads_up_to_a_time_gets_what_an_outage_has_delayed(
    server: EmbeddedPostgres, logbook: Logbook
) -> None:
    log = await logbook.begin()
    until = time.time() + 5
    record = await logbook.records.record(log.execution)
    start = Start(record, 0, Selection(until=round(until * 1000)))

    async def read_on() -> list[Chosen]:
        return [chosen async for chosen in read(logbook.process, start) if isinstance(chosen, Picked | More)]

    reading_on = asyncio.create_task(read_on())
    await log.write(b"before\n")
    await log.sink.drain()
    at_ms = time.time_ns() // 1_000_000
    await server.stop()
    # Also if that took longer than until then.
    await log.sink.feed(Piece(Stream.STDOUT, b"while it is away\n", at_ms=at_ms), patience=None)
    await eventually(lambda: time.time() > until + LATE_SECONDS + 1)
    assert not reading_on.done()
    await server.start()
    async with asyncio.timeout(60):
        *picked, more = await reading_on
    assert [line.text for each in picked if isinstance(each, Picked) for line in each.lines] == [
        *("before", "while it is away")
    ]
    assert more == More(2, MoreReason.UNTIL)


async def test_a_flood_while_the_database_is_away_waits_at_the_door_and_is_whole_afterwards(
    server: EmbeddedPostgres, logbook: Logbook
) -> None:
    log = await logbook.begin()
    await log.write(b"before\n")
    await log.sink.drain()
    await server.stop()
    output = b"".join(b"%07d %s\n" % (number, b"x" * 500) for number in range(12_000))
    # The container is not read any further than there is room for: it would wait, or its log is read again later.
    with pytest.raises(Stalled):
        for start in range(0, len(output), 50_000):
            await log.sink.feed(Piece(Stream.STDOUT, output[start : start + 50_000]), patience=0.05)
    taken = log.sink.received(Stream.STDOUT) - len(b"before\n")
    assert 0 < taken < len(output)
    await server.start()
    await log.write(output[taken:])
    await log.sink.drain()
    assert await logbook.written(log.execution) == b"before\n" + output
