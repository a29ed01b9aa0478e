"""The local stack as a whole: embedded servers, migrated database, API and worker, on one data directory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.settings import Settings
from stack.console import Console
from stack.credentials import read_or_make_key, read_or_make_token
from stack.errors import StackError
from stack.lock import RunningStack, stack_lock
from stack.ports import check_port, url_of
from stack.postgres import EmbeddedPostgres
from stack.processes import Program
from stack.redis import EmbeddedRedis
from stack.supervisor import Supervisor

READY_WITHIN = 60.0
READY_POLL_SECONDS = 0.05
# Below the time that the supervisor gives our programs to stop.
SHUTDOWN_GRACE = 2


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is up and ready."""

    url: str
    token: str


@contextmanager
def claimed(settings: Settings) -> Iterator[None]:
    """Hold data directory and port for one stack; nothing is started.

    Raises `StackRunning` if another stack has the directory, `StackError` if the port is taken.
    """
    _open_data(settings.data)
    run_dir = settings.data / "run"
    run_dir.mkdir(mode=0o700, exist_ok=True)
    with stack_lock(run_dir):
        check_port(settings.host, settings.port)
        yield


@asynccontextmanager
async def local_stack(settings: Settings, console: Console) -> AsyncIterator[Stack]:
    """Bring a stack up on a claimed directory and port, and down again at the end of the block.

    A database or a Redis that the settings name is used instead of the embedded one. Raises `StackError` if something
    does not start.
    """
    async with AsyncExitStack() as cleanup:
        supervisor = Supervisor(console)
        cleanup.push_async_callback(supervisor.stop)
        addresses = await _start_servers(settings, supervisor, console)
        token = read_or_make_token(settings.data)
        environment = _environment(settings, addresses, token)
        environment["TAILRACE_SECRET_KEY"] = _secret_key(settings)
        await _migrate(environment, console)
        await supervisor.start(
            Program("api", [sys.executable, "-m", "app"], console=console, env=environment),
            Program("worker", [sys.executable, "-m", "worker"], console=console, env=environment),
        )
        url = url_of(settings.host, settings.port)
        await _until_ready(url)
        cleanup.enter_context(RunningStack(os.getpid(), url).shown_in(settings.data / "run"))
        yield Stack(url, token)


def _open_data(data: Path) -> None:
    """Make the directory, or make it private. Raises `StackError` if others can enter it and it is not ours alone."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if data.stat().st_mode & 0o077 == 0:
        return
    if any(data.iterdir()) and not (data / "run").is_dir():
        raise StackError(f"{data} is open to other users and holds other files; set TAILRACE_DATA to a new directory")
    data.chmod(0o700)


async def _start_servers(settings: Settings, supervisor: Supervisor, console: Console) -> Mapping[str, str]:
    """The addresses of database and Redis, started here where the settings name none."""
    run_dir = settings.data / "run"
    postgres = EmbeddedPostgres(settings.data / "postgres", run_dir)
    redis = EmbeddedRedis(settings.data / "redis", run_dir)
    own_database = "database_url" not in settings.model_fields_set
    own_redis = "redis_url" not in settings.model_fields_set
    if own_database or own_redis:
        console.say(f"starting {' and '.join(['PostgreSQL'] * own_database + ['Redis'] * own_redis)}")
        await supervisor.start(*[postgres] * own_database, *[redis] * own_redis)
    return {
        "TAILRACE_DATABASE_URL": postgres.url() if own_database else settings.database_url,
        "TAILRACE_REDIS_URL": redis.url if own_redis else settings.redis_url,
    }


def _environment(settings: Settings, addresses: Mapping[str, str], token: str) -> dict[str, str]:
    """What API, worker and migrations get: our own environment, and the settings as we understood them."""
    return {
        "TAILRACE_SHUTDOWN_GRACE": str(SHUTDOWN_GRACE),
        **os.environ,
        **addresses,
        "TAILRACE_DATA": str(settings.data),
        "TAILRACE_HOST": settings.host,
        "TAILRACE_PORT": str(settings.port),
        "TAILRACE_BOOTSTRAP_TOKEN": token,
        "TAILRACE_LOG_FORMAT": "console",
        "DOCKER_HOST": settings.docker_host,
    }


def _secret_key(settings: Settings) -> str:
    """As it is set, or that of the data directory."""
    given = settings.secret_key.get_secret_value() if settings.secret_key is not None else ""
    return given or read_or_make_key(settings.data)


async def _migrate(environment: Mapping[str, str], console: Console) -> None:
    alembic = [sys.executable, "-m", "alembic", "upgrade", "head"]
    if await Program("migrate", alembic, console=console, env=environment).run():
        raise StackError("The database could not be migrated; the lines above say why")


async def _until_ready(url: str) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN), httpx.AsyncClient(base_url=url) as client:
            while True:
                if await _is_ready(client):
                    return
                await asyncio.sleep(READY_POLL_SECONDS)
    except TimeoutError:
        raise StackError(f"The API is not ready after {READY_WITHIN:.0f} s; the lines above say why") from None


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except httpx.TransportError:
        return False
