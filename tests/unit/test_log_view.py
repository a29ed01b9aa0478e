import itertools
from collections.abc import AsyncIterator, Iterable, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs.content import last_state
from app.logs.filters import JOIN_BYTES
from app.logs.narrowing import Chosen, More, MoreReason, Picked
from app.logs.protocol import Entry, Line, decode_lines, encode_lines
from app.logs.store import Chunk, Missing
from app.logs.tail import CaughtUp, Ended, Notice
from app.logs.view import MEDIA_TYPES, Joiner, LogFormat, View, frames
from support.values import DONE, RUNNING

entries = st.builds(
    Entry,
    st.integers(0, 2**42),
    st.sampled_from("oes"),
    st.one_of(st.binary(max_size=20), st.text(max_size=10).map(str.encode)),
    st.booleans(),
)
without_returns = entries.map(lambda entry: entry._replace(data=entry.data.replace(b"\r", b"")))


def chunk(first: int, *lines: tuple[str, bytes] | tuple[str, bytes, str]) -> Chunk:
    """`chunk(3, ("o", b"x"), ("e", b"half", "+"))`."""
    return chunk_of(first, [Entry(1_000 + first, line[0], line[1], len(line) > 2) for line in lines])


def chunk_of(first: int, sent: Sequence[Entry]) -> Chunk:
    frame, raw = encode_lines(first, sent)
    return Chunk(first, first + len(sent) - 1, frame, raw)


def picked(whole: Chunk, *letters: str) -> Picked:
    """Those of its lines that are of these streams."""
    return Picked([line for line in decode_lines(whole.frame, whole.raw) if line.letter in letters], whole.last)


async def body(view: View, *items: Chosen) -> bytes:
    async def tailed() -> AsyncIterator[Chosen]:
        for item in items:
            yield item

    return b"".join([piece async for piece in view.encode(tailed())])


def lines_in(items: Iterable[bytes]) -> list[Line]:
    return [line for frame in items for line in decode_lines(frame)]


async def test_plain_text_is_the_lines() -> None:
    text = await body(View(LogFormat.TEXT), chunk(1, ("o", b"one"), ("e", b"two")), CaughtUp(RUNNING))
    assert text == b"one\ntwo\n"


async def test_plain_text_joins_what_was_cut_each_stream_for_itself() -> None:
    text = await body(
        View(LogFormat.TEXT),
        chunk(1, ("o", b"he", "+"), ("e", b"wor", "+")),
        chunk(3, ("o", b"llo"), ("e", b"ld")),
        Ended(DONE, 4),
    )
    assert text == b"hello\nworld\n"


@pytest.mark.parametrize("last", [Ended(DONE, 1), CaughtUp(RUNNING)])
async def test_plain_text_shows_a_line_that_has_no_newline_yet(last: Chosen) -> None:
    assert await body(View(LogFormat.TEXT), chunk(1, ("o", b"name? ", "+")), last) == b"name? "


async def test_plain_text_does_not_join_a_line_across_a_gap() -> None:
    text = await body(
        View(LogFormat.TEXT),
        chunk(1, ("o", b"begun", "+")),
        Missing(2, 8, "log_limit"),
        chunk(9, ("o", b"the end of another")),
        Ended(DONE, 9),
    )
    assert text == "begun\n[lines 2–8 are not kept: log_limit]\nthe end of another\n".encode()


async def test_timestamps_stand_before_lines_and_not_within_them() -> None:
    pieces = [Entry(0, "o", b"a", continues=True), Entry(1, "e", b"b", continues=False)]
    late = [Entry(2_500, "o", b"c", continues=False)]
    text = await body(View(LogFormat.TEXT, timestamps=True), chunk_of(1, pieces), chunk_of(3, late), Ended(DONE, 3))
    assert text == b"1970-01-01T00:00:00.001+00:00 b\n1970-01-01T00:00:00.000+00:00 ac\n"


