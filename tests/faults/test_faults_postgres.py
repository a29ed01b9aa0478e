"""Postgres restarts, goes away, hangs, or takes nothing: programs run on, and afterwards everything is told truly."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import asyncpg
import httpx
import pytest

from stack.postgres import EmbeddedPostgres
from support.crashes import WITHIN, numbered
from support.crowd import follow_through
from support.eventually import eventually
from support.fault_proxy import FaultProxy, before_postgres
from support.history import check_history
from support.logs import Follower, raw_log
from support.own import StartOwn, migrated_postgres
from support.programs import until_it_says
from support.running import Running
from support.starts import Starts
from support.submitting import list_all, submit_surely, submit_while
from support.witness import Witness

pytestmark = pytest.mark.timeout(400)

COUNTER = "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 7"
# Much more than any pipe or buffer between the program and Postgres holds.
FLOOD = """
    head -c 18000000 /dev/urandom | base64 -w 1000 > /tmp/flood
    sha256sum < /tmp/flood > /tailrace/outputs/sum
    echo ready; while [ ! -f /tailrace/outputs/go ]; do sleep 0.1; done; rm /tailrace/outputs/go
    cat /tmp/flood; exit 7
"""
PutBehind = Callable[[str], Awaitable[tuple[str, FaultProxy]]]


@pytest.fixture
async def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A server of the test's own."""
    async with migrated_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[PutBehind]:
    """Puts a database behind a breakable line: its address there, and the line."""
    async with AsyncExitStack() as stack:

        async def put(database_url: str) -> tuple[str, FaultProxy]:
            return await stack.enter_async_context(before_postgres(database_url, tmp_path))

        yield put


async def is_unavailable(installation: Running) -> bool:
    answer = await installation.request("GET", "/v1/executions")
    return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE


@pytest.mark.faults
async def test_postgres_restarts_under_load_and_everything_goes_on(
    own_postgres: EmbeddedPostgres, own: StartOwn, starts: Starts
) -> None:
    """F12: twice, while executions run, log, are submitted and watched."""
    installation = await own(database_url=own_postgres.url())
    long = [await installation.submit("sh", "-c", COUNTER % 150) for _ in range(4)]
    readers = [Follower(installation, execution) for execution in long]
    reading = [asyncio.create_task(follow_through(reader)) for reader in readers]

    async def restarts() -> None:
        for lines in (20, 80):
            await eventually(lambda lines=lines: min(len(r.lines) for r in readers) > lines, within=WITHIN)  # type: ignore[misc]
            await own_postgres.stop()
            await own_postgres.start()

    short = await submit_while(installation, restarts, "echo", "short")
    await asyncio.gather(*reading)
    for reader in readers:
        assert reader.text() == numbered(150)
    for execution in [*long, *short]:
        record = await check_history(installation, execution)
        assert (record["exit_code"], record["attempt"]) == (7 if execution in long else 0, 1)
        assert await starts.once_each(execution) == ["1"]
    assert sorted(await list_all(installation)) == sorted([*long, *short])


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(30, marks=pytest.mark.faults),
        pytest.param(300, marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
    ],
)
async def test_without_postgres_programs_run_on_write_and_end(
    own_postgres: EmbeddedPostgres, own: StartOwn, witness: Witness, starts: Starts, seconds: int
) -> None:
    """F13: nobody waits for it but those who ask; what ended meanwhile is told truly afterwards, and whole."""
    installation = await own(database_url=own_postgres.url())
    clock = await installation.submit("sh", "-c", f"sleep {seconds}; echo over; exit 3")
    counter = await installation.submit("sh", "-c", COUNTER % (10 * (seconds + 20)))
    flood = await installation.submit("sh", "-c", FLOOD)
    await until_it_says(installation, flood, "ready")
    await until_it_says(installation, counter, "10")
    await installation.reaches(clock, "running")
    await own_postgres.stop()
    (go,) = (installation.data / "work" / flood).glob("*/outputs")
    (go / "go").touch()

    async def has_exited(execution: str) -> bool:
        return not await witness.alive(execution)

    # It does not have to wait for anybody to take what it writes.
    await eventually(lambda: has_exited(flood), within=WITHIN)
    assert await eventually(lambda: is_unavailable(installation), within=WITHIN)
    await eventually(lambda: has_exited(clock), within=seconds + WITHIN)
    await own_postgres.start()
    assert (await check_history(installation, clock))["exit_code"] == 3
    assert (await check_history(installation, counter))["exit_code"] == 7
    assert await raw_log(installation, counter) == numbered(10 * (seconds + 20)).encode()
    assert (await check_history(installation, flood))["exit_code"] == 7
    written = (await raw_log(installation, flood)).removeprefix(b"ready\n")
    said = (await installation.output(flood, "sum")).split()[0].decode()
    assert hashlib.sha256(written).hexdigest() == said
    for execution in (clock, counter, flood):
        assert await starts.once_each(execution) == ["1"]


