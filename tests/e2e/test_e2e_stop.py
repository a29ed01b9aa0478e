"""Stopping: in every status, asked once, twice or by force, of programs that help and of programs that do not."""

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise

import pytest

from support.eventually import eventually
from support.history import check_history, moment
from support.logs import Follower
from support.own import StartOwn
from support.programs import ANNOUNCE, MARGIN, UNTIL_STOP, the_attempt, until_it_says
from support.running import TERMINAL, Json, Running
from support.witness import Witness

DEAF = "trap '' TERM INT HUP QUIT USR1 USR2; echo ready; while :; do sleep 1; done"


def seconds(earlier: str, later: str) -> float:
    return (moment(later) - moment(earlier)).total_seconds()


async def test_a_running_program_is_asked_by_its_stop_signal(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sleep", "600", limits={"grace": 30})
    await tailrace.reaches(execution, "running")
    answer = await tailrace.cancel(execution)
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    stop = answer.json()["stop"]
    assert (stop["reason"], stop["by"]) == ("cancel", "admin")
    assert seconds(stop["requested_at"], stop["deadline"]) == pytest.approx(30)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("canceled", "canceled_by_user", 143)
    assert record["message"] == "Canceled by admin."
    assert record["stop"] == stop
    attempt = await the_attempt(tailrace, execution)
    assert attempt["signaled_at"] is not None
    assert attempt["killed_at"] is None
    history = [(event["to"], event["actor"]) for event in await tailrace.events(execution)]
    assert [status for status, _ in history] == ["queued", "preparing", "running", "stopping", "canceled"]
    assert history[3][1] == "admin"
    await witness.nothing_left(execution)


async def test_asking_again_changes_nothing_and_force_ends_it_at_once(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", DEAF, limits={"grace": 600})
    await until_it_says(tailrace, execution, "ready")
    answers = [await tailrace.cancel(execution) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    unchanged = [{**answer.json(), "log": None} for answer in answers]
    assert unchanged[0] == unchanged[1] == unchanged[2]
    forced = await tailrace.cancel(execution, force=True)
    assert forced.status_code == 202
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 137)
    assert seconds(record["stop"]["requested_at"], record["finished_at"]) < 300  # half the grace
    assert (await the_attempt(tailrace, execution))["killed_at"] is not None
    again = await tailrace.cancel(execution)
    assert (again.status_code, again.json()) == (200, await tailrace.execution(execution))
    assert (await tailrace.cancel(execution, force=True)).status_code == 200


async def test_force_as_the_first_request_kills_without_a_signal(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", f"trap 'echo heard' TERM; {DEAF}", limits={"grace": 600})
    await until_it_says(tailrace, execution, "ready")
    answer = await tailrace.cancel(execution, force=True)
    assert answer.status_code == 202
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 137)
    attempt = await the_attempt(tailrace, execution)
    assert attempt["signaled_at"] is None
    assert attempt["killed_at"] is not None
    assert "heard" not in await tailrace.log_text(execution)


async def test_what_has_ended_otherwise_cannot_be_canceled(tailrace: Running) -> None:
    execution = await tailrace.submit("true")
    record = await tailrace.ended(execution)
    refused = await tailrace.cancel(execution)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert await tailrace.execution(execution) == record


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        (f"{ANNOUNCE} echo ready; {UNTIL_STOP}exit 0", ("succeeded", "ok", 0)),
        (f"{ANNOUNCE} echo ready; {UNTIL_STOP}exit 7", ("canceled", "canceled_by_user", 7)),
        (
            f"{ANNOUNCE} echo ready; {UNTIL_STOP}exit 86",
            ("canceled", "canceled_by_user", 86),
        ),
        ("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done", ("canceled", "canceled_by_user", 0)),
    ],
    ids=["finishes by itself", "fails", "cancels itself", "obeys the signal"],
)
async def test_how_the_end_is_read_after_a_request_to_stop(
    tailrace: Running, program: str, outcome: tuple[str, str, int]
) -> None:
    execution = await tailrace.submit("sh", "-c", program, limits={"grace": 120})
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == outcome
    assert record["stop"]["reason"] == "cancel"


