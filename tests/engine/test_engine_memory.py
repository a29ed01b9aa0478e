"""What the engine remembers of a container: who ended it, also when it is gone, and whether it was there all along."""

import asyncio
from typing import Any

import aiohttp
import pytest
from harbour import Harbour

from support.eventually import eventually
from worker.engine.answers import read_recollection
from worker.engine.port import ContainerState, Recollection


async def exited(harbour: Harbour, container: str) -> None:
    async def has() -> bool:
        return (await harbour.engine.inspect(container)).state is ContainerState.EXITED

    await eventually(has)


async def test_a_signal_through_the_engine_is_remembered(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "600")
    await harbour.engine.signal(container, "SIGKILL")
    await exited(harbour, container)
    memory = await harbour.engine.recall(container)
    assert (memory.killed, memory.exit_code, memory.restarted) == (True, 137, False)


async def test_a_program_that_kills_itself_was_not_killed_by_others(harbour: Harbour) -> None:
    container = await harbour.start("sh", "-c", "kill -9 $$")
    await exited(harbour, container)
    memory = await harbour.engine.recall(container)
    assert (memory.killed, memory.exit_code) == (False, 137)


@pytest.mark.parametrize(("command", "killed", "code"), [("sleep 600", True, 137), ("exit 3", False, 3)])
async def test_what_is_removed_is_remembered_by_id_and_by_name(
    harbour: Harbour, command: str, *, killed: bool, code: int
) -> None:
    container = await harbour.start("sh", "-c", command)
    name = (await harbour.engine.inspect(container)).name
    if not killed:
        await exited(harbour, container)
    await harbour.engine.remove(container, force=True)
    memory = await harbour.engine.recall(container)
    assert (memory.killed, memory.exit_code) == (killed, code)
    assert memory.exited_at is not None
    assert await harbour.engine.recall(name) == memory


async def test_of_one_that_was_never_started_no_end_is_remembered(harbour: Harbour) -> None:
    container = await harbour.engine.create(harbour.spec("true"))
    memory = await harbour.engine.recall(container)
    assert (memory.killed, memory.exit_code, memory.never_started) == (False, None, True)
    await harbour.engine.remove(container)
    assert (await harbour.engine.recall(container)).never_started
    ran = await harbour.start("true")
    await harbour.engine.remove(ran, force=True)
    assert not (await harbour.engine.recall(ran)).never_started


async def churn(engine_host: str, *, rounds: int) -> None:
    """Two events a round, and nothing else."""
    connector = aiohttp.UnixConnector(engine_host.removeprefix("unix://"))
    async with aiohttp.ClientSession(connector=connector) as session:
        for _ in range(rounds):
            async with session.post("http://engine/volumes/create", json={}) as made:
                name = (await made.json())["Name"]
            async with session.delete(f"http://engine/volumes/{name}") as removed:
                assert removed.status == 204


async def test_a_busy_engine_is_not_taken_for_one_that_restarted(harbour: Harbour, engine_host: str) -> None:
    container = await harbour.start("sleep", "600")
    await churn(engine_host, rounds=130)
    churning = asyncio.gather(*(churn(engine_host, rounds=100) for _ in range(4)))
    memories = []
    while not churning.done():
        memories.append(await harbour.engine.recall(container))
    await churning
    assert memories
    assert [memory.restarted for memory in memories] == [False] * len(memories)


def event(action: str, container: str = "c", **attributes: str) -> dict[str, Any]:
    actor = {"ID": container, "Attributes": {"name": f"name of {container}", **attributes}}
    return {"Type": "container", "Action": action, "Actor": actor, "timeNano": 1_000_000_000}


def test_an_engine_that_remembers_something_but_no_start_has_restarted() -> None:
    nothing = Recollection(killed=False, exit_code=None, exited_at=None, restarted=True, never_started=False)
    assert read_recollection([], "c") == nothing
    assert read_recollection([event("start", "other")], "c") == nothing
    assert read_recollection([event("start")], "c").restarted is False


def test_where_something_may_have_been_crowded_out_nothing_is_proven() -> None:
    assert read_recollection([event("start", "other")] * 256, "c").restarted is False


def test_the_last_end_counts() -> None:
    memory = read_recollection([event("die", exitCode="1"), event("start"), event("die", exitCode="2")], "c")
    assert memory.exit_code == 2
