"""WebSockets of our server, on real connections: what is sent, and clients that make us answer and read nothing."""

import asyncio
import gc
import socket
import struct
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from app.wire import COPIED_BYTES, WireProtocol, sender
from support.eventually import eventually

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: tailrace\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n\r\n"
)
# Around each of the lengths at which a frame is written in another way.
SIZES = [0, 1, 125, 126, COPIED_BYTES, COPIED_BYTES + 1, 2**16 - 1, 2**16, 2**18]
PING = Frame(Opcode.PING, bytes(100)).serialize(mask=True)
PINGS = 100_000
GOODBYE = struct.pack("!H", 1000)
# What one read may answer, and the transport's own mark; far less than all answers together.
BOUND = 2**21

Talk = Callable[[WebSocket], Awaitable[None]]
Connections = list[WebSocketsSansIOProtocol]


@asynccontextmanager
async def served(
    talk: Talk, protocol: type[WebSocketsSansIOProtocol] = WireProtocol
) -> AsyncIterator[tuple[int, Connections]]:
    """A server whose sockets do this; its port, and its connections."""
    app = FastAPI()
    app.websocket("/")(talk)
    config = uvicorn.Config(app, ws=protocol, log_config=None, lifespan="off", ws_per_message_deflate=False)
    config.load()
    connections: Connections = []

    def new() -> WebSocketsSansIOProtocol:
        connections.append(protocol(config, ServerState(), {}))
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(new, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        for connection in connections:
            if not connection.disconnected:
                connection.transport.abort()
        server.close()
        await eventually(lambda: not any(connection.tasks for connection in connections))


@asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[socket.socket]:
    """One with little room."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, HANDSHAKE)
        yield client


async def speak(socket: WebSocket) -> None:
    await socket.accept()
    send = sender(socket)
    for size in SIZES:
        await send(b"x" * size)
    await send("ä😀".encode())
    await socket.close(1000, "over")


async def hear(port: int) -> tuple[list[str], int | None]:
    async with connect(f"ws://127.0.0.1:{port}/", max_size=None) as client:
        heard = [str(message) async for message in client]
        return heard, client.close_code


async def flood(socket: WebSocket) -> None:
    """More than anybody takes who does not read."""
    await socket.accept()
    send = sender(socket)
    for _ in range(100):
        await send(b"y" * 2**16)
    await socket.receive()


@pytest.mark.parametrize("protocol", [WireProtocol, WebSocketsSansIOProtocol])
async def test_texts_of_all_lengths_arrive_whole_on_our_server_and_on_any(
    protocol: type[WebSocketsSansIOProtocol],
) -> None:
    async with served(speak, protocol) as (port, _):
        assert await hear(port) == ([*("x" * size for size in SIZES), "ä😀"], 1000)


def test_the_same_on_the_loop_of_the_server() -> None:
    async def check() -> None:
        async with served(speak) as (port, _):
            assert await hear(port) == ([*("x" * size for size in SIZES), "ä😀"], 1000)

    uvloop.run(check())


async def check_pings() -> None:
    async with served(flood) as (port, connections), raw_client(port) as client:
        await eventually(lambda: connections and not connections[0].writable.is_set())
        loop = asyncio.get_running_loop()
        for _ in range(PINGS // 1000):
            await loop.sock_sendall(client, PING * 1000)
            assert connections[0].transport.get_write_buffer_size() < BOUND
        await loop.sock_sendall(client, Frame(Opcode.PING, b"the last").serialize(mask=True))
        taken = b""
        while Frame(Opcode.PONG, b"the last").serialize(mask=False) not in taken:
            taken = taken[-1000:] + await loop.sock_recv(client, 2**16)


async def test_who_pings_and_does_not_read_gets_one_answer() -> None:
    await check_pings()


def test_the_same_of_pings_on_the_loop_of_the_server() -> None:
    uvloop.run(check_pings())


async def test_who_says_goodbye_behind_a_ping_is_answered_that() -> None:
    async with served(flood) as (port, connections), raw_client(port) as client:
        await eventually(lambda: connections and not connections[0].writable.is_set())
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, PING + Frame(Opcode.CLOSE, GOODBYE).serialize(mask=True))
        taken = last = await loop.sock_recv(client, 2**16)
        while last:
            last = await loop.sock_recv(client, 2**16)
            taken = taken[-1000:] + last
        assert taken.endswith(Frame(Opcode.CLOSE, GOODBYE).serialize(mask=False))


async def test_who_reads_is_answered() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()

    async with served(talk) as (port, _), connect(f"ws://127.0.0.1:{port}/") as client:
        for _ in range(3):
            await asyncio.wait_for(await client.ping(), 60)


async def test_a_message_of_nothing_but_empty_pieces_takes_no_memory() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        heard.set_result(await socket.receive_text())

    async with served(talk) as (port, connections), raw_client(port) as client:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, Frame(Opcode.TEXT, b"a", fin=False).serialize(mask=True))
        for _ in range(10):
            await loop.sock_sendall(client, Frame(Opcode.CONT, b"", fin=False).serialize(mask=True) * 1000)
        await loop.sock_sendall(client, Frame(Opcode.CONT, b"b", fin=False).serialize(mask=True))
        await eventually(lambda: connections[0].frames == [b"a", b"b"])
        await loop.sock_sendall(client, Frame(Opcode.CONT, b"").serialize(mask=True))
        assert await heard == "ab"


async def hang_up(port: int) -> None:
    """Without a handshake."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("visit", [hear, hang_up])
async def test_a_socket_that_has_gone_leaves_nothing_to_the_garbage_collector(
    visit: Callable[[int], Awaitable[object]],
) -> None:
    async with served(speak) as (port, connections):
        await visit(port)
        await eventually(lambda: connections and connections[0].disconnected and not connections[0].tasks)
        gone = weakref.ref(connections[0])
        gc.disable()
        try:
            connections.clear()
            await eventually(lambda: gone() is None)
        finally:
            gc.enable()


async def test_to_send_to_a_client_that_has_gone_is_an_error() -> None:
    gone = asyncio.get_running_loop().create_future()

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        send = sender(socket)
        try:
            while True:
                await send(b"z" * 2**16)
        except WebSocketDisconnect as error:
            gone.set_result(error.code)

    async with served(talk) as (port, _):
        async with raw_client(port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.get_running_loop().sock_recv(client, 1000)
        assert await asyncio.wait_for(gone, 60) == 1006
