"""Programs that mean harm end with their true cause; whoever runs beside them, and the host, does not notice."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from assaults import ASSAULTS, MIB, PROBES, Assault

from support.crowd import peak_memory
from support.eventually import eventually
from support.history import check_history
from support.running import Json, Running
from support.witness import Witness

NEIGHBOUR = "echo hello; echo kept > /tailrace/outputs/kept"
# These also run at every change.
WORST = ["a fork bomb", "a memory bomb", "a disk filler in its root file system", "very many small files"]


async def launch(tailrace: Running, assault: Assault) -> str:
    response = await tailrace.request("POST", "/v1/executions", json=assault.body)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def assail(tailrace: Running, names: Iterable[str]) -> dict[str, str]:
    """All of these at once, and neighbours beside them who do not notice."""
    ids = {name: await launch(tailrace, ASSAULTS[name]) for name in names}
    neighbours = [await tailrace.submit("sh", "-c", NEIGHBOUR) for _ in range(2)]
    for neighbour in neighbours:
        record = await check_history(tailrace, neighbour)
        assert (record["status"], record["cause"]) == ("succeeded", "ok")
        assert await tailrace.log_text(neighbour) == "hello\n"
        assert await tailrace.output(neighbour, "kept") == b"kept\n"
    return ids


async def check_end(tailrace: Running, name: str, execution: str) -> None:
    """Its record tells the truth, and what is kept of it is harmless."""
    assault, record = ASSAULTS[name], await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == (assault.status, assault.cause), record["message"]
    assert record["message"].startswith(assault.message)
    if assault.warning is not None:
        assert assault.warning in json.dumps(record["warnings"])
    files = (await tailrace.get(f"/v1/executions/{execution}/outputs"))["items"]
    if assault.kept is not None:
        assert {file["path"] for file in files} == assault.kept
    check_names(zipfile.ZipFile(io.BytesIO(await download(tailrace, execution))).namelist(), files)


async def download(tailrace: Running, execution: str) -> bytes:
    response = await tailrace.request("GET", f"/v1/executions/{execution}/outputs.zip")
    assert response.status_code == 200
    return response.content


def check_names(names: list[str], files: list[Json]) -> None:
    """Wherever it is unpacked, each file stays inside."""
    assert len(names) == len(set(names)) == len(files)
    for name in names:
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind(name)
            assert not path.is_absolute()
            assert not path.drive
            # Windows takes dots and spaces from the end of every name.
            assert all(part.rstrip(". ") for part in path.parts)


async def check_nothing_left(tailrace: Running, witness: Witness, execution: str) -> None:
    """No container, no process, no control group, no layer and no workspace."""
    (attempt,) = await tailrace.attempts(execution)
    container = attempt["container_id"]
    await witness.nothing_left(execution)
    await eventually(lambda: not (tailrace.data / "work" / execution).exists())
    await eventually(lambda: not list(control_groups(container)))
    assert not processes_of(container)


def control_groups(container: str) -> Iterator[Path]:
    """Those that the kernel keeps for it, and with them its processes and its memory."""
    for depth in ("*", "*/*", "*/*/*"):
        yield from Path("/sys/fs/cgroup").glob(f"{depth}{container}*")


def processes_of(container: str) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if container in status.read_text():
                found.append(status.parent.name)
        except OSError:
            continue
    return found


async def test_the_worst_of_them_end_truthfully_and_harm_nobody(tailrace: Running, witness: Witness) -> None:
    before = peak_memory(tailrace, "worker")
    for name, execution in (await assail(tailrace, WORST)).items():
        await check_end(tailrace, name, execution)
        await check_nothing_left(tailrace, witness, execution)
    assert peak_memory(tailrace, "worker") - before < 100 * MIB


async def test_a_probing_program_finds_nothing_that_it_may_do(tailrace: Running) -> None:
    program = "\n".join(f"({probe}) > /dev/null 2>&1 < /dev/null && echo '{name}'" for name, probe in PROBES.items())
    execution = await tailrace.submit("sh", "-c", f"{program}\necho probed")
    assert (await check_history(tailrace, execution))["status"] == "succeeded"
    assert await tailrace.log_text(execution) == "probed\n"


@pytest.fixture(scope="module")
async def assailants(tailrace: Running) -> dict[str, str]:
    """All others at once, so that each test only waits for the end of its own."""
    return await assail(tailrace, [name for name in ASSAULTS if name not in WORST])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ASSAULTS if name not in WORST])
async def test_a_hostile_program_ends_with_its_true_cause_and_leaves_nothing(
    tailrace: Running, witness: Witness, assailants: dict[str, str], name: str
) -> None:
    await check_end(tailrace, name, assailants[name])
    await check_nothing_left(tailrace, witness, assailants[name])
