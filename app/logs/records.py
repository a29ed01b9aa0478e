"""Bytes of one stream → records: lines, or pieces of long lines. Pure: any split of the stream gives the same lines.

A record is at most `RECORD_BYTES` raw bytes of one stream. One that is not followed by its newline *continues*: a
reader joins it with the next record of the same stream. Long lines are cut at character boundaries where the bytes
are UTF-8, so that every piece is readable by itself.
"""

from __future__ import annotations

from typing import NamedTuple

RECORD_BYTES = 16_384
# What one kept record costs beyond its bytes; the engine's own log has a like overhead.
RECORD_OVERHEAD = 32


class Cut(NamedTuple):
    """One record's bytes, without the newline; `continues` when none followed."""

    data: bytes
    continues: bool


_new = tuple.__new__


class Splitter:
    """Cuts one stream. `pending` bytes were fed but are not in a record yet."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> int:
        """Bytes held back because their line may go on."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Cut]:
        """The records that these bytes complete."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if not lines or max(map(len, lines)) <= RECORD_BYTES:
            # NamedTuple's own constructor takes three times as long, and floods pass here line by line.
            records = [_new(Cut, (line, False)) for line in lines]
        else:
            records = []
            for line in lines:
                records.append(Cut(_cut_long(line, records), continues=False))
        if len(self._rest) > RECORD_BYTES:
            self._rest = _cut_long(self._rest, records)
        return records

    def skip(self, data: bytes) -> int:
        """Leave out what is held back and these bytes, which end a line; how many lines that is."""
        self._rest = b""
        return data.count(b"\n")

    def flush(self, *, end: bool) -> list[Cut]:
        """What is held back, as a continuing record; before the `end` a character begun stays held back."""
        keep = 0 if end else len(self._rest) - character_boundary(self._rest, len(self._rest))
        data, self._rest = self._rest[: len(self._rest) - keep], self._rest[len(self._rest) - keep :]
        return [Cut(data, continues=True)] if data else []


def _cut_long(line: bytes, records: list[Cut]) -> bytes:
    """Append full pieces of a long line; what is left is at most one record."""
    start = 0
    while len(line) - start > RECORD_BYTES:
        end = start + character_boundary(line[start : start + RECORD_BYTES + 1], RECORD_BYTES)
        records.append(Cut(line[start:end], continues=True))
        start = end
    return line[start:]


def character_boundary(data: bytes, limit: int) -> int:
    """The largest cut ≤ `limit` that splits no UTF-8 character; `limit` itself where the bytes are not UTF-8."""
    for back in range(1, min(4, limit + 1)):
        byte = data[limit - back]
        if byte < 0x80:  # ASCII: nothing is open
            return limit
        if byte >= 0xC0:  # the first byte of a character of `needed` bytes
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return limit - back if needed > back else limit
    return limit
