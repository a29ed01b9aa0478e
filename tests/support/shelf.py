"""The log's store in memory: takes batches as the database does, and checks that each fits onto the one before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from app.executions.model import Lease
from app.logs.protocol import Line, decode_lines
from support.values import an_id
from worker.engine.port import Stream
from worker.log_blocks import Batch, Head, NewChunk
from worker.log_sink import LogSink
from worker.masking import Masks

EMPTY = Head(1, 0, 0, 0, 0, truncated=False)
LEASE = Lease(an_id(1), 1)


@dataclass
class Shelf:
    """What one log has durable. `now` is the writer's clock."""

    head: Head = EMPTY
    chunks: list[NewChunk] = field(default_factory=list)
    dropped: int = 0
    now: float = 1000.0

    def sink(self, *, log_bytes: int = 2**40, masks: Masks | None = None, blind: bool = False) -> LogSink:
        """A sink that goes on where the log stands."""
        rolling = [(chunk.last, chunk.charge) for chunk in self.chunks if chunk.rolling]
        return LogSink(
            LEASE, self.head, log_bytes=log_bytes, wake=lambda: None, rolling=rolling, masks=masks, blind=blind
        )

    def commit(self, sink: LogSink, *, answered: bool = True) -> bool:
        """Commit what there is, once; if not `answered`, the sink does not learn of it. Whether there was anything."""
        batch = sink.take(self.now)
        if batch is None:
            return False
        if batch.before.next_seq == self.head.next_seq:
            self._store(batch)
        else:
            # Its answer was lost: it is the very batch that is stored already.
            assert batch.after == self.head
        if answered:
            sink.confirm()
        return True

    async def drain(self, sink: LogSink) -> None:
        """Let the sink empty itself, committing meanwhile."""
        draining = asyncio.create_task(sink.drain())
        while not draining.done():
            await asyncio.sleep(0)
            self.commit(sink)
        await draining

    def _store(self, batch: Batch) -> None:
        assert batch.before == self.head
        expected = batch.before.next_seq + batch.dropped
        for chunk in batch.chunks:
            assert chunk.first == expected
            expected = chunk.last + 1
        assert batch.after.next_seq == expected
        self.dropped += batch.dropped
        self.chunks += batch.chunks
        if batch.trim_below is not None:
            below = batch.trim_below
            self.chunks = [chunk for chunk in self.chunks if not (chunk.rolling and chunk.last < below)]
        self.head = batch.after

    def received(self, sink: LogSink) -> dict[Stream, int]:
        return {stream: sink.received(stream) for stream in Stream}

    @property
    def charge(self) -> int:
        return sum(chunk.charge for chunk in self.chunks)

    def lines(self) -> list[Line]:
        return [line for chunk in self.chunks for line in decode_lines(chunk.frame, chunk.raw)]

    def written(self, letter: str) -> bytes:
        """What the log has of a stream, byte for byte."""
        return b"".join(line.data + b"\n" * (not line.continues) for line in self.lines() if line.letter == letter)
