"""The way to the engine: its version, its address, and everything that can be wrong with either."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harbour import IMAGE, Harbour, read

from support.eventually import eventually
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerSpec, ContainerState, EngineUnreachable

SPEC = ContainerSpec(
    name="never",
    image=IMAGE,
    labels={},
    env={},
    mounts=(),
    cpus=1,
    memory=1 << 25,
    pids=8,
    shm=1 << 20,
    file_size=1 << 20,
    log_size=1 << 20,
)


async def enter(stream: AbstractAsyncContextManager[object]) -> None:
    async with stream:
        pytest.fail("entered without an answer")


CALLS: dict[str, Callable[[DockerRuntime], Awaitable[object]]] = {
    "identify": lambda engine: engine.identify(),
    "find_image": lambda engine: engine.find_image(IMAGE),
    "pull_image": lambda engine: engine.pull_image(IMAGE),
    "create": lambda engine: engine.create(SPEC),
    "attach": lambda engine: enter(engine.attach("c")),
    "read_log": lambda engine: enter(engine.read_log("c", follow=True)),
    "wait": lambda engine: enter(engine.wait("c")),
    "start": lambda engine: engine.start("c"),
    "signal": lambda engine: engine.signal("c", "SIGTERM"),
    "inspect": lambda engine: engine.inspect("c"),
    "remove": lambda engine: engine.remove("c"),
    "list_containers": lambda engine: engine.list_containers({}),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@every_call
async def test_an_engine_that_is_not_there_is_unreachable(
    tmp_path: Path, call: Callable[[DockerRuntime], Awaitable[object]]
) -> None:
    async with DockerRuntime(f"unix://{tmp_path}/engine.sock") as engine:
        with pytest.raises(EngineUnreachable, match=r"No answer from the container engine at unix://.*engine\.sock"):
            await call(engine)


@every_call
async def test_an_engine_that_accepts_and_says_nothing_is_unreachable(
    tmp_path: Path, call: Callable[[DockerRuntime], Awaitable[object]]
) -> None:
    async with mute(tmp_path / "engine.sock") as host, DockerRuntime(host, timeout=0.1, slow_timeout=0.1) as engine:
        # Once with an unknown version, once with a known one: another request is the first to hang.
        for engine._version in (None, "1.41"):
            with pytest.raises(EngineUnreachable, match="it did not answer in time"):
                await call(engine)


@every_call
async def test_an_engine_that_hangs_up_is_unreachable(
    tmp_path: Path, call: Callable[[DockerRuntime], Awaitable[object]]
) -> None:
    async with mute(tmp_path / "engine.sock", patient=False) as host, DockerRuntime(host) as engine:
        with pytest.raises(EngineUnreachable, match="No answer"):
            await call(engine)


async def test_a_closed_connection_is_not_opened_again(engine_host: str) -> None:
    engine = DockerRuntime(engine_host)
    await engine.identify()
    await engine.close()
    with pytest.raises(EngineUnreachable, match="closed"):
        await engine.identify()


async def test_closing_ends_open_streams(harbour: Harbour, engine_host: str) -> None:
    container = await harbour.start("sleep", "60")
    engine = DockerRuntime(engine_host)
    async with engine.read_log(container, follow=True) as log, engine.wait(container) as watch:
        reading = asyncio.create_task(read(log))
        await engine.close()
        with pytest.raises(EngineUnreachable):
            await reading
        await watch.exited()


@pytest.mark.parametrize("host", ["", "/var/run/docker.sock", "unix://docker.sock", "ssh://host", "tcp://", "http://h"])
def test_an_address_of_another_kind_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="unix:///path or tcp://host:port"):
        DockerRuntime(host)


async def test_the_engine_says_who_it_is(engine: DockerRuntime) -> None:
    first, second = await engine.identify(), await engine.identify()
    assert first == second
    assert first.id
    assert first.name
    assert first.version
    assert re.fullmatch(r"1\.\d+", first.api_version)


@pytest.mark.parametrize("version", ["1.99", "1.5"])
async def test_another_engine_than_before_is_spoken_to_in_its_own_version(engine_host: str, version: str) -> None:
    async with DockerRuntime(engine_host) as engine:
        spoken = (await engine.identify()).api_version
        engine._version = version
        assert (await engine.identify()).api_version == spoken


async def test_a_hundred_open_streams_hold_nothing_up(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    entered = asyncio.Semaphore(0)

    async def watch() -> None:
        async with harbour.engine.wait(container) as exit_:
            entered.release()
            await exit_.exited()

    watching = [asyncio.create_task(watch()) for _ in range(120)]
    for _ in watching:
        await entered.acquire()
    assert await harbour.engine.signal(container, "SIGKILL")
    await asyncio.gather(*watching)


async def test_the_engine_may_be_reached_over_tcp(harbour: Harbour, engine_host: str) -> None:
    async with relay(engine_host) as line, DockerRuntime(line.host) as remote:
        assert await remote.identify() == await harbour.engine.identify()
        ended = await Harbour(remote, harbour.labels).run("seq", "1", "10000")
        assert ended.out.endswith(b"\n9999\n10000\n")


async def test_a_cut_connection_is_not_the_end_of_the_container(harbour: Harbour, engine_host: str) -> None:
    container = await harbour.start("sh", "-c", "while :; do echo alive; sleep 0.05; done")
    async with relay(engine_host) as line, DockerRuntime(line.host) as remote:
        async with (
            remote.attach(container) as output,
            remote.read_log(container, follow=True) as log,
            remote.wait(container) as watch,
        ):
            assert (await anext(output)).data.startswith(b"alive\n")
            assert (await anext(log)).data.startswith(b"alive\n")
            line.cut()
            await read(output)  # nothing in it tells a lost connection from an end
            with pytest.raises(EngineUnreachable):
                await read(log)
            await watch.exited()
        seen = await harbour.engine.inspect(container)
        assert (seen.state, seen.exit_code) == (ContainerState.RUNNING, None)


async def test_the_body_of_a_stream_keeps_its_own_errors(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    for stream in (harbour.engine.attach(container), harbour.engine.wait(container)):
        with pytest.raises(TimeoutError, match="the caller's own"):
            async with stream:
                raise TimeoutError("the caller's own")


@asynccontextmanager
async def mute(path: Path, *, patient: bool = True) -> AsyncIterator[str]:
    """A socket that accepts, and then either says nothing for ever or hangs up."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        while patient and await reader.read(4096):
            pass
        writer.close()
        served -= 1

    async with await asyncio.start_unix_server(serve, path):
        yield f"unix://{path}"
        await eventually(lambda: not served)


@dataclass
class Line:
    """A TCP port that leads to the engine and can be cut."""

    host: str = ""
    ends: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        for end in self.ends:
            end.transport.abort()


@asynccontextmanager
async def relay(engine_host: str) -> AsyncIterator[Line]:
    line = Line()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(engine_host.removeprefix("unix://"))
        ends = {writer, far_writer}
        line.ends |= ends
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)
        for end in ends:
            end.close()
        line.ends -= ends

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        line.host = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield line
        line.cut()
        await eventually(lambda: not line.ends)
