"""Secrets out of what a program writes: every byte that belongs to a form of one is covered by `***`. Pure.

A `Masker` takes one stream in pieces, cut anywhere. It holds back only an end that may be the beginning of a form, so
what is no part of a secret passes at once. Line ends are never covered: masked or not, a log has the same lines.

Long forms are looked for in blocks. So at most a block less one byte is held back, and half a key is masked, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from ahocorasick_rs import BytesAhoCorasick

from app.secrets.model import SHORTEST_MASKED
from worker.secret_forms import forms_of

MASK = b"***"
# What one mask stands for, at most, in bytes: what is covered without an end is counted now and then, too.
MASK_SPAN = 64 * 1024
BLOCK_BYTES = 64

Span = tuple[int, int]
# What is shown, and for how many bytes of the stream.
Shown = tuple[bytes, int]


class Masks:
    """What is looked for: all forms of all secrets of one execution."""

    def __init__(self, forms: Iterable[bytes]) -> None:
        """Of forms of at least `SHORTEST_MASKED` bytes; there is at least one."""
        self.forms = _needed({block for form in forms for block in _blocks(form)})
        self._finder = BytesAhoCorasick(self.forms)
        self._heads = BytesAhoCorasick({form[:SHORTEST_MASKED] for form in self.forms})
        self._short = frozenset(form[:size] for form in self.forms for size in range(1, SHORTEST_MASKED))
        self._reversed = sorted(form[::-1] for form in self.forms)

    @classmethod
    def of(cls, values: Iterable[str]) -> Masks | None:
        """For these secrets; None when none of them is long enough to be masked."""
        forms = {form for value in values for form in forms_of(value)}
        return cls(forms) if forms else None

    def find(self, text: bytes) -> list[Span]:
        """Where forms are, in order; those that overlap or touch are one."""
        # Hardly ever is there one, and to find that out takes one look.
        if not self._finder.find_matches_as_indexes(text):
            return []
        return _merged([(start, end) for _, start, end in self._finder.find_matches_as_indexes(text, overlapping=True)])

    def unfinished(self, text: bytes) -> int:
        """How much of the end may be the beginning of a form, at most."""
        tail = text[1 - BLOCK_BYTES :]
        for _, start, _ in self._heads.find_matches_as_indexes(tail, overlapping=True):
            if _begins_one(tail[start:], self.forms):
                return len(tail) - start
        for size in range(min(SHORTEST_MASKED - 1, len(tail)), 0, -1):
            if tail[-size:] in self._short:
                return size
        return 0

    def left_over(self, text: bytes) -> int:
        """How much of the beginning may be the end of a form whose beginning is missing; 0 if that is too short."""
        backwards = text[: BLOCK_BYTES - 1][::-1]
        for start in range(len(backwards) - SHORTEST_MASKED + 1):
            if _begins_one(backwards[start:], self._reversed):
                return len(backwards) - start
        return 0

    def hide(self, text: bytes) -> bytes:
        """The whole of a text, with every secret in it covered; an end that may be cut off in one, too."""
        masker = Masker(self)
        return b"".join(shown for shown, _ in (*masker.feed(text), *masker.finish()))


class Masker:
    """One stream."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        # The longest end of what came that may be the beginning of a form, and how much of it was given out.
        self._open = b""
        self._given = 0
        # What the `***` stands for that was given out last, if nothing came after it: it takes more.
        self._covered = 0
        self._torn = False

    @property
    def held(self) -> bytes:
        """What came, but was not given out."""
        return self._open[self._given :]

    def feed(self, data: bytes) -> list[Shown]:
        """What may be shown now."""
        text = self._open + data
        found = self._masks.find(text)
        if self._torn and data:
            # What was lost may have held the beginning of a secret.
            self._torn = False
            found = _merged([*found, (0, self._masks.left_over(data))])
        begin = len(text) - self._masks.unfinished(text)
        # What is covered in any case need not be held back.
        until = max(self._given, next((end for start, end in found if start <= begin < end), begin))
        shown = self._cut(text, self._given, until, found)
        self._open, self._given = text[begin:], until - begin
        return shown

    def release(self) -> list[Shown]:
        """Nothing has come for a while: what is held back is shown, if it gives too little of a secret away."""
        return self._give([]) if len(self._open) < SHORTEST_MASKED else []

    def finish(self) -> list[Shown]:
        """Nothing more comes: the beginning of a secret stays covered."""
        size = len(self._open)
        shown = self._give([(0, size)] if size >= SHORTEST_MASKED else [])
        self._open, self._given, self._covered = b"", 0, 0
        return shown

    def tear(self) -> list[Shown]:
        """Nobody knows what came next; after that it goes on."""
        shown = self.finish()
        self._torn = True
        return shown

    def recall(self, data: bytes) -> None:
        """These bytes came, but have been dealt with."""
        self.feed(data)
        self._covered = 0 if self.held else self._covered
        self._given = len(self._open)

    def _give(self, found: list[Span]) -> list[Shown]:
        shown = self._cut(self._open, self._given, len(self._open), found)
        self._given = len(self._open)
        return shown

    def _cut(self, text: bytes, at: int, until: int, found: Sequence[Span]) -> list[Shown]:
        shown: list[Shown] = []
        for start, end in found:
            if end <= at:
                continue
            if start >= until:
                break
            if start > at:
                shown.append((text[at:start], start - at))
                self._covered = 0
                at = start
            covered = text[at : min(end, until)]
            self._cover(covered, shown)
            at += len(covered)
        if at < until:
            shown.append((text[at:until], until - at))
            self._covered = 0
        return shown

    def _cover(self, text: bytes, shown: list[Shown]) -> None:
        for number, line in enumerate(text.split(b"\n")):
            if number:
                shown.append((b"\n", 1))
                self._covered = 0
            if line:
                fits = 0 < self._covered < MASK_SPAN
                shown.append((b"" if fits else MASK, len(line)))
                self._covered = len(line) + (self._covered if fits else 0)


def _blocks(form: bytes) -> list[bytes]:
    if len(form) <= BLOCK_BYTES:
        return [form]
    starts = (*range(0, len(form) - BLOCK_BYTES, BLOCK_BYTES), len(form) - BLOCK_BYTES)
    return [form[start : start + BLOCK_BYTES] for start in starts]


def _needed(forms: set[bytes]) -> list[bytes]:
    """Sorted, without those that are covered wherever they are because shorter ones are all over them.

    So nobody can make a text in which thousands of forms end at every byte.
    """
    finder = BytesAhoCorasick(forms)
    needed = []
    for form in forms:
        found = finder.find_matches_as_indexes(form, overlapping=True)
        spans = [(start, end) for _, start, end in found if end - start < len(form)]
        spans += [(at, at + 1) for at, byte in enumerate(form) if byte == 0x0A]
        if _merged(spans) != [(0, len(form))]:
            needed.append(form)
    return sorted(needed)


def _begins_one(text: bytes, forms: Sequence[bytes]) -> bool:
    """Whether one of these sorted forms begins with the text and goes on."""
    at = bisect_right(forms, text)
    return at < len(forms) and forms[at].startswith(text)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > start:
            merged.append((start, end))
    return merged
