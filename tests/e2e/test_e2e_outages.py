"""Redis, Postgres or the API go away, in order or not, and come back: nothing that was accepted is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpx
import pytest
from redis.asyncio import Redis

from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.eventually import eventually
from support.history import check_history
from support.logs import Follower, close_code, raw_log
from support.migrations import NewDatabase
from support.own import StartOwn, migrated_postgres
from support.running import Running, running
from support.witness import Witness

WITHIN = 90.0
COUNTER = "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); sleep 0.01; done; exit 7"


def numbered(count: int) -> str:
    return "".join(f"{number}\n" for number in range(count))


@pytest.fixture(scope="module")
async def own_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedRedis]:
    """A Redis that this module breaks again and again."""
    directory = tmp_path_factory.mktemp("redis")
    async with EmbeddedRedis(directory / "data", directory / "run") as server:
        yield server


@pytest.fixture
async def redis(own_redis: EmbeddedRedis) -> EmbeddedRedis:
    """The same, up and running, whatever the test before did to it."""
    if own_redis.pid is None:
        await own_redis.start()
    return own_redis


@pytest.fixture(scope="module")
async def patient(
    images: None, own_redis: EmbeddedRedis, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A Tailrace that has to live with that Redis."""
    directory = tmp_path_factory.mktemp("patient")
    async with running(directory, database_url=await new_database(), redis_url=own_redis.url) as installation:
        yield installation


