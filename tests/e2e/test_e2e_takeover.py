"""A worker that goes, in order or not, leaves its containers running; the next one takes them over as they are."""

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from itertools import pairwise
from uuid import UUID

import asyncpg
import pytest

from support.eventually import eventually
from support.history import check_history, moment
from support.logs import Follower, raw_log
from support.migrations import NewDatabase
from support.own import StartOwn
from support.programs import ANNOUNCE, UNTIL_STOP, the_attempt, until_it_says
from support.registry import silent_registry, tagged
from support.running import TERMINAL, Running, running
from support.witness import Witness

COUNTER = "i=0; while [ $i -lt %d ]; do echo $i; echo err $i >&2; i=$((i+1)); sleep 0.01; done; echo end"
# Until it is asked to stop; how many there were is its output.
COUNTING = """
    i=0; while [ ! -f /tailrace/stop ]; do echo $i; echo err $i >&2; i=$((i+1)); sleep 0.01; done
    echo $i > /tailrace/outputs/count; echo end
"""
UNTIL_ASKED = {"grace": 600, "notice": 599}
# Until a file is among its outputs.
UNTIL_TOLD = "while [ ! -f /tailrace/outputs/go ]; do sleep 0.1; done; rm /tailrace/outputs/go; "
WITHIN = 90.0


