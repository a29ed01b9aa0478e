"""The soak: users at work and faults everywhere, then quiet, then an audit of everything.

`TAILRACE_SOAK_SECONDS` is how long it goes on (600), `TAILRACE_SOAK_SEED` repeats the programs and faults of a run.
With `TAILRACE_SOAK_ENGINE=own` it has an engine of its own, which breaks as well.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import orjson
import pytest
from soak_audit import audit, evidence
from soak_chaos import Chaos, Role
from soak_clients import Clients, Order

from stack.engine import USUAL_HOST
from stack.ports import free_port
from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.eventually import eventually
from support.migrations import run_alembic
from support.private_engine import PrivateEngine, private_engine
from support.running import REPOSITORY, Running, running
from support.starts import Starts, listening
from support.witness import Witness, instance_of
from worker.engine.docker import DockerRuntime
from worker.verify import CANNOT_LOOK
from worker.workspace import list_workspaces

SECONDS = float(os.environ.get("TAILRACE_SOAK_SECONDS", "600"))
SLOTS = 5
VERIFY_EVERY = 20.0
LEFT_BEHIND = {"containers", "workspaces"}
# Until everything is well again after the last fault.
RECOVERS_WITHIN = 90.0
# Until what was left behind is removed: seen wrong for a minute, by a leader who may have to take over first.
CLEARS_UP_WITHIN = 180.0
# It is killed, and has to have what it said was committed: no fsync is needed for that while the kernel lives.
POSTGRES = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}


@dataclass
class Soak:
    """One installation, who uses it and what breaks it."""

    installation: Running
    clients: Clients
    chaos: Chaos
    starts: Starts
    docker_host: str


@pytest.fixture
def seed() -> str:
    return os.environ.get("TAILRACE_SOAK_SEED") or f"{random.randrange(10**9)}"  # noqa: S311 - no secret


@pytest.fixture
async def soak(images: None, seed: str, tmp_path: Path) -> AsyncIterator[Soak]:
    chance = Random(f"{seed}, faults")  # noqa: S311 - no secret
    async with (
        _engine(tmp_path / "engine", live_restore=chance.random() < 0.5) as engine,
        EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run", settings=POSTGRES) as postgres,
        EmbeddedRedis(tmp_path / "redis", tmp_path / "run") as redis,
    ):
        docker_host = engine.docker_host if engine else USUAL_HOST
        async with (
            listening(docker_host) as starts,
            _installed(tmp_path, postgres, redis, docker_host) as (installation, roles, apis),
        ):
            chaos = Chaos(installation, roles, postgres, redis, engine, chance)
            yield Soak(installation, Clients(apis, seed), chaos, starts, docker_host)


@asynccontextmanager
async def _engine(directory: Path, *, live_restore: bool) -> AsyncIterator[PrivateEngine | None]:
    """An engine that may be broken, if one is wished for."""
    if os.environ.get("TAILRACE_SOAK_ENGINE") != "own":
        yield None
        return
    async with private_engine(directory, live_restore=live_restore) as engine:
        yield engine


@asynccontextmanager
async def _installed(
    directory: Path, postgres: EmbeddedPostgres, redis: EmbeddedRedis, docker_host: str
) -> AsyncIterator[tuple[Running, tuple[Role, ...], list[Running]]]:
    """Two APIs and two workers of one engine."""
    await run_alembic(postgres.url(), "upgrade", "head")
    servers = {"database_url": postgres.url(), "redis_url": redis.url, "DOCKER_HOST": docker_host}
    async with running(directory, slots=SLOTS, **servers) as installation:
        port = str(free_port("127.0.0.1"))
        second = Role("api-2", "app", {"TAILRACE_PORT": port})
        roles = (Role("api", "app", {}), second, Role("worker", "worker", {}), Role("worker-2", "worker", {}))
        for role in (roles[1], roles[3]):
            await installation.start(role.name, role.module, **role.environment)
        apis = [installation, replace(installation, url=f"http://127.0.0.1:{port}")]
        await apis[1].until_ready()
        yield installation, roles, apis


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 900)
async def test_nothing_is_lost_doubled_or_stuck_whatever_breaks(
    soak: Soak, seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nsoak: seed {seed}, {SECONDS:.0f} s, in {tmp_path}", flush=True)  # noqa: T201 - it takes a while
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(SECONDS, over.set)
    _, _, complaints = await asyncio.gather(
        soak.clients.submit_until(over), soak.chaos.run_until(over), _verify_until(over, soak.installation)
    )
    quiet = time.monotonic()
    # The last fault may have been the end of everything.
    for api in soak.clients.apis:
        await api.until_ready()
    work = sum(order.program.seconds for order in soak.clients.at_work)
    longest = max([order.program.seconds for order in soak.clients.at_work], default=0.0)
    await soak.clients.until_served(within=RECOVERS_WITHIN + longest + work / SLOTS)
    recovered = time.monotonic() - quiet
    violations = [*soak.clients.violations, *complaints, *[why async for why in _violations(soak, tmp_path)]]
    with capsys.disabled():
        print(summary(soak, seed, recovered, violations))  # noqa: T201 - what it is run for
    assert not violations, "\n".join([f"seed {seed}", *violations])


async def _violations(soak: Soak, directory: Path) -> AsyncIterator[str]:
    """Of every execution, and then of all that should not be there any more."""
    for order in soak.clients.orders:
        if order.record is None:
            continue
        breaks = soak.chaos.engine is not None
        whys = [why async for why in audit(soak.installation, order, engine_breaks=breaks)]
        if whys or order.record["status"] == "crashed":
            await asyncio.to_thread(_keep, directory / "evidence", await evidence(soak.installation, order))
        for why in whys:
            yield f"{order.execution} ({order.program.kind}): {why}"
    accepted = await _count_executions(soak.installation)
    if accepted != len(soak.clients.orders):
        yield f"{accepted} executions for {len(soak.clients.orders)} submissions"
    try:
        soak.starts.check_never_twice()
        await eventually(lambda: _nothing_left(soak), within=CLEARS_UP_WITHIN)
    except AssertionError as error:
        yield str(error)
    code, said = await _verify(soak.installation)
    if code != 0:
        yield f"verify says, at the end, with exit code {code}:\n{said}"


async def _verify_until(over: asyncio.Event, installation: Running) -> list[str]:
    """What an operator would be told in the midst of it: that all is well, or that the database is away.

    What has to be cleared up may stay for as long as no worker lives long enough to see it twice.
    """
    complaints = []
    while not over.is_set():
        code, said = await _verify(installation, "--json")
        if code != CANNOT_LOOK:
            wrong = {each["name"]: each["wrong"] for each in orjson.loads(said)["invariants"] if each["wrong"]}
            complaints += [f"verify says of {name}: {wrong[name]}" for name in wrong.keys() - LEFT_BEHIND]
        with suppress(TimeoutError):
            async with asyncio.timeout(VERIFY_EVERY):
                await over.wait()
    return complaints


async def _verify(installation: Running, *options: str) -> tuple[int | None, str]:
    verify = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "verify", "--all", *options),
        cwd=REPOSITORY,
        env=installation.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await verify.communicate()
    return verify.returncode, said.decode()


def _keep(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(f"{text}\n\n")


async def _count_executions(installation: Running) -> int:
    count, query = 0, {"limit": "200"}
    while True:
        page = await installation.get("/v1/executions", params=query)
        count += len(page["items"])
        if page.get("next") is None:
            return count
        query = {"limit": "200", "cursor": page["next"]}


async def _nothing_left(soak: Soak) -> bool:
    async with DockerRuntime(soak.docker_host) as runtime:
        containers = await Witness(runtime).all_of(await instance_of(soak.installation))
    workspaces = list_workspaces(soak.installation.data)
    assert not containers and not workspaces, f"left behind: {containers}, {workspaces}"  # noqa: PT018 - one sentence
    return True


def _end(order: Order) -> str:
    record = order.record or {"status": "?"}
    return record["cause"] if record["status"] == "crashed" else record["status"]


def summary(soak: Soak, seed: str, recovered: float, violations: list[str]) -> str:
    """What was done and seen, as a table."""
    orders, faults = soak.clients.orders, soak.chaos.counts
    ends = Counter((order.program.kind, _end(order)) for order in orders)
    records = [order.record for order in orders if order.record]
    complaints = Counter(
        line.split("]", 1)[1].split()[0]
        for line in soak.installation.log.read_text(errors="replace").splitlines()
        if "[error" in line
    )
    rows = [
        ("seed", seed),
        ("executions", f"{len(orders)}, of which {sum(order.canceled is not None for order in orders)} canceled"),
        *(("", f"{count:4} {kind} {status}") for (kind, status), count in sorted(ends.items())),
        ("attempts", f"{sum(record['attempt'] for record in records)}"),
        ("taken over", f"{sum(order.taken_over for order in orders)} times"),
        ("resumed", f"{sum(order.resumes is not None for order in orders)}"),
        ("logs", f"{sum(not record['log']['complete'] for record in records)} of {len(records)} incomplete"),
        ("log lines", f"{sum(record['log']['lines'] for record in records)}"),
        (
            "tails",
            f"{sum(order.follower is not None for order in orders)}, connected {sum(o.cuts for o in orders)} times",
        ),
        ("503", f"{soak.clients.refused}"),
        ("faults", f"{len(soak.chaos.happened)}"),
        *(("", f"{count:4} {name}") for name, count in sorted(faults.items())),
        ("all well after", f"{recovered:.1f} s"),
        ("errors logged", ", ".join(f"{name} {count}" for name, count in complaints.items()) or "none"),
        ("violations", f"{len(violations)}"),
    ]
    return "\n".join(f"{name:<16}{value}" for name, value in rows)
