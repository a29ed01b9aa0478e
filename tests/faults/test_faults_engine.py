"""The container engine is stopped, killed, hangs, or loses containers: what runs is not called what it is not."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stack.engine import USUAL_HOST
from support.crashes import PROGRAM, TIDY, WITHIN, no_workspace_left, numbered, ran_truly
from support.eventually import eventually
from support.fault_proxy import FaultProxy, before_engine
from support.history import check_history
from support.logs import raw_log
from support.migrations import NewDatabase
from support.own import StartOwn
from support.private_engine import PrivateEngine, private_engine
from support.programs import until_it_says
from support.running import Json, Running, running
from support.starts import Starts
from support.witness import Witness, instance_of
from worker.engine.docker import DockerRuntime

pytestmark = pytest.mark.timeout(400)

COUNTER = "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 7"
# It counts, and ends when its file is removed, engine or not.
UNTIL_TOLD = """
    touch /tailrace/outputs/on; i=0; echo ready
    while [ -f /tailrace/outputs/on ]; do echo $i; i=$((i+1)); sleep 0.1; done
    echo $i > /tailrace/outputs/count; echo last words; exit 7
"""
# The first attempt would run for ever.
SECOND_ENDS = "echo attempt $TAILRACE_ATTEMPT; [ $TAILRACE_ATTEMPT = 2 ] || exec sleep 600"


@dataclass(frozen=True)
class Island:
    """A Tailrace on an engine of its own."""

    installation: Running
    engine: PrivateEngine
    witness: Witness

    async def running(self, *command: str, **fields: Any) -> str:
        """Submit; it has said that it is ready."""
        execution = await self.installation.submit(*command, **fields)
        await until_it_says(self.installation, execution, "ready")
        return execution

    async def tell(self, execution: str) -> None:
        """Let a program that waits for it end, and wait until no process of it is left."""
        container = (await self.attempt(execution))["container_id"]
        (outputs,) = (self.installation.data / "work" / execution).glob("*/outputs")
        (outputs / "on").unlink()
        await eventually(lambda: not self.engine.processes_of(container))

    async def attempt(self, execution: str) -> Json:
        """The last one."""
        return (await self.installation.attempts(execution))[-1]

    async def nothing_left(self) -> None:
        """Wait until neither the engine nor the disk has anything of it."""
        instance = await instance_of(self.installation)

        async def none() -> bool:
            return not await self.witness.all_of(instance)

        await eventually(none, within=WITHIN)
        await no_workspace_left(self.installation)


Settle = Callable[..., Awaitable[Island]]
STOPS = {"SIGTERM": PrivateEngine.stop, "SIGKILL": PrivateEngine.kill}


@pytest.fixture
async def settle(tmp_path: Path, own: StartOwn) -> AsyncIterator[Settle]:
    """Starts a Tailrace on an engine of its own."""
    async with AsyncExitStack() as stack:

        async def on_an_island(*, live_restore: bool) -> Island:
            engine = await stack.enter_async_context(private_engine(tmp_path / "e", live_restore=live_restore))
            runtime = await stack.enter_async_context(DockerRuntime(engine.docker_host))
            installation = await own(DOCKER_HOST=engine.docker_host, **TIDY)
            return Island(installation, engine, Witness(runtime))

        yield on_an_island


@pytest.mark.faults
@pytest.mark.parametrize("how", STOPS)
async def test_what_an_engine_takes_down_with_it_was_interrupted(settle: Settle, how: str) -> None:
    """F16: without live-restore; nobody calls it the program's failure, and only who asked for it is run again."""
    island = await settle(live_restore=False)
    once = await island.running("sh", "-c", "echo ready; exec sleep 600")
    again = await island.installation.submit("sh", "-c", SECOND_ENDS, max_attempts=2, on_interrupted="retry")
    await until_it_says(island.installation, again, "attempt 1")
    await STOPS[how](island.engine)
    meanwhile = await island.installation.submit("echo", "meanwhile")
    await island.engine.start()
    record = await island.installation.ended(once)
    assert (record["status"], record["cause"], record["attempt"]) == ("crashed", "interrupted", 1)
    record = await island.installation.ended(again)
    assert (record["status"], record["cause"], record["attempt"]) == ("succeeded", "ok", 2)
    assert await island.installation.log_text(again) == "attempt 1\nattempt 2\n"
    assert (await check_history(island.installation, meanwhile))["status"] == "succeeded"
    await island.nothing_left()