async def test_the_stop_signal_is_the_one_that_was_asked_for(tailrace: Running) -> None:
    program = "trap 'echo usr1; exit 7' USR1; trap 'echo term' TERM; echo ready; while :; do sleep 0.1; done"
    execution = await tailrace.submit("sh", "-c", program, stop_signal="SIGUSR1", limits={"grace": 120})
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 7)
    assert await tailrace.log_text(execution) == "ready\nusr1\n"


async def test_between_notice_and_signal_the_program_has_the_time_that_was_agreed(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "exec sleep 600", limits={"grace": 120, "notice": 2})
    await tailrace.reaches(execution, "running")
    stop = (await tailrace.cancel(execution)).json()["stop"]
    await check_history(tailrace, execution)
    attempt = await the_attempt(tailrace, execution)
    assert seconds(stop["requested_at"], attempt["signaled_at"]) >= 2
    assert attempt["stop_written_at"] < attempt["signaled_at"]


async def test_a_program_that_checkpoints_has_three_quarters_of_the_grace_before_the_signal(tailrace: Running) -> None:
    program = f"{ANNOUNCE} trap 'echo signal' TERM; echo ready; while :; do sleep 0.1; done"
    execution = await tailrace.submit("sh", "-c", program, limits={"grace": 8})
    await until_it_says(tailrace, execution, "ready")
    stop = (await tailrace.cancel(execution)).json()["stop"]
    record = await check_history(tailrace, execution)
    attempt = await the_attempt(tailrace, execution)
    assert seconds(stop["requested_at"], attempt["signaled_at"]) >= 6
    assert seconds(stop["requested_at"], attempt["killed_at"]) >= 8
    assert seconds(stop["requested_at"], record["finished_at"]) < 8 + MARGIN
    assert "signal" in await tailrace.log_text(execution)


async def test_the_stop_file_says_why_and_until_when(tailrace: Running) -> None:
    program = f"{ANNOUNCE} echo ready; {UNTIL_STOP}cat /tailrace/stop; exit 1"
    execution = await tailrace.submit("sh", "-c", program, limits={"grace": 300})
    await until_it_says(tailrace, execution, "ready")
    stop = (await tailrace.cancel(execution)).json()["stop"]
    await check_history(tailrace, execution)
    *_, last = await tailrace.lines(execution, stream="stdout")
    content = json.loads(last.text)
    assert content.keys() == {"reason", "by", "deadline"}
    assert (content["reason"], content["by"]) == ("cancel", "admin")
    assert content["deadline"] == pytest.approx(moment(stop["deadline"]).timestamp(), abs=0.01)


FLOOD = """
import signal, sys
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
line = 0
while True:
    sys.stdout.write(f"{line}\\n")
    line += 1
"""


async def test_a_flood_that_ignores_everything_is_dead_in_time_and_its_log_is_whole_up_to_the_cap(
    tailrace: Running, witness: Witness
) -> None:
    limits = {"grace": 3, "log_bytes": 4 * 2**20}
    execution = await tailrace.submit("python3", "-c", FLOOD, image="python:local", limits=limits)

    async def is_in_full_flood() -> bool:
        return bool((await tailrace.execution(execution))["log"]["truncated"])

    await eventually(is_in_full_flood, within=60)
    await tailrace.cancel(execution)
    await eventually(lambda: is_over(tailrace, witness, execution), within=3 + MARGIN + 30)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 137)
    assert seconds(record["stop"]["requested_at"], record["finished_at"]) < 3 + MARGIN
    reader = Follower(tailrace, execution)
    await reader.read()
    assert_a_flood_within_its_cap(reader)


async def is_over(tailrace: Running, witness: Witness, execution: str) -> bool:
    """Whether its status is terminal; then, at that very moment, no process of it may run."""
    if (await tailrace.execution(execution))["status"] not in TERMINAL:
        return False
    assert await witness.alive(execution) == []
    return True


def assert_a_flood_within_its_cap(reader: Follower) -> None:
    """The lines 0, 1, 2, … of a program: the head without a hole, then only what the gaps say is missing."""
    numbers = [int(line[2]) for line in reader.lines if line[1] == "o" and len(line) == 3]
    steps = [after - before for before, after in pairwise(numbers)]
    assert numbers[0] == 0
    assert min(steps) == 1
    head = next((index for index, step in enumerate(steps) if step > 1), len(steps))
    assert head > 1000
    skipped = sum(steps) - len(steps)
    missing = sum(gap["to"] - gap["from"] + 1 for gap in reader.gaps)
    assert reader.gaps
    assert {gap["reason"] for gap in reader.gaps} == {"log_limit"}
    # Lines of ours in between may be missing too.
    assert missing - 10 <= skipped <= missing


