"""The wire format of the log: frames as clients see them, and the envelope in which they travel over Redis. Pure.

A frame of lines is encoded once, by the worker; the same bytes are stored, published and sent to every socket.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import orjson

from app.executions.model import Event
from app.executions.states import Cause, Status

PROTOCOL = 1


class LogStream(StrEnum):
    """Where a line comes from; `system` lines are ours."""

    STDOUT = "stdout"
    STDERR = "stderr"
    SYSTEM = "system"

    @property
    def letter(self) -> str:
        """Its short form in a frame."""
        return _LETTERS[self]


_LETTERS = {LogStream.STDOUT: "o", LogStream.STDERR: "e", LogStream.SYSTEM: "s"}
STREAM_OF = {letter: stream for stream, letter in _LETTERS.items()}


class CloseCode(IntEnum):
    """Why the server closes a WebSocket."""

    ENDED = 1000
    RESTARTING = 1012
    BAD_REQUEST = 4400
    NOT_AUTHENTICATED = 4401
    NOT_ALLOWED = 4403
    NOT_FOUND = 4404
    TOO_MANY_REQUESTS = 4429


class Hello(TypedDict):
    """The first frame."""

    type: Literal["hello"]
    protocol: int
    execution: UUID
    status: Status
    after: int


class Lines(TypedDict):
    """Consecutive lines from `first` on: `[unix_ms, "o" | "e" | "s", text]`, with a fourth item "+" when the line goes
    on in the next one of its stream.
    """

    type: Literal["lines"]
    first: int
    lines: list[list[int | str]]


class StatusFrame(TypedDict):
    """The status changed."""

    type: Literal["status"]
    status: Status
    cause: Cause | None
    message: str | None
    attempt: int
    at: datetime


class Progress(TypedDict):
    """What the program says of its progress."""

    type: Literal["progress"]
    percent: int | None
    phase: str | None
    at: datetime


# Lines `from`–`to` (inclusive) are not kept. Functional form, since `from` is a keyword.
Gap = TypedDict("Gap", {"type": Literal["gap"], "from": int, "to": int, "reason": str})


class End(TypedDict):
    """The last frame; `after` is the value to resume with."""

    type: Literal["end"]
    status: Status
    cause: Cause | None
    exit_code: int | None
    lines: int
    bytes: int
    after: int


class More(TypedDict):
    """The last frame of an answer that ends before the log does; `after` is where to go on."""

    type: Literal["more"]
    after: int
    reason: str


FRAMES: dict[str, Any] = {
    "hello": Hello,
    "lines": Lines,
    "status": StatusFrame,
    "progress": Progress,
    "gap": Gap,
    "end": End,
    "more": More,
}


class GapReason(StrEnum):
    """Why lines are missing."""

    LOG_LIMIT = "log_limit"
    ENGINE_LOG_ROTATED = "engine_log_rotated"
    MASKING_UNAVAILABLE = "masking_unavailable"
    EXPIRED = "expired"
    NOT_IMPORTED = "not_imported"


class Entry(NamedTuple):
    """One record on its way into a frame."""

    at_ms: int
    letter: str
    data: bytes
    continues: bool


class Line(NamedTuple):
    """One record read back: `text` is for people, `exact` are its bytes where those are not the text's."""

    seq: int
    at_ms: int
    letter: str
    text: str
    exact: bytes | None
    continues: bool

    @property
    def data(self) -> bytes:
        """The exact bytes, without the newline."""
        return self.text.encode() if self.exact is None else self.exact

    @property
    def entry(self) -> Entry:
        """As it goes into a frame."""
        return Entry(self.at_ms, self.letter, self.data, self.continues)


_new = tuple.__new__
# A line as a parsed frame has it.
Row = Sequence[Any]

_INEXACT = struct.Struct("!II")


def encode_lines(first: int, entries: Sequence[Entry]) -> tuple[bytes, bytes | None]:
    """A `lines` frame, and the exact bytes of those lines that are not valid UTF-8 (None when all are)."""
    texts, raw = _decode([data for _, _, data, _ in entries])
    lines = [
        (at_ms, letter, text, "+") if continues else (at_ms, letter, text)
        for (at_ms, letter, _, continues), text in zip(entries, texts, strict=True)
    ]
    return orjson.dumps({"type": "lines", "first": first, "lines": lines}), raw


def encode_texts(first: int, lines: Sequence[Line]) -> bytes:
    """A `lines` frame of what was read back, perhaps with other texts. Without lines it only tells a cursor."""
    rows = [(*line[1:4], "+") if line.continues else line[1:4] for line in lines]
    return orjson.dumps({"type": "lines", "first": first, "lines": rows})


def holds_only(frame: bytes, letters: Collection[str]) -> bool:
    """Whether a frame has lines of these streams only, told at a glance; now and then it takes a text for a stream."""
    # Within a text a quote is escaped.
    return not any(b'"%b",' % letter.encode() in frame for letter in STREAM_OF if letter not in letters)


