"""Any log and any question, against what a few plain lines of Python find."""

import random
import re
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs.content import strip_escapes
from app.logs.filters import ALL_LETTERS, CONTEXT, JOIN_BYTES, SPAN, Selection, Sieve
from app.logs.grep import Grep
from app.logs.levels import Level, level_of
from app.logs.narrowing import (
    CURSOR_EVERY,
    HOLD_SECONDS,
    Chosen,
    More,
    MoreReason,
    Picked,
    _Narrowing,
    narrow,
)
from app.logs.protocol import Entry, Line, decode_lines, encode_lines
from app.logs.searching import Allowance, Searches
from app.logs.store import Chunk, Missing
from app.logs.tail import CaughtUp, Ended, Item, Notice
from support.values import DONE, RUNNING

words = st.sampled_from([
    "ERROR: ", "INFO x ", "a", "b", "foo", "\x1b[31m", "\x1b", "[0m", "\r", " ", "é", '{"level":"warn"}', "  at x", "",
])  # fmt: skip
records = st.builds(
    lambda at, letter, text, continues: Entry(at, letter, "".join(text).encode(), continues),
    st.integers(0, 50),
    st.sampled_from("ooes"),
    st.lists(words, max_size=3),
    st.booleans(),
)
# Records of a chunk, or the length of a gap.
logs = st.lists(st.one_of(st.lists(records, min_size=1, max_size=8), st.integers(1, 3)), max_size=8)
PATTERNS = ["a", "ERROR", "^a", "b$", "a.*b", "^$", "fo+", "é", "x|b", r"\s", "(a|b)+$"]


@dataclass(frozen=True)
class Question:
    selection: Selection
    pattern: str | None

    def wants(self, text: str, level: Level) -> bool:
        bare = strip_escapes(text).rstrip("\r")
        found = self.pattern is None or bool(re.search(self.pattern, bare)) is not self.selection.invert
        return found and (self.selection.level is None or level >= self.selection.level)


def a_question(pattern: str | None, selection: Selection) -> Question:
    return Question(replace(selection, grep=None if pattern is None else Grep(pattern)), pattern)


questions = st.builds(
    a_question,
    st.none() | st.sampled_from(PATTERNS),
    st.builds(
        Selection,
        letters=st.frozensets(st.sampled_from("oes"), min_size=1),
        after=st.integers(0, 30),
        before=st.none() | st.integers(1, 40),
        since=st.none() | st.integers(0, 50),
        until=st.none() | st.integers(0, 50),
        invert=st.booleans(),
        level=st.none() | st.sampled_from(Level),
        strip=st.booleans(),
        limit=st.none() | st.integers(1, 5),
    ),
)


def a_log(parts: Sequence[Sequence[Entry] | int]) -> list[Item]:
    items: list[Item] = []
    seq = 1
    for part in parts:
        if isinstance(part, int):
            items.append(Missing(seq, seq + part - 1, "log_limit"))
            seq += part
        else:
            frame, raw = encode_lines(seq, part)
            items.append(Chunk(seq, seq + len(part) - 1, frame, raw))
            seq += len(part)
    return [*items, Ended(DONE, seq - 1)]


def in_chunks(entries: Sequence[Entry], size: int) -> list[Item]:
    return a_log([entries[at : at + size] for at in range(0, len(entries), size)])


def between_gaps(items: Iterable[Item]) -> list[list[Line]]:
    runs: list[list[Line]] = [[]]
    for item in items:
        match item:
            case Chunk():
                runs[-1] += decode_lines(item.frame, item.raw)
            case Missing():
                runs.append([])
    return runs


def expected(items: Iterable[Item], question: Question) -> list[int]:
    """The seqs wanted: put lines together, find their levels, judge each."""
    seqs: list[int] = []
    for run in between_gaps(items):
        wholes: list[list[Line]] = []
        begun: dict[str, list[Line]] = {}
        for line in run:
            if line.letter not in begun:
                begun[line.letter] = []
                wholes.append(begun[line.letter])
            begun[line.letter].append(line)
            if not line.continues:
                del begun[line.letter]
        levels: dict[str, Level] = {}
        for whole in wholes:
            letter, text = whole[0].letter, "".join(line.text for line in whole)
            if letter != "s" and (level := level_of(strip_escapes(text).rstrip("\r"))) is not None:
                levels[letter] = level
            if letter in question.selection.letters and question.wants(text, levels.get(letter, Level.INFO)):
                seqs += [line.seq for line in whole if question.selection.reaches(line)]
    return sorted(seqs)[: question.selection.limit]


