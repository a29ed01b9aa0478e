import itertools
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.frames import Demultiplexer, FrameError
from worker.engine.port import Piece, Stream

STREAM = {0: Stream.STDOUT, 1: Stream.STDOUT, 2: Stream.STDERR}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

kinds = st.sampled_from([0, 1, 2])
payloads = st.one_of(st.binary(max_size=40), st.integers(0, 70_000).map(lambda size: b"\x01\x00x\n" * (size // 4)))
frames = st.lists(st.tuples(kinds, payloads), max_size=12)
zones = st.sampled_from(["Z", "+01:00", "-09:30"])
moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1))  # noqa: DTZ001
cuts = st.lists(st.integers(0, 200_000), max_size=20)


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxI", kind, len(payload)) + payload


def stamp(moment: datetime, zone: str, nanoseconds: int = 0) -> bytes:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}{nanoseconds:03}{zone} ".encode()


def split(data: bytes, at: list[int]) -> list[bytes]:
    borders = [0, *sorted(min(cut, len(data)) for cut in at), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(borders)]


def read(chunks: list[bytes], *, timestamps: bool = False) -> list[Piece]:
    demultiplexer = Demultiplexer(timestamps=timestamps)
    pieces = [piece for chunk in chunks for piece in demultiplexer.feed(chunk)]
    demultiplexer.close()
    return pieces


def joined(pieces: list[tuple[Stream, int | None, bytes]]) -> list[tuple[Stream, int | None, bytes]]:
    """What each stream says and when, in order, without the cuts."""
    runs = itertools.groupby((piece for piece in pieces if piece[2]), key=lambda piece: piece[:2])
    return [(stream, at_ms, b"".join(piece[2] for piece in run)) for (stream, at_ms), run in runs]


def plain(pieces: list[Piece]) -> list[tuple[Stream, int | None, bytes]]:
    return joined([(piece.stream, piece.at_ms, piece.data) for piece in pieces])


@given(frames, cuts)
def test_any_split_of_the_bytes_gives_the_same_output_in_the_same_order(
    sent: list[tuple[int, bytes]], at: list[int]
) -> None:
    data = b"".join(frame(kind, payload) for kind, payload in sent)
    expected = joined([(STREAM[kind], None, payload) for kind, payload in sent])
    assert plain(read(split(data, at))) == expected
    assert plain(read([data])) == expected


@given(frames)
def test_bytes_may_come_one_by_one(sent: list[tuple[int, bytes]]) -> None:
    short = [(kind, payload[:50]) for kind, payload in sent]
    data = b"".join(frame(kind, payload) for kind, payload in short)
    chunks = [data[at : at + 1] for at in range(len(data))]
    assert plain(read(chunks)) == joined([(STREAM[kind], None, payload) for kind, payload in short])


@given(st.lists(st.tuples(kinds, moments, zones, st.integers(0, 999), payloads), max_size=12), cuts)
def test_any_split_of_a_log_gives_the_same_output_and_times(
    sent: list[tuple[int, datetime, str, int, bytes]], at: list[int]
) -> None:
    data = b"".join(
        frame(kind, stamp(moment, zone, nano) + payload + b"\n") for kind, moment, zone, nano, payload in sent
    )
    expected = joined(
        [(STREAM[kind], unix_ms(moment, zone), payload + b"\n") for kind, moment, zone, _, payload in sent]
    )
    assert plain(read(split(data, at), timestamps=True)) == expected
    assert plain(read([data], timestamps=True)) == expected


def unix_ms(moment: datetime, zone: str) -> int:
    offset = {"Z": UTC, "+01:00": timezone(timedelta(hours=1)), "-09:30": timezone(timedelta(hours=-9.5))}[zone]
    return (moment.replace(tzinfo=offset) - EPOCH) // timedelta(milliseconds=1)


@given(frames, st.integers(0, 200_000))
def test_every_payload_byte_is_handed_over_as_soon_as_it_is_here(sent: list[tuple[int, bytes]], length: int) -> None:
    data = b"".join(frame(kind, payload) for kind, payload in sent)[:length]
    handed = sum(len(piece.data) for piece in Demultiplexer().feed(data))
    here = 0
    for _, payload in sent:
        here += max(0, min(len(payload), length - 8))
        length = max(0, length - 8 - len(payload))
    assert handed == here


@given(frames.filter(bool), st.integers(1, 200_000), st.booleans())
def test_an_end_inside_a_frame_is_noticed(sent: list[tuple[int, bytes]], missing: int, timestamps: bool) -> None:  # noqa: FBT001
    prefix = stamp(datetime(2026, 1, 1, tzinfo=UTC), "Z") if timestamps else b""
    whole = [frame(kind, prefix + payload) for kind, payload in sent]
    last = whole[-1]
    data = b"".join(whole)[: -(missing % len(last)) or None]
    demultiplexer = Demultiplexer(timestamps=timestamps)
    demultiplexer.feed(data)
    if missing % len(last):
        with pytest.raises(FrameError, match="middle of a frame"):
            demultiplexer.close()
    else:
        demultiplexer.close()


def test_nothing_at_all_is_a_whole_stream() -> None:
    assert read([]) == []
    assert read([b"", b""]) == []


