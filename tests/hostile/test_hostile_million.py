"""A million small files: the program's own affair, and nobody else's."""

from __future__ import annotations

import pytest
from assaults import GIB, MIB
from test_hostile_programs import check_nothing_left

from support.crowd import peak_memory
from support.history import check_history
from support.own import StartOwn
from support.running import Running
from support.witness import Witness

FILES = 1_000_000
# A directory of a thousand each: none is so large that it says nothing about the others.
PROGRAM = f"""
cd /tailrace/outputs; d=0
while [ $d -lt {FILES // 1000} ]; do
    mkdir $d; cd $d; i=0; while [ $i -lt 1000 ]; do : > $i; i=$((i+1)); done; cd ..; d=$((d+1))
done
"""


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_a_million_files_are_nobody_elses_affair(own: StartOwn, witness: Witness) -> None:
    tailrace = await own()
    before = {name: peak_memory(tailrace, name) for name in ("api", "worker")}
    limits = {"output_files": 100, "cpus": 1.0, "memory": "512MiB", "disk": 8 * GIB, "timeout": 600, "pids": 40}
    body = {"image": "busybox:local", "command": ["sh", "-c", PROGRAM], "limits": limits}
    response = await tailrace.request("POST", "/v1/executions", json=body)
    assert response.status_code == 201, response.text
    execution = response.json()["id"]
    # Also while it is collected, and while all of it is removed.
    while not await is_over(tailrace, execution) or (tailrace.data / "work" / execution).exists():
        neighbour = await check_history(tailrace, await tailrace.submit("sh", "-c", "echo hello"))
        assert (neighbour["status"], neighbour["cause"]) == ("succeeded", "ok")
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == ("succeeded", "ok"), record["message"]
    assert "there are more than 100 files" in str(record["warnings"])
    assert (await tailrace.get(f"/v1/executions/{execution}/outputs"))["files"] == 100
    await check_nothing_left(tailrace, witness, execution)
    for name, at_first in before.items():
        assert peak_memory(tailrace, name) - at_first < 100 * MIB, name


async def is_over(tailrace: Running, execution: str) -> bool:
    return bool((await tailrace.get(f"/v1/executions/{execution}"))["finished_at"])
