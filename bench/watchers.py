"""Many watchers of one execution, in a process of their own: what each of them misses, and when each line comes.

Much leaner than a client should be, so that a thousand of them fit beside the server that is measured. Lines begin with
the time at which they were written, in nanoseconds. Prints `ready` when all are connected, and figures at the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import uvloop
from typing_extensions import override

AT_ONCE = 50
TICK_NS = 100_000


@dataclass
class Tally:
    """What all of them saw. Delays are counted in ticks of a tenth of a millisecond."""

    delays: Counter[int] = field(default_factory=Counter)
    at_worker: Counter[int] = field(default_factory=Counter)
    frames: int = 0
    lines: int = 0
    wrong: int = 0
    ended: int = 0


def quantile(delays: Counter[int], share: float) -> float:
    """Milliseconds."""
    left = share * delays.total()
    for tick in sorted(delays):
        left -= delays[tick]
        if left <= 0:
            return tick * TICK_NS / 1e6
    return 0.0


class Frames:
    """Frames as they are on the wire; the same one comes a thousand times and is parsed once."""

    def __init__(self, tally: Tally) -> None:
        self._known: dict[bytes, tuple[int, int, list[int]] | str] = {}
        self._tally = tally

    def read(self, payload: bytes) -> tuple[int, int, list[int]] | str:
        """First seq, how many lines, and when they were written; of another frame, its type."""
        known = self._known.get(payload)
        if known is None:
            if len(self._known) > 1000:
                self._known.clear()
            known = self._known[payload] = self._parse(orjson.loads(payload))
        return known

    def _parse(self, frame: dict[str, Any]) -> tuple[int, int, list[int]] | str:
        if frame["type"] != "lines":
            return str(frame["type"])
        lines = [(line[0] * 1_000_000, int(line[2].split(" ", 1)[0])) for line in frame["lines"] if line[1] == "o"]
        self._tally.at_worker.update((taken - at) // TICK_NS for taken, at in lines)
        written = [at for _, at in lines]
        return frame["first"], len(frame["lines"]), written


class Watcher(asyncio.Protocol):
    """One WebSocket: the handshake, and then text frames of the server."""

    def __init__(self, request: bytes, frames: Frames, tally: Tally) -> None:
        self._request = request
        self._frames = frames
        self._tally = tally
        self._buffer = b""
        self._open = False
        self._next = 1
        self.ready = asyncio.get_running_loop().create_future()
        self.over = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, head
            self._open, self._buffer = True, rest
        self._read_frames(time.time_ns())

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.ready, self.over):
            if not future.done():
                future.set_result(None)

    def _read_frames(self, now: int) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            length, begin = buffer[at + 1] & 127, at + 2
            if length >= 126:
                begin += 2 if length == 126 else 8
                length = int.from_bytes(buffer[at + 2 : begin], "big")
            if len(buffer) < begin + length:
                break
            opcode, payload, at = buffer[at] & 15, buffer[begin : begin + length], begin + length
            if opcode == 1:
                self._take(payload, now)
            elif opcode == 9:
                self._transport.write(bytes((0x8A, 0x80 | length)) + bytes(4) + payload)
            elif opcode == 8:
                self._transport.close()
        self._buffer = buffer[at:]

    def _take(self, payload: bytes, now: int) -> None:
        frame, tally = self._frames.read(payload), self._tally
        tally.frames += 1
        if isinstance(frame, str):
            if frame == "hello":
                self.ready.set_result(None)
            tally.ended += frame == "end"
            tally.wrong += frame == "gap"
            return
        first, count, written = frame
        tally.wrong += first != self._next
        self._next = first + count
        tally.lines += len(written)
        for at in written:
            tally.delays[(now - at) // TICK_NS] += 1


async def watch(url: str, token: str, count: int) -> Tally:
    parts = urlsplit(url)
    request = (
        f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    tally = Tally()
    frames = Frames(tally)
    watchers: list[Watcher] = []
    for start in range(0, count, AT_ONCE):
        connecting = (
            loop.create_connection(lambda: Watcher(request, frames, tally), parts.hostname, parts.port)
            for _ in range(min(AT_ONCE, count - start))
        )
        group = [watcher for _, watcher in await asyncio.gather(*connecting)]
        await asyncio.gather(*(watcher.ready for watcher in group))
        watchers += group
    print("ready", flush=True)
    await asyncio.gather(*(watcher.over for watcher in watchers))
    return tally


def main() -> None:
    url, token, count = sys.argv[1:]
    tally = uvloop.run(watch(url, token, int(count)))
    figures = {name: getattr(tally, name) for name in ("frames", "lines", "wrong", "ended")}
    quantiles = {name: quantile(tally.delays, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
    quantiles["at_worker"] = quantile(tally.at_worker, 0.99)
    print(json.dumps({**figures, **quantiles}), flush=True)


if __name__ == "__main__":
    main()
