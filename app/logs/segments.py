"""How frames are stored: one by one while a log is young, many in one piece afterwards. Pure.

A *segment* is a run of consecutive frames, each behind a small header, compressed together: larger pieces compress
better, and are fewer rows. The frames come out as the bytes that went in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import zstandard

CHUNK_LEVEL = 1
SEGMENT_LEVEL = 3
# A chunk has some 128 KiB of records and a segment some 1 MiB. As JSON, control characters take six bytes each.
MAX_FRAME_BYTES = 16 * 2**20
MAX_SEGMENT_BYTES = 64 * 2**20

# First and last seq, and the sizes of the frame and of what is beside it.
_HEADER = struct.Struct("!QQII")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored frame of consecutive lines."""

    first: int
    last: int
    frame: bytes
    raw: bytes | None


def compress(frame: bytes) -> bytes:
    """A frame as it is stored."""
    return zstandard.ZstdCompressor(level=CHUNK_LEVEL).compress(frame)


def decompress(stored: bytes) -> bytes:
    """A stored frame as it was published."""
    return zstandard.ZstdDecompressor().decompress(stored, max_output_size=MAX_FRAME_BYTES)


def pack(chunks: Sequence[Chunk]) -> bytes:
    """Consecutive chunks as they are stored together."""
    pieces: list[bytes] = []
    for chunk in chunks:
        raw = chunk.raw or b""
        pieces += (_HEADER.pack(chunk.first, chunk.last, len(chunk.frame), len(raw)), chunk.frame, raw)
    return zstandard.ZstdCompressor(level=SEGMENT_LEVEL).compress(b"".join(pieces))


def unpack(stored: bytes, *, after: int = 0) -> Iterator[Chunk]:
    """The chunks of a segment that hold lines > `after`, one by one."""
    data = memoryview(zstandard.ZstdDecompressor().decompress(stored, max_output_size=MAX_SEGMENT_BYTES))
    at = 0
    while at < len(data):
        first, last, frame_size, raw_size = _HEADER.unpack_from(data, at)
        frame_at = at + _HEADER.size
        raw_at = frame_at + frame_size
        at = raw_at + raw_size
        if last > after:
            # Nothing is beside a frame whose text is exact: never an empty something.
            yield Chunk(first, last, bytes(data[frame_at:raw_at]), bytes(data[raw_at:at]) or None)
