"""Workers are killed, stopped, put to sleep and replaced; programs do not notice."""

import asyncio
import signal
from uuid import uuid4

import pytest

from support.crashes import TIDY, WITHIN, no_workspace_left, numbered
from support.eventually import eventually
from support.freezing import frozen_main_thread
from support.history import check_history
from support.logs import Follower, raw_log
from support.own import StartOwn
from support.programs import the_attempt, until_it_says
from support.running import Running
from support.starts import Starts
from support.witness import Witness, instance_of
from worker.container import EXECUTION_LABEL, INSTANCE_LABEL
from worker.engine.port import ContainerSpec

pytestmark = pytest.mark.timeout(400)

# Ten lines a second on each stream, until it is asked to stop; how many there were is its output.
COUNTING = """
    i=0; while [ ! -f /tailrace/stop ]; do echo $i; echo err $i >&2; i=$((i+1)); sleep 0.1; done
    echo $i > /tailrace/outputs/count; exit 7
"""


async def actor_of(installation: Running, name: str) -> str:
    """How a worker process calls itself in a history, once it has registered."""
    pid = installation.processes[name].pid

    async def hosts() -> list[str]:
        return [worker["host"] async for worker in installation.api.workers.list() if worker["pid"] == pid]

    return f"worker {(await eventually(hosts))[0]}/{pid}"


async def takeovers(installation: Running, execution: str, by: str) -> int:
    """How often this worker said that it took the execution over."""
    said = (await installation.log_text(execution, streams="system")).splitlines()
    return sum(line == f"Taken over by {by}." for line in said)


async def count(installation: Running) -> str:
    """Start counting; it has begun."""
    execution = await installation.submit("sh", "-c", COUNTING, limits={"grace": 600, "notice": 599})
    await until_it_says(installation, execution, "20")
    return execution


async def counted_once_and_whole(installation: Running, starts: Starts, execution: str) -> None:
    """Ask it to stop: what it wrote from beginning to end is there once."""
    await installation.cancel(execution)
    record = await check_history(installation, execution)
    assert (record["status"], record["exit_code"], record["attempt"]) == ("canceled", 7, 1)
    assert await starts.once_each(execution) == ["1"]
    lines = int(await installation.output(execution, "count"))
    assert await raw_log(installation, execution) == numbered(lines).encode()
    assert await raw_log(installation, execution, "stderr") == numbered(lines, "err ").encode()


@pytest.mark.faults
async def test_a_worker_whose_death_nobody_can_prove_is_lost_after_its_lease(
    own: StartOwn, witness: Witness, starts: Starts
) -> None:
    """F6: killed on a host of its own, as it were: the lock that would prove its death is not to be seen."""
    installation = await own(slots=2)
    executions = [await count(installation) for _ in range(2)]
    containers = [(await witness.the_container(execution)).id for execution in executions]
    reader = Follower(installation, executions[0])
    reading = asyncio.create_task(reader.read())
    await installation.start("second", "worker")
    second = await actor_of(installation, "second")
    mine = {(await the_attempt(installation, execution))["worker_id"] for execution in executions}
    for worker in mine:
        (installation.data / "run" / "workers" / f"{worker}.lock").unlink()
    await installation.stop("worker", signal.SIGKILL)
    for execution, container in zip(executions, containers, strict=True):
        await eventually(lambda each=execution: takeovers(installation, each, second), within=WITHIN)  # type: ignore[misc]
        assert {found.id for found in await witness.containers(execution)} <= {container}
    for execution in executions:
        await counted_once_and_whole(installation, starts, execution)
    await reading
    assert reader.text("o").encode() == await raw_log(installation, executions[0])
    assert not reader.gaps


