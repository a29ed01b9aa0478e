"""Pausing with real containers: frozen, or by a checkpoint; what becomes of the clocks, of a worker, of a stop."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from support.eventually import eventually
from support.history import check_history
from support.migrations import NewDatabase
from support.programs import ANNOUNCE, UNTIL_STOP, the_attempt, until_it_says
from support.running import Json, Running, running
from support.witness import Witness
from worker.engine.port import ContainerState

TICKS = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"
# Goes on where its checkpoint stopped, and saves when it is asked to.
SAVES = """
echo '{"checkpoints": true}' >> /tailrace/events
read -r n < /tailrace/checkpoint/n || n=0
echo "begins at $n"
while [ "$n" -lt "$1" ]; do
    n=$((n + 1))
    echo "counted $n"
    if [ -f /tailrace/stop ]; then
        echo "$(cat /tailrace/stop)"
        echo "$n" > /tailrace/checkpoint/n
        exit 85
    fi
    sleep 0.05
done
"""


@pytest.fixture(scope="module")
async def patient(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A Tailrace of this module, which loses its workers; it has one slot."""
    directory = tmp_path_factory.mktemp("patient")
    async with running(directory, database_url=await new_database(), redis_url=redis_url, slots=1) as installation:
        yield installation


@pytest.fixture
async def installation(patient: Running) -> Running:
    """The same with a worker, whatever the test before did to it."""
    if "worker" not in patient.processes:
        await patient.start("worker", "worker")
    return patient


async def ask(installation: Running, execution: str, what: str, *, code: int = 202, **body: str) -> Json:
    answer = await installation.request("POST", f"/v1/executions/{execution}/{what}", json=body or None)
    assert answer.status_code == code, answer.text
    found: Json = answer.json()
    return found


async def freeze(installation: Running, execution: str) -> Json:
    await ask(installation, execution, "pause", mode="freeze")
    return await installation.reaches(execution, "paused")


async def moves(installation: Running, execution: str) -> list[str]:
    return [event["to"] for event in await installation.events(execution) if event["from"] != event["to"]]


async def story(installation: Running, execution: str) -> list[str]:
    return (await installation.log_text(execution, streams="system")).splitlines()


async def ask_to_save(installation: Running, execution: str) -> None:
    """Ask it to save as soon as it has said that it can."""

    async def said() -> bool:
        answer = await installation.request("POST", f"/v1/executions/{execution}/pause", json={"mode": "checkpoint"})
        return answer.status_code == 202

    await eventually(said, within=60)


def in_order(lines: Sequence[str], *beginnings: str) -> None:
    """Each of these is there, and comes after the one before it."""
    left = iter(lines)
    for beginning in beginnings:
        assert any(line.startswith(beginning) for line in left), (beginning, lines)


async def test_a_frozen_program_stands_still_and_goes_on(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sh", "-c", TICKS, limits={"timeout": 600})
    await until_it_says(tailrace, execution, "3")
    record = await freeze(tailrace, execution)
    assert (record["deadline"], record["pause"]["mode"], record["pause"]["by"]) == (None, "freeze", "admin")
    container = await witness.the_container(execution)
    assert container.state is ContainerState.PAUSED
    lines = (await tailrace.execution(execution))["log"]["lines"]
    again = await ask(tailrace, execution, "pause", code=200)
    assert again["pause"] == record["pause"]
    assert (await witness.the_container(execution)).state is ContainerState.PAUSED
    await ask(tailrace, execution, "resume")
    record = await tailrace.reaches(execution, "running")
    assert record["deadline"] is not None
    assert record["pause"] is None
    assert await ask(tailrace, execution, "resume", code=200)

    async def goes_on() -> bool:
        return int((await tailrace.execution(execution))["log"]["lines"]) > lines + 5

    await eventually(goes_on, within=60)
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["attempt"], record["pause"]) == ("canceled", 1, None)
    ticks = (await tailrace.log_text(execution)).splitlines()
    assert ticks == [str(number) for number in range(1, len(ticks) + 1)]
    passed = ["queued", "preparing", "running", "paused", "running", "stopping", "canceled"]
    assert await moves(tailrace, execution) == passed
    in_order(await story(tailrace, execution), "Started", "Paused: admin", "Resumed: admin", "Stop: admin", "Ended")
    await witness.nothing_left(execution)


