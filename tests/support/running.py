"""A whole Tailrace for a test: API and worker as processes of their own, and what a client does with them."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from websockets.asyncio.client import ClientConnection, connect

from app.auth.tokens import new_token
from app.db.engine import open_engine, reading
from app.executions.tables import Instance
from stack.ports import free_port
from support.eventually import eventually
from tailrace import AsyncClient, Line
from worker.container import INSTANCE_LABEL
from worker.engine.docker import DockerRuntime

REPOSITORY = Path(__file__).resolve().parents[2]
# Longer than any time limit of a process's own.
STOPS_WITHIN = 45.0
TERMINAL = {"succeeded", "failed", "timed_out", "canceled", "crashed"}

Json = dict[str, Any]

SECRET_KEY = "the key of every installation of these tests"
# All is plain HTTP: to read the system's certificates for every client takes longer than its request.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Running:
    """One installation. `environment` is what its processes are started with."""

    environment: dict[str, str]
    log: Path
    url: str
    token: str
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    # All that were opened: those of this one, and of what is made of it by `replace`.
    clients: list[AsyncClient] = field(default_factory=list)
    # What a client of the log does: on a thin line the answer to its ping waits behind the log.
    ping_timeout: float | None = 20.0

    @property
    def data(self) -> Path:
        return Path(self.environment["TAILRACE_DATA"])

    @property
    def database_url(self) -> str:
        return self.environment["TAILRACE_DATABASE_URL"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @cached_property
    def api(self) -> AsyncClient:
        """What users have. It asks again while the API is away: what is about refusals is asked by `request`."""
        self.clients.append(AsyncClient(self.url, self.token))
        return self.clients[-1]

    async def start(self, name: str, module: str, **environment: str) -> asyncio.subprocess.Process:
        """Start a process of it: `start("worker", "worker")`."""
        with self.log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                cwd=REPOSITORY,
                env={**self.environment, **environment},
                stdout=output,
                stderr=output,
            )
        self.processes[name] = process
        return process

    async def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a process and wait for its end."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            process.send_signal(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOPS_WITHIN):
                return await process.wait()
        # Its log ends with where it hangs.
        process.send_signal(signal.SIGABRT)
        await process.wait()
        raise AssertionError(f"{name} did not end at {number.name}:\n{self.log.read_text(errors='replace')[-6000:]}")

    async def stop_all(self) -> None:
        for client in self.clients:
            await client.close()
        for name in list(self.processes):
            await self.stop(name)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        # No TLS here: loading the certificates of the world would take longer than most requests.
        async with httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=70, verify=False) as client:  # noqa: S501
            yield client

    async def until_ready(self) -> None:
        async with self.client() as client:

            async def ready() -> bool:
                with suppress(httpx.TransportError):
                    return (await client.get("/readyz")).status_code == 200
                return False

            # On a slow machine to begin takes longer than anything that comes then.
            await eventually(ready, within=180)

    async def until_served(self) -> None:
        """Wait for its worker, unless that has ended: it comes up beside the API."""
        worker = self.processes["worker"]

        async def served() -> bool:
            workers = await self.request("GET", "/v1/workers")
            return worker.returncode is not None or bool(workers.is_success and workers.json()["items"])

        await eventually(served, within=180)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with self.client() as client:
            return await client.request(method, path, **options)

    async def get(self, path: str, **options: Any) -> Any:
        return await self.api.request("GET", path, **options)

    async def submit(self, *command: str, **fields: Any) -> str:
        """Submit to busybox unless another image is named; the execution's id."""
        body = {"image": "busybox:local", **({"command": list(command)} if command else {}), **fields}
        return (await self.api.submit(body)).id

    async def execution(self, execution: str) -> Json:
        return dict((await self.api.get(execution)).record)

    async def ended(self, execution: str, *, within: float = 90.0) -> Json:
        """The record once it is terminal."""
        return dict(await (await self.api.get(execution)).wait(within))

    async def reaches(self, execution: str, *statuses: str, within: float = 60.0) -> Json:
        """The record once its status is one of these."""

        async def check() -> Json | None:
            record = await self.execution(execution)
            return record if record["status"] in statuses else None

        return await eventually(check, within=within) or {}

    async def cancel(self, execution: str, *, force: bool = False) -> httpx.Response:
        return await self.request("POST", f"/v1/executions/{execution}/cancel", json={"force": force})

    async def events(self, execution: str) -> list[Json]:
        return [dict(event) for event in await (await self.api.get(execution)).events()]

    async def attempts(self, execution: str) -> list[Json]:
        return [dict(attempt) for attempt in await (await self.api.get(execution)).attempts()]

    async def lines(self, execution: str, **selection: Any) -> list[Line]:
        """Its log; `follow=True` until its end."""
        return await (await self.api.get(execution)).logs(**selection).all()

    async def log_text(self, execution: str, **parameters: Any) -> str:
        """The same as the API puts it together."""
        text: str | None = await self.get(f"/v1/executions/{execution}/logs", params=parameters)
        return text or ""

    async def outputs(self, execution: str) -> list[Json]:
        return [dict(file) async for file in (await self.api.get(execution)).outputs.list()]

    async def output(self, execution: str, path: str) -> bytes:
        return await (await self.api.get(execution)).outputs.read(path)

    def tail(self, execution: str, query: str = "after=0") -> connect:
        """The WebSocket, as an async context manager."""
        url = f"{self.url.replace('http', 'ws', 1)}/v1/executions/{execution}/tail?{query}"
        return connect(
            url, additional_headers=self.headers, compression=None, max_size=2**24, ping_timeout=self.ping_timeout
        )

    async def frames(self, execution: str, query: str = "after=0") -> list[Json]:
        """Every frame until the end."""
        async with self.tail(execution, query) as socket:
            return [frame async for frame in read_frames(socket)]