async def cancel_once(tailrace: Running, execution: str, ready: Callable[[Json], bool]) -> None:
    """Cancel as soon as the record looks so, or when it is over anyway."""
    while not ready(record := await tailrace.execution(execution)):
        if record["status"] in TERMINAL:
            return
    assert (await tailrace.cancel(execution)).status_code in {200, 202}


STAGES: dict[str, Callable[[Json], bool]] = {
    "at once": lambda _: True,
    "when it left the queue": lambda record: record["status"] != "queued",
    "when the image is there": lambda record: record["image_id"] is not None,
    "when it starts": lambda record: record["started_at"] is not None or record["status"] == "running",
}


@pytest.mark.parametrize("stage", STAGES)
async def test_a_request_at_any_moment_of_the_start_is_never_lost(
    tailrace: Running, witness: Witness, stage: str
) -> None:
    async def one() -> None:
        # Would it run on after `canceled`, the engine would show it; would it be stuck, the end never came.
        execution = await tailrace.submit("sleep", "600", limits={"grace": 60})
        await cancel_once(tailrace, execution, STAGES[stage])
        await eventually(lambda: is_over(tailrace, witness, execution), within=60 + MARGIN)
        record = await check_history(tailrace, execution)
        assert (record["status"], record["cause"]) == ("canceled", "canceled_by_user")
        assert seconds(record["stop"]["requested_at"], record["finished_at"]) < 60 if record["stop"] else True
        await witness.nothing_left(execution)

    await asyncio.gather(*(one() for _ in range(5)))


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
async def test_no_request_of_many_is_ever_lost(tailrace: Running, witness: Witness, stage: str) -> None:
    for _ in range(8):
        await test_a_request_at_any_moment_of_the_start_is_never_lost(tailrace, witness, stage)


async def test_of_what_was_canceled_before_its_start_nothing_is_left(tailrace: Running, witness: Witness) -> None:
    executions = [await tailrace.submit("echo", "it ran") for _ in range(10)]
    await asyncio.gather(*map(tailrace.cancel, executions))
    for execution in executions:
        record = await check_history(tailrace, execution)
        await witness.nothing_left(execution)
        workspace = tailrace.data / "work" / execution
        await eventually(lambda here=workspace: not here.exists())  # type: ignore[misc]
        if record["started_at"] is None:
            assert await tailrace.log_text(execution) == ""


async def test_a_queued_one_is_canceled_at_once_and_never_runs(own: StartOwn) -> None:
    installation = await own(slots=2)
    await installation.stop("worker")
    queued = await installation.submit("echo", "it ran")
    kept = await installation.submit("echo", "it ran", limits={"timeout": 1})  # which does not count in the queue
    assert (await installation.execution(queued))["waiting_on"] == "pool"
    answer = await installation.cancel(queued)
    assert (answer.status_code, answer.json()["status"]) == (202, "canceled")
    assert (await installation.cancel(queued)).status_code == 200
    (frame,) = [frame for frame in await installation.frames(queued) if frame["type"] == "end"]
    assert (frame["status"], frame["lines"], frame["after"]) == ("canceled", 0, 0)
    await installation.start("worker", "worker")
    assert (await check_history(installation, kept))["status"] == "succeeded"
    record = await check_history(installation, queued)
    assert (record["attempt"], record["started_at"]) == (0, None)
    assert [event["to"] for event in await installation.events(queued)] == ["queued", "canceled"]


async def test_while_its_outputs_are_collected_a_stop_changes_nothing(tailrace: Running) -> None:
    # What it has to leave waits for the disk of the store, for as long as that is away.
    store = tailrace.data / "artifacts"
    away = store.rename(tailrace.data / "artifacts-away")
    try:
        execution = await tailrace.submit("sh", "-c", "echo > /tailrace/outputs/x", outputs=[{"path": "x"}])

        async def collecting() -> bool:
            return bool((await tailrace.execution(execution))["phase"] == "collecting")

        await eventually(collecting, within=60)
        assert (await tailrace.cancel(execution)).status_code == 202
    finally:
        away.rename(store)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("succeeded", "ok", 0)
    assert record["outputs"] == {"files": 1, "bytes": 1, "partial": False, "expired_at": None}
