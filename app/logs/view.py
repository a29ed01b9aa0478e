"""The shapes of a log: what a reader gets, as frames or as the body of an answer. Pure transformations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import orjson

from app.logs.content import draws_over, last_state
from app.logs.filters import JOIN_BYTES
from app.logs.narrowing import Chosen, More, MoreReason, Picked
from app.logs.protocol import STREAM_OF, Line, decode_lines, encode_texts, end_frame, gap_frame, more_frame
from app.logs.segments import Chunk
from app.logs.store import Missing
from app.logs.tail import CaughtUp, Ended, Notice


class LogFormat(StrEnum):
    """The shapes of `GET …/logs`, with their media types in `MEDIA_TYPES`."""

    TEXT = "text"
    NDJSON = "ndjson"
    SSE = "sse"
    RAW = "raw"


MEDIA_TYPES = {
    LogFormat.TEXT: "text/plain",
    LogFormat.NDJSON: "application/x-ndjson",
    LogFormat.SSE: "text/event-stream",
    LogFormat.RAW: "application/octet-stream",
}


def frames(item: Chosen) -> Iterator[bytes]:
    """The frames of one item, as a socket sends them."""
    match item:
        case Chunk() | Notice():
            yield item.frame
        case Picked():
            yield from (frame for _, frame in _runs(item))
        case Missing():
            yield gap_frame(item.first, item.last, item.reason)
        case More():
            yield more_frame(item.after, item.reason)
        case Ended():
            record = item.record
            yield end_frame(
                status=record.status,
                cause=record.cause,
                exit_code=record.exit_code,
                lines=record.log_lines,
                size=record.log_bytes,
                after=item.after,
            )
        case CaughtUp():
            pass


def _runs(item: Picked) -> Iterator[tuple[int, bytes]]:
    """Frames with their last seqs. Their lines are consecutive: lines left out end one frame and begin another.

    One without lines tells the cursor, by the same reckoning as any other.
    """
    if item.frame is not None:
        yield item.lines[-1].seq, item.frame
        return
    if not item.lines:
        yield item.after, encode_texts(item.after + 1, [])
    begin = 0
    for end in range(1, len(item.lines) + 1):
        last = item.lines[end - 1].seq
        if end == len(item.lines) or item.lines[end].seq != last + 1:
            yield last, encode_texts(item.lines[begin].seq, item.lines[begin:end])
            begin = end


@dataclass(frozen=True, slots=True)
class View:
    """How one HTTP reader wants the log. `timestamps` are for plain text."""

    format: LogFormat
    timestamps: bool = False

    async def encode(self, items: AsyncIterator[Chosen]) -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        joiner = Joiner(timestamps=self.timestamps)
        async for item in items:
            piece = self._piece(item, joiner)
            if piece:
                yield piece
        if rest := joiner.close():
            yield rest

    def _piece(self, item: Chosen, joiner: Joiner) -> bytes:
        match self.format:
            case LogFormat.SSE:
                return _event(item)
            case LogFormat.NDJSON:
                return b"".join(map(_json_line, _lines(item))) + _json_note(item)
            case LogFormat.RAW:
                return b"".join(line.data if line.continues else line.data + b"\n" for line in _lines(item))
            case LogFormat.TEXT:
                if note := _text_note(item):
                    rest = joiner.break_off()
                    return rest + note
                return joiner.join(_lines(item))


@dataclass(slots=True)
class _Held:
    """What is not passed on yet of a line that goes on."""

    stamp: str
    texts: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, text: str) -> None:
        if draws_over(text):
            # A bar that is drawn for hours takes no more room than its last state.
            self.texts, self.size = [], 0
            text = last_state(text, open_ended=True)
        self.texts.append(text)
        self.size += len(text)

    @property
    def text(self) -> str:
        return self.stamp + last_state("".join(self.texts))


class Joiner:
    """Puts continued lines together again, each stream for itself, so that streams do not cut each other's lines.

    Of a line that was written over, such as a progress bar, the last state remains.
    """

    def __init__(self, *, timestamps: bool = False) -> None:
        self._timestamps = timestamps
        self._open: dict[str, _Held] = {}

    def join(self, lines: Iterable[Line]) -> bytes:
        """The text of what is whole by now."""
        out: list[str] = []
        for line in lines:
            held = self._open.get(line.letter)
            if held is None:
                if not line.continues:
                    out += (self._stamp(line), last_state(line.text), "\n")
                    continue
                held = self._open[line.letter] = _Held(self._stamp(line))
            held.add(line.text)
            if not line.continues:
                out += (self._open.pop(line.letter).text, "\n")
            elif held.size > JOIN_BYTES:
                out.append(held.text)
                self._open[line.letter] = _Held("")
        return "".join(out).encode()

    def close(self) -> bytes:
        """Lines that have not got their newline yet."""
        rest = "\n".join(held.text for held in self._open.values())
        self._open.clear()
        return rest.encode()

    def break_off(self) -> bytes:
        """The same, when their rest is not kept."""
        return self.close() + b"\n" if self._open else b""

    def _stamp(self, line: Line) -> str:
        return f"{_time(line.at_ms)} " if self._timestamps else ""


def _lines(item: Chosen) -> Iterable[Line]:
    match item:
        case Chunk():
            return decode_lines(item.frame, item.raw)
        case Picked():
            return item.lines
        case _:
            return ()


def _json_line(line: Line) -> bytes:
    content = {
        "seq": line.seq,
        "at": _time(line.at_ms),
        "stream": STREAM_OF[line.letter],
        "text": line.text,
    }
    if line.continues:
        content["continues"] = True
    return orjson.dumps(content) + b"\n"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _json_note(item: Chosen) -> bytes:
    """Gaps, and an end that is not the log's, unless it was asked for by its place."""
    match item:
        case Missing():
            return gap_frame(item.first, item.last, item.reason) + b"\n"
        case More(reason=MoreReason.LIMIT | MoreReason.SEARCH_TIME):
            return more_frame(item.after, item.reason) + b"\n"
        case _:
            return b""


def _text_note(item: Chosen) -> bytes:
    match item:
        case Missing():
            return f"[lines {item.first}–{item.last} are not kept: {item.reason}]\n".encode()
        case More(reason=MoreReason.SEARCH_TIME):
            return f"[the search took too long: go on with after={item.after}]\n".encode()
        case _:
            return b""


def _event(item: Chosen) -> bytes:
    """As server-sent events. Their ids are the cursor with which a browser reconnects; an id alone only moves that."""
    match item:
        case Picked(lines=[]):
            return b"id: %d\n\n" % item.after
        case Picked():
            return b"".join(b"id: %d\ndata: %b\n\n" % run for run in _runs(item))
        case Chunk() | Missing():
            return b"id: %d\ndata: %b\n\n" % (item.last, b"".join(frames(item)))
        case More() | Ended():
            return b"event: end\nid: %d\ndata: %b\n\n" % (item.after, b"".join(frames(item)))
        case Notice():
            return b"data: %b\n\n" % item.frame
        case CaughtUp():  # comes now and then while all is quiet: keeps proxies from cutting
            return b":\n\n"