@pytest.mark.faults
async def test_a_worker_that_slept_through_its_lease_wakes_up_fenced(
    own: StartOwn, witness: Witness, starts: Starts
) -> None:
    """F9: another takes over; the sleeper writes nothing, touches nothing, and is of use again."""
    installation = await own(slots=2)
    executions = [await count(installation) for _ in range(2)]
    containers = [(await witness.the_container(execution)).id for execution in executions]
    await installation.start("second", "worker")
    second = await actor_of(installation, "second")
    sleeper = installation.processes["worker"]
    sleeper.send_signal(signal.SIGSTOP)
    try:
        for execution in executions:
            await eventually(lambda each=execution: takeovers(installation, each, second), within=WITHIN)  # type: ignore[misc]
    finally:
        sleeper.send_signal(signal.SIGCONT)

    def knows() -> bool:
        return installation.log.read_text(errors="replace").count("attempt.lease_lost") == len(executions)

    await eventually(knows)
    for execution, container in zip(executions, containers, strict=True):
        assert [found.id for found in await witness.alive(execution)] == [container]
    for execution in executions:
        await counted_once_and_whole(installation, starts, execution)
        assert (await installation.events(execution))[-1]["actor"] == second
    # What it was before it slept: a worker.
    await installation.stop("second")
    later = await installation.submit("true")
    assert (await check_history(installation, later))["status"] == "succeeded"


@pytest.mark.faults
async def test_ten_new_versions_of_the_worker_cost_a_long_program_nothing(
    own: StartOwn, witness: Witness, starts: Starts
) -> None:
    """F10: every deploy lets go of it and takes it over; no attempt is used up."""
    installation = await own(slots=2)
    execution = await count(installation)
    container = (await witness.the_container(execution)).id
    for _ in range(10):
        assert await installation.stop("worker", signal.SIGTERM) == 0
        await installation.start("worker", "worker")
        actor = await actor_of(installation, "worker")
        await eventually(lambda actor=actor: takeovers(installation, execution, actor), within=WITHIN)  # type: ignore[misc]
        assert {found.id for found in await witness.containers(execution)} <= {container}
    await counted_once_and_whole(installation, starts, execution)


@pytest.mark.nightly
async def test_a_worker_whose_loop_is_blocked_loses_its_lease_or_keeps_it_but_nothing_else(
    own: StartOwn, starts: Starts
) -> None:
    """F11: its process lives, holds its lock and its connections, and does nothing for longer than a lease."""
    installation = await own(slots=1)
    execution = await count(installation)
    await installation.start("second", "worker")
    second = await actor_of(installation, "second")
    blocked = installation.processes["worker"].pid
    async with frozen_main_thread(blocked):
        await eventually(lambda: takeovers(installation, execution, second), within=WITHIN)
    await counted_once_and_whole(installation, starts, execution)


@pytest.mark.faults
async def test_on_one_engine_everybody_clears_up_only_after_himself(
    own: StartOwn, witness: Witness, starts: Starts
) -> None:
    """F33: two installations share an engine with each other and with strangers."""
    ours, theirs = await own(**TIDY), await own(**TIDY)
    running = [await count(each) for each in (ours, theirs)]
    instance = await instance_of(ours)

    async def make(**labels: str) -> str:
        return await witness.runtime.create(a_container({label.replace("_", "."): it for label, it in labels.items()}))

    orphan = await make(tailrace_instance=str(instance), tailrace_execution=str(uuid4()))
    foreign = await make(tailrace_instance=str(uuid4()), tailrace_execution=str(uuid4()))
    nobodys = await make(somebody="else")
    try:

        async def cleared() -> bool:
            return orphan not in {found.id for found in await witness.all_of(instance)}

        await eventually(cleared, within=WITHIN)
        for installation, execution in zip((ours, theirs), running, strict=True):
            await counted_once_and_whole(installation, starts, execution)
            await no_workspace_left(installation)
        # Both have swept many times by now.
        assert (await witness.runtime.inspect(foreign)).labels[INSTANCE_LABEL] != str(instance)
        assert EXECUTION_LABEL not in (await witness.runtime.inspect(nobodys)).labels
    finally:
        for container in (orphan, foreign, nobodys):
            await witness.runtime.remove(container, force=True)


def a_container(labels: dict[str, str]) -> ContainerSpec:
    return ContainerSpec(
        name=f"tailrace-test-{uuid4().hex}",
        image="busybox:local",
        labels=labels,
        env={},
        mounts=(),
        cpus=1.0,
        memory=32 << 20,
        pids=64,
        shm=1 << 20,
        file_size=1 << 20,
        log_size=1 << 20,
        command=("true",),
    )