@pytest.fixture
async def postgres_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that the test may break, with the tables in it."""
    async with migrated_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


async def until_lines(installation: Running, execution: str, count: int) -> None:
    async def enough() -> bool:
        return (await installation.execution(execution))["log"]["lines"] >= count

    await eventually(enough, within=WITHIN)


async def test_without_redis_everything_works_by_looking(redis: EmbeddedRedis, own: StartOwn) -> None:
    url = redis.url
    await redis.stop()
    installation = await own(redis_url=url)
    assert (await installation.get("/readyz"))["redis"] == "away"
    execution = await installation.submit("sh", "-c", COUNTER % 50)
    reader = Follower(installation, execution)
    await reader.read()
    assert reader.text() == numbered(50)
    assert (await check_history(installation, execution))["exit_code"] == 7
    asked_to_stop = await installation.submit("sleep", "600")
    await installation.reaches(asked_to_stop, "running")
    await installation.cancel(asked_to_stop)
    assert (await check_history(installation, asked_to_stop))["status"] == "canceled"

    await redis.start()
    assert redis.url == url

    async def is_back() -> bool:
        return bool((await installation.get("/readyz"))["redis"] == "ok")

    await eventually(is_back)
    execution = await installation.submit("sh", "-c", COUNTER % 50)
    reader = Follower(installation, execution)
    await reader.read()
    assert reader.text() == numbered(50)


async def test_what_was_accepted_without_redis_and_worker_runs_when_they_are_there(
    redis: EmbeddedRedis, installation: Running
) -> None:
    await installation.stop("worker")
    await redis.kill()
    execution = await installation.submit("sh", "-c", COUNTER % 5)
    assert (await installation.execution(execution))["status"] == "queued"
    await redis.start()
    await installation.start("worker", "worker")
    assert (await check_history(installation, execution))["exit_code"] == 7


async def test_a_tail_goes_on_when_redis_dies_under_it(redis: EmbeddedRedis, installation: Running) -> None:
    execution = await installation.submit("sh", "-c", COUNTER % 300)
    readers = [Follower(installation, execution) for _ in range(3)]
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    await eventually(lambda: all(len(reader.lines) > 20 for reader in readers), within=WITHIN)
    await redis.kill()
    seen = len(readers[0].lines)
    await eventually(lambda: len(readers[0].lines) > seen + 50 or readers[0].end is not None, within=WITHIN)
    await redis.start()
    await asyncio.gather(*reading)
    assert {reader.text() for reader in readers} == {numbered(300)}
    assert (await check_history(installation, execution))["exit_code"] == 7


async def test_a_redis_that_hangs_now_and_then_leaves_no_hole(redis: EmbeddedRedis, installation: Running) -> None:
    execution = await installation.submit("sh", "-c", COUNTER % 300)
    reader = Follower(installation, execution)
    reading = asyncio.create_task(reader.read())
    async with Redis.from_url(redis.url) as client:
        for lines in (20, 60, 100):
            await eventually(lambda lines=lines: len(reader.lines) > lines, within=WITHIN)  # type: ignore[misc]
            # Longer than a frame may take: what is sent now gets lost, or comes late.
            await client.client_pause(600)
    await reading
    assert reader.text() == numbered(300)


@pytest.mark.slow
async def test_an_emptied_redis_costs_nothing(redis: EmbeddedRedis, installation: Running) -> None:
    executions = [await installation.submit("sh", "-c", COUNTER % 40) for _ in range(20)]
    async with Redis.from_url(redis.url) as client:
        for execution in executions:
            await client.flushall()
            record = await check_history(installation, execution)
            assert (record["exit_code"], record["attempt"]) == (7, 1)
            assert await installation.log_text(execution) == numbered(40)


STOPS: dict[str, Callable[[EmbeddedPostgres], object]] = {
    "killed": EmbeddedPostgres.kill,
    "shut down": EmbeddedPostgres.stop,
}


async def is_unavailable(installation: Running) -> bool:
    """Whether the API says that it cannot answer now, and when to ask again."""
    answer = await installation.request("GET", "/v1/executions")
    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return False
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    return True


@pytest.mark.parametrize("how", ["killed", pytest.param("shut down", marks=pytest.mark.slow)])
async def test_when_postgres_is_back_everything_ends_as_it_really_ended(
    postgres_of_its_own: EmbeddedPostgres, own: StartOwn, witness: Witness, how: str
) -> None:
    installation = await own(database_url=postgres_of_its_own.url())
    long = await installation.submit("sh", "-c", COUNTER % 400)
    short = await installation.submit("sh", "-c", "echo begin; sleep 3; echo end; exit 3")
    reader = Follower(installation, long)
    reading = asyncio.create_task(reader.read())
    await installation.reaches(short, "running")
    await eventually(lambda: len(reader.lines) > 20, within=WITHIN)
    await STOPS[how](postgres_of_its_own)  # type: ignore[misc]

    assert await eventually(lambda: is_unavailable(installation))
    refused = await installation.request("POST", "/v1/executions", json={"image": "busybox:local"})
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert (await installation.request("GET", "/readyz")).status_code == 503
    assert (await installation.request("GET", "/healthz")).status_code == 200
    async with installation.tail(long) as socket:
        assert await close_code(socket) == 1012

    async def has_exited() -> bool:
        return not await witness.alive(short)

    await eventually(has_exited, within=WITHIN)
    await postgres_of_its_own.start()
    assert (await check_history(installation, short))["exit_code"] == 3
    assert await installation.log_text(short) == "begin\nend\n"
    assert (await check_history(installation, long))["exit_code"] == 7
    await reading  # the socket that was open stayed open
    assert reader.text() == numbered(400)
    assert await raw_log(installation, long) == numbered(400).encode()
    listed = (await installation.get("/v1/executions"))["items"]
    assert {item["id"] for item in listed} == {long, short}  # nothing of what was refused


async def submit_until(installation: Running, enough: asyncio.Event) -> list[str]:
    """Submit one after the other, whatever happens; the ids of those that were accepted."""
    accepted = []
    while not enough.is_set():
        with suppress(httpx.TransportError):
            body = {"image": "busybox:local", "command": ["true"]}
            answer = await installation.request("POST", "/v1/executions", json=body)
            assert answer.status_code in {201, 503}, answer.text
            if answer.status_code == 201:
                accepted.append(answer.json()["id"])
                # As fast as it runs them, so that the queue stays short; not even this may get an answer.
                await installation.request("GET", f"/v1/executions/{accepted[-1]}", params={"wait": 30})
    return accepted


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_what_was_accepted_while_postgres_crashed_again_and_again_all_runs(
    postgres_of_its_own: EmbeddedPostgres, own: StartOwn
) -> None:
    installation = await own(database_url=postgres_of_its_own.url())
    enough = asyncio.Event()
    submitting = [asyncio.create_task(submit_until(installation, enough)) for _ in range(2)]
    for _ in range(4):
        first = await installation.submit("true")
        await check_history(installation, first)
        await postgres_of_its_own.kill()
        await eventually(lambda: is_unavailable(installation))
        await postgres_of_its_own.start()

        async def is_back() -> bool:
            return (await installation.request("GET", "/readyz")).status_code == 200

        await eventually(is_back)
    enough.set()
    accepted = [execution for ids in await asyncio.gather(*submitting) for execution in ids]
    assert accepted
    for execution in accepted:
        record = await installation.ended(execution, within=300)
        assert (record["status"], record["attempt"]) == ("succeeded", 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_an_outage_of_postgres_longer_than_any_lease_fences_nobody(
    postgres_of_its_own: EmbeddedPostgres, own: StartOwn, witness: Witness
) -> None:
    installation = await own(database_url=postgres_of_its_own.url())
    await installation.start("second", "worker")
    clock = await installation.submit("sh", "-c", "sleep 45; echo over; exit 3")
    long = await installation.submit("sh", "-c", "for i in $(seq 600); do echo $i; sleep 0.1; done; exit 4")
    await asyncio.gather(*(installation.reaches(execution, "running") for execution in (clock, long)))
    container = (await witness.the_container(long)).id
    await postgres_of_its_own.stop()

    async def has_exited() -> bool:
        return not await witness.alive(clock)

    await eventually(has_exited, within=WITHIN)
    await postgres_of_its_own.start()
    assert (await check_history(installation, clock))["exit_code"] == 3
    assert {found.id for found in await witness.containers(long)} <= {container}
    record = await check_history(installation, long)
    assert (record["exit_code"], record["attempt"]) == (4, 1)
    assert await installation.log_text(long) == "".join(f"{number}\n" for number in range(1, 601))


async def test_an_api_that_is_killed_and_started_again_costs_its_readers_only_a_reconnect(own: StartOwn) -> None:
    installation = await own()
    execution = await installation.submit("sh", "-c", COUNTER % 300)
    readers = [Follower(installation, execution) for _ in range(5)]
    reading = [asyncio.create_task(eventually(reader.read_on, within=WITHIN)) for reader in readers]
    for lines in (20, 120):
        await eventually(lambda lines=lines: all(len(r.lines) > lines for r in readers), within=WITHIN)  # type: ignore[misc]
        await installation.stop("api", signal.SIGKILL)
        await installation.start("api", "app")
        await installation.until_ready()
    await asyncio.gather(*reading)
    for reader in readers:
        assert reader.text() == numbered(300)
        assert not reader.gaps
    assert (await check_history(installation, execution))["exit_code"] == 7


async def test_an_api_that_is_asked_to_go_says_so_to_its_readers(own: StartOwn) -> None:
    installation = await own()
    execution = await installation.submit("sh", "-c", "echo ready; exec sleep 600")
    async with installation.tail(execution) as socket:
        while b"ready" not in await socket.recv(decode=False):
            pass
        assert await installation.stop("api", signal.SIGTERM) == 0
        assert await close_code(socket, skip=True) == 1012
    await installation.start("api", "app")
    await installation.until_ready()
    await installation.cancel(execution, force=True)
    assert (await check_history(installation, execution))["status"] == "canceled"


@pytest.mark.slow
async def test_processes_can_be_restarted_in_any_order_around_a_running_program(own: StartOwn) -> None:
    installation = await own()
    execution = await installation.submit("sh", "-c", COUNTER % 300)
    await until_lines(installation, execution, 10)
    await installation.stop("api", signal.SIGKILL)
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    await installation.start("api", "app")
    await installation.until_ready()
    reader = Follower(installation, execution)
    await reader.read()
    assert reader.text() == numbered(300)
    record = await check_history(installation, execution)
    assert (record["exit_code"], record["attempt"]) == (7, 1)