async def read_frames(socket: ClientConnection) -> AsyncIterator[Json]:
    async for message in socket:
        yield orjson.loads(message)


def lines_of(frames: Sequence[Json], *letters: str) -> list[tuple[int, str, str]]:
    """`(seq, stream, text)` of every line in these frames."""
    return [
        (frame["first"] + index, line[1], line[2])
        for frame in frames
        if frame["type"] == "lines"
        for index, line in enumerate(frame["lines"])
        if not letters or line[1] in letters
    ]


def installed(directory: Path, *, database_url: str, redis_url: str, slots: int = 8, **environment: str) -> Running:
    """One of which nothing runs yet."""
    port = free_port("127.0.0.1")
    token = new_token()
    return Running(
        environment={
            **os.environ,
            "TAILRACE_DATABASE_URL": database_url,
            "TAILRACE_REDIS_URL": redis_url,
            "TAILRACE_REDIS_PREFIX": f"test-{port}",
            "TAILRACE_DATA": str(directory / "data"),
            "TAILRACE_PORT": str(port),
            "TAILRACE_SLOTS": str(slots),
            "TAILRACE_BOOTSTRAP_TOKEN": token,
            "TAILRACE_SECRET_KEY": SECRET_KEY,
            "TAILRACE_LOG_FORMAT": "console",
            "PYTHONFAULTHANDLER": "1",
            **environment,
        },
        log=directory / "log",
        url=f"http://127.0.0.1:{port}",
        token=token,
    )


@asynccontextmanager
async def running(directory: Path, *, database_url: str, **options: Any) -> AsyncIterator[Running]:
    """Start API and worker; stop both at the end, and let nothing of theirs remain on the engine."""
    installation = installed(directory, database_url=database_url, **options)
    try:
        await installation.start("api", "app")
        await installation.start("worker", "worker")
        await installation.until_ready()
        await installation.until_served()
        yield installation
    finally:
        await installation.stop_all()
        await _remove_containers(database_url)


async def _remove_containers(database_url: str) -> None:
    """By the label of this installation only."""

    async def instance_id() -> UUID | None:
        # The test may have left its server on its way up.
        with suppress(OSError, DBAPIError):
            async with (
                open_engine(database_url, pool_size=1, application="tailrace-test") as engine,
                reading(engine) as connection,
            ):
                return (await connection.execute(select(Instance.id))).scalar_one()
        return None

    instance = await eventually(instance_id, within=60)
    async with DockerRuntime() as runtime:
        for container in await runtime.list_containers({INSTANCE_LABEL: str(instance)}):
            await runtime.remove(container.id, force=True)
