"""What an attempt's output becomes on its way to the store: records, counted in blocks, written in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.logs.protocol import Entry, GapReason
from app.logs.records import RECORD_OVERHEAD, Cut
from worker.engine.port import Stream
from worker.told import NOTHING_TOLD, Told


@dataclass(frozen=True, slots=True)
class Tally:
    """Some records, added up: how many, raw bytes per stream, what they cost against the cap, what they tell."""

    count: int = 0
    out_bytes: int = 0
    err_bytes: int = 0
    charge: int = 0
    told: Told | None = None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.count + other.count,
            self.out_bytes + other.out_bytes,
            self.err_bytes + other.err_bytes,
            self.charge + other.charge,
            other.told or self.told,
        )

    @classmethod
    def of(cls, letter: str, *, count: int, size: int, raw: int) -> Tally:
        """Records of one stream for `raw` bytes of what the program wrote; the cap is charged `size` bytes of them."""
        return cls(
            count=count,
            out_bytes=raw if letter == Stream.STDOUT else 0,
            err_bytes=raw if letter == Stream.STDERR else 0,
            charge=size + count * RECORD_OVERHEAD,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Records of one stream that came together: what the sink counts with, so that no line is counted by itself.

    `raws` says for each how many bytes the program wrote for it, where that is not what the record holds.
    """

    entries: list[Entry]
    tally: Tally
    raws: list[int] | None = None

    @classmethod
    def of(cls, at_ms: int, letter: str, cuts: Sequence[Cut], raws: list[int] | None = None) -> Block:
        """The records that one piece of output completed."""
        entries = [_new(Entry, (at_ms, letter, data, continues)) for data, continues in cuts]
        return cls(entries, _tally(letter, entries, raws), raws)

    def _part(self, start: int, end: int) -> Block:
        entries = self.entries[start:end]
        raws = None if self.raws is None else self.raws[start:end]
        return Block(entries, _tally(self.entries[0].letter, entries, raws), raws)

    def _charge(self, index: int) -> int:
        size = len(self.entries[index].data)
        return RECORD_OVERHEAD + (size if self.raws is None else max(size, self.raws[index]))

    def cut(self, most: int) -> Iterator[Block]:
        """The same records in blocks of about so much."""
        if self.tally.charge <= most:
            yield self
            return
        start = size = 0
        for index in range(len(self.entries)):
            size += self._charge(index)
            if size >= most or index == len(self.entries) - 1:
                yield self._part(start, index + 1)
                start, size = index + 1, 0

    def split(self, room: int) -> tuple[Block, Block]:
        """What fits into so much of the cap, and the rest."""
        fitting = 0
        for index in range(len(self.entries)):
            room -= self._charge(index)
            if room < 0:
                break
            fitting += 1
        first, rest = self._part(0, fitting), self._part(fitting, len(self.entries))
        return first, replace(rest, tally=replace(rest.tally, told=self.tally.told))


# NamedTuple's own constructor takes three times as long, and floods pass here line by line.
_new = tuple.__new__


def _tally(letter: str, entries: Sequence[Entry], raws: list[int] | None) -> Tally:
    size = sum([len(data) for _, _, data, _ in entries])
    if raws is not None:
        # What is covered is charged, too: the engine's own log holds it, and must not rotate before ours is full.
        size = sum([max(len(entry.data), raw) for entry, raw in zip(entries, raws, strict=True)])
        return Tally.of(letter, count=len(entries), size=size, raw=sum(raws))
    open_ended = sum([continues for _, _, _, continues in entries])
    return Tally.of(letter, count=len(entries), size=size, raw=size + len(entries) - open_ended)


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log has come: a copy of its row in `log_heads`."""

    next_seq: int
    out_bytes: int
    err_bytes: int
    total_bytes: int
    charged: int
    truncated: bool
    told: Told = NOTHING_TOLD

    def plus(self, tally: Tally) -> Head:
        """The head after these records."""
        return Head(
            self.next_seq + tally.count,
            self.out_bytes + tally.out_bytes,
            self.err_bytes + tally.err_bytes,
            self.total_bytes + tally.out_bytes + tally.err_bytes,
            self.charged + tally.charge,
            self.truncated,
            tally.told or self.told,
        )


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A frame to store, or a `gap` where one should be; `charge` counts against the cap, the times are unix ms."""

    first: int
    last: int
    frame: bytes | None
    raw: bytes | None
    charge: int
    rolling: bool
    gap: GapReason | None = None
    first_ms: int | None = None
    last_ms: int | None = None


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
