"""What is done with executions afterwards, or instead: deleted while they run, run again from where they stopped."""

import asyncio
import os
import signal

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from support.crashes import TIDY
from support.eventually import eventually
from support.history import check_history
from support.own import StartOwn
from support.programs import UNTIL_STOP, until_it_says
from support.running import Running
from support.witness import Witness

# Writes to its log and its outputs for as long as it is let.
BUSY = """
n=0
while true; do
    n=$((n + 1))
    echo line $n
    echo $n > /tailrace/outputs/n
    echo $n > /tailrace/checkpoint/n
done
"""
COUNT = f"""
read -r n 2> /dev/null < /tailrace/checkpoint/n || n=0
echo $((n + 1)) > /tailrace/checkpoint/n
echo "begins at $n"
[ "$n" -gt 0 ] || {{ {UNTIL_STOP} }}
"""


async def delete(tailrace: Running, execution: str) -> httpx.Response:
    return await tailrace.request("DELETE", f"/v1/executions/{execution}")


async def is_gone(tailrace: Running, execution: str) -> bool:
    return (await tailrace.request("GET", f"/v1/executions/{execution}")).status_code == 404


async def until_gone(tailrace: Running, execution: str) -> None:
    await eventually(lambda: is_gone(tailrace, execution), within=90)


def left_on_disk(tailrace: Running, execution: str) -> list[str]:
    """Whatever the data directory has of it."""
    return [name for name, _, _ in os.walk(tailrace.data) if execution in name]


async def delete_in_the_middle(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sh", "-c", BUSY, limits={"grace": 0})
    await tailrace.reaches(execution, "running")
    follower = asyncio.create_task(follow(tailrace, execution))
    answer = await delete(tailrace, execution)
    assert answer.status_code == 202, answer.text
    assert answer.json()["delete_requested_by"] == "admin"
    await until_gone(tailrace, execution)
    await witness.nothing_left(execution)
    assert await follower in {1000, 4404}


async def follow(tailrace: Running, execution: str) -> int | None:
    """Read its log to the end of the connection; the close code."""
    async with tailrace.tail(execution) as socket:
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize("times", [2, pytest.param(100, marks=pytest.mark.slow)])
async def test_what_writes_its_log_can_be_deleted(times: int, tailrace: Running, witness: Witness) -> None:
    for begun in range(0, times, 4):
        await asyncio.gather(*(delete_in_the_middle(tailrace, witness) for _ in range(min(4, times - begun))))
    # The worker is as well as before.
    execution = await tailrace.submit("echo", "hi")
    assert (await check_history(tailrace, execution))["status"] == "succeeded"


async def test_nothing_is_left_of_what_was_deleted_whoever_dies_meanwhile(own: StartOwn, witness: Witness) -> None:
    tailrace = await own(**TIDY)
    ended = await tailrace.submit("sh", "-c", "echo 1 > /tailrace/outputs/n; echo 1 > /tailrace/checkpoint/n")
    await tailrace.ended(ended)
    assert left_on_disk(tailrace, ended)
    running = await tailrace.submit("sh", "-c", BUSY, limits={"grace": 0})
    await tailrace.reaches(running, "running")
    await tailrace.stop("worker", signal.SIGKILL)
    assert (await delete(tailrace, ended)).status_code == 204
    assert (await delete(tailrace, running)).status_code == 202
    await tailrace.start("worker", "worker")
    await until_gone(tailrace, running)
    await witness.nothing_left(running)

    async def disk_is_clear() -> bool:
        return not left_on_disk(tailrace, ended) and not left_on_disk(tailrace, running)

    await eventually(disk_is_clear, within=90)


async def test_a_rerun_goes_on_from_its_own_checkpoint(tailrace: Running) -> None:
    first = await tailrace.submit("sh", "-c", COUNT, limits={"grace": 300})
    await until_it_says(tailrace, first, "begins at 0")
    await tailrace.cancel(first)
    record = await tailrace.ended(first)
    assert record["checkpoint"]["files"] == 1
    handle = await tailrace.api.get(first)
    await handle.archive()
    again = await handle.rerun(from_checkpoint=True)
    assert (await check_history(tailrace, again.id))["status"] == "succeeded"
    assert (await tailrace.log_text(again.id)).splitlines()[0] == "begins at 1"
    assert (await tailrace.log_text(first)).splitlines()[0] == "begins at 0"