@pytest.mark.faults
async def test_connections_that_died_without_a_word_are_given_up(
    own_postgres: EmbeddedPostgres, behind: PutBehind, own: StartOwn, starts: Starts
) -> None:
    """F14: half-open, no reset: statements end by their time limits, pools recover, no process is wedged."""
    url, line = await behind(own_postgres.url())
    installation = await own(database_url=url)
    processes = dict(installation.processes)
    counter = await installation.submit("sh", "-c", COUNTER % 6000)
    await until_it_says(installation, counter, "10")
    # Every connection of either pool has been in use.
    await asyncio.gather(*(installation.execution(counter) for _ in range(20)))
    await line.swallow()
    assert await eventually(lambda: is_unavailable(installation), within=WITHIN)
    await line.heal()

    async def answers() -> bool:
        with suppress(httpx.TransportError):
            return not await is_unavailable(installation)
        return False

    await eventually(answers, within=WITHIN)
    later = await submit_surely(installation, "true")
    assert (await check_history(installation, later))["status"] == "succeeded"
    await installation.cancel(counter, force=True)
    record = await check_history(installation, counter)
    assert (record["status"], record["attempt"]) == ("canceled", 1)
    lines = await raw_log(installation, counter)
    assert lines == numbered(lines.count(b"\n")).encode()
    assert await starts.once_each(counter) == ["1"]
    assert {name: process.returncode for name, process in processes.items()} == {"api": None, "worker": None}


@pytest.mark.faults
async def test_a_postgres_that_takes_nothing_is_away_for_those_who_write(
    own_postgres: EmbeddedPostgres, own: StartOwn, witness: Witness, starts: Starts
) -> None:
    """F15: read-only, as after a failover or when its disk is full: submissions are put off, programs run on."""
    installation = await own(database_url=own_postgres.url())
    processes = dict(installation.processes)
    short = await installation.submit("sh", "-c", "echo begin; sleep 3; echo end; exit 3")
    counter = await installation.submit("sh", "-c", COUNTER % 150)
    await until_it_says(installation, counter, "10")
    await become(own_postgres, read_only=True)

    async def is_refused() -> bool:
        body = {"image": "busybox:local", "command": ["true"]}
        answer = await installation.request("POST", "/v1/executions", json=body)
        assert answer.status_code in {201, 503}, answer.text
        return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE

    await eventually(is_refused, within=WITHIN)
    assert (await installation.execution(counter))["status"] == "running"  # who only reads gets an answer

    async def has_exited() -> bool:
        return not await witness.alive(short)

    await eventually(has_exited, within=WITHIN)
    await become(own_postgres, read_only=False)
    later = await submit_surely(installation, "true")
    assert (await check_history(installation, later))["status"] == "succeeded"
    assert (await check_history(installation, short))["exit_code"] == 3
    assert await installation.log_text(short) == "begin\nend\n"
    assert (await check_history(installation, counter))["exit_code"] == 7
    assert await raw_log(installation, counter) == numbered(150).encode()
    assert await starts.once_each(counter) == ["1"]
    assert {name: process.returncode for name, process in processes.items()} == {"api": None, "worker": None}


async def become(server: EmbeddedPostgres, *, read_only: bool) -> None:
    """For every transaction that begins from now on."""
    connection = await asyncpg.connect(server.url("postgres", role="postgres"))
    await connection.execute("SET default_transaction_read_only = off")
    await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if read_only else 'off'}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
