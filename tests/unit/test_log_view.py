import itertools
from collections.abc import AsyncIterator, Iterable, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.executions.states import Cause, Status
from app.logs.protocol import Entry, Line, LogStream, decode_lines, encode_lines
from app.logs.store import Chunk, Missing
from app.logs.tail import CaughtUp, Ended, Item, Notice
from app.logs.view import ALL_STREAMS, JOIN_BYTES, MEDIA_TYPES, Format, Joiner, View, frames
from support.values import a_record

PROGRAM = frozenset({LogStream.STDOUT, LogStream.STDERR})
RUNNING = a_record(status=Status.RUNNING)
DONE = a_record(status=Status.FAILED, cause=Cause.EXIT_NONZERO, exit_code=3, log_lines=9, log_bytes=70)

entries = st.builds(
    Entry,
    st.integers(0, 2**42),
    st.sampled_from("oes"),
    st.one_of(st.binary(max_size=20), st.text(max_size=10).map(str.encode)),
    st.booleans(),
)
some_streams = st.frozensets(st.sampled_from(LogStream), min_size=1)


def chunk(first: int, *lines: tuple[str, bytes] | tuple[str, bytes, str]) -> Chunk:
    """`chunk(3, ("o", b"x"), ("e", b"half", "+"))`."""
    return chunk_of(first, [Entry(1_000 + first, line[0], line[1], len(line) > 2) for line in lines])


def chunk_of(first: int, sent: Sequence[Entry]) -> Chunk:
    frame, raw = encode_lines(first, sent)
    return Chunk(first, first + len(sent) - 1, frame, raw)


async def body(view: View, *items: Item) -> bytes:
    async def tailed() -> AsyncIterator[Item]:
        for item in items:
            yield item

    return b"".join([piece async for piece in view.encode(tailed())])


def lines_in(items: Iterable[bytes]) -> list[Line]:
    return [line for frame in items for line in decode_lines(frame)]


async def test_plain_text_is_the_lines() -> None:
    text = await body(View(Format.TEXT, PROGRAM), chunk(1, ("o", b"one"), ("e", b"two")), CaughtUp(RUNNING))
    assert text == b"one\ntwo\n"


async def test_plain_text_joins_what_was_cut_each_stream_for_itself() -> None:
    text = await body(
        View(Format.TEXT, PROGRAM),
        chunk(1, ("o", b"he", "+"), ("e", b"wor", "+")),
        chunk(3, ("o", b"llo"), ("e", b"ld")),
        Ended(DONE, 4),
    )
    assert text == b"hello\nworld\n"


@pytest.mark.parametrize("last", [Ended(DONE, 1), CaughtUp(RUNNING)])
async def test_plain_text_shows_a_line_that_has_no_newline_yet(last: Item) -> None:
    assert await body(View(Format.TEXT, PROGRAM), chunk(1, ("o", b"name? ", "+")), last) == b"name? "


async def test_plain_text_does_not_join_a_line_across_a_gap() -> None:
    text = await body(
        View(Format.TEXT, PROGRAM),
        chunk(1, ("o", b"begun", "+")),
        Missing(2, 8, "log_limit"),
        chunk(9, ("o", b"the end of another")),
        Ended(DONE, 9),
    )
    assert text == "begun\n[lines 2–8 are not kept: log_limit]\nthe end of another\n".encode()


async def test_a_line_without_end_is_passed_on_in_parts() -> None:
    piece = b"x" * 16_384
    count = JOIN_BYTES // len(piece) + 1
    joiner = Joiner()
    lines = [line for seq in range(1, count + 1) for line in decode_lines(chunk(seq, ("o", piece, "+")).frame)]
    assert joiner.join(lines[:-1]) == b""
    assert joiner.join(lines[-1:]) == piece * count
    assert joiner.join(decode_lines(chunk(99, ("o", b"!")).frame)) == b"!\n"
    assert joiner.close() == b""


@given(st.lists(entries, max_size=20), st.lists(st.integers(0, 20), max_size=4))
async def test_joined_text_holds_every_byte_of_each_stream_in_order(sent: list[Entry], cuts: list[int]) -> None:
    """Whole lines are put out when they end, so each stream by itself reads as it was written."""
    for letter in "oes":
        own = [entry for entry in sent if entry.letter == letter]
        stream = next(stream for stream in LogStream if stream.letter == letter)
        text = await body(View(Format.TEXT, frozenset({stream})), *in_chunks(sent, cuts), Ended(DONE, len(sent)))
        assert text == b"".join(
            entry.data.decode(errors="replace").encode() + (b"" if entry.continues else b"\n") for entry in own
        )