async def test_no_clock_runs_while_it_is_frozen(tailrace: Running) -> None:
    """It is frozen for longer than either clock allows, and neither says a word."""
    program = f"echo ready; {UNTIL_STOP}"
    execution = await tailrace.submit("sh", "-c", program, limits={"timeout": 8, "idle_timeout": 6})
    await until_it_says(tailrace, execution, "ready")
    await freeze(tailrace, execution)
    other = await tailrace.submit("sleep", "9")
    await tailrace.ended(other)
    assert (await tailrace.execution(execution))["status"] == "paused"
    await ask(tailrace, execution, "resume")
    record = await check_history(tailrace, execution)
    assert record["status"] == "timed_out"
    assert "running" in (await moves(tailrace, execution))[4:]


@pytest.mark.parametrize("force", [False, True])
async def test_what_is_frozen_can_be_stopped(tailrace: Running, witness: Witness, *, force: bool) -> None:
    program = f"trap 'echo heard; cat /tailrace/stop; exit 3' TERM; echo ready; {UNTIL_STOP} echo saw; sleep 600 & wait"
    execution = await tailrace.submit("sh", "-c", program, limits={"grace": 300})
    await until_it_says(tailrace, execution, "ready")
    await freeze(tailrace, execution)
    answer = await tailrace.cancel(execution, force=force)
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 137 if force else 3)
    if not force:
        assert '"reason":"cancel"' in await tailrace.log_text(execution)
    await witness.nothing_left(execution)


async def test_what_is_let_go_to_be_stopped_is_not_said_to_be_frozen(tailrace: Running, witness: Witness) -> None:
    program = f"trap '' TERM; echo ready; {UNTIL_STOP} echo saw; while :; do sleep 1; done"
    execution = await tailrace.submit("sh", "-c", program, limits={"grace": 300})
    await until_it_says(tailrace, execution, "ready")
    await freeze(tailrace, execution)
    assert (await tailrace.execution(execution))["phase"] == "frozen"
    await tailrace.cancel(execution)
    await until_it_says(tailrace, execution, "saw")

    async def goes_on() -> bool:
        record = await tailrace.execution(execution)
        return (record["status"], record["phase"]) == ("stopping", "running")

    await eventually(goes_on)
    await tailrace.cancel(execution, force=True)
    await check_history(tailrace, execution)
    await witness.nothing_left(execution)


def let_go_unseen(container: str) -> None:
    """What the engine believes to be frozen is not any more; it will refuse to let it go on."""
    for version, thawed in (
        (f"freezer/**/*{container}*/freezer.state", "THAWED"),
        (f"**/*{container}*/cgroup.freeze", "0"),
    ):
        for file in Path("/sys/fs/cgroup").glob(version):
            file.write_text(thawed)
            return
    pytest.fail(f"{container} has no freezer")


async def test_an_engine_that_does_not_let_it_go_on_kills_it_at_its_deadline(
    tailrace: Running, witness: Witness
) -> None:
    program = "trap '' TERM; echo ready; while :; do sleep 1; done"
    execution = await tailrace.submit("sh", "-c", program, limits={"grace": 3, "notice": 1})
    await until_it_says(tailrace, execution, "ready")
    await freeze(tailrace, execution)
    let_go_unseen((await witness.the_container(execution)).id)
    await ask(tailrace, execution, "resume")

    async def refused() -> bool:
        return any("does not let it go on" in line for line in await story(tailrace, execution))

    await eventually(refused)
    assert (await tailrace.execution(execution))["status"] == "paused"
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["cause"], record["exit_code"], record["attempt"]) == ("canceled_by_user", 137, 1)
    attempt = await the_attempt(tailrace, execution)
    assert attempt["killed_at"] >= record["stop"]["deadline"]
    await witness.nothing_left(execution)


