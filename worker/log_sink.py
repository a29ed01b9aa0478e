"""The log of one attempt on its way to the store: pieces in, batches out, within the cap.

The head of the log is kept whole, up to three quarters of `limits.log_bytes`. After that only its newest part is, at a
bounded rate, in a rolling tail of one quarter; lines that are left out still get their seq, so that a reader sees how
many are missing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from app.executions.model import Lease
from app.logs.protocol import Entry, GapReason, LogStream, encode_lines
from app.logs.records import RECORD_OVERHEAD, Cut, Splitter
from worker.engine.port import Piece, Stream

CHUNK_BYTES = 128 * 1024
BATCH_BYTES = 2**20
BUFFER_BYTES = 4 * 2**20
# Of a flood, before others have their turn: thousands of tiny lines are milliseconds of work.
TURN_BYTES = 16 * 1024
QUIET_PARTIAL_AFTER = 1.0
ROLLING_WINDOW_BYTES = 256 * 1024
ROLLING_INTERVAL = 0.25


class Stalled(Exception):
    """There was no room for the program's output for longer than the reader may wait."""


class Fenced(Exception):
    """Somebody else writes this log now."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Some records, added up: how many, raw bytes per stream, and what they cost against the cap."""

    count: int = 0
    out_bytes: int = 0
    err_bytes: int = 0
    charge: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.count + other.count,
            self.out_bytes + other.out_bytes,
            self.err_bytes + other.err_bytes,
            self.charge + other.charge,
        )

    @classmethod
    def of(cls, letter: str, *, count: int, newlines: int, size: int) -> Tally:
        """Records of one stream: `size` bytes, of which so many records ended with a newline."""
        raw = size + newlines
        return cls(
            count=count,
            out_bytes=raw if letter == Stream.STDOUT else 0,
            err_bytes=raw if letter == Stream.STDERR else 0,
            charge=size + count * RECORD_OVERHEAD,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Records of one stream that came together: what the sink counts with, so that no line is counted by itself."""

    entries: list[Entry]
    tally: Tally

    @classmethod
    def of(cls, at_ms: int, letter: str, cuts: Sequence[Cut]) -> Block:
        """The records that one piece of output completed."""
        entries = [_new(Entry, (at_ms, letter, data, continues)) for data, continues in cuts]
        return cls(entries, _tally(letter, entries))

    def cut(self, most: int) -> Iterator[Block]:
        """The same records in blocks of about so much."""
        if self.tally.charge <= most:
            yield self
            return
        start = size = 0
        for index, entry in enumerate(self.entries):
            size += len(entry.data) + RECORD_OVERHEAD
            if size >= most or index == len(self.entries) - 1:
                entries = self.entries[start : index + 1]
                yield Block(entries, _tally(entry.letter, entries))
                start, size = index + 1, 0

    def split(self, room: int) -> tuple[Block, Block]:
        """What fits into so much of the cap, and the rest."""
        fitting = 0
        for entry in self.entries:
            room -= len(entry.data) + RECORD_OVERHEAD
            if room < 0:
                break
            fitting += 1
        letter = self.entries[0].letter
        parts = self.entries[:fitting], self.entries[fitting:]
        first, rest = (Block(entries, _tally(letter, entries)) for entries in parts)
        return first, rest


# NamedTuple's own constructor takes three times as long, and floods pass here line by line.
_new = tuple.__new__


def _tally(letter: str, entries: Sequence[Entry]) -> Tally:
    size = sum([len(data) for _, _, data, _ in entries])
    open_ended = sum([continues for _, _, _, continues in entries])
    return Tally.of(letter, count=len(entries), newlines=len(entries) - open_ended, size=size)


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


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A frame to store, or a `gap` where one should be; `charge` counts against the cap."""

    first: int
    last: int
    frame: bytes | None
    raw: bytes | None
    charge: int
    rolling: bool
    gap: GapReason | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit writes of one log. `dropped` lines before the chunks are not kept; `at_ms` is the time of the
    first that is.
    """

    before: Head
    after: Head
    chunks: list[NewChunk]
    dropped: int
    trim_below: int | None
    at_ms: int | None


@dataclass(slots=True)
class _Rolling:
    """The newest records beyond the head, `window` bytes of them, and the chunks of them that are stored."""

    window: int
    pending: deque[Block] = field(default_factory=deque)
    charge: int = 0
    dropped: Tally = Tally()
    stored: deque[tuple[int, int]] = field(default_factory=deque)
    stored_bytes: int = 0
    last_taken: float = 0.0
    gap: GapReason | None = None

    @classmethod
    def resumed(cls, window: int, stored: Iterable[tuple[int, int]]) -> _Rolling:
        """The tail of a log whose head was full already."""
        chunks = deque(stored)
        return cls(window, stored=chunks, stored_bytes=sum(charge for _, charge in chunks))

    @property
    def waits(self) -> bool:
        """Whether there is something to commit."""
        return bool(self.pending or self.dropped.count or self.gap)

    def push(self, block: Block) -> None:
        """Take the newest records; older ones give way as long as a window full remains."""
        self.pending.append(block)
        self.charge += block.tally.charge
        while self.charge - self.pending[0].tally.charge >= self.window:
            self._drop_oldest()

    def skip(self, tally: Tally) -> None:
        """Records that were not even cut: what is pending is older, and goes with them."""
        while self.pending:
            self._drop_oldest()
        self.dropped += tally

    def take(self) -> tuple[Tally, list[Block]]:
        """What was dropped since the last time, and what is kept after it."""
        dropped, blocks = self.dropped, list(self.pending)
        self.dropped = Tally()
        self.pending.clear()
        self.charge = 0
        self.gap = None
        return dropped, blocks

    def _drop_oldest(self) -> None:
        tally = self.pending.popleft().tally
        self.charge -= tally.charge
        self.dropped += tally


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
        last_at_ms: int = 0,
    ) -> None:
        """Of a log beyond its head, `rolling` are the `(last_seq, charge)` of the tail's chunks that are stored, and
        `last_at_ms` is the time of its newest line.
        """
        self.lease = lease
        self._head = head
        self._head_limit = log_bytes * 3 // 4
        self._tail_limit = log_bytes - self._head_limit
        self._wake = wake
        self._splitters = {Stream.STDOUT: Splitter(), Stream.STDERR: Splitter()}
        self._received = {Stream.STDOUT: head.out_bytes, Stream.STDERR: head.err_bytes}
        self._fed_at = dict.fromkeys(Stream, 0.0)
        self._pending: deque[Block] = deque()
        self._pending_bytes = 0
        self._charged = head.charged
        self._window = min(ROLLING_WINDOW_BYTES, self._tail_limit)
        self._rolling = _Rolling.resumed(self._window, rolling) if head.truncated else None
        self._inflight: Batch | None = None
        self._changed = asyncio.Event()
        self._refusal: Exception | None = None
        self._draining = False
        self.last_at_ms = last_at_ms
        self.first_error_line: bytes | None = None

    @property
    def rolling(self) -> bool:
        """Whether the head is full."""
        return self._rolling is not None

    def received(self, stream: Stream) -> int:
        """Raw bytes of this attempt taken in so far; an adopter goes on behind them."""
        return self._received[stream]

    async def feed(self, piece: Piece, *, patience: float | None) -> None:
        """Take some output, in turns with everybody else on the loop; waits for room, `patience` seconds at most.

        Raises `Stalled` (`received` tells what was taken), and whatever it was refused with.
        """
        at_ms = piece.at_ms if piece.at_ms is not None else time.time_ns() // 1_000_000
        rest = memoryview(piece.data)[self._skip(piece) :]
        for start in range(0, len(rest), TURN_BYTES):
            await self._room(patience)
            data = bytes(rest[start : start + TURN_BYTES])
            self.last_at_ms = at_ms
            self._received[piece.stream] += len(data)
            self._fed_at[piece.stream] = time.monotonic()
            self._append(at_ms, piece.stream, self._splitters[piece.stream].feed(data))
            await asyncio.sleep(0)

    def system(self, text: str) -> None:
        """Add a line of our own."""
        cut = Cut(text.replace("\n", " ").encode(), continues=False)
        self._extend(Block.of(time.time_ns() // 1_000_000, LogStream.SYSTEM.letter, [cut]))

    def miss(self, reason: GapReason) -> None:
        """Note that an unknown number of lines is missing here; it takes one seq. The head of the log ends with it."""
        if self._rolling is None:
            self._rolling = _Rolling(self._window)
        self._rolling.gap = reason
        self._wake()

    def flush(self) -> None:
        """The program is gone: lines that it left unfinished are whole now."""
        for stream, splitter in self._splitters.items():
            self._append(self.last_at_ms, stream, splitter.flush(end=True))

    async def drain(self) -> None:
        """The program is gone: flush what it left unfinished and wait until all is durable.

        Raises whatever it was refused with.
        """
        self.flush()
        self._draining = True
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
        if self._refusal is not None:
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

    def refuse(self, error: Exception) -> None:
        """Take and give nothing any more: `Fenced`, or what makes this log impossible to write."""
        self._refusal = error
        self._signal()

    async def _room(self, patience: float | None) -> None:
        if self._pending_bytes > BUFFER_BYTES:
            try:
                async with asyncio.timeout(patience):
                    while self._pending_bytes > BUFFER_BYTES and self._refusal is None:
                        await self._change()
            except TimeoutError:
                raise Stalled from None
        self._check()

    async def _change(self) -> None:
        self._check()
        self._changed.clear()
        await self._changed.wait()
        self._check()

    def _check(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _signal(self) -> None:
        self._changed.set()

    def _has_pending(self) -> bool:
        rolling = self._rolling
        return bool(
            self._inflight or self._pending or (rolling is not None and rolling.waits),
        )

    def _skip(self, piece: Piece) -> int:
        """Beyond the head, where of a large piece to begin: what would give way at once is only counted."""
        if self._rolling is None or len(piece.data) <= TURN_BYTES:
            return 0
        start = _newest_lines(piece.data)
        if start == 0:
            return 0
        splitter = self._splitters[piece.stream]
        held, skipped = splitter.pending, piece.data[:start]
        lines = splitter.skip(skipped)
        size = held + len(skipped) - lines
        self._rolling.skip(Tally.of(piece.stream.value, count=lines, newlines=lines, size=size))
        self._received[piece.stream] += len(skipped)
        return start

    def _append(self, at_ms: int, stream: Stream, cuts: list[Cut]) -> None:
        if not cuts:
            return
        if stream is Stream.STDERR and self.first_error_line is None:
            self.first_error_line = cuts[0].data
        self._extend(Block.of(at_ms, stream.value, cuts))

    def _extend(self, block: Block) -> None:
        if self._rolling is None:
            room = self._head_limit - self._charged
            if block.tally.charge <= room:
                self._keep(block)
                return
            fitting, block = block.split(room)
            if fitting.entries:
                self._keep(fitting)
            self._rolling = _Rolling(self._window)
        self._rolling.push(block)
        self._wake()

    def _keep(self, block: Block) -> None:
        self._pending.append(block)
        self._pending_bytes += block.tally.charge
        self._charged += block.tally.charge
        self._wake()

    def _take_head(self) -> Batch:
        blocks: list[Block] = []
        tally = Tally()
        while self._pending and tally.charge < BATCH_BYTES:
            blocks.append(self._pending.popleft())
            tally += blocks[-1].tally
        self._pending_bytes -= tally.charge
        return Batch(
            before=self._head,
            after=self._head.plus(tally),
            chunks=list(_chunks(self._head.next_seq, blocks, CHUNK_BYTES, rolling=False)),
            dropped=0,
            trim_below=None,
            at_ms=_begin(blocks),
        )

    def _rolling_due(self, rolling: _Rolling, now: float) -> bool:
        if not rolling.waits:
            return False
        return self._draining or now - rolling.last_taken >= ROLLING_INTERVAL

    def _take_rolling(self, rolling: _Rolling, now: float) -> Batch:
        rolling.last_taken = now
        gap = rolling.gap
        dropped, blocks = rolling.take()
        behind = self._head.plus(dropped)
        chunks = list(_gap_chunk(behind.next_seq, gap))
        behind = behind.plus(Tally(count=len(chunks)))
        # The tail gives way a chunk at a time: of a small one, small chunks.
        most = min(CHUNK_BYTES, self._tail_limit // 8)
        parts = [part for block in blocks for part in block.cut(most)]
        chunks += _chunks(behind.next_seq, parts, most, rolling=True)
        tally = sum((block.tally for block in blocks), Tally())
        # The tail is bounded by what it gives up, not by the charge.
        after = replace(behind.plus(tally), charged=self._head.charged, truncated=True)
        below = self._trim(rolling, chunks)
        kept = [chunk for chunk in chunks if below is None or chunk.last >= below]
        first = kept[0].first if kept else after.next_seq
        return Batch(self._head, after, kept, first - self._head.next_seq, below, _begin(blocks))

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


def _begin(blocks: Sequence[Block]) -> int | None:
    return blocks[0].entries[0].at_ms if blocks else None


def _chunks(first: int, blocks: Sequence[Block], most: int, *, rolling: bool) -> Iterator[NewChunk]:
    entries: list[Entry] = []
    charge = 0
    for index, block in enumerate(blocks):
        entries += block.entries
        charge += block.tally.charge
        if charge >= most or index == len(blocks) - 1:
            frame, raw = encode_lines(first, entries)
            yield NewChunk(first, first + len(entries) - 1, frame, raw, charge, rolling)
            first += len(entries)
            entries, charge = [], 0


def _gap_chunk(seq: int, gap: GapReason | None) -> Iterator[NewChunk]:
    if gap is not None:
        yield NewChunk(seq, seq, frame=None, raw=None, charge=RECORD_OVERHEAD, rolling=True, gap=gap)


def _newest_lines(data: bytes) -> int:
    """Where the lines begin that a full window can hold; 0 when it may hold all of them."""
    start = max(0, len(data) - ROLLING_WINDOW_BYTES)
    most = ROLLING_WINDOW_BYTES // RECORD_OVERHEAD
    *_, rest = data[start:].split(b"\n", 1) if start else (data,)
    if start and len(rest) < ROLLING_WINDOW_BYTES // 2:
        return 0  # the end of a long line: it is cut as it comes, and not left out as a whole
    older = rest.rsplit(b"\n", most + 1)
    if len(older) > most + 1:
        rest = rest[len(older[0]) + 1 :]
    elif start and len(rest) == len(data) - start:
        return 0  # one long line: it is cut as it comes
    return len(data) - len(rest)
