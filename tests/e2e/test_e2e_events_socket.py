"""`WS /v1/events` as clients meet it: who may connect, what they are told, and what they may miss: nothing."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import orjson
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from app.auth.tokens import Scope
from app.events.protocol import FRAMES
from stack.ports import free_port
from stack.redis import EmbeddedRedis
from support.eventually import eventually
from support.history import check_history
from support.logs import close_code
from support.migrations import NewDatabase
from support.own import StartOwn
from support.running import Json, Running, running
from support.tokens import another_user

FIELDS = {kind: set(frame.__annotations__) for kind, frame in FRAMES.items()}
LIFE = ["queued", "preparing", "running", "succeeded"]


def socket_of(installation: Running, query: str = "") -> connect:
    url = f"{installation.url.replace('http', 'ws', 1)}/v1/events?{query}"
    return connect(url, additional_headers=installation.headers, compression=None)


@dataclass
class Monitor:
    """A client that keeps a list: through as many connections as it takes."""

    query: str = ""
    cursor: int | None = None
    frames: list[Json] = field(default_factory=list)
    progress: list[Json] = field(default_factory=list)
    greeted: int = 0

    async def watch(self, installation: Running) -> None:
        """Until cancelled, or the server goes."""
        after = "" if self.cursor is None else f"&after={self.cursor}"
        async with socket_of(installation, self.query + after) as socket:
            await self._greet(socket)
            async for message in socket:
                self._take(orjson.loads(message))

    async def _greet(self, socket: ClientConnection) -> None:
        hello = orjson.loads(await socket.recv())
        assert (hello["type"], hello["protocol"]) == ("hello", 1)
        assert self.cursor in {None, hello["cursor"]}
        self.cursor = hello["cursor"]
        self.greeted += 1

    def _take(self, frame: Json) -> None:
        assert frame.keys() == FIELDS[frame["type"]]
        if frame["type"] == "progress":
            self.progress.append(frame)
            return
        assert frame["type"] == "execution"
        assert self.cursor is not None
        assert frame["cursor"] > self.cursor
        self.cursor = frame["cursor"]
        self.frames.append(frame)

    def of(self, execution: str) -> list[str]:
        return [frame["status"] for frame in self.frames if frame["id"] == execution]


@asynccontextmanager
async def watching(monitor: Monitor, installation: Running) -> AsyncIterator[None]:
    greeted = monitor.greeted
    task = asyncio.create_task(monitor.watch(installation))
    try:
        await eventually(lambda: monitor.greeted > greeted or task.done())
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_list_keeps_itself_up_to_date(tailrace: Running) -> None:
    monitor = Monitor()
    async with watching(monitor, tailrace):
        program = """echo '{"progress": 30, "phase": "half"}' >> /tailrace/events; sleep 1; exit 4"""
        execution = await tailrace.submit("sh", "-c", program, name="mine", labels={"team": "a"})
        record = await check_history(tailrace, execution)
        await eventually(lambda: monitor.of(execution) == ["queued", "preparing", "running", "failed"])
        await eventually(lambda: [frame for frame in monitor.progress if frame["id"] == execution])
    history = await tailrace.events(execution)
    frames = [frame for frame in monitor.frames if frame["id"] == execution]
    for frame, event in zip(frames, history, strict=True):
        assert {name: frame[name] for name in event if name not in {"to", "at"}} == {
            name: value for name, value in event.items() if name not in {"to", "at"}
        }
        assert frame["status"] == event["to"]
        shown = ("name", "owner", "pool", "labels", "image")
        assert [frame[name] for name in shown] == [record[name] for name in shown]
    assert [frame["exit_code"] for frame in frames] == [None, None, None, 4]
    assert [(p["percent"], p["phase"]) for p in monitor.progress if p["id"] == execution] == [(30, "half")]


async def test_a_queued_one_that_is_canceled_is_told_at_once(tailrace: Running) -> None:
    monitor = Monitor()
    async with watching(monitor, tailrace):
        blockers = [await tailrace.submit("sleep", "600") for _ in range(8)]
        for blocker in blockers:
            await tailrace.reaches(blocker, "running")
        execution = await tailrace.submit("echo", "hi")
        await eventually(lambda: monitor.of(execution) == ["queued"])
        await tailrace.cancel(execution)
        await eventually(lambda: monitor.of(execution) == ["queued", "canceled"])
        await asyncio.gather(*(tailrace.cancel(blocker, force=True) for blocker in blockers))
        await eventually(lambda: all(monitor.of(blocker)[-1] == "canceled" for blocker in blockers), within=60)


async def test_everybody_sees_their_own_and_an_admin_all(tailrace: Running) -> None:
    ada, bob = await another_user(tailrace, "ada-e"), await another_user(tailrace, "bob-e")
    seen = {"ada": Monitor(), "bob": Monitor(), "admin": Monitor(), "admin of bob": Monitor("owner=bob-e")}
    async with (
        watching(seen["ada"], ada),
        watching(seen["bob"], bob),
        watching(seen["admin"], tailrace),
        watching(seen["admin of bob"], tailrace),
    ):
        hers = await ada.submit("sh", "-c", """echo '{"progress": 5}' >> /tailrace/events; sleep 1""")
        his = await bob.submit("true")
        await asyncio.gather(check_history(ada, hers), check_history(bob, his))
        await eventually(lambda: seen["admin"].of(hers) == seen["admin"].of(his) == LIFE)
        await eventually(lambda: seen["ada"].of(hers) == seen["bob"].of(his) == seen["admin of bob"].of(his) == LIFE)
        await eventually(lambda: seen["ada"].progress and seen["admin"].progress)
    for name, other in (("ada", his), ("bob", hers), ("admin of bob", hers)):
        assert other not in orjson.dumps([seen[name].frames, seen[name].progress]).decode()
    # Also not to somebody who asks for all of the past.
    late = Monitor(cursor=0)
    async with watching(late, await another_user(tailrace, "eve-e")):
        await tailrace.ended(await tailrace.submit("true"))
    assert late.frames == late.progress == []


@pytest.mark.parametrize(
    "query",
    [
        *("after=-1", "after=x", "after=1.5", "after=99999999999999999999999", "after=%C2%B2"),
        *("status=nonsense", "status=&status=x", "label=team", "owner=somebody", "nonsense=1", "after=0&tail=5"),
    ],
)
async def test_a_bad_question_is_refused_by_4400(tailrace: Running, query: str) -> None:
    ada = await another_user(tailrace, "ada-e")
    async with socket_of(ada, query) as refused:
        assert await close_code(refused) == 4400


async def test_without_a_token_or_its_scope_it_is_refused(tailrace: Running) -> None:
    for token, code in (("wrong", 4401), ("", 4401)):
        async with socket_of(replace(tailrace, token=token)) as refused:
            assert await close_code(refused) == 4401 == code
    deaf = await another_user(tailrace, "deaf", [Scope.SUBMIT])
    async with socket_of(deaf) as refused:
        assert await close_code(refused) == 4403


@pytest.fixture
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedRedis]:
    directory = tmp_path_factory.mktemp("redis")
    async with EmbeddedRedis(directory / "data", directory / "run") as server:
        yield server


async def test_clients_of_two_replicas_hear_everything_once_whatever_becomes_of_redis(
    images: None, new_database: NewDatabase, redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("events")
    async with running(directory, database_url=await new_database(), redis_url=redis.url) as installation:
        port = free_port("127.0.0.1")
        await installation.start("other api", "app", TAILRACE_PORT=str(port))
        other = replace(installation, url=f"http://127.0.0.1:{port}")
        await other.until_ready()
        chance = random.Random(5)  # noqa: S311
        monitors = [Monitor() for _ in range(5)]
        for monitor in monitors:
            async with watching(monitor, installation):
                pass
        done = asyncio.Event()

        async def come_and_go(monitor: Monitor) -> None:
            while not done.is_set():
                with suppress(TimeoutError, OSError, WebSocketException):
                    async with asyncio.timeout(chance.uniform(0.1, 1.5)):
                        await monitor.watch(chance.choice([installation, other]))

        coming = [asyncio.create_task(come_and_go(monitor)) for monitor in monitors]
        executions = [await installation.submit("true") for _ in range(15)]
        async with Redis.from_url(redis.url) as client:
            await client.flushall()
        executions += [await other.submit("true") for _ in range(15)]
        await redis.stop()
        executions += [await installation.submit("true") for _ in range(5)]
        await redis.start()
        await installation.stop("other api", signal.SIGKILL)
        executions += [await installation.submit("true") for _ in range(5)]
        await installation.start("other api", "app", TAILRACE_PORT=str(port))
        await asyncio.gather(*(installation.ended(execution) for execution in executions))
        done.set()
        await asyncio.gather(*coming)
        for monitor in monitors:
            async with watching(monitor, installation):
                await eventually(lambda monitor=monitor: all(monitor.of(each) == LIFE for each in executions))
            assert len(monitor.frames) == 4 * len(executions)


async def test_a_client_is_told_that_the_server_restarts(own: StartOwn) -> None:
    installation = await own()
    async with socket_of(installation) as socket:
        assert orjson.loads(await socket.recv())["type"] == "hello"
        stopping = asyncio.create_task(installation.stop("api"))
        assert await close_code(socket) == 1012
        await stopping
