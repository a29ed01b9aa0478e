"""The log of one attempt on its way to the store: pieces in, batches out, within the cap.

The head of the log is kept whole, up to three quarters of `limits.log_bytes`. After that only its newest part is, at a
bounded rate, in a rolling tail of one quarter; lines that are left out still get their seq, so that a reader sees how
many are missing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.executions.model import Lease
from app.logs.protocol import Entry, GapReason, LogStream, encode_lines
from app.logs.records import RECORD_OVERHEAD, Cut
from worker.engine.port import Piece, Stream
from worker.log_blocks import Batch, Block, Head, NewChunk, Tally
from worker.log_intake import Intake, MaskedIntake
from worker.masking import Masks
from worker.told import Told

CHUNK_BYTES = 128 * 1024
BATCH_BYTES = 2**20
BUFFER_BYTES = 4 * 2**20
# Of a flood, before others have their turn: thousands of tiny lines are milliseconds of work. All floods of a loop take
# turns, so that whatever else it does comes between any two; so little needs none.
TURN_BYTES = 16 * 1024
QUIET_TURN_BYTES = 2 * 1024
ROLLING_WINDOW_BYTES = 256 * 1024
ROLLING_INTERVAL = 0.25


class Stalled(Exception):
    """There was no room for the program's output for longer than the reader may wait."""


class Fenced(Exception):
    """Somebody else writes this log now."""