async def answer(items: Iterable[Item], selection: Selection, *, allowed: float = 1e6) -> list[Chosen]:
    async def tailed() -> AsyncIterator[Item]:
        for item in items:
            yield item

    narrowed = narrow(tailed(), selection, Searches(), follow=False, allowance=Allowance(allowed))
    return [chosen async for chosen in narrowed]


def lines_of(chosen: Iterable[Chosen]) -> list[Line]:
    lines: list[Line] = []
    for item in chosen:
        match item:
            case Chunk():
                lines += decode_lines(item.frame, item.raw)
            case Picked():
                lines += item.lines
    return lines


def seqs_of(chosen: Iterable[Chosen]) -> list[int]:
    return [line.seq for line in lines_of(chosen)]


@given(logs, questions)
async def test_any_question_to_any_log(parts: list[list[Entry] | int], question: Question) -> None:
    items = a_log(parts)
    assert seqs_of(await answer(items, question.selection)) == expected(items, question)


@given(logs, questions)
async def test_pages_of_any_size_are_the_whole(parts: list[list[Entry] | int], question: Question) -> None:
    items = a_log(parts)
    whole = expected(items, replace(question, selection=replace(question.selection, limit=None)))
    selection = replace(question.selection, limit=question.selection.limit or 1)
    seen: list[int] = []
    while True:
        page = await answer(items, selection)
        seen += seqs_of(page)
        if not (isinstance(page[-1], More) and page[-1].reason is MoreReason.LIMIT):
            break
        selection = replace(selection, after=page[-1].after)
    assert seen == whole


@given(logs, questions)
async def test_gaps_are_told_within_the_range_asked_for(parts: list[list[Entry] | int], question: Question) -> None:
    items = a_log(parts)
    selection = replace(question.selection, limit=None, until=None)
    told = [chosen for chosen in await answer(items, selection) if isinstance(chosen, Missing)]
    before = selection.before or 10**6
    missing = {seq for item in items if isinstance(item, Missing) for seq in range(item.first, item.last + 1)}
    assert [seq for gap in told for seq in range(gap.first, gap.last + 1)] == sorted(
        seq for seq in missing if selection.after < seq < before
    )


def eventful(count: int) -> list[Entry]:
    """Errors with tracebacks on one stream, cut lines on the other, and ours in between."""
    entries: list[Entry] = []
    for number in range(count):
        match number % 7:
            case 0:
                entries.append(Entry(number, "e", b"ERROR: number %d" % number, continues=False))
            case 1 | 2:
                entries.append(Entry(number, "e", b"  at line %d" % number, continues=False))
            case 3:
                entries.append(Entry(number, "o", b"begun %d " % number, continues=True))
            case 5:
                entries.append(Entry(number, "s", b"ours", continues=False))
            case 4:
                entries.append(Entry(number, "o", b"and ended", continues=False))
            case _:
                entries.append(Entry(number, "e", b"INFO fine", continues=False))
    return entries


@pytest.mark.parametrize(
    "selection",
    [
        Selection(level=Level.ERROR),
        Selection(grep=Grep("begun .*5 and")),
        Selection(grep=Grep("at line"), level=Level.ERROR, invert=True),
        Selection(strip=True, letters=frozenset("o")),
    ],
    ids=["level", "grep", "both", "strip"],
)
async def test_whoever_goes_on_anywhere_gets_exactly_the_rest(selection: Selection) -> None:
    """A reader begins a little before what they want, and that is enough."""
    items = in_chunks(eventful(CONTEXT + 3_000), 100)
    whole = seqs_of(await answer(items, selection))
    assert 100 < len(whole) < CONTEXT + 3_000
    for after in (1, 99, 100, CONTEXT - 1, CONTEXT, CONTEXT + 1_234, CONTEXT + 2_997, CONTEXT + 5_000):
        resumed = replace(selection, after=after)
        rest = [item for item in items if not isinstance(item, Chunk) or item.last > resumed.reads_after]
        assert seqs_of(await answer(rest, resumed)) == [seq for seq in whole if seq > after]


async def test_a_line_in_many_records_is_found_by_what_stands_across_them() -> None:
    spelled = [Entry(0, "o", letter.encode(), continues=True) for letter in "x hello world"]
    items = in_chunks([*spelled, Entry(0, "o", b"", continues=False), Entry(0, "o", b"hell", continues=False)], 4)
    assert seqs_of(await answer(items, Selection(grep=Grep("hello w")))) == list(range(1, len(spelled) + 2))