def join_frames(frames: Sequence[bytes]) -> bytes:
    """One `lines` frame of several, each of which begins where the one before it ended; nothing is parsed."""
    first, *rest = frames
    # Only what `encode_lines` writes: the first bracket opens the list of lines, the last two bytes close the frame.
    return b"".join((first[:-2], *(b"," + frame[frame.index(b"[") + 1 : -2] for frame in rest), b"]}"))


def _decode(datas: list[bytes]) -> tuple[list[str], bytes | None]:
    """Text for people, and the exact bytes of what is not valid UTF-8."""
    try:
        # All at once: a flood comes through here line by line otherwise.
        texts = b"\n".join(datas).decode().split("\n")
        if len(texts) == len(datas):
            return texts, None
    except UnicodeDecodeError:
        pass
    texts = []
    inexact = bytearray()
    for index, data in enumerate(datas):
        try:
            texts.append(data.decode())
        except UnicodeDecodeError:
            texts.append(data.decode(errors="replace"))
            inexact += _INEXACT.pack(index, len(data)) + data
    return texts, bytes(inexact) or None


def decode_lines(frame: bytes, raw: bytes | None = None) -> list[Line]:
    """The lines of a frame; without its `raw`, `data` is the text's bytes."""
    content = orjson.loads(frame)
    return lines_of_rows(content["first"], content["lines"], raw)


def lines_of_rows(
    first: int, rows: Sequence[Row], raw: bytes | None, *, only: Iterable[int] | None = None
) -> list[Line]:
    """The lines of a frame that was parsed already; `only` those at these places."""
    exact = _exact(raw or b"")
    places = range(len(rows)) if only is None else only
    # NamedTuple's own constructor takes three times as long, and whole logs pass here line by line.
    return [
        _new(Line, (first + place, row[0], row[1], row[2], exact.get(place), len(row) > 3))
        for place, row in ((place, rows[place]) for place in places)
    ]


def _exact(raw: bytes) -> dict[int, bytes]:
    exact: dict[int, bytes] = {}
    at = 0
    while at < len(raw):
        index, length = _INEXACT.unpack_from(raw, at)
        at += _INEXACT.size
        exact[index] = raw[at : at + length]
        at += length
    return exact


def hello_frame(execution: UUID, status: Status, after: int) -> bytes:
    """See `Hello`."""
    return orjson.dumps(
        {"type": "hello", "protocol": PROTOCOL, "execution": str(execution), "status": status, "after": after}
    )


def status_frame(event: Event) -> bytes:
    """See `StatusFrame`."""
    return orjson.dumps(
        {
            "type": "status",
            "status": event.to_status,
            "cause": event.cause,
            "message": event.message,
            "attempt": event.attempt,
            "at": event.at,
        },
    )


def progress_frame(percent: int | None, phase: str | None, at: datetime) -> bytes:
    """See `Progress`."""
    return orjson.dumps({"type": "progress", "percent": percent, "phase": phase, "at": at})


def gap_frame(first: int, last: int, reason: str) -> bytes:
    """See `Gap`."""
    return orjson.dumps({"type": "gap", "from": first, "to": last, "reason": reason})


def more_frame(after: int, reason: str) -> bytes:
    """See `More`."""
    return orjson.dumps({"type": "more", "after": after, "reason": reason})


def end_frame(
    *, status: Status, cause: Cause | None, exit_code: int | None, lines: int, size: int, after: int
) -> bytes:
    """See `End`."""
    return orjson.dumps(
        {
            "type": "end",
            "status": status,
            "cause": cause,
            "exit_code": exit_code,
            "lines": lines,
            "bytes": size,
            "after": after,
        },
    )


class Kind(StrEnum):
    """What a message over Redis carries."""

    LINES = "L"
    GAP = "G"
    STATUS = "S"
    PROGRESS = "P"
    LOOK = "K"


class Message(NamedTuple):
    """A frame over Redis. For lines and gaps `first`–`last` are seqs, for a status the event's number; so that a
    receiver can tell, without parsing the frame, whether it is the next one.
    """

    kind: Kind
    first: int
    last: int
    frame: bytes


_ENVELOPE = struct.Struct("!cQQ")


def pack_message(message: Message) -> bytes:
    """The envelope and the frame."""
    return _ENVELOPE.pack(message.kind.encode(), message.first, message.last) + message.frame


def unpack_message(data: bytes) -> Message:
    """The other way round."""
    kind, first, last = _ENVELOPE.unpack_from(data)
    return Message(Kind(kind.decode()), first, last, data[_ENVELOPE.size :])


LOOK_MESSAGE = pack_message(Message(Kind.LOOK, 0, 0, b""))


def status_message(event: Event) -> bytes:
    """A status change on its way to watchers."""
    return pack_message(Message(Kind.STATUS, event.number, event.number, status_frame(event)))


def progress_message(percent: int | None, phase: str | None, at: datetime) -> bytes:
    """Progress on its way to watchers."""
    return pack_message(Message(Kind.PROGRESS, 0, 0, progress_frame(percent, phase, at)))
