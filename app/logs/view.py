"""A reader's view of the log: which streams, and in which shape. Pure transformations of what `tail` yields."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby

import orjson

from app.logs.protocol import Line, LogStream, decode_lines, encode_lines, end_frame, gap_frame
from app.logs.store import Chunk, Missing
from app.logs.tail import CaughtUp, Ended, Item, Notice

ALL_STREAMS = frozenset(LogStream)
# Beyond this an unfinished line is passed on in parts rather than held.
JOIN_BYTES = 2**20


class Format(StrEnum):
    """The shapes of `GET …/logs`, with their media types in `MEDIA_TYPES`."""

    TEXT = "text"
    NDJSON = "ndjson"
    SSE = "sse"
    RAW = "raw"


MEDIA_TYPES = {
    Format.TEXT: "text/plain",
    Format.NDJSON: "application/x-ndjson",
    Format.SSE: "text/event-stream",
    Format.RAW: "application/octet-stream",
}


def frames(item: Item, streams: frozenset[LogStream]) -> Iterator[bytes]:
    """The frames of one item, for a socket that asked for these streams."""
    match item:
        case Chunk():
            if streams == ALL_STREAMS:
                yield item.frame
            else:
                yield from _runs(item, streams)
        case Missing():
            yield gap_frame(item.first, item.last, item.reason)
        case Notice():
            yield item.frame
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


def _runs(chunk: Chunk, streams: frozenset[LogStream]) -> Iterator[bytes]:
    """A frame's lines are consecutive: lines left out end one frame and begin another."""
    letters = {stream.letter for stream in streams}
    lines = decode_lines(chunk.frame)
    if all(line.letter in letters for line in lines):
        yield chunk.frame
        return
    for wanted, run in groupby(lines, key=lambda line: line.letter in letters):
        if wanted:
            kept = list(run)
            yield encode_lines(kept[0].seq, [line.entry for line in kept])[0]


@dataclass(frozen=True, slots=True)
class View:
    """How one HTTP reader wants the log."""

    format: Format
    streams: frozenset[LogStream]

    async def encode(self, items: AsyncIterator[Item]) -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        joiner = Joiner()
        async for item in items:
            piece = self._piece(item, joiner)
            if piece:
                yield piece
        if rest := joiner.close():
            yield rest

    def _piece(self, item: Item, joiner: Joiner) -> bytes:
        match self.format:
            case Format.SSE:
                if isinstance(item, CaughtUp):  # comes now and then while all is quiet: keeps proxies from cutting
                    return b":\n\n"
                return b"".join(_event(item, frame) for frame in frames(item, self.streams))
            case Format.NDJSON:
                return b"".join(_json_line(line) for line in self._lines(item)) + _gap_line(item)
            case Format.RAW:
                return b"".join(line.data if line.continues else line.data + b"\n" for line in self._lines(item))
            case Format.TEXT:
                if isinstance(item, Missing):
                    rest = joiner.close()
                    return (rest + b"\n" if rest else b"") + _gap_text(item)
                return joiner.join(self._lines(item))

    def _lines(self, item: Item) -> Iterable[Line]:
        if not isinstance(item, Chunk):
            return ()
        letters = {stream.letter for stream in self.streams}
        return (line for line in decode_lines(item.frame, item.raw) if line.letter in letters)


class Joiner:
    """Puts continued lines together again, each stream for itself, so that streams do not cut each other's lines."""

    def __init__(self) -> None:
        self._open: dict[str, list[bytes]] = {}

    def join(self, lines: Iterable[Line]) -> bytes:
        """The text of what is whole by now."""
        out: list[bytes] = []
        for line in lines:
            held = self._open.get(line.letter)
            text = line.text.encode()
            if line.continues:
                held = self._open.setdefault(line.letter, [])
                held.append(text)
                if sum(map(len, held)) > JOIN_BYTES:
                    out += self._open.pop(line.letter)
            else:
                if held:
                    out += self._open.pop(line.letter)
                out += (text, b"\n")
        return b"".join(out)

    def close(self) -> bytes:
        """Lines that never got their newline, or whose rest is not kept."""
        rest = b"\n".join(b"".join(held) for held in self._open.values())
        self._open.clear()
        return rest


def _json_line(line: Line) -> bytes:
    content = {
        "seq": line.seq,
        "at": datetime.fromtimestamp(line.at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "stream": next(stream for stream in LogStream if stream.letter == line.letter),
        "text": line.text,
    }
    if line.continues:
        content["continues"] = True
    return orjson.dumps(content) + b"\n"


def _gap_line(item: Item) -> bytes:
    return gap_frame(item.first, item.last, item.reason) + b"\n" if isinstance(item, Missing) else b""


def _gap_text(item: Missing) -> bytes:
    return f"[lines {item.first}–{item.last} are not kept: {item.reason}]\n".encode()


def _event(item: Item, frame: bytes) -> bytes:
    """A server-sent event; its id is the cursor with which a browser reconnects."""
    match item:
        case Chunk() | Missing():
            lines = orjson.loads(frame)
            seq = lines["to"] if lines["type"] == "gap" else lines["first"] + len(lines["lines"]) - 1
            return b"id: %d\ndata: %b\n\n" % (seq, frame)
        case Ended():
            return b"event: end\ndata: %b\n\n" % frame
        case _:
            return b"data: %b\n\n" % frame