async def test_of_an_overlong_line_the_parts_are_kept_that_match() -> None:
    piece = b"x" * 16_384
    count = 3 * JOIN_BYTES // len(piece)
    entries = [Entry(0, "o", piece, continues=True) for _ in range(count)]
    entries[count // 2] = Entry(0, "o", b"needle", continues=True)
    items = in_chunks(
        [*entries, Entry(0, "o", b"the end", continues=False), Entry(0, "o", b"other", continues=False)], 8
    )
    seqs = seqs_of(await answer(items, Selection(grep=Grep("needle"))))
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    assert 1 < seqs[0] <= count // 2 + 1 <= seqs[-1] < count


async def test_the_parts_of_an_overlong_line_are_the_same_wherever_reading_begins() -> None:
    rng = random.Random(6)  # noqa: S311 - no secret
    pieces = [*([b"x"] * 20), *([b"ERROR: e"] * 9), b"INFO: i", b"y" * 12_000]
    entries = [Entry(0, rng.choice("ooe"), rng.choice(pieces), rng.random() > 1 / 900) for _ in range(7_000)]
    for at in rng.sample(range(len(entries)), 7):
        entries[at] = Entry(0, "o", b"needle", continues=True)
    items = in_chunks(entries, 100)
    for selection in (Selection(grep=Grep("needle")), Selection(level=Level.ERROR)):
        whole = seqs_of(await answer(items, selection))
        assert 500 < len(whole) < 6_500
        for after in rng.sample(range(len(entries)), 40):
            resumed = replace(selection, after=after)
            rest = [item for item in items if not isinstance(item, Chunk) or item.last > resumed.reads_after]
            assert seqs_of(await answer(rest, resumed)) == [seq for seq in whole if seq > after]


async def test_what_waits_for_the_rest_of_a_line_waits_for_so_many_records_at_most() -> None:
    sieve = Sieve(Selection(grep=Grep("found")))
    begun = [Entry(0, "o", b"begun", continues=True)]
    others = [Entry(0, "e", b"found", continues=False)] * (2 * SPAN + 9)
    chunks = [item for item in in_chunks([*begun, *others], 1) if isinstance(item, Chunk)]
    given_ = [sieve.take(chunk) for chunk in chunks]
    cut = 2 * SPAN - 1
    assert [len(lines) for lines in given_[:cut]] == [0] * cut
    assert [line.seq for line in given_[cut]] == list(range(2, cut + 2))
    assert sieve.decided == 2 * SPAN + 10


async def test_the_frame_of_a_chunk_that_is_wanted_whole_stays_the_very_same() -> None:
    items = in_chunks(eventful(10), 10)
    (whole, _) = items
    assert isinstance(whole, Chunk)
    for selection in (
        Selection(letters=ALL_LETTERS, before=99),
        Selection(grep=Grep("")),
        Selection(level=Level.TRACE),
    ):
        (picked, *_) = await answer(items, selection)
        assert isinstance(picked, Picked)
        assert picked.frame is whole.frame
    for selection in (Selection(strip=True), Selection(after=1), Selection(before=10), Selection(limit=9)):
        assert all(chosen.frame is None for chosen in await answer(items, selection) if isinstance(chosen, Picked))


async def test_escape_sequences_go_from_the_text_and_stay_in_the_bytes() -> None:
    entries = [Entry(0, "o", b"\x1b[3", continues=True), Entry(0, "o", b"1mred\xff", continues=False)]
    lines = lines_of(await answer(in_chunks(entries, 1), Selection(strip=True)))
    assert [(line.text, line.data) for line in lines] == [("", b"\x1b[3"), ("red\ufffd", b"1mred\xff")]


async def test_a_search_ends_when_its_time_is_over_and_can_be_gone_on_with() -> None:
    items = in_chunks(eventful(1_000), 100)
    selection = Selection(grep=Grep("number"))
    whole = seqs_of(await answer(items, selection))
    seen: list[int] = []
    turns = 0
    while True:
        chosen = await answer(items, selection, allowed=1e-9)
        seen += seqs_of(chosen)
        turns += 1
        if not isinstance(chosen[-1], More):
            break
        assert chosen[-1].reason is MoreReason.SEARCH_TIME
        assert chosen[-1].after > selection.after
        selection = replace(selection, after=chosen[-1].after)
    assert seen == whole
    assert turns > 3


async def test_an_answer_ends_where_it_was_asked_to() -> None:
    items = in_chunks(eventful(1_000), 10)
    chosen = await answer(items, Selection(before=25))
    assert chosen[-1] == More(24, MoreReason.BEFORE)
    assert seqs_of(chosen) == list(range(1, 25))
    late = [Entry(at, "o", b"x", continues=False) for at in (1, 2, 90_000, 3, 2)]
    assert seqs_of(await answer(in_chunks(late, 1), Selection(until=3))) == [1, 2, 5]


async def test_a_follower_is_let_go_when_the_time_has_come() -> None:
    now = round(time.time() * 1000)
    narrowing = _Narrowing(Selection(until=now - 60_000), Searches(), follow=True, allowance=Allowance(1e6))
    (frame, raw), caught_up = encode_lines(1, [Entry(now - 70_000, "o", b"x", continues=True)]), CaughtUp(RUNNING)
    assert seqs_of(await narrowing.take(Chunk(1, 1, frame, raw), 0.0)) == [1]
    assert await narrowing.take(caught_up, 0.0) == [caught_up]
    # To hear nothing is not to have everything: whatever one would hear it from may be away.
    assert await narrowing.take(None, 60.0) == []
    has_all = CaughtUp(RUNNING, now / 1000)
    assert await narrowing.take(has_all, 0.0) == [has_all, More(1, MoreReason.UNTIL)]
    waiting = _Narrowing(Selection(until=now + 60_000), Searches(), follow=True, allowance=Allowance(1e6))
    assert await waiting.take(has_all, 0.0) == [has_all]
    assert waiting.patience() is None


class Live:
    """A reader who has caught up. `idle` is how long they have waited for an item."""

    def __init__(self, selection: Selection) -> None:
        self.narrowing = _Narrowing(selection, Searches(), follow=True, allowance=Allowance(1e6))
        self._seq = 0

    async def chosen(self, text: str, letter: str = "o", *, idle: float = 0.0, continues: bool = False) -> list[Chosen]:
        self._seq += 1
        frame, raw = encode_lines(self._seq, [Entry(0, letter, text.encode(), continues)])
        return await self.narrowing.take(Chunk(self._seq, self._seq, frame, raw), idle)

    async def write(self, text: str, letter: str = "o", **more: Any) -> list[int]:
        return seqs_of(await self.chosen(text, letter, **more))

    async def take(self, item: Item | None, idle: float = 0.0) -> list[int]:
        return seqs_of(await self.narrowing.take(item, idle))

    def patience(self) -> float | None:
        return self.narrowing.patience()


async def test_a_live_reader_waits_for_the_rest_of_a_line_and_not_for_ever() -> None:
    live = Live(Selection(grep=Grep("found")))
    await live.take(CaughtUp(RUNNING))
    assert live.patience() is None
    # However long nothing came before it.
    assert await live.write("begun, ", continues=True, idle=HOLD_SECONDS * 5) == []
    assert await live.write("found", "e", idle=HOLD_SECONDS / 2) == []
    assert 0 < (live.patience() or 0) <= HOLD_SECONDS
    assert await live.take(None, HOLD_SECONDS) == [2]
    # The beginning is gone by, the rest is not: as for one who comes back after 2.
    assert await live.write("and found") == [3]
    assert await live.write("whole and found") == [4]


async def test_other_streams_going_on_does_not_make_it_wait_longer() -> None:
    live = Live(Selection(grep=Grep("found")))
    await live.take(CaughtUp(RUNNING))
    await live.write("50%", continues=True)
    assert await live.write("found", "e", idle=HOLD_SECONDS * 0.6) == []
    assert await live.write("found", "e", idle=HOLD_SECONDS * 0.6) == [2, 3]


async def test_a_reader_of_what_is_stored_waits_as_long_as_it_takes() -> None:
    live = Live(Selection(grep=Grep("found")))
    await live.write("begun, ", continues=True)
    assert await live.write("found", "e", idle=HOLD_SECONDS * 3) == []
    assert await live.write("found") == [1, 2, 3]


async def test_notices_wait_for_nothing() -> None:
    narrowing = _Narrowing(Selection(grep=Grep("x")), Searches(), follow=True, allowance=Allowance(1e6))
    assert await narrowing.take(Notice(b"{}"), 0.0) == [Notice(b"{}")]


async def test_who_finds_nothing_learns_the_cursor_now_and_then() -> None:
    live = Live(Selection(grep=Grep("never")))
    await live.take(CaughtUp(RUNNING))
    assert await live.chosen("something") == []
    assert 0 < (live.patience() or 0) <= CURSOR_EVERY
    live.narrowing._told_at -= CURSOR_EVERY
    assert live.patience() == 0
    assert await live.chosen("something else") == [Picked([], 2)]
    assert live.patience() is None