async def test_a_line_without_end_is_passed_on_in_parts() -> None:
    piece = b"x" * 16_384
    count = JOIN_BYTES // len(piece) + 1
    joiner = Joiner(timestamps=True)
    lines = [line for seq in range(1, count + 1) for line in decode_lines(chunk(seq, ("o", piece, "+")).frame)]
    assert joiner.join(lines[:-1]) == b""
    assert joiner.join(lines[-1:]) == b"1970-01-01T00:00:01.001+00:00 " + piece * count
    assert joiner.join(decode_lines(chunk(99, ("o", b"!")).frame)) == b"!\n"
    assert joiner.close() == b""


@given(st.lists(without_returns, max_size=20), st.lists(st.integers(0, 20), max_size=4))
async def test_joined_text_holds_every_byte_of_each_stream_in_order(sent: list[Entry], cuts: list[int]) -> None:
    """Whole lines are put out when they end, so each stream by itself reads as it was written."""
    for letter in "oes":
        own = [entry for entry in sent if entry.letter == letter]
        items = [picked(item, letter) for item in in_chunks(sent, cuts)]
        text = await body(View(LogFormat.TEXT), *items, Ended(DONE, len(sent)))
        assert text == b"".join(
            entry.data.decode(errors="replace").encode() + (b"" if entry.continues else b"\n") for entry in own
        )


@given(st.lists(st.text("ab \r", max_size=6), min_size=1, max_size=8))
async def test_a_line_that_is_written_over_shows_its_last_state_however_it_was_cut(pieces: list[str]) -> None:
    sent = [Entry(0, "o", piece.encode(), continues=index < len(pieces)) for index, piece in enumerate(pieces, start=1)]
    text = await body(View(LogFormat.TEXT), *in_chunks(sent, [1, 3]), Ended(DONE, len(sent)))
    assert text.decode() == last_state("".join(pieces)) + "\n"


async def test_a_progress_bar_takes_no_more_room_than_its_last_state() -> None:
    joiner = Joiner()
    bar = [("o", b"\r%3d%%|%b" % (number % 100, b"#" * 1_000), "+") for number in range(5_000)]
    assert joiner.join(decode_lines(chunk(1, *bar).frame)) == b""
    assert joiner.join(decode_lines(chunk(5_001, ("o", b"\r100%\r")).frame)) == b"100%\n"


@given(st.lists(entries, max_size=20), st.lists(st.integers(0, 20), max_size=4))
async def test_raw_is_the_exact_bytes(sent: list[Entry], cuts: list[int]) -> None:
    raw = await body(View(LogFormat.RAW), *in_chunks(sent, cuts), Ended(DONE, len(sent)))
    assert raw == b"".join(entry.data + (b"" if entry.continues else b"\n") for entry in sent)


def in_chunks(sent: list[Entry], cuts: list[int]) -> list[Chunk]:
    borders = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    return [chunk_of(start + 1, sent[start:end]) for start, end in itertools.pairwise(borders) if end > start]


async def test_ndjson_is_one_object_per_line() -> None:
    sent = [Entry(1_500, "o", b"a\xff", continues=True), Entry(1_501, "s", b"", continues=False)]
    text = await body(View(LogFormat.NDJSON), chunk_of(3, sent), Missing(5, 6, "log_limit"), Ended(DONE, 6))
    assert [orjson.loads(line) for line in text.splitlines()] == [
        {"seq": 3, "at": "1970-01-01T00:00:01.500+00:00", "stream": "stdout", "text": "a\ufffd", "continues": True},
        {"seq": 4, "at": "1970-01-01T00:00:01.501+00:00", "stream": "system", "text": ""},
        {"type": "gap", "from": 5, "to": 6, "reason": "log_limit"},
    ]


@pytest.mark.parametrize(
    ("reason", "ndjson", "text"),
    [
        (MoreReason.LIMIT, b'{"type":"more","after":7,"reason":"limit"}\n', b""),
        (
            MoreReason.SEARCH_TIME,
            b'{"type":"more","after":7,"reason":"search_time"}\n',
            b"[the search took too long: go on with after=7]\n",
        ),
        (MoreReason.BEFORE, b"", b""),
        (MoreReason.UNTIL, b"", b""),
    ],
)
async def test_an_answer_says_that_it_ends_early_unless_that_place_was_asked_for(
    reason: MoreReason, ndjson: bytes, text: bytes
) -> None:
    assert await body(View(LogFormat.NDJSON), More(7, reason)) == ndjson
    assert await body(View(LogFormat.TEXT), More(7, reason)) == text
    event = b'event: end\nid: 7\ndata: {"type":"more","after":7,"reason":"%b"}\n\n' % reason.encode()
    assert await body(View(LogFormat.SSE), More(7, reason)) == event


