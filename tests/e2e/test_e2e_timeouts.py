"""A program whose time is over walks the same ladder as one that is canceled."""

import json

import pytest

from support.eventually import eventually
from support.history import check_history, moment
from support.programs import ANNOUNCE, MARGIN, UNTIL_STOP, the_attempt, until_it_says
from support.running import Running
from support.witness import Witness


async def test_the_program_is_told_that_its_time_is_over_and_may_still_save(tailrace: Running) -> None:
    program = f"""{ANNOUNCE}
        echo kept > /tailrace/checkpoint/state
        {UNTIL_STOP}
        cat /tailrace/stop; echo half > /tailrace/outputs/half; exit 85
    """
    execution = await tailrace.submit("sh", "-c", program, limits={"timeout": 1, "grace": 300})
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("timed_out", "run_timeout", 85)
    assert "1 s" in record["message"]
    assert "saved a checkpoint" in record["message"]
    assert record["run_seconds"] >= 1
    stop = record["stop"]
    assert (stop["reason"], stop["by"]) == ("timeout", "system")
    notice = json.loads(await tailrace.log_text(execution))
    assert (notice["reason"], notice["by"]) == ("timeout", "system")
    assert notice["deadline"] == pytest.approx(moment(stop["deadline"]).timestamp(), abs=0.01)
    assert await tailrace.output(execution, "half") == b"half\n"
    assert (await the_attempt(tailrace, execution))["checkpoint_files"] == 1
    moves = [(event["to"], event["actor"]) for event in await tailrace.events(execution)]
    assert moves[3] == ("stopping", "system")


async def test_a_program_that_ignores_everything_is_killed_when_the_grace_is_over(
    tailrace: Running, witness: Witness
) -> None:
    program = "trap '' TERM INT HUP; echo deaf; while :; do sleep 1; done"
    execution = await tailrace.submit("sh", "-c", program, limits={"timeout": 1, "grace": 2})
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("timed_out", "run_timeout", 137)
    assert record["oom_killed"] is False
    assert 3 <= record["run_seconds"] < 3 + MARGIN
    attempt = await the_attempt(tailrace, execution)
    assert attempt["signaled_at"] < attempt["killed_at"]
    assert await tailrace.log_text(execution) == "deaf\n"
    await witness.nothing_left(execution)


async def test_a_program_that_finishes_before_the_signal_has_succeeded(tailrace: Running) -> None:
    program = f"{ANNOUNCE} {UNTIL_STOP} exit 0"
    execution = await tailrace.submit("sh", "-c", program, limits={"timeout": 1, "grace": 300})
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("succeeded", "ok", 0)
    assert record["stop"]["reason"] == "timeout"


async def test_the_first_reason_to_stop_stays_the_reason(tailrace: Running) -> None:
    deaf = "trap '' TERM; while :; do sleep 1; done"
    execution = await tailrace.submit("sh", "-c", deaf, limits={"timeout": 1, "grace": 600})
    stop = (await tailrace.reaches(execution, "stopping"))["stop"]
    answer = await tailrace.cancel(execution)
    assert (answer.status_code, answer.json()["stop"]) == (202, stop)
    forced = await tailrace.cancel(execution, force=True)
    assert forced.json()["stop"]["reason"] == "timeout"
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == ("timed_out", "run_timeout")


async def test_a_canceled_program_is_not_given_another_reason_by_its_timeout(tailrace: Running) -> None:
    deaf = "trap '' TERM; echo deaf; while :; do sleep 1; done"
    execution = await tailrace.submit("sh", "-c", deaf, limits={"timeout": 6, "grace": 7})
    await until_it_says(tailrace, execution, "deaf")
    stop = (await tailrace.cancel(execution)).json()["stop"]
    record = await check_history(tailrace, execution)
    assert (record["status"], record["stop"]) == ("canceled", stop)
    assert record["run_seconds"] >= 7


async def test_the_program_can_know_its_deadline(tailrace: Running) -> None:
    program = "echo $TAILRACE_DEADLINE; cat /tailrace/deadline; exec sleep 600"
    execution = await tailrace.submit("sh", "-c", program, limits={"timeout": 5000})

    async def both() -> list[float]:
        lines = (await tailrace.log_text(execution)).splitlines()
        return list(map(float, lines)) if len(lines) == 2 else []

    at_first, in_file = await eventually(both, within=60)
    deadline = moment((await tailrace.execution(execution))["deadline"]).timestamp()
    # The same promise, made a little earlier each time.
    assert deadline - 2500 < at_first <= in_file + 1 <= deadline + 2
    await tailrace.cancel(execution, force=True)
    await check_history(tailrace, execution)
