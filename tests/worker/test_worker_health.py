"""`/healthz` of a worker: what it shows of itself, and what it forgives."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.bootstrap import Process
from app.settings import Settings
from stack.ports import free_port
from stack.redis import EmbeddedRedis
from support.eventually import eventually
from support.faults import breakable_postgres
from support.own import StartOwn
from support.records import opened
from support.running import REPOSITORY, Running, running
from support.scraping import ask_worker, scrape_worker
from worker.health import Sign, database_answers, health_server, redis_answers
from worker.metrics import WorkerMetrics
from worker.pulse import Pulse

# Seconds; the limits are a fraction of it.
WITHIN = 90.0


@pytest.fixture
def port() -> str:
    return str(free_port("127.0.0.1"))


async def status_becomes(port: str, status: str, code: int, *, because: tuple[str, ...] = ()) -> list[str]:
    """Wait until it says so, with reasons that contain these words; all its reasons."""

    async def says() -> list[str] | None:
        try:
            answer = await ask_worker(port, "/healthz")
        except httpx.TransportError:
            return None
        seen = answer.json()
        reasons: list[str] = seen["reasons"]
        found = all(any(words in reason for reason in reasons) for words in because)
        return ["", *reasons] if (seen["status"], answer.status_code) == (status, code) and found else None

    return (await eventually(says, within=WITHIN) or [])[1:]


async def test_a_worker_that_works_is_well(own: StartOwn, port: str) -> None:
    installation = await own(TAILRACE_WORKER_PORT=port)
    assert await status_becomes(port, "ok", 200) == []
    await installation.ended(await installation.submit("true"))
    assert await status_becomes(port, "ok", 200) == []
    assert (await ask_worker(port, "/elsewhere")).status_code == 404
    await installation.stop("worker")
    with pytest.raises(httpx.ConnectError):
        await ask_worker(port, "/healthz")


async def test_a_worker_that_stands_still_gives_no_answer(own: StartOwn, port: str) -> None:
    installation = await own(TAILRACE_WORKER_PORT=port)
    await status_becomes(port, "ok", 200)
    installation.processes["worker"].send_signal(signal.SIGSTOP)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=0.5) as client:
        with pytest.raises(httpx.TimeoutException):
            await client.get("/healthz")
    installation.processes["worker"].send_signal(signal.SIGCONT)
    await status_becomes(port, "ok", 200)


@pytest.mark.slow
async def test_a_worker_whose_servers_are_away_is_degraded_and_recovers(
    images: None, port: str, tmp_path: Path
) -> None:
    async with (
        breakable_postgres(tmp_path / "postgres") as postgres,
        EmbeddedRedis(tmp_path / "redis", tmp_path / "run") as redis,
        running(tmp_path, database_url=postgres.url(), redis_url=redis.url, TAILRACE_WORKER_PORT=port),
    ):
        await status_becomes(port, "ok", 200)
        await redis.kill()
        await postgres.kill()
        away = "the database is away", "Redis is away"
        reasons = await status_becomes(port, "degraded", 200, because=away)
        assert all(reason.endswith("away") for reason in reasons)
        assert (await scrape_worker(port))["tailrace_arq_restarts_total"] > 0
        await postgres.start()
        await redis.start()
        await status_becomes(port, "ok", 200)


@pytest.mark.slow
async def test_a_heartbeat_that_fails_although_the_database_answers_is_our_failure(own: StartOwn, port: str) -> None:
    installation = await own(TAILRACE_WORKER_PORT=port)
    await status_becomes(port, "ok", 200)
    other = await asyncpg.connect(installation.database_url)
    async with other.transaction():
        # Nobody can write a heartbeat now.
        await other.execute("LOCK TABLE workers IN SHARE MODE")
        await status_becomes(port, "failing", 503, because=("although the database answers",))
    await other.close()
    await status_becomes(port, "ok", 200)


async def test_a_port_that_is_taken_ends_the_worker_and_is_named(own: StartOwn, port: str) -> None:
    installation = await own(TAILRACE_WORKER_PORT=port)
    await status_becomes(port, "ok", 200)
    second = await installation.start("second", "worker")
    assert await second.wait() != 0
    said = installation.log.read_text()
    assert "worker.cannot_listen" in said
    assert port in said.partition("worker.cannot_listen")[2].splitlines()[0]
    await status_becomes(port, "ok", 200)


async def test_arqs_own_command_serves_it_too(own: StartOwn, port: str) -> None:
    installation = await own()
    await installation.stop("worker")
    await start_arq(installation, port)
    await status_becomes(port, "ok", 200)


async def start_arq(installation: Running, port: str) -> None:
    with installation.log.open("ab") as output:
        installation.processes["arq"] = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arq", "worker.main.WorkerSettings"),
            cwd=REPOSITORY,
            env={**installation.environment, "TAILRACE_WORKER_PORT": port},
            stdout=output,
            stderr=output,
        )


def test_it_is_off_unless_it_is_asked_for() -> None:
    assert Settings.model_fields["worker_port"].default == 0
    assert Settings.model_fields["worker_host"].default == "127.0.0.1"


@pytest.fixture
async def broken(tmp_path: Path, database_url: str) -> AsyncIterator[tuple[Process, EmbeddedRedis]]:
    """A process, and the Redis that it is on."""
    async with (
        EmbeddedRedis(tmp_path / "redis", tmp_path / "run") as redis,
        opened(database_url, redis.url, tmp_path) as process,
    ):
        yield process, redis


def arq_sign(process: Process, pulse: Pulse, *, within: float) -> Sign:
    return Sign("arq has not polled", within, pulse.age, "Redis", lambda: redis_answers(process.redis))


async def test_what_stands_still_is_forgiven_while_what_it_needs_is_away(
    broken: tuple[Process, EmbeddedRedis],
) -> None:
    process, redis = broken
    pulse = Pulse()
    patient, hasty = (arq_sign(process, pulse, within=within) for within in (3600, 0))
    assert await patient.look() == (None, True)
    why, excused = await hasty.look()
    assert not excused
    assert why is not None
    assert why.endswith("although Redis answers")
    await redis.kill()
    why, excused = await hasty.look()
    assert excused
    assert why is not None
    assert why.endswith("Redis is away")


async def test_what_has_just_come_back_is_given_as_long_again(broken: tuple[Process, EmbeddedRedis]) -> None:
    process, redis = broken
    pulse = Pulse()
    sign = arq_sign(process, pulse, within=1.0)
    await eventually(lambda: pulse.age() > 1.0)
    await redis.kill()
    away = time.monotonic()
    assert (await sign.look())[1]
    await redis.start()

    async def is_not_excused() -> bool:
        return not (await sign.look())[1]

    await eventually(is_not_excused)
    assert time.monotonic() - away > 1.0
    pulse.beat()
    assert (await sign.look())[1]


async def test_a_sign_that_fails_is_a_503_with_its_reason(process: Process, port: str) -> None:
    sign = arq_sign(process, Pulse(), within=0)
    async with health_server("127.0.0.1", int(port), [sign], WorkerMetrics()):
        answer = await ask_worker(port, "/healthz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"
    (reason,) = answer.json()["reasons"]
    assert reason.startswith("arq has not polled for 0 s")


async def test_a_database_is_away_when_it_does_not_answer(database_url: str, tmp_path: Path) -> None:
    assert await database_answers(database_url)
    assert not await database_answers(f"postgresql://tailrace@/tailrace?host={tmp_path}")

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(say_nothing, tmp_path / ".s.PGSQL.5432"):
        assert not await database_answers(f"postgresql://tailrace@/tailrace?host={tmp_path}")
