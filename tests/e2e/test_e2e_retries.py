"""Attempts that follow one another: what each leaves, and what the record says in between."""

import asyncio
from itertools import pairwise

import pytest

from support.history import check_history, moment
from support.logs import Follower
from support.programs import ANNOUNCE
from support.running import Json, Running
from support.witness import Witness

# Each attempt knows its number; the checkpoint counts them.
COUNT = "n=$(cat /tailrace/checkpoint/n 2>/dev/null || echo 0); echo $((n+1)) > /tailrace/checkpoint/n; "
FAIL_TWICE = COUNT + 'echo "attempt $TAILRACE_ATTEMPT after $n"; [ $n -ge 2 ] || exit 3; echo done'


async def test_a_program_that_fails_twice_succeeds_at_last_and_goes_on_from_its_checkpoint(
    tailrace: Running, witness: Witness
) -> None:
    execution = await tailrace.submit("sh", "-c", FAIL_TWICE, max_attempts=5, retry_on=[3])
    reader = Follower(tailrace, execution)
    await reader.read()
    record = await check_history(tailrace, execution)
    assert (record["status"], record["attempt"], record["exit_code"]) == ("succeeded", 3, 0)
    assert reader.text() == "attempt 1 after 0\nattempt 2 after 1\nattempt 3 after 2\ndone\n"
    assert await tailrace.log_text(execution) == reader.text()
    attempts = await tailrace.attempts(execution)
    assert [(attempt["cause"], attempt["exit_code"]) for attempt in attempts] == [
        ("exit_nonzero", 3),
        ("exit_nonzero", 3),
        ("ok", 0),
    ]
    assert len({attempt["container_id"] for attempt in attempts}) == 3
    for before, after in pairwise(attempts):
        assert moment(before["finished_at"]) < moment(after["claimed_at"])
    await witness.nothing_left(execution)


async def test_the_log_of_each_attempt_can_be_told_from_the_others(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", FAIL_TWICE, max_attempts=3, retry_on=["exit_nonzero"])
    await check_history(tailrace, execution)
    texts = {line.seq: line.text for line in await tailrace.lines(execution, stream="stdout")}
    for number, attempt in enumerate(await tailrace.attempts(execution), 1):
        own = [text for seq, text in texts.items() if attempt["log"]["after"] < seq <= attempt["log"]["last"]]
        assert own[0].startswith(f"attempt {number} ")
        assert not any(text.startswith("attempt ") for text in own[1:])


async def test_max_attempts_is_the_end(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sh", "-c", "exit 3", max_attempts=2, retry_on=[3])
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["attempt"]) == ("failed", "exit_nonzero", 2)
    await witness.nothing_left(execution)


async def test_another_exit_code_than_asked_for_is_the_end(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "exit 4", max_attempts=3, retry_on=[3])
    record = await check_history(tailrace, execution)
    assert (record["status"], record["attempt"]) == ("failed", 1)


async def test_a_timeout_is_tried_again_where_it_was_asked_for(tailrace: Running) -> None:
    program = COUNT + "[ $n -ge 1 ] || sleep 600"
    execution = await tailrace.submit(
        "sh", "-c", program, max_attempts=2, on_timeout="retry", limits={"timeout": 4, "grace": 1}
    )
    record = await check_history(tailrace, execution)
    assert (record["status"], record["attempt"], record["stop"]) == ("succeeded", 2, None)
    first, _ = await tailrace.attempts(execution)
    assert first["cause"] == "run_timeout"
    assert [event["to"] for event in await tailrace.events(execution)] == [
        *("queued", "preparing", "running", "stopping"),
        *("queued", "preparing", "running", "succeeded"),
    ]


async def test_what_waits_for_its_next_attempt_says_so_and_can_be_canceled(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sh", "-c", "exit 3", max_attempts=100, retry_on=[3])

    async def waits_long() -> Json:
        while True:
            record = await tailrace.reaches(execution, "queued")
            if record["attempt"] >= 3 and record["waiting_on"] == "not_before":
                return record
            await asyncio.sleep(0.05)

    record = await waits_long()
    assert moment(record["not_before"]) > moment(record["queued_at"])
    assert (record["cause"], record["exit_code"], record["finished_at"]) == (None, None, None)
    assert (await tailrace.cancel(execution)).status_code in {200, 202}
    record = await tailrace.ended(execution)
    assert record["status"] == "canceled"
    await witness.nothing_left(execution)


async def test_a_cancellation_ends_what_would_be_tried_again(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "exec sleep 600", max_attempts=5, retry_on=["signaled", 143, 137])
    await tailrace.reaches(execution, "running")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["attempt"]) == ("canceled", 1)


@pytest.mark.parametrize(("on_interrupted", "attempts"), [("fail", 1), ("retry", 2)])
async def test_what_somebody_killed_behind_our_back_is_tried_again_where_it_was_asked_for(
    tailrace: Running, witness: Witness, on_interrupted: str, attempts: int
) -> None:
    program = COUNT + "[ $n -ge 1 ] || exec sleep 600"
    execution = await tailrace.submit("sh", "-c", program, max_attempts=2, on_interrupted=on_interrupted)
    await tailrace.reaches(execution, "running")
    await witness.runtime.signal((await witness.the_container(execution)).id, "SIGKILL")
    record = await check_history(tailrace, execution)
    end = ("succeeded", "ok") if attempts == 2 else ("crashed", "interrupted")
    assert (record["status"], record["cause"], record["attempt"]) == (*end, attempts)


async def test_an_announcement_does_not_outlive_its_attempt(tailrace: Running) -> None:
    # The first attempt announces itself and fails; the second does not, and its 86 is a plain exit code.
    program = COUNT + f"[ $n -ge 1 ] && exit 86; {ANNOUNCE} sleep 1; exit 3"
    execution = await tailrace.submit("sh", "-c", program, max_attempts=2, retry_on=[3])
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("failed", "exit_nonzero", 86)
