"""What a submission says of how its program runs: what exit codes mean, what it has to leave."""

import asyncio
from typing import Any

import pytest

from support.eventually import eventually
from support.history import check_history
from support.programs import until_it_says
from support.running import Json, Running

CODES = {"3": "success", "4": "fail", "75": "retry", "77": "checkpoint", "99": "canceled"}
ENDS = {
    "exit 3": ("succeeded", "ok", 3, 1),
    "exit 4": ("failed", "exit_nonzero", 4, 1),
    # It counts its attempts by its checkpoint.
    "echo >> /tailrace/checkpoint/n; [ $(wc -l < /tailrace/checkpoint/n) -ge 3 ] || exit 75": ("succeeded", "ok", 0, 3),
    "exit 75": ("failed", "exit_nonzero", 75, 3),
    "exit 99": ("canceled", "self_canceled", 99, 1),
    "exit 77": ("failed", "exit_nonzero", 77, 1),
}


async def end_of(tailrace: Running, program: str, **fields: Any) -> Json:
    return await check_history(tailrace, await tailrace.submit("sh", "-c", program, **fields))


async def test_exit_codes_mean_what_their_submission_says(tailrace: Running) -> None:
    # `fail` is stronger than the cause in `retry_on`; of 77 nothing is said there.
    again = {"max_attempts": 3, "exit_codes": CODES}
    records = await asyncio.gather(
        *(
            end_of(tailrace, program, **again, retry_on=["exit_nonzero"] if program == "exit 4" else [])
            for program in ENDS
        )
    )
    ends = {
        program: (record["status"], record["cause"], record["exit_code"], record["attempt"])
        for program, record in zip(ENDS, records, strict=True)
    }
    assert ends == ENDS
    assert records[0]["message"] == "Finished with exit code 3, which its `exit_codes` call a success."


async def test_a_code_for_checkpoints_lets_a_program_be_paused_that_never_announced_itself(tailrace: Running) -> None:
    program = """
        [ -f /tailrace/checkpoint/saved ] && { echo resumed; exit 3; }
        echo ready; while [ ! -f /tailrace/stop ]; do sleep 0.1; done; touch /tailrace/checkpoint/saved; exit 77
    """
    execution = await tailrace.submit("sh", "-c", program, exit_codes=CODES, limits={"grace": 60})
    await until_it_says(tailrace, execution, "ready")
    handle = await tailrace.api.get(execution)
    await handle.pause()
    paused = await tailrace.reaches(execution, "paused")
    assert paused["pause"]["mode"] == "checkpoint"
    await handle.resume()
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"], record["attempt"]) == ("succeeded", 3, 2)
    assert await tailrace.log_text(execution) == "ready\nresumed\n"


@pytest.mark.parametrize("required", [True, False])
async def test_what_a_program_has_to_leave_is_looked_for_and_what_it_left_is_kept(
    tailrace: Running, *, required: bool
) -> None:
    declared = [
        {"path": "plots/*.dat", "media_type": "text/csv", "title": "Measured"},
        {"path": "report.html", "required": required},
    ]
    program = "cd /tailrace/outputs; mkdir plots; echo a,b > plots/one.dat; echo > other"
    record = await end_of(tailrace, program, outputs=declared)
    if required:
        assert (record["status"], record["cause"], record["exit_code"]) == ("failed", "output_missing", 0)
        assert record["message"] == "Ended well, but left nothing for `report.html`, which it has to."
    else:
        assert (record["status"], record["cause"]) == ("succeeded", "ok")
    assert (record["outputs"]["files"], record["outputs"]["partial"]) == (2, required)
    outputs = await tailrace.get(f"/v1/executions/{record['id']}/outputs")
    assert {file["path"]: (file["media_type"], file["declared"]) for file in outputs["items"]} == {
        "other": ("application/octet-stream", None),
        "plots/one.dat": ("text/csv", "plots/*.dat"),
    }
    assert [(each["path"], each["title"], each["files"]) for each in outputs["declared"]] == [
        ("plots/*.dat", "Measured", 1),
        ("report.html", None, 0),
    ]
    answer = await tailrace.request("GET", f"/v1/executions/{record['id']}/outputs/plots/one.dat")
    assert answer.headers["content-type"].startswith("text/csv")


async def test_what_a_program_has_to_leave_waits_for_the_disk_of_the_store(tailrace: Running) -> None:
    directory, away = tailrace.data / "artifacts", tailrace.data / "artifacts-away"
    directory.rename(away)
    try:
        execution = await tailrace.submit(
            *("sh", "-c", "echo > /tailrace/outputs/report.html"), outputs=[{"path": "report.html"}]
        )

        async def is_collecting() -> bool:
            return bool((await tailrace.execution(execution))["phase"] == "collecting")

        await eventually(is_collecting)
    finally:
        away.rename(directory)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["outputs"]["files"], record["warnings"]) == ("succeeded", 1, [])


async def test_whoever_is_asked_to_stop_before_it_has_left_what_it_has_to_is_canceled(tailrace: Running) -> None:
    program = "echo ready; while [ ! -f /tailrace/stop ]; do sleep 0.1; done; exit 0"
    fields = {"outputs": [{"path": "report.html"}], "limits": {"grace": 60, "notice": 40}}
    execution = await tailrace.submit("sh", "-c", program, **fields)
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("canceled", "canceled_by_user", 0)


async def test_a_workspace_of_the_last_attempt_stays_for_whoever_asked_for_it(tailrace: Running) -> None:
    program = "mkfifo /tailrace/outputs/pipe; [ $TAILRACE_ATTEMPT = 2 ] || exit 3"
    record = await end_of(tailrace, program, keep_workspace=True, max_attempts=2, retry_on=[3])
    assert (record["status"], record["attempt"]) == ("succeeded", 2)
    workspaces = tailrace.data / "work" / record["id"]
    # That of the one before goes when it may, perhaps while this one runs.
    await eventually(lambda: [each.name for each in workspaces.iterdir()] == ["2"])
    assert (workspaces / "2" / "outputs" / "pipe").is_fifo()
