"""The line that the other tests break: it has to break as it says, and to pass everything on when it says nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.eventually import eventually
from support.fault_proxy import FaultProxy, fault_proxy

pytestmark = pytest.mark.faults

SOON = 20.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


@pytest.fixture(params=["unix", "tcp"])
async def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FaultProxy]:
    """In front of a server that answers every line with the same."""
    if request.param == "unix":
        server = await asyncio.start_unix_server(echo, tmp_path / "there")
        line = fault_proxy(tmp_path / "here", tmp_path / "there")
    else:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        line = fault_proxy(("127.0.0.1", 0), ("127.0.0.1", server.sockets[0].getsockname()[1]))
    async with server, line as proxy:
        yield proxy


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, line: bytes = b"hello\n") -> bytes:
        """The answer; empty if the connection was broken."""
        self.writer.write(line)
        async with asyncio.timeout(SOON):
            try:
                return await self.reader.readline()
            except ConnectionError:
                return b""

    async def hears_nothing(self) -> bool:
        """Neither an answer nor an end, for a moment."""
        self.writer.write(b"anybody\n")
        try:
            async with asyncio.timeout(0.3):
                return await self.reader.read(1) == b"never true"
        except TimeoutError:
            return True


@asynccontextmanager
async def connected(proxy: FaultProxy) -> AsyncIterator[Client]:
    here = proxy._here
    opening = asyncio.open_unix_connection(here) if isinstance(here, Path) else asyncio.open_connection(*here)
    client = Client(*await opening)
    try:
        yield client
    finally:
        client.writer.transport.abort()


async def test_everything_is_passed_on_and_so_is_an_end(proxy: FaultProxy) -> None:
    async with connected(proxy) as client:
        assert await client.ask() == b"hello\n"
        big = b"x" * 60_000 + b"\n"
        assert await client.ask(big) == big
        client.writer.write_eof()
        assert await client.reader.read() == b""


async def test_refusing_breaks_what_is_open_and_takes_nothing_new(proxy: FaultProxy) -> None:
    async with connected(proxy) as client:
        assert await client.ask() == b"hello\n"
        await proxy.refuse()
        assert await client.ask() == b""
    with pytest.raises(OSError, match=r"(?i)connect|no such file"):
        async with connected(proxy):
            pass
    await proxy.heal()
    async with connected(proxy) as client:
        assert await client.ask() == b"hello\n"


async def test_hanging_keeps_everything_for_later(proxy: FaultProxy) -> None:
    async with connected(proxy) as old:
        assert await old.ask() == b"hello\n"
        await proxy.hang()
        assert await old.hears_nothing()
        async with connected(proxy) as new:
            assert await new.hears_nothing()
            await proxy.heal()
            assert await new.reader.readline() == b"anybody\n"
        assert await old.reader.readline() == b"anybody\n"


async def test_swallowing_is_for_good_and_silent(proxy: FaultProxy) -> None:
    async with connected(proxy) as old:
        assert await old.ask() == b"hello\n"
        await proxy.swallow()
        async with connected(proxy) as new:
            assert await new.hears_nothing()
            await proxy.heal()
            assert await new.hears_nothing()
        assert await old.hears_nothing()
    async with connected(proxy) as later:
        assert await later.ask() == b"hello\n"


async def test_an_answer_is_lost_but_the_question_arrived(proxy: FaultProxy) -> None:
    await proxy.lose_answer(b"COMMIT")
    async with connected(proxy) as client:
        assert await client.ask(b"BEGIN\n") == b"BEGIN\n"
        assert await client.ask(b"COMMIT\n") == b""
    assert proxy.lost == 1
    async with connected(proxy) as client:
        assert await client.ask(b"COMMIT\n") == b"COMMIT\n"


async def test_a_connection_is_cut_after_so_many_bytes(proxy: FaultProxy) -> None:
    await proxy.cut_after(8)
    async with connected(proxy) as client:
        assert await client.ask() == b"hello\n"
        assert await client.ask() in {b"he", b""}  # the cut may overtake what was before it


async def test_a_far_and_thin_line_takes_its_time(proxy: FaultProxy) -> None:
    await proxy.slow_down(delay=0.1)
    async with connected(proxy) as client:
        asked = time.monotonic()
        assert await client.ask() == b"hello\n"
        assert time.monotonic() - asked >= 0.2
    await proxy.slow_down(throttle=1000)
    async with connected(proxy) as client:
        asked = time.monotonic()
        assert await client.ask(b"x" * 299 + b"\n") == b"x" * 299 + b"\n"
        assert time.monotonic() - asked >= 0.1


async def test_connections_can_be_cut_once(proxy: FaultProxy) -> None:
    async with connected(proxy) as client:
        assert await client.ask() == b"hello\n"
        await proxy.cut()
        assert await client.ask() == b""
    async with connected(proxy) as client:
        assert await client.ask() == b"hello\n"
    await eventually(lambda: not proxy._connections)
