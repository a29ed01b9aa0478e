"""The engine's stream format: frames of an 8-byte header (stream, three zero bytes, big-endian length) and a payload.

Pure: bytes in, pieces out. How the network cut the bytes never shows in what each stream says.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Final

from worker.engine.port import EngineError, Piece, Stream

_HEADER: Final = struct.Struct(">II")
# The first word of a header. 0 is the echo of stdin, which the engine's own client shows as standard output too.
_STREAMS: Final = {0: Stream.STDOUT, 1 << 24: Stream.STDOUT, 2 << 24: Stream.STDERR}
# "2026-11-21T02:34:47.802991498+01:00" is 35 bytes; engines differ in the zone they write, not in the nine digits.
_LONGEST_STAMP: Final = 40
# The engine stores a longer line in parts of this size; only these are exactly as long and have no newline.
_PART: Final = 16_384
_SECONDS, _MILLISECONDS, _NANOSECONDS = 19, 23, 29


class FrameError(EngineError):
    """The bytes are not frames, or end inside one: nothing that follows can be trusted."""


class Demultiplexer:
    """Turns a byte stream, cut anywhere, into pieces. Neighbouring frames of one stream come as one piece.

    With `timestamps` it reads the engine's log asked for `timestamps=1`, one message per frame:

    - Every frame begins with a time and a space, also the second and later parts of one long line. The time becomes
      `Piece.at_ms` and is no part of the data.
    - The `local` log driver gives no newline back after a line that was stored in parts (measured), and byte offsets
      would not hold: it is put back. Only a last line of 16 KiB or more that the program left without its newline
      cannot be told from one with it, and gets one that was not written.
    """

    def __init__(self, *, timestamps: bool = False) -> None:
        self._clock = _Clock() if timestamps else None
        self._held = b""  # the beginning of a frame whose header or time is not complete yet
        self._left = 0  # bytes of the current frame that are still to come
        self._size = 0  # the length of its payload, without its time
        self._word = 0  # the first word of its header
        self._stamp = b""  # its time, with the zone and the space
        self._at_ms: int | None = None
        self._in_parts: set[int] = set()  # the streams of which some parts of a long line have come

    def feed(self, data: bytes) -> list[Piece]:
        """What these bytes add; the payload of an incomplete frame too. Raises `FrameError` on a bad header."""
        if self._held:
            data, self._held = self._held + data, b""
        runs = _Runs()
        at, end = 0, len(data)
        while at < end:
            if not self._left:
                at = self._open(data, at)
                if at < 0:
                    break
            stop = min(at + self._left, end)
            self._left -= stop - at
            parts = runs.of(_STREAMS[self._word], self._at_ms)
            parts.append(data[at:stop])
            at = stop
            if not self._left:
                if self._clock:
                    self._end_message(data[at - 1 : at] if self._size else b"", parts)
                at = self._follow(data, at, parts)
        return runs.close()

    def close(self) -> None:
        """The stream has ended. Raises `FrameError` when it ended inside a frame."""
        if self._left or self._held:
            raise FrameError("The engine's stream ended in the middle of a frame")

    def _open(self, data: bytes, at: int) -> int:
        """Read the header at `at`; where its payload begins, or -1 (and the bytes held) when more are needed."""
        start = at + _HEADER.size
        if len(data) < start:
            self._held = data[at:]
            return -1
        word, size = _HEADER.unpack_from(data, at)
        if word not in _STREAMS:
            raise FrameError(f"Not a frame of the engine: {data[at : at + 80]!r}")
        self._word, self._left = word, size
        return start if self._clock is None else self._open_message(data, start, self._clock)

    def _open_message(self, data: bytes, start: int, clock: _Clock) -> int:
        limit = start + min(self._left, _LONGEST_STAMP)
        payload = data.find(b" ", start, limit) + 1
        if not payload and len(data) < limit:
            self._held, self._left = data[start - _HEADER.size :], 0
            return -1
        self._stamp = data[start:payload]
        try:
            self._at_ms = clock.read(self._stamp[:-1])
        except ValueError:
            # An engine that cannot read its own log says so in a frame of plain text.
            text = data[start : start + min(self._left, 200)]
            raise FrameError(f"A line of the engine's log has no time: {text!r}") from None
        self._left -= payload - start
        self._size = self._left
        return payload

    def _end_message(self, last: bytes, parts: list[bytes]) -> None:
        """Put back the newline after the last part of a long line, which may be empty."""
        if last != b"\n" and self._size == _PART:
            self._in_parts.add(self._word)
        elif self._word in self._in_parts:
            self._in_parts.remove(self._word)
            if last != b"\n":
                parts.append(b"\n")

    def _follow(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Take the whole frames that continue the run of the last one: the short way for floods of tiny frames.

        Returns where it stopped; a frame that is cut or in any way different is left to `_open`.
        """
        end = len(data)
        moment, zone = self._stamp[:_MILLISECONDS], self._stamp[_NANOSECONDS:]
        length = len(moment)
        least = _HEADER.size + len(self._stamp)
        most = least + _PART if self._clock else 1 << 32
        while end - at >= least and self._word not in self._in_parts:
            word, size = _HEADER.unpack_from(data, at)
            start = at + _HEADER.size
            stop, payload = start + size, at + least
            if word != self._word or not payload <= stop <= end or stop - at >= most:
                break
            if data[start : start + length] != moment or data[start + _NANOSECONDS : payload] != zone:
                break
            parts.append(data[payload:stop])
            at = stop
        return at


class _Runs:
    """Joins neighbouring payloads of one stream and millisecond: a flood of short lines costs few pieces."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._parts: list[bytes] = []
        self._stream = Stream.STDOUT
        self._at_ms: int | None = None

    def of(self, stream: Stream, at_ms: int | None) -> list[bytes]:
        """The parts of the run to append to."""
        if stream is not self._stream or at_ms != self._at_ms:
            self._flush()
            self._stream, self._at_ms = stream, at_ms
        return self._parts

    def close(self) -> list[Piece]:
        self._flush()
        return self._pieces

    def _flush(self) -> None:
        if data := b"".join(self._parts):
            self._pieces.append(Piece(self._stream, data, self._at_ms))
        self._parts = []


class _Clock:
    """Reads the engine's RFC 3339 times. Parsing costs more than all the rest, so a second is parsed once."""

    def __init__(self) -> None:
        self._second: tuple[bytes, bytes] = (b"", b"")
        self._second_ms = 0

    def read(self, text: bytes) -> int:
        """Unix milliseconds, rounded down. Raises `ValueError`."""
        second = (text[:_SECONDS], text[_NANOSECONDS:])
        if second != self._second:
            self._second_ms = _whole_seconds(text) * 1000
            self._second = second
        return self._second_ms + int(text[_SECONDS + 1 : _MILLISECONDS])


def _whole_seconds(text: bytes) -> int:
    if text[_SECONDS : _SECONDS + 1] != b"." or not text[_NANOSECONDS:]:
        raise ValueError
    moment = datetime.fromisoformat((text[:_SECONDS] + text[_NANOSECONDS:]).decode("ascii"))
    return int(moment.timestamp())
