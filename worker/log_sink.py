"""The log of one attempt on its way to the store: pieces in, batches out, within the cap.

The head of the log is kept whole, up to three quarters of `limits.log_bytes`. After that only its newest part is, at a
bounded rate, in a rolling tail of one quarter; lines that are left out still get their seq, so that a reader sees how
many are missing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from app.executions.model import Lease
from app.logs.protocol import Entry, LogStream, encode_lines
from app.logs.records import RECORD_OVERHEAD, Cut, Splitter
from worker.engine.port import Piece, Stream

CHUNK_BYTES = 128 * 1024
BATCH_BYTES = 2**20
BUFFER_BYTES = 4 * 2**20
QUIET_PARTIAL_AFTER = 1.0
ROLLING_WINDOW_BYTES = 256 * 1024
ROLLING_INTERVAL = 0.25


class Stalled(Exception):
    """There was no room for the program's output for longer than the reader may wait."""


class Fenced(Exception):
    """Somebody else writes this log now."""


@dataclass(slots=True)
class Tally:
    """Some records, added up: how many, raw bytes per stream, and what they cost against the cap."""

    count: int = 0
    out_bytes: int = 0
    err_bytes: int = 0
    charge: int = 0

    def add(self, entry: Entry) -> None:
        """Count one more."""
        self.count += 1
        self.charge += cost(entry)
        size = len(entry.data) + (not entry.continues)
        if entry.letter == Stream.STDOUT:
            self.out_bytes += size
        elif entry.letter == Stream.STDERR:
            self.err_bytes += size

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Tally:
        """All of these."""
        tally = cls()
        for entry in entries:
            tally.add(entry)
        return tally


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log has come: a copy of its row in `log_heads`."""

    next_seq: int
    out_bytes: int
    err_bytes: int
    total_bytes: int
    charged: int
    truncated: bool

    def plus(self, tally: Tally) -> Head:
        """The head after these records."""
        return Head(
            self.next_seq + tally.count,
            self.out_bytes + tally.out_bytes,
            self.err_bytes + tally.err_bytes,
            self.total_bytes + tally.out_bytes + tally.err_bytes,
            self.charged + tally.charge,
            self.truncated,
        )


def cost(entry: Entry) -> int:
    """What a record counts against the cap."""
    return len(entry.data) + RECORD_OVERHEAD


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A frame to store; `charge` counts against the cap."""

    first: int
    last: int
    frame: bytes
    raw: bytes | None
    charge: int
    rolling: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit writes of one log. `dropped` lines before the chunks are not kept."""

    before: Head
    after: Head
    chunks: list[NewChunk]
    dropped: int
    trim_below: int | None


@dataclass(slots=True)
class _Rolling:
    """The newest records beyond the head, and the chunks of them that are stored."""

    pending: deque[Entry] = field(default_factory=deque)
    pending_bytes: int = 0
    dropped: Tally = field(default_factory=Tally)
    stored: deque[tuple[int, int]] = field(default_factory=deque)
    stored_bytes: int = 0
    last_taken: float = 0.0

    @classmethod
    def resumed(cls, stored: Iterable[tuple[int, int]]) -> _Rolling:
        """The tail of a log whose head was full already."""
        chunks = deque(stored)
        return cls(stored=chunks, stored_bytes=sum(charge for _, charge in chunks))

    def push(self, entry: Entry) -> None:
        """Take the newest record; the oldest ones give way."""
        self.pending.append(entry)
        self.pending_bytes += cost(entry)
        while self.pending_bytes > ROLLING_WINDOW_BYTES:
            oldest = self.pending.popleft()
            self.pending_bytes -= cost(oldest)
            self.dropped.add(oldest)


class LogSink:
    """Takes the output of one attempt. One task feeds it, the worker's log writer empties it."""

    def __init__(
        self,
        lease: Lease,
        head: Head,
        *,
        log_bytes: int,
        wake: Callable[[], None],
        rolling: Iterable[tuple[int, int]] = (),
    ) -> None:
        """`rolling` are the `(last_seq, charge)` of the tail's chunks that are stored already."""
        self.lease = lease
        self._head = head
        self._head_limit = log_bytes * 3 // 4
        self._tail_limit = log_bytes - self._head_limit
        self._wake = wake
        self._splitters = {Stream.STDOUT: Splitter(), Stream.STDERR: Splitter()}
        self._received = {Stream.STDOUT: head.out_bytes, Stream.STDERR: head.err_bytes}
        self._fed_at = dict.fromkeys(Stream, 0.0)
        self._pending: list[Entry] = []
        self._pending_bytes = 0
        self._charged = head.charged
        self._rolling = _Rolling.resumed(rolling) if head.truncated else None
        self._inflight: Batch | None = None
        self._changed = asyncio.Event()
        self._fenced = False
        self._draining = False
        self.last_at_ms = 0
        self.first_error_line: bytes | None = None

    @property
    def rolling(self) -> bool:
        """Whether the head is full."""
        return self._rolling is not None

    def received(self, stream: Stream) -> int:
        """Raw bytes of this attempt taken in so far; an adopter goes on behind them."""
        return self._received[stream]

    async def feed(self, piece: Piece, *, patience: float | None) -> None:
        """Take some output; waits for room, `patience` seconds at most.

        Raises `Stalled` (nothing was taken) and `Fenced`.
        """
        await self._room(patience)
        at_ms = piece.at_ms if piece.at_ms is not None else time.time_ns() // 1_000_000
        self.last_at_ms = at_ms
        self._received[piece.stream] += len(piece.data)
        self._fed_at[piece.stream] = time.monotonic()
        self._append(at_ms, piece.stream, self._splitters[piece.stream].feed(piece.data))

    def system(self, text: str) -> None:
        """Add a line of our own."""
        self._extend([Entry(time.time_ns() // 1_000_000, LogStream.SYSTEM.letter, text.encode(), continues=False)])

    async def drain(self) -> None:
        """The program is gone: flush what it left unfinished and wait until all is durable. Raises `Fenced`."""
        self._draining = True
        for stream, splitter in self._splitters.items():
            self._append(self.last_at_ms, stream, splitter.flush(end=True))
        while self._has_pending():
            self._wake()
            await self._change()

    def flush_quiet(self, now: float) -> None:
        """Show a partial line, such as a prompt, that nothing followed for a while."""
        for stream, splitter in self._splitters.items():
            if splitter.pending and now - self._fed_at[stream] >= QUIET_PARTIAL_AFTER:
                self._append(self.last_at_ms, stream, splitter.flush(end=False))

    def take(self, now: float) -> Batch | None:
        """The next batch to commit; the same one again until it is confirmed."""
        if self._fenced:
            return None
        if self._inflight is None:
            if self._pending:
                self._inflight = self._take_head()
            elif self._rolling is not None and self._rolling_due(self._rolling, now):
                self._inflight = self._take_rolling(self._rolling, now)
        return self._inflight

    def confirm(self) -> None:
        """The batch taken last is durable."""
        batch = self._inflight
        if batch is None:
            return
        self._inflight = None
        self._head = batch.after
        self._signal()

    def fence(self) -> None:
        """Somebody else writes this log now: take and give nothing any more."""
        self._fenced = True
        self._signal()

    async def _room(self, patience: float | None) -> None:
        if self._pending_bytes > BUFFER_BYTES:
            try:
                async with asyncio.timeout(patience):
                    while self._pending_bytes > BUFFER_BYTES and not self._fenced:
                        await self._change()
            except TimeoutError:
                raise Stalled from None
        if self._fenced:
            raise Fenced

    async def _change(self) -> None:
        if self._fenced:
            raise Fenced
        self._changed.clear()
        await self._changed.wait()
        if self._fenced:
            raise Fenced

    def _signal(self) -> None:
        self._changed.set()

    def _has_pending(self) -> bool:
        rolling = self._rolling
        return bool(
            self._inflight or self._pending or (rolling is not None and (rolling.pending or rolling.dropped.count)),
        )

    def _append(self, at_ms: int, stream: Stream, cuts: list[Cut]) -> None:
        if not cuts:
            return
        letter = stream.value
        if letter == Stream.STDERR and self.first_error_line is None:
            self.first_error_line = cuts[0].data
        self._extend([Entry(at_ms, letter, data, continues) for data, continues in cuts])

    def _extend(self, entries: list[Entry]) -> None:
        if self._rolling is None:
            sizes = [cost(entry) for entry in entries]
            total = sum(sizes)
            if self._charged + total <= self._head_limit:
                self._keep(entries, total)
                return
            fitting = 0
            room = self._head_limit - self._charged
            while fitting < len(sizes) and room >= sizes[fitting]:
                room -= sizes[fitting]
                fitting += 1
            self._keep(entries[:fitting], sum(sizes[:fitting]))
            self._rolling = _Rolling()
            entries = entries[fitting:]
        for entry in entries:
            self._rolling.push(entry)
        self._wake()

    def _keep(self, entries: list[Entry], size: int) -> None:
        self._pending += entries
        self._pending_bytes += size
        self._charged += size
        self._wake()

    def _take_head(self) -> Batch:
        size = count = 0
        for entry in self._pending:
            size += cost(entry)
            count += 1
            if size >= BATCH_BYTES:
                break
        entries, self._pending = self._pending[:count], self._pending[count:]
        self._pending_bytes -= size
        return Batch(
            before=self._head,
            after=self._head.plus(Tally.of(entries)),
            chunks=list(_chunks(self._head.next_seq, entries, rolling=False)),
            dropped=0,
            trim_below=None,
        )

    def _rolling_due(self, rolling: _Rolling, now: float) -> bool:
        if not (rolling.pending or rolling.dropped.count):
            return False
        return self._draining or now - rolling.last_taken >= ROLLING_INTERVAL

    def _take_rolling(self, rolling: _Rolling, now: float) -> Batch:
        rolling.last_taken = now
        dropped, rolling.dropped = rolling.dropped, Tally()
        entries = list(rolling.pending)
        rolling.pending.clear()
        rolling.pending_bytes = 0
        behind = self._head.plus(dropped)
        # The tail is bounded by what it gives up, not by the charge.
        after = replace(behind.plus(Tally.of(entries)), charged=self._head.charged, truncated=True)
        chunks = list(_chunks(behind.next_seq, entries, rolling=True))
        return Batch(self._head, after, chunks, dropped.count, self._trim(rolling, chunks))

    def _trim(self, rolling: _Rolling, chunks: list[NewChunk]) -> int | None:
        """The seq below which the rolling tail gives way to what is new."""
        for chunk in chunks:
            rolling.stored.append((chunk.last, chunk.charge))
            rolling.stored_bytes += chunk.charge
        below = None
        while rolling.stored_bytes > self._tail_limit and len(rolling.stored) > 1:
            last, charge = rolling.stored.popleft()
            rolling.stored_bytes -= charge
            below = last + 1
        return below


def _chunks(first: int, entries: list[Entry], *, rolling: bool) -> Iterable[NewChunk]:
    start = size = 0
    for index, entry in enumerate(entries):
        size += cost(entry)
        if size >= CHUNK_BYTES or index == len(entries) - 1:
            frame, raw = encode_lines(first + start, entries[start : index + 1])
            yield NewChunk(first + start, first + index, frame, raw, size, rolling)
            start, size = index + 1, 0