@pytest.mark.faults
@pytest.mark.parametrize("how", STOPS)
async def test_what_outlives_its_engine_runs_on_as_if_nothing_was(settle: Settle, how: str) -> None:
    """F17: with live-restore; the same container, every byte of its log, its own exit code."""
    island = await settle(live_restore=True)
    counter = await island.running("sh", "-c", UNTIL_TOLD)
    await until_it_says(island.installation, counter, "20")
    container = (await island.attempt(counter))["container_id"]
    for _ in range(2):
        await STOPS[how](island.engine)
        assert island.engine.processes_of(container)
        await island.engine.start()
    await island.tell(counter)
    ended = await island.installation.ended(counter)
    assert (ended["status"], ended["exit_code"], ended["attempt"]) == ("failed", 7, 1)
    assert (await island.attempt(counter))["container_id"] == container
    lines = int(await island.installation.output(counter, "count"))
    assert await island.installation.log_text(counter) == "ready\n" + numbered(lines) + "last words\n"
    await island.nothing_left()


@pytest.mark.faults
@pytest.mark.parametrize("how", STOPS)
async def test_what_ends_while_its_engine_is_away_ended_as_it_did(settle: Settle, how: str) -> None:
    """F18: the true exit code; that its last words may be lost is said."""
    island = await settle(live_restore=True)
    execution = await island.running("sh", "-c", UNTIL_TOLD)
    await STOPS[how](island.engine)
    await island.tell(execution)
    await island.engine.start()
    record = await check_history(island.installation, execution, log_complete=False)
    assert (record["status"], record["cause"], record["exit_code"]) == ("failed", "exit_nonzero", 7)
    assert (await island.installation.log_text(execution)).startswith("ready\n")
    await island.nothing_left()


@pytest.mark.faults
async def test_what_nobody_remembers_is_not_made_up(settle: Settle) -> None:
    """F20: removed while no worker looked, and its engine has forgotten it since: it is not run again either."""
    island = await settle(live_restore=False)
    execution = await island.running("sh", "-c", "echo ready; exec sleep 600", max_attempts=3, on_interrupted="retry")
    await island.installation.stop("worker", signal.SIGKILL)
    await island.witness.runtime.remove((await island.witness.the_container(execution)).id, force=True)
    await island.engine.stop()
    await island.engine.start()
    await island.installation.start("worker", "worker")
    record = await check_history(island.installation, execution, log_complete=False)
    assert (record["status"], record["cause"], record["attempt"]) == ("crashed", "outcome_unknown", 1)
    await island.nothing_left()


@pytest.mark.faults
async def test_what_was_removed_while_no_worker_looked_is_found_in_the_engines_memory(
    own: StartOwn, witness: Witness
) -> None:
    """F20: the engine still knows how it ended."""
    installation = await own(**TIDY)
    execution = await installation.submit("sh", "-c", "echo ready; exec sleep 600")
    await until_it_says(installation, execution, "ready")
    await installation.stop("worker", signal.SIGKILL)
    await witness.runtime.remove((await witness.the_container(execution)).id, force=True)
    await installation.start("worker", "worker")
    record = await check_history(installation, execution, log_complete=False)
    assert (record["status"], record["cause"], record["exit_code"]) == ("crashed", "interrupted", 137)
    assert await installation.log_text(execution) == "ready\n"


@pytest.fixture(scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, FaultProxy]]:
    """A breakable line to the machine's engine: its address, and the line."""
    async with before_engine(USUAL_HOST, tmp_path_factory.mktemp("line")) as line:
        yield line


@pytest.fixture(scope="module")
async def far_away(
    images: None,
    line: tuple[str, FaultProxy],
    new_database: NewDatabase,
    redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Running]:
    """A Tailrace whose worker has to speak to its engine over that line."""
    directory = tmp_path_factory.mktemp("far-away")
    database_url = await new_database()
    settings = {"DOCKER_HOST": line[0], **TIDY}
    async with running(directory, database_url=database_url, redis_url=redis_url, **settings) as installation:
        yield installation


