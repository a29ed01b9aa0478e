"""Narrowed readers of real logs: live, cut off, resumed."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import pytest

from app.logs.filters import Selection
from app.logs.grep import Grep
from app.logs.levels import Level
from app.logs.narrowing import Chosen, More, Picked
from app.logs.protocol import status_message
from app.logs.query import LogQuery
from app.logs.reading import Start, begin, read
from app.logs.tail import CaughtUp, Ended
from support.eventually import eventually
from support.logbook import Log, Logbook
from worker.engine.port import Stream
from worker.log_keeping import LogKeeper

ENOUGH = 60.0


class Narrowed:
    """A reader who goes on where they were, by the cursor of what they have got."""

    def __init__(self, logbook: Logbook, log: Log, selection: Selection) -> None:
        self._logbook = logbook
        self._log = log
        self.selection = selection
        self.seqs: list[int] = []
        self.caught_up = False
        self.end: Ended | More | None = None

    async def read(self, *, most: int | None = None, follow: bool = True) -> None:
        """So many items, or all there will be; then the connection is dropped."""
        record = await self._logbook.records.record(self._log.execution)
        chosen = read(self._logbook.process, Start(record, 0, self.selection), follow=follow)
        async with asyncio.timeout(ENOUGH), aclosing(cast("AsyncGenerator[Chosen, None]", chosen)) as items:
            async for item in items:
                self._take(item)
                if most is not None and (most := most - 1) <= 0:
                    return

    def _take(self, item: Chosen) -> None:
        match item:
            case Picked():
                self.seqs += [line.seq for line in item.lines]
                after = item.lines[-1].seq if item.lines else item.after
                assert after > self.selection.after
                self.selection = replace(self.selection, after=after)
            case CaughtUp():
                self.caught_up = True
            case Ended() | More():
                self.end = item


@pytest.mark.parametrize("asked", [{}, {"grep": "line"}, {"streams": "stdout,stderr,system"}, {"before": 99}], ids=str)
async def test_the_last_lines_are_those_of_the_moment_of_the_question(logbook: Logbook, asked: dict[str, Any]) -> None:
    log = await logbook.begin()
    texts: list[str] = []
    for when in ("before", "after"):
        await log.write(b"".join(b"line %d %b\n" % (number, when.encode()) for number in range(5)))
        await log.sink.drain()
        if when == "before":
            query = LogQuery.model_validate({"tail": 2, **asked})
            start = await begin(logbook.process, log.execution, None, query, follow=False)
    async for item in read(logbook.process, start, follow=False):
        if isinstance(item, Picked):
            texts += [line.text for line in item.lines]
    assert texts == ["line 3 before", "line 4 before"]


async def end(logbook: Logbook, log: Log) -> None:
    await log.sink.drain()
    event = await logbook.records.end(log.claim.lease)
    await logbook.process.hints.publish([(log.execution, status_message(event))])
    logbook.writer.close(log.sink)


async def write(logbook: Logbook, log: Log, chance: random.Random) -> None:
    """Errors with tracebacks on one stream, and on the other lines that come in pieces."""
    for number in range(1_500):
        match chance.randrange(6):
            case 0:
                await log.write(b"ERROR: number %d\n  at line %d\n" % (number, number), Stream.STDERR)
            case 1:
                await log.write(b"INFO: fine %d\n" % number, Stream.STDERR)
            case 2:
                # Longer than a record.
                await log.write(b"x" * 20_000 + b" number %d\n" % number)
            case 3:
                await log.write(b"number %d " % number)
            case _:
                await log.write(b"ends here %d\n" % number)
        if number % 40 == 0:
            await asyncio.sleep(0)
    await log.write(b"\n")
    await end(logbook, log)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(grep=Grep(r"number \d*7")),
        Selection(level=Level.ERROR),
        Selection(grep=Grep("^x+ number .*[05]$|line"), letters=frozenset("o")),
        Selection(letters=frozenset("e"), strip=True),
    ],
    ids=["grep", "level", "long lines", "stream"],
)
async def test_narrowed_readers_who_are_cut_off_again_and_again_get_what_one_gets_who_comes_later(
    logbook: Logbook, selection: Selection
) -> None:
    log = await logbook.begin()
    chance = random.Random(5)  # noqa: S311 - the same every time
    cut, steady = Narrowed(logbook, log, selection), Narrowed(logbook, log, selection)
    writing = asyncio.create_task(write(logbook, log, chance))
    following = asyncio.create_task(steady.read())
    for _ in range(30):
        if cut.end is None:
            await cut.read(most=chance.randint(1, 5))
    if cut.end is None:
        await cut.read()
    await asyncio.gather(writing, following)
    later = Narrowed(logbook, log, selection)
    await later.read()
    assert len(later.seqs) > 40
    assert cut.seqs == steady.seqs == later.seqs
    await LogKeeper(logbook.process.database).sweep(days=None)
    put_away = Narrowed(logbook, log, replace(selection, after=later.seqs[30]))
    await put_away.read()
    assert put_away.seqs == later.seqs[31:]


async def test_a_narrowed_reader_that_leaves_is_forgotten(logbook: Logbook) -> None:
    log = await logbook.begin()
    await log.write(b"one\ntwo\n")
    await log.sink.drain()
    reader = Narrowed(logbook, log, Selection(grep=Grep("two")))
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.caught_up)
    assert reader.seqs == [2]
    reading.cancel()
    await asyncio.wait([reading])
    channel = logbook.process.channels.execution(log.execution)
    await eventually(lambda: channel not in logbook.process.listener._channels)


async def test_nobody_waits_for_a_search(logbook: Logbook) -> None:
    """The pattern is one of the slowest there are; meanwhile everything else of the process goes on."""
    log = await logbook.begin()
    for _ in range(2):
        await log.write(b"ab x" * 100_000 + b"\n")
    await end(logbook, log)
    searcher = Narrowed(logbook, log, Selection(grep=Grep("(?:.{0,9}x){80}y")))
    searching = asyncio.create_task(searcher.read())
    turns = 0
    while not searching.done():
        await asyncio.sleep(0)
        turns += 1
    await searching
    assert searcher.seqs == []
    assert turns > 1_000
