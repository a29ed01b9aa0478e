"""What clients ask for meets what happens by itself, at every moment: whoever comes first, the record is true.

Each race is run on real servers with real containers, its two sides apart by a time that is drawn anew.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.history import check_history
from support.programs import ANNOUNCE, until_it_says
from support.running import TERMINAL, Json, Running
from support.witness import Witness

# A few to see that it works, a hundred to believe it; so many at once.
repeated = pytest.mark.parametrize("times", [4, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
AT_ONCE = 6
# About as long as the program below runs on.
SHORTLY = 0.4
BRIEF = f"echo ready; sleep {SHORTLY}; echo done"
DRAWN = random.Random()  # noqa: S311 - no secret
Race = Callable[[Running, Witness], Awaitable[None]]


async def run(race: Race, tailrace: Running, witness: Witness, times: int) -> None:
    """So many times, a few at once."""
    for done in range(0, times, AT_ONCE):
        await asyncio.gather(*(race(tailrace, witness) for _ in range(min(AT_ONCE, times - done))))


async def some_moment(most: float = 2 * SHORTLY) -> None:
    """Let a part of that time pass: this is the race, and nothing else waits for it."""
    await asyncio.sleep(DRAWN.uniform(0, most))


async def ask(tailrace: Running, execution: str, what: str, **body: Any) -> httpx.Response:
    return await tailrace.request("POST", f"/v1/executions/{execution}/{what}", json=body or None)


async def ready(tailrace: Running, program: str = BRIEF, **limits: int) -> str:
    """One that runs, and has just said so."""
    execution = await tailrace.submit("sh", "-c", program, limits=limits)
    await until_it_says(tailrace, execution, "ready")
    return execution


async def history_of(tailrace: Running, execution: str) -> list[str]:
    return [event["to"] for event in await tailrace.events(execution) if event["from"] != event["to"]]


async def cancel_and_finish(tailrace: Running, witness: Witness) -> None:
    execution = await ready(tailrace)
    await some_moment()
    answer = await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert answer.status_code in {202, 409}
    if answer.status_code == 409:
        assert record["status"] == "succeeded"
    elif record["status"] == "succeeded":
        assert record["exit_code"] == 0
    else:
        # Also with 0, if it ended when it had been sent its signal: nobody knows what that cut short.
        assert (record["status"], record["cause"]) == ("canceled", "canceled_by_user")
    await witness.nothing_left(execution)


async def pause_and_cancel(tailrace: Running, witness: Witness) -> None:
    execution = await ready(tailrace, "echo ready; exec sleep 600")

    async def pause() -> httpx.Response:
        await some_moment(0.1)
        return await ask(tailrace, execution, "pause", mode="freeze")

    async def cancel() -> httpx.Response:
        await some_moment(0.1)
        return await tailrace.cancel(execution)

    paused, canceled = await asyncio.gather(pause(), cancel())
    assert (canceled.status_code, paused.status_code in {202, 409}) == (202, True)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["pause"]) == ("canceled", None)
    await witness.nothing_left(execution)


async def pause_and_finish(tailrace: Running, witness: Witness) -> None:
    execution = await ready(tailrace)
    await some_moment()
    paused = await ask(tailrace, execution, "pause", mode="freeze")
    assert paused.status_code in {202, 409}
    record = await tailrace.reaches(execution, "paused", *TERMINAL)
    if record["status"] == "paused":
        assert paused.status_code == 202
        assert (await ask(tailrace, execution, "resume")).status_code == 202
    record = await check_history(tailrace, execution)
    assert (record["status"], record["pause"], record["attempt"]) == ("succeeded", None, 1)
    assert (await tailrace.log_text(execution)).splitlines() == ["ready", "done"]
    await witness.nothing_left(execution)


async def saving_and_finish(tailrace: Running, witness: Witness) -> None:
    """The program saves when it is asked to, and may have ended before, or be resumed while it saves."""
    program = (
        f"{ANNOUNCE} [ -f /tailrace/checkpoint/n ] && exit 0; echo ready; i=0; while [ $i -lt 8 ]; do i=$((i+1)); "
        "sleep 0.05; [ -f /tailrace/stop ] && echo 1 > /tailrace/checkpoint/n && exit 85; done; exit 0"
    )
    execution = await ready(tailrace, program, grace=300)
    await some_moment(SHORTLY)
    paused = await ask(tailrace, execution, "pause", mode="checkpoint")
    # What it announced may not be on record yet.
    assert paused.status_code in {202, 409}
    await some_moment(0.2)
    resumed = await ask(tailrace, execution, "resume")
    assert resumed.status_code in {200, 202, 409}
    record = await check_history(tailrace, execution)
    assert (record["status"], record["pause"], record["stop"]) == ("succeeded", None, None)
    assert record["attempt"] <= 2
    await witness.nothing_left(execution)


async def resume_and_timeout(tailrace: Running, witness: Witness) -> None:
    """Frozen or saving just before its time is over, and resumed at once: its time is over all the same."""
    execution = await ready(tailrace, f"{ANNOUNCE} echo ready; exec sleep 600", timeout=2, grace=1)
    await asyncio.sleep(DRAWN.uniform(0.5, 1.8))
    paused = await ask(tailrace, execution, "pause", mode=DRAWN.choice(["freeze", "checkpoint"]))
    assert paused.status_code in {202, 409}
    await some_moment(0.3)
    resumed = await ask(tailrace, execution, "resume")
    assert resumed.status_code in {200, 202, 409}
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["pause"]) == ("timed_out", "run_timeout", None)
    await witness.nothing_left(execution)


async def patch_and_finish(tailrace: Running, witness: Witness) -> None:
    execution = await ready(tailrace)
    await some_moment()
    wanted: Json = {"limits": {"timeout": 7200}}
    patched = await tailrace.request("PATCH", f"/v1/executions/{execution}", json=wanted)
    assert patched.status_code in {200, 409}
    record = await check_history(tailrace, execution)
    assert (record["status"], record["deadline"]) == ("succeeded", None)
    assert record["limits"]["timeout"] == (7200 if patched.status_code == 200 else 3600)
    await witness.nothing_left(execution)


async def delete_and_anything(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sh", "-c", BRIEF, limits={"grace": 1})

    async def something() -> None:
        await some_moment(4 * SHORTLY)
        what = DRAWN.choice(["cancel", "pause", "resume", "hold", "release", "archive", "rerun"])
        answer = await ask(tailrace, execution, what)
        assert answer.status_code in {200, 201, 202, 404, 409}, (what, answer.text)
        if answer.status_code == 201:
            await tailrace.ended(answer.json()["id"])

    async def delete() -> None:
        await some_moment(4 * SHORTLY)
        answer = await tailrace.request("DELETE", f"/v1/executions/{execution}")
        assert answer.status_code in {202, 204}, answer.text

    await asyncio.gather(something(), delete(), something())

    async def gone() -> bool:
        return (await tailrace.request("GET", f"/v1/executions/{execution}")).status_code == 404

    await eventually(gone, within=90)
    await witness.nothing_left(execution)


@repeated
@pytest.mark.parametrize(
    "race",
    [
        cancel_and_finish,
        pause_and_cancel,
        pause_and_finish,
        saving_and_finish,
        resume_and_timeout,
        patch_and_finish,
        delete_and_anything,
    ],
)
async def test_whoever_comes_first_the_record_is_true(
    race: Race, tailrace: Running, witness: Witness, times: int
) -> None:
    await run(race, tailrace, witness, times)
