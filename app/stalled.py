"""Cuts connections whose peer takes nothing any more, and leaves those alone that are slow.

The kernel's own `TCP_USER_TIMEOUT` cannot tell the two apart: docs/adr/0013-who-takes-nothing-is-cut.md.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

LOOKS = 4
# In the kernel's `struct tcp_info`: segments on their way, bytes ever acknowledged, bytes not sent yet.
_INFO = struct.Struct("=24xI92xQ16xI")


class Connection(Protocol):
    """What the server keeps of each."""

    @property
    def transport(self) -> asyncio.Transport:
        """Its socket is asked."""


class StallWatch:
    """Looks at all connections now and then. One stands still while something is to be sent and nothing is taken."""

    def __init__(self, connections: Callable[[], Iterable[Connection]], stalled_after: float) -> None:
        self._connections = connections
        self._stalled_after = stalled_after
        # Of each that has something to send, how much was acknowledged, and since when it is not more.
        self._seen: dict[asyncio.Transport, tuple[int, float]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._stalled_after / LOOKS)
            self.look(clock())

    def look(self, now: float) -> None:
        """Cut those that have stood still for too long."""
        seen: dict[asyncio.Transport, tuple[int, float]] = {}
        for connection in list(self._connections()):
            transport = connection.transport
            acknowledged = _acknowledged(transport)
            if acknowledged is None:
                continue
            before, since = self._seen.get(transport, (None, now))
            if acknowledged != before:
                since = now
            if now - since >= self._stalled_after:
                log.info("connection.stalled", peer=transport.get_extra_info("peername"))
                transport.abort()
            else:
                seen[transport] = (acknowledged, since)
        self._seen = seen


def _acknowledged(transport: asyncio.Transport) -> int | None:
    """Bytes that the peer has taken so far; None when there is nothing for it to take."""
    if transport.is_closing() and not transport.get_write_buffer_size():
        return None
    try:
        info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except OSError:
        return None
    on_their_way, acknowledged, unsent = _INFO.unpack(info)
    return acknowledged if on_their_way or unsent or transport.get_write_buffer_size() else None