@given(st.lists(entries, max_size=20), st.lists(st.integers(0, 20), max_size=4), some_streams)
async def test_raw_is_the_exact_bytes(sent: list[Entry], cuts: list[int], streams: frozenset[LogStream]) -> None:
    letters = {stream.letter for stream in streams}
    raw = await body(View(Format.RAW, streams), *in_chunks(sent, cuts), Ended(DONE, len(sent)))
    assert raw == b"".join(
        entry.data + (b"" if entry.continues else b"\n") for entry in sent if entry.letter in letters
    )


def in_chunks(sent: list[Entry], cuts: list[int]) -> list[Chunk]:
    borders = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    return [chunk_of(start + 1, sent[start:end]) for start, end in itertools.pairwise(borders) if end > start]


async def test_ndjson_is_one_object_per_line() -> None:
    text = await body(
        View(Format.NDJSON, ALL_STREAMS),
        Chunk(
            3,
            4,
            *encode_lines(3, [Entry(1_500, "o", b"a\xff", continues=True), Entry(1_501, "s", b"", continues=False)]),
        ),
        Missing(5, 6, "log_limit"),
        Ended(DONE, 6),
    )
    assert [orjson.loads(line) for line in text.splitlines()] == [
        {"seq": 3, "at": "1970-01-01T00:00:01.500+00:00", "stream": "stdout", "text": "a\ufffd", "continues": True},
        {"seq": 4, "at": "1970-01-01T00:00:01.501+00:00", "stream": "system", "text": ""},
        {"type": "gap", "from": 5, "to": 6, "reason": "log_limit"},
    ]


async def test_server_sent_events_carry_the_cursor_to_resume_with() -> None:
    text = await body(
        View(Format.SSE, PROGRAM),
        CaughtUp(RUNNING),
        chunk(3, ("o", b"a"), ("e", b"b")),
        Notice(b'{"type":"status"}'),
        Missing(5, 8, "log_limit"),
        Ended(DONE, 8),
    )
    quiet, lines, notice, gap, end = text.decode().removesuffix("\n\n").split("\n\n")
    assert quiet == ":"
    assert lines.splitlines()[0] == "id: 4"
    assert orjson.loads(lines.splitlines()[1].removeprefix("data: "))["first"] == 3
    assert notice == 'data: {"type":"status"}'
    assert gap.splitlines()[0] == "id: 8"
    assert end.splitlines()[0] == "event: end"
    assert orjson.loads(end.splitlines()[1].removeprefix("data: ")) == {
        "type": "end",
        "status": "failed",
        "cause": "exit_nonzero",
        "exit_code": 3,
        "lines": 9,
        "bytes": 70,
        "after": 8,
    }


@given(st.lists(entries, min_size=1, max_size=20), some_streams)
async def test_an_event_id_never_skips_a_line_that_was_asked_for(
    sent: list[Entry], streams: frozenset[LogStream]
) -> None:
    """Whoever reconnects after any event gets exactly the lines that they had not seen."""
    letters = {stream.letter for stream in streams}
    text = await body(View(Format.SSE, streams), chunk_of(1, sent))
    seen: list[int] = []
    for event in text.decode().split("\n\n")[:-1]:
        cursor, data = event.split("\n", 1)
        frame = orjson.loads(data.removeprefix("data: "))
        seen += range(frame["first"], frame["first"] + len(frame["lines"]))
        assert int(cursor.removeprefix("id: ")) == seen[-1]
    assert seen == [seq for seq, entry in enumerate(sent, start=1) if entry.letter in letters]


@given(st.lists(entries, min_size=1, max_size=20), some_streams)
def test_a_filter_gives_consecutive_frames_of_exactly_the_lines_asked_for(
    sent: list[Entry], streams: frozenset[LogStream]
) -> None:
    letters = {stream.letter for stream in streams}
    whole = chunk_of(5, sent)
    expected = [line for line in decode_lines(whole.frame) if line.letter in letters]
    assert lines_in(frames(whole, streams)) == expected


def test_a_frame_that_nothing_is_left_out_of_stays_the_same_bytes() -> None:
    whole = chunk(5, ("o", b"a"), ("e", b"b"))
    assert list(frames(whole, ALL_STREAMS)) == [whole.frame]
    assert list(frames(whole, PROGRAM)) == [whole.frame]


def test_a_socket_gets_gaps_notices_and_the_end_whatever_streams_it_asked_for() -> None:
    only_system = frozenset({LogStream.SYSTEM})
    assert [orjson.loads(frame) for frame in frames(Missing(5, 6, "log_limit"), only_system)] == [
        {"type": "gap", "from": 5, "to": 6, "reason": "log_limit"}
    ]
    assert list(frames(Notice(b"{}"), only_system)) == [b"{}"]
    assert [orjson.loads(frame)["type"] for frame in frames(Ended(DONE, 1), only_system)] == ["end"]
    assert list(frames(CaughtUp(RUNNING), only_system)) == []


def test_every_shape_has_its_media_type() -> None:
    assert set(MEDIA_TYPES) == set(Format)
