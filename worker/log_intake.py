"""One stream of a program on its way into blocks of records; where there are secrets, masked on the way.

Whatever is held back, as the beginning of a line or of a secret, is not counted yet: the blocks that were handed out
add up to the byte at which somebody else would have to go on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence

from typing_extensions import override

from app.logs.records import Cut, Splitter
from worker.engine.port import Stream
from worker.log_blocks import Block, Tally
from worker.masking import Masker, Masks, Shown

# What nothing followed for so long is shown, in seconds: a partial line, such as a prompt; and a few bytes that are
# held back only because some secret begins like them.
QUIET_PARTIAL_AFTER = 1.0
QUIET_HELD_AFTER = 0.25
# What is covered may be long, and show little: so much of it becomes a record of its own.
UNCOUNTED_AT_MOST = 64 * 1024


class Intake:
    """A stream without secrets. `received` bytes were taken in."""

    def __init__(self, stream: Stream, received: int) -> None:
        self._letter = stream.value
        self._splitter = Splitter()
        self._fed_at = 0.0
        # Since when the beginning of a line waits for its rest.
        self._begun_at = 0.0
        self.received = received

    def feed(self, at_ms: int, data: bytes) -> Block | None:
        """The records that these bytes complete."""
        self.received += len(data)
        self._fed_at = time.monotonic()
        return self._block(at_ms, self._cut(data))

    def recall(self, data: bytes) -> None:
        """These bytes were taken in before us."""

    def skip(self, data: bytes) -> Tally:
        """Leave out what is held back and these bytes, which end a line; what that was."""
        self.received += len(data)
        raw = self._splitter.pending + len(data)
        return self._left_out(self._splitter.skip(data), raw)

    def tear(self, at_ms: int) -> Block | None:
        """Nobody knows what the program wrote next; after that it goes on. What can be said of what came before."""
        del at_ms
        return None

    def settle(self, at_ms: int, now: float) -> Iterator[Block]:
        """What is to be shown because its line has not ended for a while."""
        if self._splitter.pending and now - self._begun_at >= QUIET_PARTIAL_AFTER:
            yield from self._blocks(at_ms, self._splitter.flush(end=False))

    def finish(self, at_ms: int) -> Iterator[Block]:
        """The stream has ended: all that is held back."""
        yield from self._blocks(at_ms, self._splitter.flush(end=True))

    def _cut(self, data: bytes) -> list[Cut]:
        was_empty = not self._splitter.pending
        cuts = self._splitter.feed(data)
        if cuts or was_empty:
            self._begun_at = self._fed_at
        return cuts

    def _blocks(self, at_ms: int, cuts: Sequence[Cut]) -> Iterator[Block]:
        if block := self._block(at_ms, cuts):
            yield block

    def _block(self, at_ms: int, cuts: Sequence[Cut]) -> Block | None:
        return Block.of(at_ms, self._letter, cuts) if cuts else None

    def _left_out(self, lines: int, raw: int) -> Tally:
        return Tally.of(self._letter, count=lines, size=raw - lines, raw=raw)


class MaskedIntake(Intake):
    """A stream in which secrets are covered, so that its records have other sizes than what the program wrote.

    Positions are counted in what is shown and in what was written, up to the last record and up to what the masker gave
    out; `_marks` are the places in between at which the two drift apart.
    """

    def __init__(self, stream: Stream, received: int, masks: Masks) -> None:
        super().__init__(stream, received)
        self._masker = Masker(masks)
        self._shown, self._written = 0, received
        self._given_shown, self._given_written = 0, received
        self._marks: deque[tuple[int, int]] = deque()

    @override
    def feed(self, at_ms: int, data: bytes) -> Block | None:
        self.received += len(data)
        self._fed_at = time.monotonic()
        return self._take(at_ms, self._masker.feed(data))

    @override
    def recall(self, data: bytes) -> None:
        # Who has fed it before has it in mind.
        if not self._fed_at:
            self._masker.recall(data)

    @override
    def skip(self, data: bytes) -> Tally:
        lines = self._splitter.skip(self._masker.held + data)
        self._masker.recall(data)
        self.received += len(data)
        raw = self.received - self._written
        self._marks.clear()
        self._given_shown, self._given_written, self._written = self._shown, self.received, self.received
        return self._left_out(lines, raw)

    @override
    def tear(self, at_ms: int) -> Block | None:
        return self._take(at_ms, self._masker.tear())

    @override
    def settle(self, at_ms: int, now: float) -> Iterator[Block]:
        if (
            self._masker.held
            and now - self._fed_at >= QUIET_HELD_AFTER
            and (block := self._take(at_ms, self._masker.release()))
        ):
            yield block
        yield from super().settle(at_ms, now)

    @override
    def finish(self, at_ms: int) -> Iterator[Block]:
        if block := self._take(at_ms, self._masker.finish()):
            yield block
        yield from super().finish(at_ms)

    def _take(self, at_ms: int, given: list[Shown]) -> Block | None:
        for shown, written in given:
            self._given_shown += len(shown)
            self._given_written += written
            if len(shown) != written:
                if self._marks and self._marks[-1][0] == self._given_shown:
                    self._marks.pop()
                self._marks.append((self._given_shown, self._given_written))
        cuts = self._cut(b"".join([shown for shown, _ in given]))
        if not cuts and self._given_written - self._written > UNCOUNTED_AT_MOST:
            cuts = self._splitter.flush(end=False)
        return self._block(at_ms, cuts)

    @override
    def _block(self, at_ms: int, cuts: Sequence[Cut]) -> Block | None:
        if not cuts:
            return None
        if self._marks:
            return Block.of(at_ms, self._letter, cuts, [self._pass(cut) for cut in cuts])
        block = Block.of(at_ms, self._letter, cuts)
        size = block.tally.out_bytes + block.tally.err_bytes
        self._shown += size
        self._written += size
        return block

    def _pass(self, cut: Cut) -> int:
        """How many bytes were written for this record."""
        end = self._shown + len(cut.data) + (not cut.continues)
        shown, written = self._shown, self._written
        while self._marks and self._marks[0][0] <= end:
            shown, written = self._marks.popleft()
        written += end - shown
        if self._marks:
            # It may end within a mask that stands for fewer bytes than it has itself.
            written = min(written, self._marks[0][1])
        raw = written - self._written
        self._shown, self._written = end, written
        return raw
