import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from app.bootstrap import Process
from app.cancellation import heeding_cancellation
from app.hints import SEND_TIMEOUT, decode_job, encode_job
from app.listener import Missed, Subscription
from stack.redis import EmbeddedRedis
from support.eventually import eventually
from support.records import opened


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    async with EmbeddedRedis(tmp_path / "redis", tmp_path / "run") as server:
        yield server


@pytest.mark.parametrize("steps", range(12))
async def test_a_hint_that_is_cancelled_while_it_is_sent_ends_the_task(process: Process, steps: int) -> None:
    """Wherever in the sending it comes: a worker that is asked to go must not stay."""
    await process.hints.publish([(uuid4(), b"warm")])
    sending = asyncio.create_task(process.hints.publish([(uuid4(), b"frame")]))
    for _ in range(steps):
        await asyncio.sleep(0)
    if sending.cancel():
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_a_cancellation_that_was_meant_for_an_inner_timeout_is_no_cancellation() -> None:
    with heeding_cancellation(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()


async def test_a_block_that_swallows_a_cancellation_ends_with_it() -> None:
    async def deaf() -> None:
        with heeding_cancellation(), suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise AssertionError("it went on")

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_much_is_sent_to_nobody_but_those_who_listen(
    server: EmbeddedRedis, database_url: str, tmp_path: Path
) -> None:
    watched, unwatched = uuid4(), uuid4()
    async with opened(database_url, server.url, tmp_path) as process:
        await eventually(lambda: process.listener.connected)

        async def sent() -> int:
            return int((await process.redis.info("commandstats")).get("cmdstat_publish", {"calls": 0})["calls"])

        async with process.listener.subscribe(process.channels.execution(watched)) as messages:
            before = await sent()
            await process.hints.publish([(unwatched, b"x" * 2**17), (watched, b"y" * 2**17), (unwatched, b"x")])
            assert await messages.get(30.0) == b"y" * 2**17
            assert await sent() == before + 1


async def test_hints_are_lost_and_never_fail_while_redis_is_away(
    server: EmbeddedRedis, database_url: str, tmp_path: Path
) -> None:
    async with opened(database_url, server.url, tmp_path) as process:
        execution = uuid4()
        await server.stop()
        await process.hints.publish([(execution, b"lost")])
        await process.hints.ring("default")
        await process.hints.control(uuid4())
        await server.start()
        async with process.listener.subscribe(process.channels.execution(execution)) as messages:
            await process.hints.publish([(execution, b"heard")])
            while (message := await heard(messages)) != b"heard":
                assert message is None
                await process.hints.publish([(execution, b"heard")])


async def heard(messages: Subscription) -> bytes | None:
    try:
        return await messages.get(0.2)
    except Missed:
        return None


async def test_a_redis_that_hangs_costs_a_sender_no_more_than_its_bound(
    server: EmbeddedRedis, database_url: str, tmp_path: Path
) -> None:
    async with opened(database_url, server.url, tmp_path) as process:
        await process.hints.publish([(uuid4(), b"x")])
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(SEND_TIMEOUT * 20):
                await process.hints.publish([(uuid4(), b"x")])
                await process.hints.ring("default")
        finally:
            os.kill(server.pid, signal.SIGCONT)


def test_jobs_are_json() -> None:
    job = {"t": 1, "f": "ring", "a": (), "k": {}, "et": 5}
    assert decode_job(encode_job(job)) == {**job, "a": []}
    assert encode_job(job).startswith(b"{")


async def test_bells_of_one_pool_do_not_pile_up(process: Process) -> None:
    pool = f"pool-{uuid4().hex}"
    for _ in range(5):
        await process.hints.ring(pool)
    assert await process.redis.zcard(process.channels.queue(pool)) <= 1
