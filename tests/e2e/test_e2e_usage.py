"""What a program uses is measured while it runs, by whichever worker holds it."""

import signal
from collections.abc import Mapping
from typing import Any

from support.eventually import eventually
from support.own import StartOwn
from support.running import Running

MIB = 2**20
# Holds 64 MiB and a file of 1 MiB, and counts until it is stopped.
BURNS = """
import os
held = bytearray(os.urandom(64 << 20))
with open("/tailrace/outputs/file", "wb") as file:
    file.write(held[:1 << 20])
print("ready", flush=True)
while not os.path.exists("/tailrace/stop"):
    sum(range(10000))
"""


async def usage_of(installation: Running, execution: str) -> Mapping[str, Any]:
    return await (await installation.api.get(execution)).usage()


async def test_what_a_program_uses_is_measured_also_when_its_worker_is_replaced(own: StartOwn) -> None:
    installation = await own()
    burning = await installation.submit(
        "python3", "-c", BURNS, image="python:local", limits={"memory": "256MiB", "cpus": 1}
    )
    idle = await installation.submit("sleep", "600")

    async def seen(*, samples: int) -> Mapping[str, Any] | None:
        usage = await usage_of(installation, burning)
        if len(usage["samples"]) < samples or (usage["peak"]["cores"] or 0) < 0.05:
            return None
        return usage if usage["now"]["memory"] >= 64 * MIB and usage["now"]["disk"] is not None else None

    usage = await eventually(lambda: seen(samples=1), within=90)
    assert 64 * MIB <= usage["peak"]["memory"] <= 256 * MIB
    assert usage["peak"]["pids"] >= 2
    assert usage["cpu_seconds"] > 0.1
    assert set(usage["missing"]) == {"network"}
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    after = await eventually(lambda: seen(samples=len(usage["samples"]) + 2), within=120)
    assert after["cpu_seconds"] > usage["cpu_seconds"]
    assert after["peak"]["disk"] >= MIB
    times = [sample["at"] for sample in after["samples"]]
    assert times == sorted(times)

    await installation.cancel(burning)
    await installation.ended(burning)
    kept = await usage_of(installation, burning)
    assert (kept["running"], kept["now"]) == (False, None)
    assert kept["peak"]["memory"] >= after["peak"]["memory"]
    assert kept["samples"][: len(after["samples"]) - 1] == after["samples"][:-1]

    # What does nothing uses nothing, and has its own.
    assert (await usage_of(installation, idle))["cpu_seconds"] < kept["cpu_seconds"]
    await installation.cancel(idle, force=True)
    await installation.ended(idle)
