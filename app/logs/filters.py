"""Which records of a log a reader gets. Pure.

A record is judged with its whole *line*: continued records joined. All records of a line are kept, or none. What is
kept does not depend on where reading began: a reader starts `CONTEXT` records earlier than it shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from app.logs.content import Stripper, is_plain, strip_escapes
from app.logs.grep import Grep
from app.logs.levels import Level, level_of
from app.logs.protocol import Line, LogStream, Row, lines_of_rows
from app.logs.segments import Chunk

# Beyond this an unfinished line is judged, and passed on, in parts.
JOIN_BYTES = 2**20
# A line is cut at multiples of this, the first time when it is as long; and a level reaches no further. So what is held
# is bounded, and so is what has to be read again to go on anywhere: what is two cuts back, and what that depends on.
SPAN = 512
CONTEXT = 5 * SPAN
ALL_LETTERS = frozenset(stream.letter for stream in LogStream)
# What says nothing of its level.
ORDINARY = Level.INFO


@dataclass(frozen=True, slots=True)
class Selection:
    """What a reader wants. Times are unix milliseconds; `since` ≤ time < `until`, and `after` < seq < `before`."""

    letters: frozenset[str] = ALL_LETTERS
    after: int = 0
    before: int | None = None
    since: int | None = None
    until: int | None = None
    grep: Grep | None = None
    invert: bool = False
    level: Level | None = None
    strip: bool = False
    limit: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether every record from `after` on is wanted, as it is."""
        return self == Selection(after=self.after)

    @property
    def is_of_streams(self) -> bool:
        """Whether it depends on nothing but the stream of a record."""
        return self == Selection(letters=self.letters, after=self.after)

    @property
    def is_of_place(self) -> bool:
        """Whether every record is wanted of those between two places."""
        return self == Selection(
            after=self.after, before=self.before, since=self.since, strip=self.strip, limit=self.limit
        )

    @property
    def judges(self) -> bool:
        """Whether it depends on what a line says."""
        return self.grep is not None or self.level is not None

    @property
    def reads_after(self) -> int:
        """Where reading has to begin."""
        return max(0, self.after - CONTEXT) if self.judges or self.strip else self.after

    def reaches(self, line: Line) -> bool:
        """Whether a record is of the range asked for."""
        return (
            line.seq > self.after
            and (self.before is None or line.seq < self.before)
            and (self.since is None or line.at_ms >= self.since)
            and (self.until is None or line.at_ms < self.until)
        )


@dataclass(slots=True, eq=False)
class _Whole:
    """A line, or a part of an overlong one, which ends before seq `end`. `kept` is None until it is judged."""

    first: int
    letter: str
    end: int
    texts: list[str] = field(default_factory=list)
    size: int = 0
    kept: bool | None = None

    def add(self, text: str) -> None:
        self.texts.append(text)
        self.size += len(text)
        if self.kept is False:
            # It was judged before its time.
            self.kept = None

    def takes(self, seq: int) -> bool:
        return seq < self.end and self.size <= JOIN_BYTES

    def next(self, seq: int) -> _Whole:
        """The part behind it. Where parts end does not depend on where the line began to be read."""
        return _Whole(seq, self.letter, self.end if seq < self.end else _cut_after(seq))


