"""Connections whose peer takes nothing are cut; slow ones are not, however slow."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest
import uvloop
from typing_extensions import override

from app.__main__ import open_listener
from app.settings import Settings
from app.stalled import StallWatch
from support.eventually import eventually

PIECE = bytes(65_536)


@dataclass(eq=False)
class Served(asyncio.Protocol):
    """A connection to which everything is written at once that anybody may ever take."""

    size: int
    known: "list[Served]"
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.known.append(self)
        for _ in range(self.size // len(PIECE)):
            self.transport.write(PIECE)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@asynccontextmanager
async def served(size: int) -> AsyncIterator[tuple[Served, socket.socket]]:
    """One side, and the other with little room."""
    connections: list[Served] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Served(size, connections), sock=open_listener(Settings(port=0)))
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Segments as on a real line: the loopback's are larger than such a window.
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        peer.setblocking(False)
        await loop.sock_connect(peer, server.sockets[0].getsockname())
        await eventually(lambda: connections)
        yield connections[0], peer
        connections[0].transport.abort()
    server.close()


async def take_some(peer: socket.socket) -> None:
    """So much that the other side hears of it."""
    taken = 0
    while taken < 20_000:
        taken += len(await asyncio.get_running_loop().sock_recv(peer, 20_000))


async def check_one_that_stands_still_and_one_that_is_slow() -> None:
    now = 1000.0
    async with served(2**22) as (still, _), served(2**22) as (slow, peer), served(0) as (idle, _):
        watch = StallWatch(lambda: (still, slow, idle), 60)
        for _ in range(4):
            watch.look(now)
            await take_some(peer)
            now += 20
        await asyncio.wait_for(still.lost.wait(), 60)
        assert not slow.lost.is_set()
        assert not idle.lost.is_set()
        watch.look(now)
        watch.look(now + 59)
        assert not slow.transport.is_closing()
        watch.look(now + 60)
        assert slow.transport.is_closing()
        assert not idle.transport.is_closing()
        assert len(watch._seen) == 0


async def test_who_stands_still_is_cut_and_who_is_slow_or_idle_is_not() -> None:
    await check_one_that_stands_still_and_one_that_is_slow()


def test_the_same_on_the_loop_of_the_server() -> None:
    uvloop.run(check_one_that_stands_still_and_one_that_is_slow())


async def test_it_looks_by_itself() -> None:
    async with served(2**22) as (still, _):
        watching = asyncio.create_task(StallWatch(lambda: (still,), 0.2).run())
        await asyncio.wait_for(still.lost.wait(), 60)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