@dataclass(slots=True)
class _Rolling:
    """The newest records beyond the head, `window` bytes of them, and the chunks of them that are stored."""

    window: int
    pending: deque[Block] = field(default_factory=deque)
    charge: int = 0
    dropped: Tally = field(default_factory=Tally)
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
        masks: Masks | None = None,
        blind: bool = False,
        turns: asyncio.Lock | None = None,
    ) -> None:
        """Of a log beyond its head, `rolling` are the `(last_seq, charge)` of the tail's chunks that are stored, and
        `last_at_ms` is the time of its newest line. `blind`: nobody here knows what is to be masked, so nothing that
        the program writes is taken. `turns` are those of all logs of the loop.
        """
        self.lease = lease
        self._head = head
        self._head_limit = log_bytes * 3 // 4
        self._tail_limit = log_bytes - self._head_limit
        self._wake = wake
        self._turns = turns or asyncio.Lock()
        received = {Stream.STDOUT: head.out_bytes, Stream.STDERR: head.err_bytes}
        self._masks = masks
        self._intakes = {
            stream: Intake(stream, received[stream]) if masks is None else MaskedIntake(stream, received[stream], masks)
            for stream in Stream
        }
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
        self.fed_at = -math.inf
        self.told = head.told
        self.first_error_line: bytes | None = None
        self.blind = False
        if blind:
            self.miss(GapReason.MASKING_UNAVAILABLE)
            self.blind = True

    @property
    def rolling(self) -> bool:
        """Whether the head is full."""
        return self._rolling is not None

    @property
    def waits(self) -> bool:
        """Whether there is something to commit."""
        return bool(self._inflight or self._pending or (self._rolling is not None and self._rolling.waits))

    @property
    def backlog(self) -> int:
        """How much that is, in bytes as they are charged."""
        inflight = sum(chunk.charge for chunk in self._inflight.chunks) if self._inflight else 0
        return inflight + self._pending_bytes + (self._rolling.charge if self._rolling is not None else 0)

    def received(self, stream: Stream) -> int:
        """Raw bytes of this attempt taken in so far; an adopter goes on behind them."""
        return self._intakes[stream].received

    @property
    def hides(self) -> bool:
        """Whether there may be secrets in what the program says."""
        return self.blind or self._masks is not None

    def hide(self, text: str) -> str:
        """Words that may be the program's, without its secrets."""
        return text if self._masks is None else self._masks.hide(text.encode()).decode(errors="replace")

    def recall(self, stream: Stream, data: bytes) -> None:
        """Output that was taken in before: a secret may have begun in it."""
        self._intakes[stream].recall(data)

    async def feed(self, piece: Piece, *, patience: float | None) -> None:
        """Take some output, in turns with everybody else on the loop; waits for room, `patience` seconds at most.

        Raises `Stalled` (`received` tells what was taken), and whatever it was refused with.
        """
        self.fed_at = time.monotonic()
        if self.blind:
            return
        at_ms = piece.at_ms if piece.at_ms is not None else time.time_ns() // 1_000_000
        intake = self._intakes[piece.stream]
        rest = memoryview(piece.data)[self._skip(piece) :]
        for start in range(0, len(rest), TURN_BYTES):
            await self._room(patience)
            async with self._turns if len(rest) > QUIET_TURN_BYTES else nullcontext():
                data = bytes(rest[start : start + TURN_BYTES])
                self.last_at_ms = at_ms
                self._append(intake.feed(at_ms, data))
                await asyncio.sleep(0)

    def system(self, text: str, *, at: datetime | None = None, told: Told | None = None) -> None:
        """Add a line of our own, of what happened `at` that time; `told` is durable with it, or not at all."""
        self.told = told or self.told
        at_ms = time.time_ns() // 1_000_000 if at is None else int(at.timestamp() * 1000)
        line = self.hide(text.replace("\n", " ")).encode()
        block = Block.of(at_ms, LogStream.SYSTEM.letter, [Cut(line, continues=False)])
        self._extend(replace(block, tally=replace(block.tally, told=told)))

    def end_line(self, stream: Stream) -> None:
        """What an earlier attempt left unfinished there ends here; nothing that this one writes belongs to it."""
        self._extend(Block.of(self.last_at_ms, stream.value, [Cut(b"", continues=False)], raws=[0]))

    def miss(self, reason: GapReason) -> None:
        """Note that an unknown number of lines is missing here; it takes one seq. The head of the log ends with it."""
        if self.blind:
            return
        for intake in self._intakes.values():
            self._append(intake.tear(self.last_at_ms))
        if self._rolling is None:
            self._rolling = _Rolling(self._window)
        self._rolling.gap = reason
        self._wake()

    def flush(self) -> None:
        """The program is gone: lines that it left unfinished are whole now."""
        for intake in self._intakes.values():
            for block in intake.finish(self.last_at_ms):
                self._append(block)

    async def drain(self) -> None:
        """The program is gone: flush what it left unfinished and wait until all is durable.

        Raises whatever it was refused with.
        """
        self.flush()
        self._draining = True
        while self.waits:
            self._wake()
            await self._change()
        self._check()

    def flush_quiet(self, now: float) -> None:
        """Show a partial line, such as a prompt, that nothing followed for a while."""
        for intake in self._intakes.values():
            for block in intake.settle(self.last_at_ms, now):
                self._append(block)

    def take(self, now: float, *, most: int = BATCH_BYTES) -> Batch | None:
        """The next batch to commit, of about `most` bytes; the same one again until it is confirmed."""
        if self._refusal is not None:
            return None
        if self._inflight is None:
            if self._pending:
                self._inflight = self._take_head(most)
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

    def _skip(self, piece: Piece) -> int:
        """Beyond the head, where of a large piece to begin: what would give way at once is only counted."""
        if self._rolling is None or len(piece.data) <= TURN_BYTES:
            return 0
        start = _newest_lines(piece.data)
        if start == 0:
            return 0
        self._rolling.skip(self._intakes[piece.stream].skip(piece.data[:start]))
        return start

    def _append(self, block: Block | None) -> None:
        if block is None:
            return
        if self.first_error_line is None and block.entries[0].letter == Stream.STDERR:
            self.first_error_line = block.entries[0].data
        self._extend(block)

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

    def _take_head(self, most: int) -> Batch:
        blocks: list[Block] = []
        tally = Tally()
        while self._pending and tally.charge < most:
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
    # What we say ourselves may be of long ago.
    system = LogStream.SYSTEM.letter
    return next((block.entries[0].at_ms for block in blocks if block.entries[0].letter != system), None)


def _chunks(first: int, blocks: Sequence[Block], most: int, *, rolling: bool) -> Iterator[NewChunk]:
    entries: list[Entry] = []
    charge = 0
    for index, block in enumerate(blocks):
        entries += block.entries
        charge += block.tally.charge
        if charge >= most or index == len(blocks) - 1:
            frame, raw = encode_lines(first, entries)
            last, times = first + len(entries) - 1, [entry[0] for entry in entries]
            yield NewChunk(first, last, frame, raw, charge, rolling, None, min(times), max(times))
            first, entries, charge = last + 1, [], 0


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