@pytest.mark.faults
@pytest.mark.parametrize(
    "question", [b"/json", b"/create", b"/attach", b"/wait", b"/start", b"/logs", b"DELETE"], ids=bytes.decode
)
async def test_an_answer_of_the_engine_that_is_lost_starts_nothing_twice(
    far_away: Running, line: tuple[str, FaultProxy], starts: Starts, question: bytes
) -> None:
    """F19: it did what it was asked, and the worker never heard of it."""
    lost = line[1].lost
    if question == b"/logs":
        # Only an adopter reads the engine's log, and there is one only if it has not ended.
        execution = await far_away.submit("sh", "-c", PROGRAM, env={"PAUSE": "0.2"})
        await until_it_says(far_away, execution, "3")
        await far_away.stop("worker", signal.SIGKILL)
        await line[1].lose_answer(question)
        await far_away.start("worker", "worker")
    else:
        await line[1].lose_answer(question)
        execution = await far_away.submit("sh", "-c", PROGRAM)
    # A watch on the exit that broke may be an engine that was away: then the log is not called complete.
    await ran_truly(far_away, starts, execution, log_complete=None if question == b"/wait" else True)
    # Of the removal, which comes after the end.
    await eventually(lambda: line[1].lost == lost + 1)


@pytest.mark.faults
async def test_an_engine_that_hangs_costs_time_and_nothing_else(
    far_away: Running, line: tuple[str, FaultProxy], starts: Starts, witness: Witness
) -> None:
    """F19: it takes every question and answers none, whatever the worker is about to do."""
    proxy = line[1]
    runs = await far_away.submit("sh", "-c", COUNTER % 100)
    ends = await far_away.submit("sh", "-c", COUNTER % 80)
    await until_it_says(far_away, runs, "10")
    await until_it_says(far_away, ends, "10")
    before = proxy.accepted
    await proxy.hang()
    begins = [await far_away.submit("sh", "-c", PROGRAM) for _ in range(3)]
    stops = await far_away.submit("sleep", "600")
    assert (await far_away.cancel(stops)).status_code == 202

    async def has_exited() -> bool:
        return not await witness.alive(ends)

    await eventually(has_exited, within=WITHIN)
    await eventually(lambda: proxy.accepted > before, within=WITHIN)
    assert (await far_away.execution(ends))["status"] == "running"  # who should know
    await proxy.heal()
    for execution in begins:
        await ran_truly(far_away, starts, execution)
    assert (await check_history(far_away, stops))["status"] == "canceled"
    for execution, lines in ((ends, 80), (runs, 100)):
        # On a slow machine it hung for longer than a question may take; then the log is not called complete.
        assert (await check_history(far_away, execution, log_complete=None))["exit_code"] == 7
        assert await raw_log(far_away, execution) == numbered(lines).encode()
        assert await starts.once_each(execution) == ["1"]


@pytest.mark.faults
async def test_a_start_that_never_arrived_is_not_taken_for_one(
    far_away: Running, line: tuple[str, FaultProxy], starts: Starts
) -> None:
    """F19: everything is cut off in the middle of it, again and again; where it did not start it is tried again."""
    proxy = line[1]
    executions = []
    for _ in range(5):
        executions += [await far_away.submit("sh", "-c", PROGRAM) for _ in range(3)]
        before = proxy.accepted
        await eventually(lambda before=before: proxy.accepted > before + 8, within=WITHIN)  # type: ignore[misc]
        await proxy.refuse()
        await proxy.heal()
    for execution in executions:
        record = await far_away.ended(execution)
        assert (record["status"], record["exit_code"]) == ("failed", 7), record
        started = await starts.once_each(execution)
        assert len(started) == 1
        assert await far_away.output(execution, "result") == b"whole\n"


@pytest.mark.nightly
@pytest.mark.timeout(300)
async def test_an_engine_behind_connections_that_died_without_a_word_is_found_again(
    far_away: Running, line: tuple[str, FaultProxy], starts: Starts, witness: Witness
) -> None:
    """F19: half-open; the watch on the exit looks by itself, and the log is read to its end all the same."""
    proxy = line[1]
    execution = await far_away.submit("sh", "-c", COUNTER % 100)
    await until_it_says(far_away, execution, "10")
    await proxy.swallow()

    async def has_exited() -> bool:
        return not await witness.alive(execution)

    await eventually(has_exited, within=WITHIN)
    await proxy.heal()
    record = await far_away.ended(execution, within=240)
    assert (record["status"], record["exit_code"], record["attempt"]) == ("failed", 7, 1)
    assert await raw_log(far_away, execution) == numbered(100).encode()
    assert await starts.once_each(execution) == ["1"]
