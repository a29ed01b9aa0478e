"""Ctrl-C, in a process of its own."""

import asyncio
import signal
import sys

from support.eventually import eventually
from support.running import Running
from tailrace import AsyncClient

PROGRAM = """
import sys
from tailrace import Client

client = Client()
handle = client.run("busybox:local", ["sleep", "600"], limits={"grace": 1})
with handle.canceled_on_interrupt(force=True):
    print(handle.id, flush=True)
    handle.wait()
"""


async def test_an_interruption_ends_the_wait_and_the_execution(tailrace: Running, aclient: AsyncClient) -> None:
    environment = {**tailrace.environment, "TAILRACE_URL": tailrace.url, "TAILRACE_TOKEN": tailrace.token}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    handle = await aclient.get((await process.stdout.readline()).decode().strip())

    async def runs() -> bool:
        return (await handle.refresh()).status == "running"

    await eventually(runs)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(60):
        _, complaint = await process.communicate()
    assert complaint.decode().strip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
    assert (await handle.wait(60)).status == "canceled"
