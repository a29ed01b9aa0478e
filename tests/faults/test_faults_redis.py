"""Redis is emptied, stopped, killed: it holds nothing that anybody would miss."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from stack.redis import EmbeddedRedis
from support.crashes import WITHIN
from support.eventually import eventually
from support.history import check_history
from support.logs import Follower
from support.own import StartOwn
from support.programs import until_it_says
from support.running import Running
from support.starts import Starts

pytestmark = pytest.mark.timeout(400)

QUEUED = 100
COUNTER = "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 7"


@pytest.fixture
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedRedis]:
    """One of the test's own."""
    directory = tmp_path_factory.mktemp("redis")
    async with EmbeddedRedis(directory / "data", directory / "run") as server:
        yield server


async def count_ended(installation: Running, executions: list[str]) -> int:
    ended = {record.id async for record in installation.api.list() if record.ended}
    return len(ended & set(executions))


def queue_of(installation: Running) -> str:
    """Where arq keeps the bells."""
    return f"{installation.environment['TAILRACE_REDIS_PREFIX']}:arq:default"


async def bells_are_answered(installation: Running, client: Redis) -> None:
    """What is put into arq's queue is taken out of it again: its loop is alive."""
    await installation.submit("true")

    async def empty() -> bool:
        return await client.zcard(queue_of(installation)) == 0

    await eventually(empty, within=WITHIN)


async def ran_once(installation: Running, starts: Starts, executions: list[str]) -> None:
    for execution in executions:
        record = await check_history(installation, execution)
        assert (record["status"], record["attempt"]) == ("succeeded", 1)
        assert await installation.log_text(execution) == f"{execution}\n"
        assert await starts.once_each(execution) == ["1"]


@pytest.mark.faults
async def test_a_redis_that_is_emptied_again_and_again_costs_no_execution(
    redis: EmbeddedRedis, own: StartOwn, starts: Starts
) -> None:
    """F3: a hundred are queued, and everything in Redis goes, several times while they run."""
    installation = await own(redis_url=redis.url)
    say_it = ("sh", "-c", "echo $TAILRACE_EXECUTION_ID")
    executions = [await installation.submit(*say_it) for _ in range(QUEUED)]
    async with Redis.from_url(redis.url) as client:
        for ended in range(0, QUEUED, 20):

            async def so_many(ended: int = ended) -> bool:
                return await count_ended(installation, executions) >= ended

            await eventually(so_many, within=2 * WITHIN)
            await client.flushall()
    await ran_once(installation, starts, executions)


@pytest.mark.faults
async def test_what_a_dead_arq_left_behind_in_redis_blocks_nobody(
    redis: EmbeddedRedis, own: StartOwn, starts: Starts
) -> None:
    """F3: keys that say that the bell is being answered, was answered, was aborted, was tried too often."""
    installation = await own(redis_url=redis.url)
    queue = queue_of(installation)
    async with Redis.from_url(redis.url) as client:
        for key in ("in-progress", "job", "result"):
            await client.set(f"arq:{key}:{queue}:bell", b"stale")
        await client.set(f"arq:retry:{queue}:bell", 99)
        await client.zadd("arq:abort", {f"{queue}:bell": 1})
        executions = [await installation.submit("sh", "-c", "echo $TAILRACE_EXECUTION_ID") for _ in range(10)]
        await ran_once(installation, starts, executions)


@pytest.mark.faults
async def test_a_redis_that_is_away_for_a_while_stops_nobody(
    redis: EmbeddedRedis, own: StartOwn, starts: Starts
) -> None:
    """F4: what runs runs on, what is submitted is accepted and run, watchers see it all, and the worker lives."""
    installation = await own(redis_url=redis.url)
    worker = installation.processes["worker"]
    long = await installation.submit("sh", "-c", COUNTER % 250)
    reader = Follower(installation, long)
    reading = asyncio.create_task(reader.read())
    await until_it_says(installation, long, "10")
    await redis.stop()
    say_it = ("sh", "-c", "echo $TAILRACE_EXECUTION_ID")
    meanwhile = [await installation.submit(*say_it) for _ in range(10)]
    await ran_once(installation, starts, meanwhile[:5])
    await until_it_says(installation, long, "150")
    await eventually(lambda: len(reader.lines) > 100, within=WITHIN)
    await redis.start()
    await ran_once(installation, starts, meanwhile)
    async with Redis.from_url(redis.url) as client:
        await bells_are_answered(installation, client)
    await reading
    assert reader.text() == "".join(f"{number}\n" for number in range(250))
    assert (await check_history(installation, long))["exit_code"] == 7
    assert worker.returncode is None


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_a_redis_that_is_killed_twenty_times_under_load_leaves_no_worker_for_dead(
    redis: EmbeddedRedis, own: StartOwn, starts: Starts
) -> None:
    """F5: after each of them the bells are answered again, by the same process."""
    installation = await own(redis_url=redis.url)
    worker = installation.processes["worker"]
    executions: list[str] = []
    for _ in range(20):
        executions += [await installation.submit("sh", "-c", "echo $TAILRACE_EXECUTION_ID") for _ in range(5)]
        await redis.kill()
        executions += [await installation.submit("sh", "-c", "echo $TAILRACE_EXECUTION_ID") for _ in range(5)]
        await redis.start()
        async with Redis.from_url(redis.url) as client:
            await bells_are_answered(installation, client)
    await ran_once(installation, starts, executions)
    assert worker.returncode is None
