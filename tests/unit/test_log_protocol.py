from datetime import UTC, datetime
from typing import Any, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.executions.model import Event
from app.executions.states import Cause, Status
from app.logs import protocol
from app.logs.protocol import (
    FRAMES,
    Entry,
    Kind,
    LogStream,
    Message,
    decode_lines,
    encode_lines,
    pack_message,
    status_message,
    unpack_message,
)
from support.values import NOON, an_id

# The table of the design, written down by hand.
FIELDS = {
    "hello": ["type", "protocol", "execution", "status", "after"],
    "lines": ["type", "first", "lines"],
    "status": ["type", "status", "cause", "message", "attempt", "at"],
    "progress": ["type", "percent", "phase", "at"],
    "gap": ["type", "from", "to", "reason"],
    "end": ["type", "status", "cause", "exit_code", "lines", "bytes", "after"],
    "more": ["type", "after", "reason"],
}

entries = st.builds(
    Entry,
    st.integers(0, 2**45),
    st.sampled_from("oes"),
    st.one_of(st.binary(max_size=50), st.text(max_size=30).map(str.encode)),
    st.booleans(),
)
ENDED = Event(
    number=4,
    from_status=Status.RUNNING,
    to_status=Status.FAILED,
    cause=Cause.EXIT_NONZERO,
    message="Exit code 3.",
    actor="worker here/1",
    attempt=1,
    at=NOON,
)
SAMPLES = {
    "hello": protocol.hello_frame(an_id(7), Status.RUNNING, 5),
    "lines": encode_lines(3, [Entry(1_700_000_000_000, "o", b"hi", continues=False)])[0],
    "status": protocol.status_frame(ENDED),
    "progress": protocol.progress_frame(40, "fit", NOON),
    "gap": protocol.gap_frame(3, 9, protocol.GapReason.LOG_LIMIT),
    "end": protocol.end_frame(status=Status.SUCCEEDED, cause=Cause.OK, exit_code=0, lines=9, size=120, after=9),
    "more": protocol.more_frame(7, "limit"),
}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_frame_has_exactly_the_fields_of_the_design(kind: str) -> None:
    frame = orjson.loads(SAMPLES[kind])
    assert list(frame) == FIELDS[kind]
    assert frame["type"] == kind


@pytest.mark.parametrize("kind", FIELDS)
def test_the_documented_type_of_a_frame_has_the_same_fields(kind: str) -> None:
    assert list(get_type_hints(FRAMES[kind])) == FIELDS[kind]


def test_no_frame_is_missing_from_the_documented_ones() -> None:
    assert set(FRAMES) == set(FIELDS)


def test_the_values_of_frames_are_as_clients_read_them() -> None:
    assert orjson.loads(SAMPLES["hello"]) == {
        "type": "hello",
        "protocol": 1,
        "execution": "00000000-0000-0000-0000-000000000007",
        "status": "running",
        "after": 5,
    }
    assert orjson.loads(SAMPLES["status"]) == {
        "type": "status",
        "status": "failed",
        "cause": "exit_nonzero",
        "message": "Exit code 3.",
        "attempt": 1,
        "at": "2026-03-01T12:00:00+00:00",
    }
    assert orjson.loads(SAMPLES["gap"]) == {"type": "gap", "from": 3, "to": 9, "reason": "log_limit"}
    assert orjson.loads(SAMPLES["end"])["cause"] == "ok"


def test_a_line_is_time_stream_and_text_and_a_plus_when_it_goes_on() -> None:
    frame, raw = encode_lines(
        7, [Entry(1000, "o", b"whole", continues=False), Entry(1001, "e", b"half", continues=True)]
    )
    assert orjson.loads(frame) == {
        "type": "lines",
        "first": 7,
        "lines": [[1000, "o", "whole"], [1001, "e", "half", "+"]],
    }
    assert raw is None


@given(st.integers(1, 2**62), st.lists(entries, min_size=1, max_size=8))
def test_lines_come_back_from_a_frame_byte_for_byte(first: int, sent: list[Entry]) -> None:
    lines = decode_lines(*encode_lines(first, sent))
    assert [line.entry for line in lines] == sent
    assert [line.seq for line in lines] == list(range(first, first + len(sent)))
    assert [line.text for line in lines] == [entry.data.decode(errors="replace") for entry in sent]


@given(st.lists(entries, min_size=1, max_size=8))
def test_without_the_exact_bytes_a_frame_gives_its_text(sent: list[Entry]) -> None:
    frame, _ = encode_lines(1, sent)
    assert [line.data for line in decode_lines(frame)] == [
        entry.data.decode(errors="replace").encode() for entry in sent
    ]


@given(st.lists(entries, min_size=1, max_size=8))
def test_exact_bytes_are_kept_beside_a_frame_only_where_they_are_no_text(sent: list[Entry]) -> None:
    _, raw = encode_lines(1, sent)
    assert (raw is None) is all(entry.data.decode(errors="ignore").encode() == entry.data for entry in sent)


@given(st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=60))
def test_a_message_comes_out_of_its_envelope_as_it_went_in(kind: Kind, first: int, last: int, frame: bytes) -> None:
    message = Message(kind, first, last, frame)
    assert unpack_message(pack_message(message)) == message


def test_a_status_travels_under_the_number_of_its_event() -> None:
    assert unpack_message(status_message(ENDED)) == Message(Kind.STATUS, 4, 4, SAMPLES["status"])


def test_progress_is_not_part_of_any_order() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    message = unpack_message(protocol.progress_message(10, None, at))
    assert (message.kind, message.first, message.last) == (Kind.PROGRESS, 0, 0)
    assert orjson.loads(message.frame) == {"type": "progress", "percent": 10, "phase": None, "at": at.isoformat()}


def test_streams_have_the_letters_of_the_design() -> None:
    expected: dict[str, Any] = {"o": LogStream.STDOUT, "e": LogStream.STDERR, "s": LogStream.SYSTEM}
    assert expected == protocol.STREAM_OF
    assert {stream.letter for stream in LogStream} == set(expected)


def test_a_socket_is_closed_with_the_codes_of_the_design() -> None:
    codes = {code.value for code in protocol.CloseCode}
    assert {1000, 1012, 4400, 4401, 4404} <= codes