def _cut_after(seq: int) -> int:
    return (seq // SPAN + 1) * SPAN


class Sieve:
    """Takes chunks in order, and gives the records that are wanted, in order, as soon as that is known.

    `newest` is the latest time of a record that was taken.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self.newest = 0
        self._seen = 0
        self._open: dict[str, _Whole] = {}
        self._held: deque[tuple[Line, _Whole]] = deque()
        self._levels: dict[str, tuple[Level, int]] = {}
        self._strippers: dict[str, Stripper] = {}

    @property
    def decided(self) -> int:
        """Of the records up to this one, all that are wanted have been given."""
        return self._held[0][0].seq - 1 if self._held else self._seen

    @property
    def holds(self) -> bool:
        """Whether records wait for the rest of a line."""
        return bool(self._held)

    def take(self, chunk: Chunk) -> list[Line]:
        """What can be given now."""
        self._seen = chunk.last
        content = orjson.loads(chunk.frame)
        rows: list[Row] = content["lines"]
        self.newest = max(self.newest, rows[-1][0])
        if self._selection.judges and not self._held and not self._open and max(map(len, rows)) == 3:
            return self._given(self._single(chunk, rows))
        lines = lines_of_rows(chunk.first, rows, chunk.raw)
        if not self._selection.judges:
            return self._given(line for line in lines if line.letter in self._selection.letters)
        self._join(lines)
        return self._release()

    def pass_by(self, last: int) -> None:
        """Everything up to this record was given without it."""
        self._seen = last

    def release(self) -> list[Line]:
        """Wait no longer: lines that have not ended are judged by what there is of them."""
        self._judge(list(self._open.values()))
        return self._release()

    def close(self, last: int) -> list[Line]:
        """Nothing follows, or nothing that belongs to it, before the record after `last`."""
        given = self.release()
        self._open.clear()
        self._levels.clear()
        self._strippers.clear()
        self._seen = max(self._seen, last)
        return given

    def _single(self, chunk: Chunk, rows: Sequence[Row]) -> Iterable[Line]:
        """Of rows that are a line each. Most logs are nothing else, so what is not wanted costs little."""
        selection = self._selection
        wanted = [index for index, row in enumerate(rows) if row[1] in selection.letters]
        if selection.level is None:
            found = self._found([rows[index][2] for index in wanted])
            kept = [index for place, index in enumerate(wanted) if (place in found) is not selection.invert]
        else:
            wholes = [_Whole(chunk.first + index, rows[index][1], 0, texts=[rows[index][2]]) for index in wanted]
            self._judge(wholes)
            kept = [index for index, whole in zip(wanted, wholes, strict=True) if whole.kept]
        return lines_of_rows(chunk.first, rows, chunk.raw, only=kept)

    def _join(self, lines: Iterable[Line]) -> None:
        ended: list[_Whole] = []
        last = 0
        for line in lines:
            last = line.seq
            if line.letter not in self._selection.letters:
                continue
            whole = self._open.get(line.letter)
            if whole is None:
                whole = _Whole(line.seq, line.letter, _cut_after(line.seq + SPAN - 1))
            elif not whole.takes(line.seq):
                ended.append(whole)
                whole = whole.next(line.seq)
            whole.add(line.text)
            self._held.append((line, whole))
            if line.continues:
                self._open[line.letter] = whole
            else:
                self._open.pop(line.letter, None)
                ended.append(whole)
        ended += (whole for whole in self._open.values() if not whole.takes(last))
        self._judge(ended)

    def _judge(self, wholes: Sequence[_Whole]) -> None:
        """In their order, since a line without a level has that of the line before."""
        selection = self._selection
        waiting = [whole for whole in wholes if whole.kept is None]
        texts = ["".join(whole.texts) for whole in waiting]
        found = self._found(texts)
        for place, (whole, text) in enumerate(zip(waiting, texts, strict=True)):
            kept = selection.grep is None or (place in found) is not selection.invert
            if selection.level is not None:
                kept = self._level(whole, strip_escapes(text)) >= selection.level and kept
            whole.kept = kept

    def _found(self, texts: Sequence[str]) -> Container[int]:
        """The places of those that match, as they show: without escape sequences and carriage returns at their end."""
        if self._selection.grep is None or not texts:
            return ()
        if not is_plain("".join(texts)):
            texts = [strip_escapes(text).rstrip("\r") for text in texts]
        return set(self._selection.grep.matching(texts))

    def _level(self, whole: _Whole, text: str) -> Level:
        if whole.letter == LogStream.SYSTEM.letter:
            return ORDINARY
        level = level_of(text)
        if level is not None:
            self._levels[whole.letter] = (level, whole.first)
            return level
        before, at = self._levels.get(whole.letter, (ORDINARY, whole.first))
        return before if whole.first - at < SPAN else ORDINARY

    def _release(self) -> list[Line]:
        ready: list[Line] = []
        while self._held and self._held[0][1].kept is not None:
            line, whole = self._held.popleft()
            if whole.kept:
                ready.append(line)
        return self._given(ready)

    def _given(self, lines: Iterable[Line]) -> list[Line]:
        selection = self._selection
        found = list(map(self._stripped, lines) if selection.strip else lines)
        is_bounded = not (selection.before is selection.since is selection.until is None)
        if is_bounded or (found and found[0].seq <= selection.after):
            return [line for line in found if selection.reaches(line)]
        return found

    def _stripped(self, line: Line) -> Line:
        stripper = self._strippers.setdefault(line.letter, Stripper())
        text = stripper.shown(line.text, continues=line.continues)
        return line if text == line.text else line._replace(text=text, exact=line.data)
