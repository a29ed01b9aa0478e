"""A worker is told to pause or to drain, by an operator or by its SIGTERM, and does what that says."""

import asyncio
import signal

import pytest

from support.arq_worker import start_arq
from support.eventually import eventually
from support.history import check_history
from support.own import StartOwn
from support.programs import until_it_says
from support.running import STOPS_WITHIN, Running
from support.witness import Witness
from tailrace import Worker

WITHIN = 60.0
# Runs until a file appears in its checkpoint directory, which is done by stopping it.
UNTIL_TOLD = "echo ready; while [ ! -f /tailrace/stop ]; do sleep 0.1; done; exit 0"


async def the_worker(installation: Running) -> Worker:
    """The only one that is not gone; it may be on its way up."""
    (worker,) = await eventually(installation.api.workers.list().all, within=WITHIN)
    return worker


async def runs_one(installation: Running) -> str:
    """An execution that runs until it is stopped."""
    execution = await installation.submit("sh", "-c", UNTIL_TOLD, limits={"grace": 600, "notice": 599})
    await until_it_says(installation, execution, "ready")
    return execution


async def ended_by_itself(installation: Running, name: str) -> int:
    """The exit code of a process that nobody stops."""
    async with asyncio.timeout(STOPS_WITHIN):
        code = await installation.processes[name].wait()
    del installation.processes[name]
    return code


async def waits_for_a_worker(installation: Running, execution: str) -> None:
    async def waits() -> bool:
        return (await installation.execution(execution))["waiting_on"] == "pool"

    await eventually(waits, within=WITHIN)


async def test_a_paused_worker_finishes_what_it_has_and_takes_nothing_until_it_is_resumed(own: StartOwn) -> None:
    installation = await own(slots=2)
    running = await runs_one(installation)
    worker = await the_worker(installation)
    assert (worker["state"], worker["busy"], worker["executions"]) == ("active", 1, [running])
    await installation.api.workers.pause(worker.id)
    queued = await installation.submit("true")
    await waits_for_a_worker(installation, queued)
    await installation.cancel(running)
    await check_history(installation, running)
    assert (await the_worker(installation))["state"] == "paused"
    assert (await installation.execution(queued))["status"] == "queued"
    await installation.api.workers.resume(worker.id)
    assert (await check_history(installation, queued))["status"] == "succeeded"


async def test_a_drained_worker_ends_well_when_nothing_of_it_runs_any_more(own: StartOwn, witness: Witness) -> None:
    installation = await own(slots=2)
    running = await runs_one(installation)
    worker = await the_worker(installation)
    await installation.api.workers.drain(worker.id)
    queued = await installation.submit("true")
    await waits_for_a_worker(installation, queued)
    assert installation.processes["worker"].returncode is None
    await installation.cancel(running)
    assert await ended_by_itself(installation, "worker") == 0
    record = await check_history(installation, running)
    assert (record["status"], record["attempt"]) == ("succeeded", 1)
    await witness.nothing_left(running)
    assert (await installation.execution(queued))["status"] == "queued"
    assert await installation.api.workers.list().all() == []
    await installation.start("worker", "worker")
    assert (await check_history(installation, queued))["status"] == "succeeded"


async def test_an_idle_worker_drains_at_once_and_a_resumed_one_does_not(own: StartOwn) -> None:
    installation = await own(slots=1)
    running = await runs_one(installation)
    worker = await the_worker(installation)
    await installation.api.workers.drain(worker.id)
    await installation.api.workers.resume(worker.id)
    await installation.cancel(running)
    await check_history(installation, running)
    assert (await check_history(installation, await installation.submit("true")))["status"] == "succeeded"
    await installation.api.workers.drain(worker.id)
    assert await ended_by_itself(installation, "worker") == 0


async def drains_on_sigterm(own: StartOwn, starter: str) -> Running:
    """One whose worker takes SIGTERM for that."""
    installation = await own(slots=2)
    await installation.stop("worker")
    if starter == "arq":
        await start_arq(installation, name="worker", TAILRACE_ON_SIGTERM="drain")
    else:
        await installation.start("worker", "worker", TAILRACE_ON_SIGTERM="drain")
    return installation


async def told_to_drain(installation: Running) -> None:
    """Send its worker SIGTERM, and wait until it has understood."""
    installation.processes["worker"].send_signal(signal.SIGTERM)

    async def drains() -> bool:
        return (await the_worker(installation)).state == "draining"

    await eventually(drains, within=WITHIN)


@pytest.mark.parametrize("starter", ["python -m worker", "arq"])
async def test_sigterm_can_mean_to_drain(own: StartOwn, starter: str) -> None:
    installation = await drains_on_sigterm(own, starter)
    running = await runs_one(installation)
    await told_to_drain(installation)
    queued = await installation.submit("true")
    await waits_for_a_worker(installation, queued)
    await installation.cancel(running)
    assert await ended_by_itself(installation, "worker") == 0
    record = await check_history(installation, running)
    assert (record["status"], record["attempt"]) == ("succeeded", 1)
    assert (await installation.execution(queued))["status"] == "queued"


@pytest.mark.parametrize("starter", ["python -m worker", "arq"])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_does_not_wait(
    own: StartOwn, witness: Witness, starter: str, second: signal.Signals
) -> None:
    installation = await drains_on_sigterm(own, starter)
    running = await runs_one(installation)
    container = (await witness.the_container(running)).id
    await told_to_drain(installation)
    installation.processes["worker"].send_signal(second)
    assert await ended_by_itself(installation, "worker") == 0
    assert [found.id for found in await witness.alive(running)] == [container]
    await installation.start("worker", "worker")
    await installation.cancel(running)
    record = await check_history(installation, running)
    assert (record["status"], record["attempt"]) == ("succeeded", 1)


async def test_ctrl_c_detaches_whatever_sigterm_means(own: StartOwn, witness: Witness) -> None:
    installation = await own(slots=2, TAILRACE_ON_SIGTERM="drain")
    running = await runs_one(installation)
    container = (await witness.the_container(running)).id
    assert await installation.stop("worker", signal.SIGINT) == 0
    assert [found.id for found in await witness.alive(running)] == [container]


async def test_a_draining_worker_still_takes_over_what_another_left(own: StartOwn, witness: Witness) -> None:
    installation = await own(slots=1)
    first = await the_worker(installation)
    running = await runs_one(installation)
    await installation.start("second", "worker")
    other = await runs_one(installation)
    (second,) = [worker async for worker in installation.api.workers.list() if worker.id != first.id]
    assert second["executions"] == [other]
    await installation.api.workers.drain(second.id)
    await installation.stop("worker", signal.SIGKILL)

    async def has_both() -> bool:
        held = {worker.id: worker["executions"] async for worker in installation.api.workers.list()}
        return held == {second.id: sorted([running, other])}

    await eventually(has_both, within=WITHIN)
    for execution in (running, other):
        await installation.cancel(execution)
        assert (await check_history(installation, execution))["attempt"] == 1
    assert await ended_by_itself(installation, "second") == 0
