"""Many watchers of one log at once: patient ones that come back, and ones that do not read."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from support.logs import Follower
from support.running import Running

# As clients should: everybody at another moment.
COMES_BACK_WITHIN = (0.2, 2.0)


async def follow_through(reader: Follower) -> Follower:
    """Read to the end, coming back whenever the connection breaks."""
    while not await reader.read_on():
        moment = random.uniform(*COMES_BACK_WITHIN)  # noqa: S311 - no secret
        await asyncio.sleep(moment)
    return reader


@asynccontextmanager
async def stalled_watchers(installation: Running, execution: str, count: int) -> AsyncIterator[None]:
    """So many that ask for the log and never read a byte of it."""
    url = urlsplit(installation.url)
    request = "\r\n".join(
        (
            f"GET /v1/executions/{execution}/tail HTTP/1.1",
            f"Host: {url.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==",
            *(f"{name}: {value}" for name, value in installation.headers.items()),
            "\r\n",
        )
    )
    sockets = []
    try:
        for _ in range(count):
            stalled = socket.socket()
            sockets.append(stalled)
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect((url.hostname, url.port))
            stalled.sendall(request.encode())
        yield
    finally:
        for stalled in sockets:
            stalled.close()


def connections_of(installation: Running) -> int:
    """How many the API has, as the kernel of this machine sees it."""
    port = f":{urlsplit(installation.url).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(port) and state == "01" for _, local, _, state, *_ in rows)


def peak_memory(installation: Running, name: str) -> int:
    """The most that a process had in memory, bytes."""
    status = Path(f"/proc/{installation.processes[name].pid}/status").read_text()
    (kib,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
    return kib * 1024