async def test_server_sent_events_carry_the_cursor_to_resume_with() -> None:
    text = await body(
        View(LogFormat.SSE),
        CaughtUp(RUNNING),
        chunk(3, ("o", b"a"), ("e", b"b")),
        Notice(b'{"type":"status"}'),
        Missing(5, 8, "log_limit"),
        Picked([], 99),
        Ended(DONE, 120),
    )
    quiet, lines, notice, gap, cursor, end = text.decode().removesuffix("\n\n").split("\n\n")
    assert quiet == ":"
    assert lines.splitlines()[0] == "id: 4"
    assert orjson.loads(lines.splitlines()[1].removeprefix("data: "))["first"] == 3
    assert notice == 'data: {"type":"status"}'
    assert gap.splitlines()[0] == "id: 8"
    assert cursor == "id: 99"
    assert end.splitlines()[:2] == ["event: end", "id: 120"]
    assert orjson.loads(end.splitlines()[2].removeprefix("data: ")) == {
        "type": "end",
        "status": "failed",
        "cause": "exit_nonzero",
        "exit_code": 3,
        "lines": 9,
        "bytes": 70,
        "after": 120,
    }


@given(st.lists(entries, min_size=1, max_size=20), st.sets(st.sampled_from("oes"), min_size=1))
async def test_an_event_id_never_skips_a_line_that_was_asked_for(sent: list[Entry], letters: set[str]) -> None:
    """Whoever reconnects after any event gets exactly the lines that they had not seen."""
    item = picked(chunk_of(1, sent), *letters)
    text = await body(View(LogFormat.SSE), *([item] if item.lines else []))
    seen: list[int] = []
    for event in text.decode().split("\n\n")[:-1]:
        cursor, data = event.split("\n", 1)
        frame = orjson.loads(data.removeprefix("data: "))
        seen += range(frame["first"], frame["first"] + len(frame["lines"]))
        assert int(cursor.removeprefix("id: ")) == seen[-1]
    assert seen == [seq for seq, entry in enumerate(sent, start=1) if entry.letter in letters]


@given(st.lists(entries, min_size=1, max_size=20), st.sets(st.sampled_from("oes"), min_size=1))
def test_frames_are_consecutive_lines_and_hold_exactly_those_picked(sent: list[Entry], letters: set[str]) -> None:
    item = picked(chunk_of(5, sent), *letters)
    if item.lines:
        texts = [line._replace(exact=None) for line in item.lines]
        assert lines_in(frames(item)) == texts


def test_a_chunk_stays_the_same_bytes() -> None:
    whole = chunk(5, ("o", b"a"), ("e", b"b"))
    (frame,) = frames(whole)
    assert frame is whole.frame


def test_a_frame_without_lines_tells_the_cursor_by_the_same_reckoning() -> None:
    (frame,) = map(orjson.loads, frames(Picked([], 41)))
    assert frame == {"type": "lines", "first": 42, "lines": []}
    assert frame["first"] + len(frame["lines"]) - 1 == 41


def test_a_socket_gets_gaps_notices_and_the_end() -> None:
    gap = {"type": "gap", "from": 5, "to": 6, "reason": "log_limit"}
    assert [orjson.loads(frame) for frame in frames(Missing(5, 6, "log_limit"))] == [gap]
    assert list(frames(Notice(b"{}"))) == [b"{}"]
    assert [orjson.loads(frame)["type"] for frame in frames(Ended(DONE, 1))] == ["end"]
    assert [orjson.loads(frame)["type"] for frame in frames(More(1, MoreReason.LIMIT))] == ["more"]
    assert list(frames(CaughtUp(RUNNING))) == []


def test_every_shape_has_its_media_type() -> None:
    assert set(MEDIA_TYPES) == set(LogFormat)
