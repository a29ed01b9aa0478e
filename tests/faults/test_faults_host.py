"""The machine itself: everything on it ends at once, or its clock jumps."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.packages import unpack_package
from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.crashes import TIDY, WITHIN, no_workspace_left, numbered
from support.eventually import eventually
from support.history import check_history
from support.logs import raw_log
from support.own import StartOwn, migrated_postgres
from support.private_engine import PrivateEngine, private_engine
from support.programs import until_it_says
from support.witness import Witness, instance_of
from worker.engine.docker import DockerRuntime

pytestmark = pytest.mark.timeout(400)

COUNTER = "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 7"
# The first attempt would run for ever.
SECOND_ENDS = "echo attempt $TAILRACE_ATTEMPT; [ $TAILRACE_ATTEMPT = 2 ] || exec sleep 600"
HOUR = 3600


@pytest.fixture
async def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    async with migrated_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
async def own_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedRedis]:
    directory = tmp_path_factory.mktemp("redis")
    async with EmbeddedRedis(directory / "data", directory / "run") as server:
        yield server


@pytest.fixture
async def own_engine(images: None, tmp_path: Path) -> AsyncIterator[PrivateEngine]:
    async with private_engine(tmp_path / "e") as engine:
        yield engine


@pytest.mark.faults
async def test_after_a_power_cut_what_was_queued_runs_and_what_ran_was_interrupted(
    own_postgres: EmbeddedPostgres, own_redis: EmbeddedRedis, own_engine: PrivateEngine, own: StartOwn
) -> None:
    """F34: engine, containers, Postgres, Redis, API and worker end at the same moment, and start again."""
    installation = await own(
        database_url=own_postgres.url(), redis_url=own_redis.url, slots=2, DOCKER_HOST=own_engine.docker_host, **TIDY
    )
    once = await installation.submit("sh", "-c", "echo ready; exec sleep 600")
    again = await installation.submit("sh", "-c", SECOND_ENDS, max_attempts=2, on_interrupted="retry")
    await until_it_says(installation, once, "ready")
    await until_it_says(installation, again, "attempt 1")
    queued = [await installation.submit("echo", "queued") for _ in range(3)]
    for name in ("api", "worker"):
        installation.processes[name].send_signal(signal.SIGKILL)
    await own_engine.cut_power()
    await own_redis.kill()
    await own_postgres.kill()
    for name in ("api", "worker"):
        await installation.processes.pop(name).wait()

    await own_engine.start()
    await own_postgres.start()
    await own_redis.start()
    await installation.start("worker", "worker")
    await installation.start("api", "app")
    await installation.until_ready()
    record = await check_history(installation, once, log_complete=None)
    assert (record["status"], record["cause"], record["attempt"]) == ("crashed", "interrupted", 1)
    record = await check_history(installation, again, log_complete=None)
    assert (record["status"], record["cause"], record["attempt"]) == ("succeeded", "ok", 2)
    for execution in queued:
        record = await check_history(installation, execution)
        assert (record["status"], record["attempt"]) == ("succeeded", 1)
    instance = await instance_of(installation)
    async with DockerRuntime(own_engine.docker_host) as runtime:

        async def no_container() -> bool:
            return not await Witness(runtime).all_of(instance)

        await eventually(no_container, within=WITHIN)
    await no_workspace_left(installation)


@pytest.fixture(scope="module")
def fake_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that gives a process another time of day; its steady clock stays as it is."""
    directory = tmp_path_factory.mktemp("faketime")
    try:
        unpack_package("libfaketime", directory)
    except StackError as error:
        pytest.skip(f"libfaketime is not to be had: {error}")
    (library,) = directory.glob("usr/lib/*/faketime/libfaketime.so.1")
    return library


@pytest.mark.nightly
@pytest.mark.parametrize("jump", [-HOUR, HOUR])
async def test_a_clock_that_jumps_changes_no_lease_and_no_deadline(
    own: StartOwn, fake_clock: Path, tmp_path: Path, jump: int
) -> None:
    """F32: one of two workers suddenly lives an hour earlier or later than the database."""
    installation = await own(slots=2)
    await installation.stop("worker")
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    settings = {
        "LD_PRELOAD": str(fake_clock),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    await installation.start("worker", "worker", **settings)
    long = await installation.submit("sh", "-c", COUNTER % 450)
    late = await installation.submit("sleep", "600", limits={"timeout": 20, "grace": 2})
    await until_it_says(installation, long, "20")
    await installation.reaches(late, "running")
    await installation.start("second", "worker")
    offset.write_text(f"{jump:+d}\n")
    record = await check_history(installation, late)
    assert (record["cause"], record["attempt"]) == ("run_timeout", 1)
    assert 20 <= record["run_seconds"] < 20 + WITHIN
    record = await check_history(installation, long)
    assert (record["status"], record["exit_code"], record["attempt"]) == ("failed", 7, 1)
    assert await raw_log(installation, long) == numbered(450).encode()
    for execution in (long, late):
        assert "Taken over" not in await installation.log_text(execution, streams="system")
