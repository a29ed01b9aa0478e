"""Every byte that a program writes, by attach and by the engine's own log."""

import asyncio

import pytest
from harbour import Harbour, both, read

MIXED = """
i=0
while [ $i -lt 3000 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done
head -c 200000 /dev/urandom
for size in 16382 16383 16384 16385 32768 50001; do head -c $size /dev/zero | tr '\\0' x; echo; echo; done
head -c 70000 /dev/urandom >&2
printf 'no newline at the end'
"""


async def attached_and_logged(harbour: Harbour, script: str) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    container = await harbour.engine.create(harbour.spec("sh", "-c", script))
    async with harbour.engine.attach(container) as output, harbour.engine.wait(container) as watch:
        await harbour.engine.start(container)
        async with harbour.engine.read_log(container, follow=True) as log:
            attached, followed = await asyncio.gather(read(output), read(log))
        await watch.exited()
    async with harbour.engine.read_log(container, follow=False) as log:
        logged = both(await read(log))
    for whole, beginning in zip(logged, both(followed), strict=True):
        assert whole.startswith(beginning)  # a follower may miss the end, and nothing else
    return both(attached), logged


async def test_the_engine_knows_when_the_newest_line_came(harbour: Harbour) -> None:
    container = await harbour.engine.create(harbour.spec("sh", "-c", "echo out; sleep 1; echo err >&2; sleep 1"))
    async with harbour.engine.wait(container) as watch:
        await harbour.engine.start(container)
        await watch.exited()
    async with harbour.engine.read_log(container, follow=False) as log:
        times = [piece.at_ms for piece in await read(log)]
    assert len(times) == 2
    assert await harbour.engine.last_line_at(container) == times[-1] > times[0]


async def test_of_one_that_wrote_nothing_the_engine_knows_no_line(harbour: Harbour) -> None:
    container = await harbour.engine.create(harbour.spec("true"))
    assert await harbour.engine.last_line_at(container) is None


async def test_attach_and_the_engine_s_log_agree_on_every_byte(harbour: Harbour) -> None:
    attached, logged = await attached_and_logged(harbour, MIXED)
    assert logged == attached
    out, err = attached
    assert out.endswith(b"x\n\nno newline at the end")
    assert err.startswith(b"err 0\nerr 1\n")
    assert len(err) == 70_000 + sum(len(f"err {n}\n") for n in range(3000))


async def test_only_a_long_last_line_without_its_newline_gets_one_in_the_log(harbour: Harbour) -> None:
    attached, logged = await attached_and_logged(harbour, "printf 'one\\ntwo'; head -c 20000 /dev/zero >&2")
    assert attached == (b"one\ntwo", bytes(20_000))
    assert logged == (b"one\ntwo", bytes(20_000) + b"\n")


async def test_attach_leaves_the_time_to_the_reader_and_the_log_has_its_own(harbour: Harbour) -> None:
    engine = harbour.engine
    container = await engine.create(harbour.spec("sh", "-c", "echo one; echo two >&2"))
    async with engine.attach(container) as output:
        await engine.start(container)
        assert {piece.at_ms for piece in await read(output)} == {None}
    seen = await engine.inspect(container)
    async with engine.read_log(container, follow=True) as log:
        times = [piece.at_ms for piece in await read(log)]
    earliest, latest = (int(moment.timestamp() * 1000) for moment in (seen.started_at, seen.finished_at))
    assert all(earliest - 1000 <= at <= latest + 1000 for at in times)


async def test_following_the_log_of_a_running_container_ends_with_it(harbour: Harbour) -> None:
    container = await harbour.start(
        "sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    )
    async with harbour.engine.read_log(container, follow=True) as log:
        said = b""
        async for piece in log:
            said += piece.data
            if said == b"ready\n":
                assert await harbour.engine.signal(container, "SIGTERM")
    assert said == b"ready\nbye\n"


async def test_the_log_of_a_container_that_never_started_is_empty(harbour: Harbour) -> None:
    container = await harbour.engine.create(harbour.spec("true"))
    async with harbour.engine.read_log(container, follow=True) as log:
        assert await read(log) == []


async def test_a_container_whose_output_nobody_reads_goes_on_when_attach_is_let_go(harbour: Harbour) -> None:
    engine = harbour.engine
    container = await engine.create(harbour.spec("sh", "-c", "yes $(seq -s - 1 300) | head -c 30000000"))
    async with engine.wait(container) as watch:
        async with engine.attach(container):
            await engine.start(container)
        await watch.exited()
    assert (await engine.inspect(container)).exit_code == 0
    async with engine.read_log(container, follow=False) as log:
        assert sum([len(piece.data) async for piece in log]) == 30_000_000


async def test_several_may_attach_and_each_gets_all(harbour: Harbour) -> None:
    engine = harbour.engine
    container = await engine.create(harbour.spec("seq", "1", "20000"))
    async with engine.attach(container) as one, engine.attach(container) as other:
        await engine.start(container)
        first, second = await asyncio.gather(read(one), read(other))
    assert both(first) == both(second) == (b"".join(b"%d\n" % n for n in range(1, 20_001)), b"")


async def lines(harbour: Harbour, count: int) -> None:
    script = f"i=0; while [ $i -lt {count} ]; do echo line $i; echo oops $i >&2; i=$((i+1)); done; exit 5"
    ended = await harbour.run("sh", "-c", script, cpus=0.5)
    assert ended.seen.exit_code == 5
    assert ended.out == b"".join(b"line %d\n" % n for n in range(count))
    assert ended.err == b"".join(b"oops %d\n" % n for n in range(count))


async def test_twenty_short_containers_at_once_lose_no_line(harbour: Harbour) -> None:
    await asyncio.gather(*(lines(harbour, 500) for _ in range(20)))


@pytest.mark.slow
@pytest.mark.parametrize("repetition", range(20))
async def test_twenty_short_containers_at_once_lose_no_line_ever(harbour: Harbour, repetition: int) -> None:
    del repetition
    await asyncio.gather(*(lines(harbour, 500) for _ in range(20)))


@pytest.mark.slow
@pytest.mark.parametrize("repetition", range(3))
async def test_sixty_containers_that_write_and_exit_at_once_lose_nothing(harbour: Harbour, repetition: int) -> None:
    del repetition
    ended = await asyncio.gather(*(harbour.run("echo", str(number)) for number in range(60)))
    assert [(one.seen.exit_code, one.out, one.err) for one in ended] == [(0, b"%d\n" % n, b"") for n in range(60)]