@pytest.fixture(scope="module")
async def patient(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A Tailrace of this module, which loses its workers again and again."""
    directory = tmp_path_factory.mktemp("patient")
    async with running(directory, database_url=await new_database(), redis_url=redis_url, slots=4) as installation:
        yield installation


async def system_lines(installation: Running, execution: str) -> list[str]:
    return (await installation.log_text(execution, streams="system")).splitlines()


async def taken_over(installation: Running, execution: str, times: int = 1) -> None:
    """Wait until the new worker said so."""

    async def said() -> bool:
        return sum("Taken over" in line for line in await system_lines(installation, execution)) >= times

    await eventually(said, within=WITHIN)


def numbered(count: int, prefix: str = "") -> str:
    return "".join(f"{prefix}{number}\n" for number in range(count))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to go"])
async def test_the_same_container_runs_on_and_its_log_is_exact(
    installation: Running, witness: Witness, number: signal.Signals
) -> None:
    executions = [await installation.submit("sh", "-c", COUNTING, limits=UNTIL_ASKED) for _ in range(3)]
    for execution in executions:
        await until_it_says(installation, execution, "20")
    before = {execution: (await witness.the_container(execution)).id for execution in executions}
    readers = [Follower(installation, execution) for execution in executions]
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    await installation.stop("worker", number)
    # Nobody watches over them now, and they run.
    for execution in executions:
        assert [found.id for found in await witness.alive(execution)] == [before[execution]]
        assert (await installation.execution(execution))["status"] == "running"
    deadlines = [(await installation.execution(execution))["deadline"] for execution in executions]
    await installation.start("worker", "worker")
    await asyncio.gather(*(taken_over(installation, execution) for execution in executions))
    for execution, deadline in zip(executions, deadlines, strict=True):
        assert {found.id for found in await witness.containers(execution)} == {before[execution]}
        assert (await installation.execution(execution))["deadline"] == deadline
        await installation.cancel(execution)
    await asyncio.gather(*reading)
    for execution, reader in zip(executions, readers, strict=True):
        record = await check_history(installation, execution)
        assert (record["status"], record["attempt"]) == ("succeeded", 1)
        count = int(await installation.output(execution, "count"))
        assert reader.text("o") == numbered(count) + "end\n"
        assert reader.text("e") == numbered(count, "err ")
        assert not reader.gaps
        await witness.nothing_left(execution)


async def test_an_end_that_no_worker_saw_is_read_truthfully(installation: Running, witness: Witness) -> None:
    programs = {
        "for i in $(seq 200); do echo $i; sleep 0.01; done; echo 5 > /tailrace/outputs/x; exit 5": ("failed", 5),
        "echo x > /tailrace/outputs/x; exit 0": ("succeeded", 0),
        "echo x > /tailrace/outputs/x; kill -9 $$": ("failed", 137),
    }
    executions = [await installation.submit("sh", "-c", UNTIL_TOLD + program) for program in programs]
    for execution in executions:
        await installation.reaches(execution, "running")
    await installation.stop("worker", signal.SIGKILL)
    for execution in executions:
        (installation.data / "work" / execution / "1" / "outputs" / "go").touch()

    async def all_gone() -> bool:
        return not [found for execution in executions for found in await witness.alive(execution)]

    await eventually(all_gone, within=WITHIN)
    for execution in executions:
        assert (await installation.execution(execution))["status"] == "running"  # nobody knows better
    await installation.start("worker", "worker")
    for execution, outcome in zip(executions, programs.values(), strict=True):
        record = await check_history(installation, execution)
        assert (record["status"], record["exit_code"]) == outcome
        assert record["outputs"]["files"] == 1
        await witness.nothing_left(execution)
    assert await installation.log_text(executions[0]) == "".join(f"{number}\n" for number in range(1, 201))


async def signal_is_noted(installation: Running, execution: str) -> None:
    noted = "SELECT signal_sent_at IS NOT NULL FROM attempts WHERE execution_id = $1"
    connection = await asyncpg.connect(installation.database_url)
    try:
        await eventually(lambda: connection.fetchval(noted, UUID(execution)))
    finally:
        await connection.close()


async def test_a_pending_stop_goes_on_where_it_was(installation: Running) -> None:
    deaf = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done"
    execution = await installation.submit("sh", "-c", deaf, limits={"grace": 6})
    await until_it_says(installation, execution, "ready")
    stop = (await installation.cancel(execution)).json()["stop"]
    await until_it_says(installation, execution, "asked")
    # That the engine has sent it is noted after that.
    await signal_is_noted(installation, execution)
    signaled = (await the_attempt(installation, execution))["signaled_at"]
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    record = await check_history(installation, execution)
    assert (record["status"], record["exit_code"], record["stop"]) == ("canceled", 137, stop)
    attempt = await the_attempt(installation, execution)
    assert attempt["signaled_at"] == signaled
    assert moment(attempt["killed_at"]) >= moment(stop["deadline"])
    assert (await installation.log_text(execution)).count("asked") == 1  # not signaled again


async def test_a_stop_that_was_asked_while_no_worker_was_there_is_carried_out(installation: Running) -> None:
    program = f"{ANNOUNCE} echo 1 > /tailrace/checkpoint/x; echo ready; {UNTIL_STOP} exit 85"
    execution = await installation.submit("sh", "-c", program, limits={"grace": 600})
    await until_it_says(installation, execution, "ready")
    await installation.stop("worker", signal.SIGKILL)
    answer = await installation.cancel(execution)
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    await installation.start("worker", "worker")
    record = await check_history(installation, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 85)
    assert "saved a checkpoint" in record["message"]


async def test_a_deadline_that_passed_while_no_worker_was_there_still_holds(
    installation: Running, witness: Witness
) -> None:
    execution = await installation.submit("sleep", "600", limits={"timeout": 2, "grace": 30})
    # Who looks late sees it later than that.
    record = await installation.reaches(execution, "running", "stopping", "timed_out")
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    ended = await check_history(installation, execution)
    assert (ended["status"], ended["cause"], ended["started_at"]) == ("timed_out", "run_timeout", record["started_at"])
    await witness.nothing_left(execution)


@pytest.mark.slow
async def test_worker_after_worker_after_worker(installation: Running, witness: Witness) -> None:
    execution = await installation.submit("sh", "-c", COUNTER % 3000)
    container = (await witness.the_container(execution)).id
    for times in (1, 2, 3):
        await installation.stop("worker", signal.SIGKILL)
        await installation.start("worker", "worker")
        await taken_over(installation, execution, times)
        assert (await witness.the_container(execution)).id == container
    record = await check_history(installation, execution)
    assert (record["status"], record["attempt"]) == ("succeeded", 1)
    assert await raw_log(installation, execution) == (numbered(3000) + "end\n").encode()
    assert await raw_log(installation, execution, "stderr") == numbered(3000, "err ").encode()


async def test_what_was_said_in_events_is_neither_lost_nor_repeated(installation: Running) -> None:
    program = """
        cd /tailrace; echo '{"warning": "first"}' >> events; echo ready
        while [ ! -f stop ]; do sleep 0.1; done; echo '{"warning": "last", "result": 3}' >> events
    """
    execution = await installation.submit("sh", "-c", program, limits={"grace": 600, "notice": 599})
    await until_it_says(installation, execution, "ready")

    async def heard() -> bool:
        return (await installation.execution(execution))["warnings"] == ["first"]

    await eventually(heard)
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    await taken_over(installation, execution)
    await installation.cancel(execution)
    record = await check_history(installation, execution)
    assert (record["warnings"], record["result"]) == (["first", "last"], 3)


async def test_what_was_being_collected_is_collected_anew(installation: Running, witness: Witness) -> None:
    program = "echo kept > /tailrace/checkpoint/x; head -c 300000000 /dev/zero > /tailrace/outputs/big"
    execution = await installation.submit("sh", "-c", program, limits={"memory": "1GiB"})

    async def collecting() -> bool:
        record = await installation.execution(execution)
        return record["phase"] == "collecting" or record["status"] in TERMINAL  # whoever looks late

    await eventually(collecting, within=WITHIN)
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    record = await check_history(installation, execution)
    assert (record["status"], record["outputs"]["bytes"]) == ("succeeded", 300_000_000)
    assert (await the_attempt(installation, execution))["checkpoint_files"] == 1
    await witness.nothing_left(execution)


async def test_a_flood_beyond_its_cap_is_taken_over_without_repeating_itself(installation: Running) -> None:
    flood = "import itertools\nfor number in itertools.count(): print(number)"
    execution = await installation.submit(
        "python3", "-c", flood, image="python:local", limits={"log_bytes": 2**20, "grace": 1, "cpus": 0.2}
    )

    async def truncated() -> bool:
        return bool((await installation.execution(execution))["log"]["truncated"])

    await eventually(truncated, within=WITHIN)
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    await taken_over_or_dropped(installation, execution)
    await installation.cancel(execution, force=True)
    await check_history(installation, execution)
    lines = [
        (line.seq, int(line.text))
        for line in await installation.lines(execution, stream="stdout")
        if line.text.isdigit()
    ]
    # What comes before a gap, and the last of all, may be a number that was cut.
    numbers = [number for (seq, number), (following, _) in pairwise(lines) if following == seq + 1]
    assert len(numbers) > 1000
    assert all(before < after for before, after in pairwise(numbers))


async def taken_over_or_dropped(installation: Running, execution: str) -> None:
    """In a flood our own lines may be dropped too: the log going on is the sign then."""
    lines = (await installation.execution(execution))["log"]["lines"]

    async def goes_on() -> bool:
        return (await installation.execution(execution))["log"]["lines"] > lines

    await eventually(goes_on, within=WITHIN)


async def test_one_that_was_being_prepared_is_queued_anew_with_its_checkpoint(installation: Running) -> None:
    first = await installation.submit("sh", "-c", "echo saved > /tailrace/checkpoint/state")
    await check_history(installation, first)
    async with silent_registry() as registry:
        image = f"{registry}/late:1"
        execution = await installation.submit("cat", "/tailrace/checkpoint/state", image=image, resume_from=first)

        await installation.reaches(execution, "preparing")
        await installation.stop("worker", signal.SIGKILL)
        async with tagged(image):
            await installation.start("worker", "worker")
            record = await check_history(installation, execution)
    assert record["status"] == "succeeded"
    assert await installation.log_text(execution) == "saved\n"
    history = [event["to"] for event in await installation.events(execution)]
    assert history == ["queued", "preparing", "queued", "preparing", "running", "succeeded"]


async def test_a_canceled_one_that_was_being_prepared_is_not_queued_anew(installation: Running) -> None:
    async with silent_registry() as registry:
        execution = await installation.submit("true", image=f"{registry}/late:1")
        await installation.reaches(execution, "preparing")
        await installation.stop("worker", signal.SIGKILL)
        assert (await installation.cancel(execution)).status_code == 202
        await installation.start("worker", "worker")
        record = await check_history(installation, execution)
    assert (record["status"], record["cause"], record["started_at"]) == ("canceled", "canceled_by_user", None)


async def test_two_workers_share_the_work_and_one_takes_over_from_the_other(own: StartOwn, witness: Witness) -> None:
    installation = await own(slots=2)
    await installation.start("second", "worker")

    async def both_are_there() -> bool:
        return len(await installation.api.workers.list().all()) == 2

    await eventually(both_are_there, within=60)
    executions = [await installation.submit("sh", "-c", COUNTING, limits=UNTIL_ASKED) for _ in range(4)]
    for execution in executions:
        await until_it_says(installation, execution, "5")
    attempts = [await the_attempt(installation, execution) for execution in executions]
    assert len({attempt["worker_id"] for attempt in attempts}) == 2
    before = [(await witness.the_container(execution)).id for execution in executions]
    await installation.stop("second", signal.SIGKILL)

    async def two_were_found() -> bool:
        """Those that ran out of sight of their worker."""
        told = [await system_lines(installation, execution) for execution in executions]
        return sum("Taken over" in line for each in told for line in each) == 2

    await eventually(two_were_found, within=WITHIN)
    for execution, container in zip(executions, before, strict=True):
        assert {found.id for found in await witness.containers(execution)} == {container}
        await installation.cancel(execution)
        record = await check_history(installation, execution)
        assert (record["status"], record["attempt"]) == ("succeeded", 1)
        count = int(await installation.output(execution, "count"))
        assert await raw_log(installation, execution) == (numbered(count) + "end\n").encode()
    assert await two_were_found()


async def has_moved(installation: Running, execution: str, since: str) -> bool:
    return bool((await installation.execution(execution))["updated_at"] != since)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_kills_at_every_moment_lose_nothing(installation: Running, witness: Witness) -> None:
    program = "echo begin; for i in $(seq 30); do echo $i; sleep 0.03; done; exit 7"
    expected = "begin\n" + "".join(f"{number}\n" for number in range(1, 31))
    executions: list[str] = []
    for _ in range(12):
        executions += [await installation.submit("sh", "-c", program) for _ in range(4)]
        newest = executions[-4]
        seen = (await installation.execution(newest))["updated_at"]
        await eventually(partial(has_moved, installation, newest, seen))
        await installation.stop("worker", signal.SIGKILL)
        await installation.start("worker", "worker")
    for execution in executions:
        record = await check_history(installation, execution)
        assert (record["status"], record["exit_code"]) == ("failed", 7), record["message"]
        assert await installation.log_text(execution) == expected
        await witness.nothing_left(execution)
