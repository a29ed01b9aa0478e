"""Logs of executions that nobody runs: fed by a test, written by the real writer, read from the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, union_all, update

from app.bootstrap import Process
from app.db.engine import Connection, reading, snapshot, transaction
from app.logs.protocol import Line, decode_lines, status_message
from app.logs.store import Chunk, Missing, read_after
from app.logs.tables import LogChunk, LogHead, LogSegment
from support.records import Records
from worker.claims import Claim
from worker.engine.port import Piece, Stream
from worker.log_sink import LogSink
from worker.log_writer import LogWriter


@dataclass(frozen=True)
class Log:
    """One log that is being written."""

    claim: Claim
    sink: LogSink

    @property
    def execution(self) -> UUID:
        return self.claim.lease.execution

    async def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        await self.sink.feed(Piece(stream, data), patience=None)


@dataclass(frozen=True)
class Logbook:
    """A worker's log writer, and what is durable of its logs."""

    records: Records
    writer: LogWriter

    @property
    def process(self) -> Process:
        return self.records.process

    async def begin(self, **limits: Any) -> Log:
        """A new execution that runs, and its log."""
        claim = await self.records.run(**limits)
        return await self.resume(claim)

    async def resume(self, claim: Claim) -> Log:
        """Go on where the log of a claim stands."""
        sink = await self.writer.open(claim.lease, log_bytes=int(claim.record.limits.log_bytes))
        return Log(claim, sink)

    async def finish(self, log: Log) -> None:
        """Write what there is, commit the end and tell it."""
        await log.sink.drain()
        event = await self.records.end(log.claim.lease)
        self.writer.close(log.sink)
        await self.process.hints.publish([(log.execution, status_message(event))])

    async def head(self, execution: UUID) -> Any:
        statement = select(LogHead.__table__).where(LogHead.execution_id == execution)
        async with reading(self.process.database) as connection:
            return (await connection.execute(statement)).one()

    async def parts(self, execution: UUID, *, after: int = 0) -> list[Chunk | Missing]:
        """What a reader gets from the store."""
        async with reading(self.process.database) as connection:
            return await read_parts(connection, execution, after=after)

    async def lines(self, execution: UUID) -> list[Line]:
        return lines_of(await self.parts(execution))

    async def written(self, execution: UUID, stream: Stream = Stream.STDOUT) -> bytes:
        """What is durable of a stream, byte for byte."""
        return raw(await self.lines(execution), stream)

    async def at_once(self, execution: UUID) -> tuple[Any, list[Line]]:
        """Head and lines as of one moment."""
        async with snapshot(self.process.database) as connection:
            row = (await connection.execute(select(LogHead.__table__).where(LogHead.execution_id == execution))).one()
            return row, lines_of(await read_parts(connection, execution))

    async def charge(self, execution: UUID) -> int:
        """What is stored of a log, as it counts against its cap."""
        charges = union_all(
            *(select(table.charge).where(table.execution_id == execution) for table in (LogChunk, LogSegment))
        ).subquery()
        async with reading(self.process.database) as connection:
            return int((await connection.execute(select(func.coalesce(func.sum(charges.c.charge), 0)))).scalar_one())

    async def count(self, table: type[LogChunk | LogSegment], execution: UUID) -> int:
        """How many chunks, or segments, there are of a log."""
        statement = select(func.count()).where(table.execution_id == execution)
        async with reading(self.process.database) as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def hold_under(self, execution: UUID, epoch: int) -> None:
        """As if somebody else had taken over."""
        async with transaction(self.process.database) as connection:
            await connection.execute(update(LogHead).where(LogHead.execution_id == execution).values(epoch=epoch))


@asynccontextmanager
async def writing(records: Records) -> AsyncIterator[Logbook]:
    """A running log writer."""
    writer = LogWriter(records.process.database, records.process.hints)
    running = asyncio.create_task(writer.run())
    try:
        yield Logbook(records, writer)
        assert not running.done(), "the writer has died"
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def read_parts(connection: Connection, execution: UUID, *, after: int = 0) -> list[Chunk | Missing]:
    """A log page by page, as a reader asks for it."""
    parts: list[Chunk | Missing] = []
    more = True
    while more:
        page = await read_after(connection, execution, parts[-1].last if parts else after)
        parts += page.parts
        more = page.more
    return parts


def lines_of(parts: Sequence[Chunk | Missing]) -> list[Line]:
    return [line for part in parts if isinstance(part, Chunk) for line in decode_lines(part.frame, part.raw)]


def raw(lines: Sequence[Line], stream: Stream) -> bytes:
    """The bytes of one stream, put together again."""
    return b"".join(line.data + b"\n" * (not line.continues) for line in lines if line.letter == stream.value)
