"""What arrives live, made ready once for all readers of an execution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson

from app.listener import Heard
from app.logs.protocol import Kind, join_frames, unpack_message
from app.logs.store import Chunk, Missing

# What waits for a reader is given to it as one frame, up to this size: a frame costs far more than a line.
JOIN_BYTES = 64 * 1024


class Live:
    """One message of the worker."""

    __slots__ = ("_joined", "first", "frame", "kind", "last")

    def __init__(self, data: bytes) -> None:
        self.kind, self.first, self.last, self.frame = unpack_message(data)
        self._joined: Chunk | None = None

    def joined(self, others: Sequence[Live]) -> Chunk:
        """These lines, and those of others that follow: one and the same chunk for all readers who are as far."""
        last = others[-1].last if others else self.last
        if self._joined is None or self._joined.last != last:
            frame = join_frames([self.frame, *(other.frame for other in others)]) if others else self.frame
            self._joined = Chunk(self.first, last, frame, None)
        return self._joined

    def missing(self) -> Missing:
        """The gap that it tells of."""
        content = orjson.loads(self.frame)
        return Missing(content["from"], content["to"], content["reason"])


def runs(messages: Iterable[Heard]) -> Iterator[list[Live]]:
    """Messages of lines that continue each other together, any other by itself."""
    run: list[Live] = []
    for message in messages:
        live = message.made(Live)
        if run and not (live.kind is run[-1].kind is Kind.LINES and live.first == run[-1].last + 1):
            yield run
            run = []
        run.append(live)
    if run:
        yield run
