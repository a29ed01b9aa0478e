"""Many executions at once: all end truthfully, none is lost, never more run than there are slots."""

import asyncio
from statistics import median

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import CloseCode

from support.eventually import eventually
from support.history import check_history, moment
from support.logs import Follower
from support.running import TERMINAL, Running
from support.witness import Witness, instance_of
from worker.container import EXECUTION_LABEL

SLOTS = 8
CHECKED_AT_ONCE = 20
PROGRAM = "i=0; while [ $i -lt 50 ]; do echo $0 line $i; i=$((i+1)); done; exit $(($0 % 7))"


async def submit_all(tailrace: Running, count: int) -> list[str]:
    """All at once, over a few connections, as clients do."""
    async with tailrace.client() as client:

        async def submit(number: int) -> str:
            body = {"image": "busybox:local", "command": ["sh", "-c", PROGRAM, str(number)]}
            response = await client.post("/v1/executions", json=body)
            assert response.status_code == 201, response.text
            execution: str = response.json()["id"]
            return execution

        return await asyncio.gather(*map(submit, range(count)))


async def containers_of(tailrace: Running, witness: Witness, executions: list[str]) -> list[str]:
    """Those that the engine has of these executions: others run here, too, or have left something."""
    there = await witness.all_of(await instance_of(tailrace))
    return [found.id for found in there if found.labels[EXECUTION_LABEL] in executions]


async def most_at_once(tailrace: Running, witness: Witness, executions: list[str]) -> int:
    """The largest number of containers that the engine had of them at any look, until all have ended."""
    most = 0
    waiting = list(executions)
    while waiting:
        most = max(most, len(await containers_of(tailrace, witness, executions)))
        if (await tailrace.execution(waiting[0]))["status"] in TERMINAL:
            waiting.pop(0)
    return most


async def check_one(tailrace: Running, number: int, execution: str) -> None:
    record = await check_history(tailrace, execution)
    assert record["exit_code"] == number % 7
    assert record["status"] == ("failed" if number % 7 else "succeeded")
    assert record["attempt"] == 1
    assert await tailrace.log_text(execution) == "".join(f"{number} line {line}\n" for line in range(50))


async def check_load(tailrace: Running, witness: Witness, count: int) -> None:
    executions = await submit_all(tailrace, count)
    assert len(set(executions)) == count
    assert 1 < await most_at_once(tailrace, witness, executions) <= SLOTS
    # Each asks the API for much, and who waits too long for the database is told to come back.
    numbered = list(enumerate(executions))
    for begin in range(0, count, CHECKED_AT_ONCE):
        await asyncio.gather(*(check_one(tailrace, *each) for each in numbered[begin : begin + CHECKED_AT_ONCE]))

    async def none_left() -> bool:
        return not await containers_of(tailrace, witness, executions)

    await eventually(none_left)


async def test_forty_at_once_all_end_truthfully(tailrace: Running, witness: Witness) -> None:
    await check_load(tailrace, witness, 40)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_two_hundred_at_once_all_end_truthfully(tailrace: Running, witness: Witness) -> None:
    await check_load(tailrace, witness, 200)


async def watch(reader: Follower) -> None:
    """To the end. All come at one moment, and who waits too long for the database is told to come back."""
    while reader.end is None:
        try:
            await reader.read()
        except ConnectionClosedError as closed:
            if closed.rcvd is None or closed.rcvd.code != CloseCode.SERVICE_RESTART:
                raise


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_two_hundred_at_once_each_watched_live(tailrace: Running) -> None:
    executions = await submit_all(tailrace, 200)
    readers = [Follower(tailrace, execution) for execution in executions]
    await asyncio.gather(*map(watch, readers))
    for number, reader in enumerate(readers):
        assert reader.text() == "".join(f"{number} line {line}\n" for line in range(50))
        assert reader.end is not None
        assert reader.end["exit_code"] == number % 7


async def test_the_oldest_goes_first(tailrace: Running) -> None:
    executions = [await tailrace.submit("true") for _ in range(12)]
    claimed = []
    for execution in executions:
        await check_history(tailrace, execution)
        (attempt,) = (await tailrace.get(f"/v1/executions/{execution}/attempts"))["items"]
        claimed.append(moment(attempt["claimed_at"]))
    assert claimed == sorted(claimed)


async def dispatch_seconds(tailrace: Running) -> float:
    """From the submission to the claim, on an idle stack."""
    execution = await tailrace.submit("true")
    record = await tailrace.ended(execution)
    (attempt,) = (await tailrace.get(f"/v1/executions/{execution}/attempts"))["items"]
    return (moment(attempt["claimed_at"]) - moment(record["created_at"])).total_seconds()


async def test_an_idle_worker_does_not_wait_for_its_next_look(tailrace: Running) -> None:
    # It looks by itself every two seconds; a bell makes it look at once.
    assert median([await dispatch_seconds(tailrace) for _ in range(5)]) < 0.5


@pytest.mark.slow
async def test_dispatch_is_a_matter_of_milliseconds(tailrace: Running) -> None:
    assert median([await dispatch_seconds(tailrace) for _ in range(30)]) < 0.2
