"""From a container into the store, also when nobody reads for a while: nothing is lost, or it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from app.bootstrap import Process
from app.logs.store import Missing
from support.eventually import eventually
from support.logbook import Log, Logbook, writing
from support.records import Records, opened
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerSpec, ContainerState, Piece, Stream
from worker.exit_watch import ExitWatch
from worker.log_writer import LogWriter
from worker.pump import Pump

MIB = 2**20
# Floods when it is told to, and waits for that without a word.
FLOOD_AT_A_SIGNAL = "trap 'seq 1 400000; exit' USR1; echo first; while :; do sleep 0.1; done"
MakeContainer = Callable[..., Awaitable[str]]


@pytest.fixture
async def process(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with opened(database_url, redis_url, tmp_path) as process:
        yield process


@pytest.fixture
async def runtime(images: None) -> AsyncIterator[DockerRuntime]:
    async with DockerRuntime() as runtime:
        yield runtime


@pytest.fixture
async def make_container(runtime: DockerRuntime) -> AsyncIterator[MakeContainer]:
    made: list[str] = []

    async def make(*command: str, log_size: int) -> str:
        spec = ContainerSpec(
            name=f"tailrace-test-{uuid4()}",
            image="busybox:local",
            labels={"tailrace.test": "pump"},
            env={},
            mounts=(),
            cpus=1.0,
            memory=64 << 20,
            pids=64,
            shm=1 << 20,
            file_size=1 << 20,
            log_size=log_size,
            command=command,
        )
        made.append(await runtime.create(spec))
        return made[-1]

    yield make
    for container in made:
        await runtime.remove(container, force=True)


@asynccontextmanager
async def pumping(
    runtime: DockerRuntime, container: str, log: Log, *, start: bool, may_tell: bool = True
) -> AsyncIterator[tuple[Pump, asyncio.Task[None]]]:
    """A worker that watches over it and carries what it writes; at the end of the block it lets go of it."""

    async def tell(away: bool) -> None:  # noqa: FBT001 - the signature of who is told
        assert not away

    watch = ExitWatch(runtime, container, tell)
    pump = Pump(runtime, container, log.sink, watch)
    watching = asyncio.create_task(watch.run(started=not start))
    carrying = asyncio.create_task(pump.run(attach=start))
    try:
        if start:
            await watch.ready.wait()
            await pump.attached.wait()
            await runtime.start(container)
        if may_tell:
            pump.may_tell.set()
        yield pump, carrying
    finally:
        for task in (watching, carrying):
            task.cancel()
        await asyncio.gather(watching, carrying, return_exceptions=True)


async def until_exited(runtime: DockerRuntime, container: str) -> None:
    async def has_exited() -> bool:
        return (await runtime.inspect(container)).state is ContainerState.EXITED

    await eventually(has_exited, within=60)


async def test_what_nobody_takes_for_a_while_is_read_behind_the_exit(
    process: Process, runtime: DockerRuntime, make_container: MakeContainer
) -> None:
    records = await Records.of(process)
    claim = await records.run()
    writer = LogWriter(process.database, process.hints)
    log = Log(claim, await writer.open(claim.lease, log_bytes=64 * MIB))
    # Long lines: it is the bytes for which there is no room, and an engine takes its time for each line.
    container = await make_container("awk", 'BEGIN { while (i < 9000) printf "%01000d\\n", ++i }', log_size=80 * MIB)
    async with pumping(runtime, container, log, start=True) as (pump, carrying):
        # It is not held up by us, although there is no room for what it writes.
        await until_exited(runtime, container)
        assert not carrying.done()
        committing = asyncio.create_task(writer.run())
        await carrying
        assert pump.complete
    await log.sink.drain()
    committing.cancel()
    written = await Logbook(records, writer).written(claim.lease.execution)
    assert written == b"".join(b"%01000d\n" % number for number in range(1, 9_001))


async def test_nothing_is_told_before_the_record_says_that_it_runs(
    process: Process, runtime: DockerRuntime, make_container: MakeContainer
) -> None:
    async with writing(await Records.of(process)) as logbook:
        log = await logbook.begin()
        container = await make_container("sh", "-c", "echo early; sleep 3; echo late", log_size=MIB)
        async with pumping(runtime, container, log, start=True, may_tell=False) as (pump, carrying):
            # For longer than the engine's stream may be left standing.
            await until_exited(runtime, container)
            assert not any(log.sink.received(stream) for stream in Stream)
            pump.may_tell.set()
            await carrying
            assert pump.complete
        await log.sink.drain()
        assert await logbook.written(log.execution) == b"early\nlate\n"


async def test_an_adopter_says_what_the_engine_has_thrown_away_meanwhile(
    process: Process, runtime: DockerRuntime, make_container: MakeContainer
) -> None:
    """No worker was there while it wrote more than the engine keeps."""
    async with writing(await Records.of(process)) as logbook:
        log = await logbook.begin()
        container = await make_container("sh", "-c", FLOOD_AT_A_SIGNAL, log_size=MIB)
        async with pumping(runtime, container, log, start=True):
            await eventually(lambda: logbook.lines(log.execution))
        logbook.writer.close(log.sink)
        await runtime.signal(container, "SIGUSR1")
        await until_exited(runtime, container)
        log = await logbook.resume(log.claim)
        async with pumping(runtime, container, log, start=False) as (pump, carrying):
            await carrying
            assert not pump.complete
        await log.sink.drain()
        lines = await logbook.lines(log.execution)
        gaps = [part for part in await logbook.parts(log.execution) if isinstance(part, Missing)]
        assert gaps[0] == Missing(2, 2, "engine_log_rotated")
        assert (lines[0].text, lines[-1].text) == ("first", "400000")
        numbers = [int(line.text) for line in lines[1:]]
        assert numbers == sorted(set(numbers))
        assert 1 < numbers[0] < 400_000


async def test_an_adopter_who_finds_less_than_was_taken_says_so(
    process: Process, runtime: DockerRuntime, make_container: MakeContainer
) -> None:
    """The engine's file began anew, and no time in it tells."""
    async with writing(await Records.of(process)) as logbook:
        log = await logbook.begin()
        container = await make_container("seq", "1", "100", log_size=MIB)
        await runtime.start(container)
        await until_exited(runtime, container)
        await log.sink.feed(Piece(Stream.STDOUT, b"line\n" * 1000, at_ms=2**45), patience=None)
        await log.sink.drain()
        logbook.writer.close(log.sink)
        log = await logbook.resume(log.claim)
        async with pumping(runtime, container, log, start=False) as (pump, carrying):
            await carrying
            assert not pump.complete
        await log.sink.drain()
        gaps = [part for part in await logbook.parts(log.execution) if isinstance(part, Missing)]
        assert gaps == [Missing(1001, 1001, "engine_log_rotated")]