@given(st.integers(3, 255), st.binary(max_size=30))
def test_an_unknown_stream_is_refused(kind: int, payload: bytes) -> None:
    with pytest.raises(FrameError, match="Not a frame"):
        Demultiplexer().feed(frame(1, b"good") + frame(kind, payload))


@given(kinds, st.integers(1, 0xFFFFFF))
def test_a_header_whose_padding_is_not_zero_is_refused(kind: int, padding: int) -> None:
    header = struct.pack(">II", kind << 24 | padding, 5)
    with pytest.raises(FrameError, match="Not a frame"):
        Demultiplexer().feed(header + b"12345")


def test_a_frame_of_several_gibibytes_is_passed_on_and_not_collected() -> None:
    demultiplexer = Demultiplexer()
    demultiplexer.feed(struct.pack(">BxxxI", 2, 2**32 - 1))
    chunk = b"x" * (1 << 20)
    for _ in range(4095):
        assert demultiplexer.feed(chunk) == [Piece(Stream.STDERR, chunk)]
    with pytest.raises(FrameError):
        demultiplexer.close()
    assert demultiplexer.feed(chunk[:-1] + frame(1, b"next")) == [
        Piece(Stream.STDERR, chunk[:-1]),
        Piece(Stream.STDOUT, b"next"),
    ]
    demultiplexer.close()


TIME = b"2026-11-21T02:34:47.802991498Z "
PART = b"x" * 16_384
lines_of_a_log = st.lists(
    st.one_of(
        st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
        st.sampled_from([16_382, 16_383, 16_384, 16_385, 32_767, 32_768, 40_000]).map(lambda size: b"x" * size),
    ),
    max_size=8,
)


def stored(line: bytes) -> list[bytes]:
    """The payloads that the engine's log gives back for a line: it forgets the newline after one kept in parts."""
    if len(line) < len(PART):
        return [line + b"\n"]
    return [line[at : at + len(PART)] for at in range(0, len(line) + 1, len(PART))]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), lines_of_a_log), max_size=3), cuts)
def test_every_line_of_a_log_has_its_newline(sent: list[tuple[int, list[bytes]]], at: list[int]) -> None:
    messages = [(kind, payload) for kind, lines in sent for line in lines for payload in stored(line)]
    data = b"".join(frame(kind, TIME + payload) for kind, payload in messages)
    expected = [(STREAM[kind], 1_795_228_487_802, line + b"\n") for kind, lines in sent for line in lines]
    assert plain(read(split(data, at), timestamps=True)) == joined(expected)


def test_the_parts_of_long_lines_may_alternate_between_the_streams() -> None:
    payloads = [(1, PART), (2, PART), (2, b"err"), (1, b"out"), (2, b"next\n"), (1, PART), (2, b"last\n"), (1, b"")]
    pieces = read([b"".join(frame(kind, TIME + payload) for kind, payload in payloads)], timestamps=True)
    said = {stream: b"".join(p.data for p in pieces if p.stream is stream) for stream in Stream}
    assert said == {
        Stream.STDOUT: PART + b"out\n" + PART + b"\n",
        Stream.STDERR: PART + b"err\nnext\nlast\n",
    }


def test_a_driver_that_keeps_the_newline_after_a_long_line_is_understood_too() -> None:
    data = b"".join(frame(1, TIME + payload) for payload in (PART, b"end\n", b"short\n"))
    assert read([data], timestamps=True) == [Piece(Stream.STDOUT, PART + b"end\nshort\n", 1_795_228_487_802)]


def test_a_last_line_without_its_newline_stays_without() -> None:
    data = b"".join(frame(1, TIME + payload) for payload in (b"one\n", b"two"))
    assert read([data], timestamps=True) == [Piece(Stream.STDOUT, b"one\ntwo", 1_795_228_487_802)]


def test_a_flood_of_short_lines_costs_few_pieces() -> None:
    assert read([frame(1, b"line\n") * 10_000]) == [Piece(Stream.STDOUT, b"line\n" * 10_000)]
    base = datetime(2026, 1, 1, tzinfo=UTC)
    log = b"".join(frame(1, stamp(base + timedelta(microseconds=5 * n), "Z") + b"line\n") for n in range(1_000))
    assert [len(piece.data) for piece in read([log], timestamps=True)] == [1_000] * 5


@pytest.mark.parametrize(
    "payload",
    [
        b"Error grabbing logs: unexpected EOF\n",
        b"no-space-anywhere-in-the-first-forty-bytes-of-this",
        b"short",
        b"2026-11-21T02:34:47.802991498 zone missing",
        b"2026-11-21T02:34:47Z too coarse",
        b"2026-11-21T02:34:4x.802991498Z not a number",
        b" 2026-11-21T02:34:47.802991498Z",
        b"\xff\xfe-11-21T02:34:47.802991498Z x",
    ],
)
def test_a_log_frame_without_a_time_is_refused_with_its_words(payload: bytes) -> None:
    with pytest.raises(FrameError, match="no time") as refusal:
        read([frame(2, payload)], timestamps=True)
    assert repr(payload)[2:20] in str(refusal.value)
