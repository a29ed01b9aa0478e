"""`python -m app` as a process of its own: its socket, its end, and clients that leave."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.__main__ import open_listener
from app.auth.tokens import new_token
from app.bootstrap import Process
from app.db.engine import open_engine, transaction
from app.hints import Channels
from app.logs.protocol import CloseCode
from app.settings import Settings
from support import long_line
from support.eventually import eventually

ROOT = Path(__file__).parents[2]
TOKEN = new_token()
NewDatabase = Callable[[], Awaitable[str]]


class Server:
    """The process, and what it logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, object]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(orjson.loads(line))

    async def event(self, name: str) -> dict[str, object]:
        found = await eventually(lambda: [line for line in self.lines if line["event"] == name])
        return found[0]

    async def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(60):
            code = await self.process.wait()
            await self._reading
        return code


async def start(settings: Settings, **more: str) -> Server:
    environment = {
        **os.environ,
        "TAILRACE_DATABASE_URL": settings.database_url,
        "TAILRACE_REDIS_URL": settings.redis_url,
        "TAILRACE_DATA": str(settings.data),
        "TAILRACE_BOOTSTRAP_TOKEN": TOKEN,
        "TAILRACE_PORT": "0",
        "TAILRACE_LOG_FORMAT": "json",
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    return Server(process)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client over TCP, once the server answers."""
    port = (await server.event("api.bound"))["port"]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
        await eventually(lambda: _answers(client))
        yield client


@pytest.fixture(scope="module")
async def remote(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that stays up."""
    server = await start(settings)
    async with connected(server) as client:
        yield client
    await server.end(signal.SIGKILL)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def watchers(process: Process, execution: str) -> int:
    """How many processes listen to what becomes of it."""
    ((_, count),) = await process.redis.pubsub_numsub(process.channels.execution(UUID(execution)))
    return int(count)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_at_the_end_a_waiting_request_is_answered(number: int, settings: Settings, process: Process) -> None:
    server = await start(settings, TAILRACE_SHUTDOWN_GRACE="20")  # far more than it takes, on a busy machine too
    async with connected(server) as client:
        response = await client.post("/v1/executions", json={"image": "busybox:local"})
        assert response.status_code == 201
        assert "server" not in response.headers
        body = response.json()
        waiting = asyncio.create_task(client.get(f"{body['links']['self']}?wait=60"))
        await eventually(lambda: watchers(process, body["id"]))
        assert await server.end(number) == 0
        assert (await waiting).json()["status"] == "queued"
    assert {line["level"] for line in server.lines} == {"info"}
    assert server.lines[-1]["event"] == "api.stopped"


async def test_the_address_of_a_share_is_in_no_log_of_ours(settings: Settings) -> None:
    server = await start(settings)
    async with connected(server) as client:
        own = (await client.post("/v1/executions", json={"image": "busybox:local"})).json()["links"]["self"]
        made = (await client.post(f"{own}/shares", json={})).json()
        async with connect(made["links"]["tail"]) as socket:
            assert orjson.loads(await socket.recv())["type"] == "hello"
        for address in (*made["links"].values(), f"{made['links']['self']}&unknown=1"):
            assert (await client.get(address.replace("ws:", "http:"))).status_code in {200, 404, 422}
    assert await server.end() == 0
    assert len(server.lines) > 3
    assert [line for line in server.lines if made["token"] in str(line)] == []


async def test_what_is_open_is_cut_when_its_token_is_revoked(settings: Settings) -> None:
    server = await start(settings)
    async with connected(server) as remote:
        # Of somebody new: an owner has only so many tokens, and the administrator of all tests has many.
        token = {"name": "t", "owner": f"new-{uuid4()}", "role": "operator"}
        made = (await remote.post("/v1/tokens", json=token)).json()
        bearer = {"Authorization": f"Bearer {made['token']}"}
        submitted = await remote.post("/v1/executions", json={"image": "busybox:local"}, headers=bearer)
        own = submitted.json()["links"]["self"]
        url = str(remote.base_url).replace("http", "ws") + f"{own}/tail"
        follow = f"{own}/logs?follow=true&streams=system"
        async with (
            connect(url, additional_headers=bearer) as tail,
            remote.stream("GET", follow, headers=bearer) as answer,
        ):
            assert answer.status_code == 200
            assert (await remote.delete(f"/v1/tokens/{made['id']}")).status_code == 204
            with pytest.raises(ConnectionClosed):
                while True:
                    await tail.recv()
            assert tail.close_code == CloseCode.NOT_AUTHENTICATED
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()
        await remote.post(f"{own}/cancel")
    assert await server.end() == 0
    # That we break it off is no fault of anybody's.
    assert "tokens.stream_cut" in {line["event"] for line in server.lines}
    assert {line["level"] for line in server.lines} == {"info"}


async def test_a_head_is_answered_whole_and_the_connection_goes_on(remote: httpx.AsyncClient) -> None:
    own = (await remote.post("/v1/executions", json={"image": "busybox:local"})).json()["links"]
    for address in (own["self"], f"{own['self']}?wait=60", f"{own['logs']}?follow=true", "/openapi.json", "/docs"):
        answer = await remote.head(address)
        assert (answer.status_code, answer.content) == (200, b""), address
        assert "transfer-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len((await remote.get("/docs")).content)
    await remote.post(own["cancel"])


async def test_a_client_that_left_is_not_waited_for(remote: httpx.AsyncClient, process: Process) -> None:
    own = (await remote.post("/v1/executions", json={"image": "busybox:local"})).json()
    waiting = asyncio.create_task(remote.get(f"{own['links']['self']}?wait=60"))
    await eventually(lambda: watchers(process, own["id"]))
    waiting.cancel()

    async def nobody() -> bool:
        return await watchers(process, own["id"]) == 0

    await eventually(nobody, within=30)
    await remote.post(own["links"]["cancel"])


@pytest.mark.parametrize("token", [f"Bearer {TOKEN}", ""], ids=["allowed", "nobody"])
async def test_an_upload_that_is_not_read_is_answered(token: str, remote: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 65_536

    headers = {"Content-Type": "application/json", "Authorization": token}
    with suppress(httpx.WriteError, httpx.RemoteProtocolError):  # the answer may come before the upload is through
        response = await remote.post("/v1/executions", content=endless(), headers=headers)
        assert response.status_code == (413 if token else 401)
    assert (await remote.get("/healthz")).status_code == 200


async def test_an_oversized_upload_is_answered_over_tcp(remote: httpx.AsyncClient) -> None:
    response = await remote.post(
        "/v1/executions", content=b" " * (9 * 2**20), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert (await remote.get("/healthz")).status_code == 200


async def test_on_another_schema_it_says_what_to_do(settings: Settings, new_database: NewDatabase) -> None:
    url = await new_database()
    async with open_engine(url, pool_size=1, application="test") as engine, transaction(engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    server = await start(settings, TAILRACE_DATABASE_URL=url)
    async with asyncio.timeout(30):
        assert await server.process.wait() == 3
    await server.end()
    assert "alembic upgrade head" in str(server.lines[-1]["error"])


async def test_a_taken_port_is_said_in_one_line(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = await start(settings, TAILRACE_PORT=str(taken.getsockname()[1]))
        async with asyncio.timeout(30):
            assert await server.process.wait() == 3
        assert [line["event"] for line in server.lines] == ["api.cannot_listen"]
        await server.end()


async def test_without_its_database_it_does_not_start(settings: Settings, tmp_path: Path) -> None:
    server = await start(settings, TAILRACE_DATABASE_URL=f"postgresql://x@/y?host={tmp_path}")
    async with asyncio.timeout(30):
        assert await server.process.wait() == 3
    await server.end()
    assert [line["event"] for line in server.lines] == ["api.bound", "api.cannot_start"]


@pytest.mark.slow
@pytest.mark.skipif(not long_line.is_possible(), reason="needs to be root, and TUN devices")
async def test_what_is_on_its_way_may_be_as_much_as_a_long_line_holds() -> None:
    """A download over a tenth of a second is as fast as the line, not as a fixed buffer per round trip."""

    async def measure(send_buffer: int) -> float:
        command = (sys.executable, "-m", "support.long_line", "100", "16", str(send_buffer))
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        environment = {**os.environ, "PYTHONPATH": path}
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        return float(output)

    assert await measure(131_072) > 2 * await measure(0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_of_what_cannot_be_sent_yet_the_kernel_takes_little(host: str) -> None:
    settings = Settings(host=host, port=0, send_buffer=65_536)
    with open_listener(settings) as listener:
        listener.listen()
        with socket.create_connection((host, listener.getsockname()[1])), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 65_536


async def test_five_hundred_wait_over_ten_database_connections(settings: Settings, new_database: NewDatabase) -> None:
    """Each for an execution of its own; others are served meanwhile, and all hear of its end."""
    own = settings.model_copy(update={"database_url": await new_database()})
    server = await start(own, TAILRACE_DATABASE_POOL="10")
    try:
        port = (await server.event("api.bound"))["port"]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            await eventually(lambda: _answers(client))
            ids: list[str] = []
            while len(ids) < 500:
                posts = (client.post("/v1/executions", json={"image": "i"}) for _ in range(10))
                ids += [answer.json()["id"] for answer in await asyncio.gather(*posts)]
            waiters = [asyncio.create_task(_status_at_the_end(port, each)) for each in ids]
            await eventually(lambda: _are_watched(own, ids), within=60)
            assert (await client.get("/v1/executions", timeout=30)).status_code == 200
            for some in (ids[start : start + 10] for start in range(0, 500, 10)):
                answers = await asyncio.gather(*(client.post(f"/v1/executions/{each}/cancel") for each in some))
                assert {answer.status_code for answer in answers} == {202}
            async with asyncio.timeout(90):
                assert set(await asyncio.gather(*waiters)) == {"canceled"}
    finally:
        await server.end()


async def _status_at_the_end(port: Any, execution: str) -> str:
    """By hand: a client of httpx looks at all of its connections at each answer. Again if it has waited in vain."""
    while (status := await _status(port, execution)) == "queued":
        pass
    return status


async def _status(port: Any, execution: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /v1/executions/{execution}?wait=60 HTTP/1.1\r\nHost: tailrace\r\nConnection: close\r\n"
        f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return str(orjson.loads(answer.partition(b"\r\n\r\n")[2])["status"])


async def _are_watched(settings: Settings, executions: list[str]) -> bool:
    channels = Channels(settings.redis_prefix)
    async with Redis.from_url(settings.redis_url) as redis:
        watchers = await redis.pubsub_numsub(*[channels.execution(UUID(each)) for each in executions])
    return all(count for _, count in watchers)