async def test_what_cannot_save_is_not_asked_to(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", f"echo ready; {TICKS}")
    await until_it_says(tailrace, execution, "ready")
    refused = await ask(tailrace, execution, "pause", code=409, mode="checkpoint")
    assert "running" in refused["detail"]
    assert "freeze" in refused["hint"]
    assert (await ask(tailrace, execution, "pause"))["pause"]["mode"] == "freeze"
    await tailrace.reaches(execution, "paused")
    await tailrace.cancel(execution, force=True)
    await check_history(tailrace, execution)


async def test_a_program_saves_leaves_its_slot_and_goes_on_from_there(installation: Running, witness: Witness) -> None:
    execution = await installation.submit("sh", "-c", SAVES, "sh", "100000", limits={"timeout": 600, "grace": 300})
    await until_it_says(installation, execution, "counted 3")
    await ask_to_save(installation, execution)
    record = await installation.reaches(execution, "paused")
    assert (record["pause"]["mode"], record["stop"], record["exit_code"]) == ("checkpoint", None, None)
    assert (await the_attempt(installation, execution))["checkpoint_files"] == 1
    await witness.nothing_left(execution)
    # There is one slot, and it is free.
    assert (await installation.ended(await installation.submit("true")))["status"] == "succeeded"
    said = (await installation.log_text(execution)).splitlines()
    assert '"reason":"pause"' in said[-1]
    reached = int(said[-2].removeprefix("counted "))

    await ask(installation, execution, "resume")
    await until_it_says(installation, execution, f"begins at {reached}")
    await installation.reaches(execution, "running")
    await installation.cancel(execution)
    record = await check_history(installation, execution)
    assert (record["status"], record["attempt"]) == ("canceled", 2)
    lines = await story(installation, execution)
    in_order(
        lines,
        "admin asked to pause (checkpoint).",
        "The program is asked to save",
        "Ended: It saved",
        "Paused: admin",
        "Queued again. admin",
        "The checkpoint",
        "Stop",
    )


async def test_who_does_not_save_in_time_runs_on_and_can_be_stopped_later(tailrace: Running) -> None:
    program = f"{ANNOUNCE} {UNTIL_STOP} echo saw; while [ -f /tailrace/stop ]; do sleep 0.1; done; echo gone; "
    execution = await tailrace.submit("sh", "-c", f"{program} {UNTIL_STOP} echo again; exit 7", limits={"grace": 5})
    await tailrace.reaches(execution, "running")
    await ask_to_save(tailrace, execution)
    await until_it_says(tailrace, execution, "gone")
    record = await tailrace.execution(execution)
    assert (record["status"], record["stop"], record["pause"]) == ("running", None, None)
    assert [warning["code"] for warning in record["warnings"]] == ["checkpoint_missed"]
    assert (await the_attempt(tailrace, execution))["signaled_at"] is None
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 7)
    assert "again" in (await tailrace.log_text(execution)).splitlines()


async def test_the_way_that_it_ends_is_its_own_while_it_is_to_save(tailrace: Running) -> None:
    ends = {
        "exit 0": ("succeeded", "ok"),
        "exit 86": ("canceled", "self_canceled"),
        "exit 4": ("failed", "exit_nonzero"),
    }

    async def end(how: str) -> tuple[str, str]:
        execution = await tailrace.submit("sh", "-c", f"{ANNOUNCE} {UNTIL_STOP} {how}", limits={"grace": 300})
        await tailrace.reaches(execution, "running")
        await ask_to_save(tailrace, execution)
        record = await check_history(tailrace, execution)
        return record["status"], record["cause"]

    assert await asyncio.gather(*(end(how) for how in ends)) == list(ends.values())


async def test_a_frozen_container_stays_so_when_its_worker_is_replaced(installation: Running, witness: Witness) -> None:
    execution = await installation.submit("sh", "-c", TICKS)
    await until_it_says(installation, execution, "3")
    await freeze(installation, execution)
    container = (await witness.the_container(execution)).id
    for number in (signal.SIGKILL, signal.SIGTERM):
        await installation.stop("worker", number)
        await installation.start("worker", "worker")

        async def taken_over() -> bool:
            lines = await story(installation, execution)
            return bool(lines) and lines[-1].startswith("Taken over")

        await eventually(taken_over, within=90)
        found = await witness.the_container(execution)
        assert (found.id, found.state) == (container, ContainerState.PAUSED)
        assert (await installation.execution(execution))["status"] == "paused"
    # What is asked while nobody holds it is done by whoever comes.
    await installation.stop("worker", signal.SIGKILL)
    await ask(installation, execution, "resume")
    await installation.start("worker", "worker")
    await installation.reaches(execution, "running", within=90)
    await installation.cancel(execution)
    record = await check_history(installation, execution)
    assert (record["status"], record["attempt"]) == ("canceled", 1)
    ticks = (await installation.log_text(execution)).splitlines()
    assert ticks == [str(number) for number in range(1, len(ticks) + 1)]


async def test_a_pause_that_was_asked_for_goes_on_with_the_next_worker(installation: Running) -> None:
    execution = await installation.submit("sh", "-c", SAVES, "sh", "100000", limits={"grace": 300})

    async def can_be_asked() -> bool:
        return bool((await installation.execution(execution))["saves_checkpoints"])

    await eventually(can_be_asked, within=90)
    await installation.stop("worker", signal.SIGKILL)
    await ask(installation, execution, "pause", mode="checkpoint")
    await installation.start("worker", "worker")
    await installation.reaches(execution, "paused", within=90)
    canceled = await installation.cancel(execution)
    assert (canceled.status_code, canceled.json()["status"]) == (202, "canceled")
