"""The log's way from the program to Postgres, blocked and flooded: programs, workers and their neighbours live on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.crashes import WITHIN
from support.crowd import peak_memory
from support.eventually import eventually
from support.fault_proxy import FaultProxy, before_postgres
from support.history import check_history
from support.logs import raw_log
from support.migrations import NewDatabase
from support.own import StartOwn
from support.programs import until_it_says
from support.running import Running
from support.witness import Witness
from worker.engine.port import ContainerState

pytestmark = pytest.mark.timeout(400)

MIB = 2**20
TALKED = 40
# So many mebibytes as soon as it is told; an output says how many it got rid of.
TALKING = f"""
    line=$(head -c 1023 /dev/zero | tr '\\0' x); i=0
    echo ready; while [ ! -f /tailrace/outputs/go ]; do sleep 0.1; done
    while [ $i -lt {TALKED} ]; do yes $line | head -n 1024; i=$((i+1)); echo $i > /tailrace/outputs/said; done
    exec sleep 600
"""


@pytest.fixture
async def line(new_database: NewDatabase, tmp_path: Path) -> AsyncIterator[tuple[str, FaultProxy]]:
    """A breakable line to a database of its own: its address, and the line."""
    async with before_postgres(await new_database(), tmp_path) as line:
        yield line


def outputs_of(installation: Running, execution: str) -> Path:
    (outputs,) = (installation.data / "work" / execution).glob("*/outputs")
    return outputs


@pytest.mark.faults
async def test_a_log_that_nobody_takes_blocks_neither_the_program_nor_its_engine(
    line: tuple[str, FaultProxy], own: StartOwn, witness: Witness
) -> None:
    """F25: Postgres hangs, the buffer is full; the worker lets go of the stream, and whoever kills it succeeds."""
    url, proxy = line
    installation = await own(database_url=url)
    execution = await installation.submit("sh", "-c", TALKING)
    await until_it_says(installation, execution, "ready")
    outputs, container = outputs_of(installation, execution), (await witness.the_container(execution)).id
    await proxy.hang()
    (outputs / "go").touch()
    await eventually((outputs / "said").exists, within=WITHIN)
    await eventually(lambda: (outputs / "said").read_text() == f"{TALKED}\n", within=WITHIN)
    async with asyncio.timeout(WITHIN):
        assert await witness.runtime.signal(container, "SIGKILL")

    async def has_exited() -> bool:
        return (await witness.runtime.inspect(container)).state is ContainerState.EXITED

    await eventually(has_exited)
    await proxy.heal()
    record = await check_history(installation, execution)
    assert (record["status"], record["exit_code"], record["attempt"]) == ("crashed", 137, 1)
    log = await raw_log(installation, execution)
    assert log == b"ready\n" + (b"x" * 1023 + b"\n") * 1024 * TALKED


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_floods_of_any_shape_leave_worker_lease_and_neighbours_alone(own: StartOwn) -> None:
    """F24: half a gigabyte of lines, a gigabyte without one, a million empty ones, binary garbage; all at once."""
    installation = await own(slots=8)
    await installation.start("second", "worker", TAILRACE_POOL="nobody's")
    before = peak_memory(installation, "worker")
    floods = [
        await installation.submit("sh", "-c", program, limits={"log_bytes": 8 * MIB, "memory": "256MiB"})
        for program in (
            "yes $(head -c 99 /dev/zero | tr '\\0' x) | head -c 500000000",
            "tr '\\0' x < /dev/zero | head -c 1000000000",
            "yes '' | head -n 1000000",
            "head -c 200000000 /dev/urandom",
        )
    ]
    while not all([(await installation.execution(flood))["finished_at"] for flood in floods]):
        neighbour = await installation.submit("echo", "hello")
        assert (await check_history(installation, neighbour))["status"] == "succeeded"
        assert await installation.log_text(neighbour) == "hello\n"
    for flood in floods:
        record = await check_history(installation, flood)
        assert (record["status"], record["attempt"]) == ("succeeded", 1)
        assert record["log"]["truncated"] is True
        assert "Taken over" not in await installation.log_text(flood, streams="system")
    assert peak_memory(installation, "worker") - before < 300 * MIB
