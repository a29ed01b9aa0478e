"""What a worker counts: real executions move the numbers by exactly what was done."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import update

from app.db.engine import open_engine, transaction
from app.executions.tables import Execution
from app.logs.tables import LogHead
from stack.ports import free_port
from support.eventually import eventually
from support.migrations import NewDatabase
from support.programs import until_it_says
from support.running import Running, running
from support.scraping import Scrape, scrape_api, scrape_worker
from worker.engine.docker import DockerRuntime
from worker.engine.port import EngineError
from worker.metrics import WorkerMetrics

ENDED = "tailrace_executions_ended_total"
ATTEMPTS = "tailrace_attempts_total"


@dataclass(frozen=True)
class Observed:
    """A Tailrace whose worker serves its metrics."""

    installation: Running
    port: str

    async def scrape(self) -> Scrape:
        return await scrape_worker(self.port)

    async def has(self, name: str, value: float, **labels: str) -> Scrape:
        """A scrape in which a metric has come to this: what is committed is counted a moment later."""

        async def look() -> Scrape | None:
            with suppress(httpx.TransportError):  # it may be on its way up
                seen = await self.scrape()
                return seen if seen.sum(name, **labels) == value else None
            return None

        found = await eventually(look, within=90)
        assert found is not None
        return found


@pytest.fixture
async def observed(images: None, new_database: NewDatabase, redis_url: str, tmp_path: Path) -> AsyncIterator[Observed]:
    """One of the test's own, from zero."""
    port = str(free_port("127.0.0.1"))
    settings = {"TAILRACE_WORKER_PORT": port, "TAILRACE_LOG_FORMAT": "json"}
    async with running(tmp_path, database_url=await new_database(), redis_url=redis_url, **settings) as installation:
        yield Observed(installation, port)


async def test_three_executions_move_the_numbers_by_exactly_three(observed: Observed) -> None:
    installation = observed.installation
    good = await installation.submit("sh", "-c", "echo out; sleep 1")
    bad = await installation.submit("sh", "-c", "echo err >&2; exit 3")
    stopped = await installation.submit(
        "sh", "-c", "trap 'sleep 1; exit 1' TERM; echo ready; while :; do sleep 0.1; done"
    )
    await until_it_says(installation, stopped, "ready")
    await installation.cancel(stopped)
    causes = [(await installation.ended(execution))["cause"] for execution in (good, bad, stopped)]
    assert causes == ["ok", "exit_nonzero", "canceled_by_user"]

    seen = await observed.has(ENDED, 3)
    for cause in causes:
        assert seen.sum(ENDED, cause=cause) == 1
        assert seen.sum(ATTEMPTS, cause=cause, outcome="ended") == 1
    assert seen[ATTEMPTS] == 3
    assert {name: seen[f"tailrace_{name}_seconds_count"] for name in ("queue", "pull", "start", "run", "stop")} == {
        "queue": 3, "pull": 0, "start": 3, "run": 3, "stop": 1,
    }  # fmt: skip
    assert seen["tailrace_run_seconds_sum"] >= 1
    assert seen["tailrace_stop_seconds_sum"] >= 1
    assert seen["tailrace_start_seconds_sum"] > 0
    # Each program wrote something; what we say ourselves, which may be of long ago, does not count.
    assert seen["tailrace_log_lag_seconds_count"] >= 3
    assert seen["tailrace_log_commit_seconds_count"] >= 1
    assert seen["tailrace_log_commit_bytes_sum"] > len("out err ready")
    for nothing in ("adoptions", "own_failures", "fenced_writes", "orphans_removed", "arq_restarts", "engine_errors"):
        assert seen[f"tailrace_{nothing}_total"] == 0, nothing
    await observed.has("tailrace_attempts_running", 0)
    assert 0 <= seen["tailrace_heartbeat_age_seconds"] < 30
    assert seen["process_resident_memory_bytes"] > 2**20

    api = await scrape_api(installation)
    assert api["tailrace_submissions_total"] == 3
    assert api[ENDED] == 0, "they ended at the worker"
    assert api.sum("tailrace_slots", pool="default") == 8


async def test_open_tails_are_those_that_somebody_follows(observed: Observed) -> None:
    installation = observed.installation
    execution = await installation.submit("sh", "-c", "echo first; while [ ! -f /tailrace/stop ]; do sleep 0.1; done")

    async def open_tails(websocket: int, http: int) -> None:
        async def so_many() -> bool:
            seen = await scrape_api(installation)
            name = "tailrace_open_tails"
            return (seen.sum(name, over="websocket"), seen.sum(name, over="http")) == (websocket, http)

        await eventually(so_many, within=30)

    follow = f"/v1/executions/{execution}/logs"
    await open_tails(0, 0)
    async with installation.tail(execution) as socket, installation.tail(execution), installation.client() as client:
        await socket.recv()
        async with client.stream("GET", follow, params={"follow": "true"}) as answer:
            lines = answer.aiter_lines()  # it closes the answer when nobody holds it any more
            assert "first" in await anext(lines)
            await open_tails(2, 1)
        await open_tails(2, 0)
    await open_tails(0, 0)
    # One that only reads what there is does not follow.
    await installation.log_text(execution)
    await installation.cancel(execution)
    await installation.ended(execution)
    await open_tails(0, 0)


async def test_a_pull_that_fails_is_retried_and_every_attempt_counts(observed: Observed) -> None:
    nobody = f"127.0.0.1:{free_port('127.0.0.1')}/nothing:1"
    installation = observed.installation
    execution = await installation.submit(image=nobody)
    record = await installation.ended(execution)
    assert record["cause"] == "image_pull_failed"
    seen = await observed.has(ENDED, 1)
    tried = record["attempt"]
    assert tried > 1
    assert seen.sum(ATTEMPTS, outcome="retried", cause="image_pull_failed") == tried - 1
    assert seen.sum(ATTEMPTS, outcome="ended", cause="image_pull_failed") == 1
    assert seen["tailrace_pull_seconds_count"] == tried
    assert seen["tailrace_queue_seconds_count"] == tried
    assert seen["tailrace_start_seconds_count"] == 0
    # The time that was set for a retry, of half a second at least, is not spent waiting.
    times: dict[str, list[datetime]] = {status: [] for status in ("queued", "preparing")}
    for event in await installation.events(execution):
        times.setdefault(event["to"], []).append(datetime.fromisoformat(event["at"]))
    queued = sum(
        (claimed - queued).total_seconds() for queued, claimed in zip(times["queued"], times["preparing"], strict=True)
    )
    assert seen["tailrace_queue_seconds_sum"] < queued - 0.5


async def test_an_adoption_counts_where_it_happens(observed: Observed) -> None:
    installation = observed.installation
    execution = await installation.submit("sh", "-c", "while [ ! -f /tailrace/stop ]; do sleep 0.1; done; exit 1")
    await installation.reaches(execution, "running")
    await observed.has("tailrace_attempts_running", 1)
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker")
    await observed.has("tailrace_adoptions_total", 1)
    await installation.cancel(execution)
    assert (await installation.ended(execution))["cause"] == "canceled_by_user"
    seen = await observed.has(ENDED, 1, cause="canceled_by_user")
    assert seen["tailrace_queue_seconds_count"] == 0, "its claim was the other worker's"
    assert seen["tailrace_start_seconds_count"] == 0
    assert seen["tailrace_run_seconds_count"] == 1
    assert seen["tailrace_stop_seconds_count"] == 1


async def test_a_write_that_is_refused_counts(observed: Observed) -> None:
    installation = observed.installation
    execution = await installation.submit("sh", "-c", "while [ ! -f /tailrace/stop ]; do echo tick; sleep 0.1; done")
    await until_it_says(installation, execution, "tick")
    await pass_the_fence(installation, execution)
    seen = await observed.has("tailrace_fenced_writes_total", 1)
    assert seen[ENDED] == 0
    await installation.cancel(execution)
    await installation.ended(execution)
    await observed.has("tailrace_fenced_writes_total", 1)


async def pass_the_fence(installation: Running, execution: str) -> None:
    """As if somebody had taken it over."""
    async with (
        open_engine(installation.database_url, pool_size=1, application="tailrace-test") as engine,
        transaction(engine) as connection,
    ):
        id_ = UUID(execution)
        await connection.execute(update(Execution).where(Execution.id == id_).values(epoch=Execution.epoch + 1))
        await connection.execute(update(LogHead).where(LogHead.execution_id == id_).values(epoch=LogHead.epoch + 1))


async def test_every_line_about_an_attempt_says_which(observed: Observed) -> None:
    installation = observed.installation
    executions = [await installation.submit("sh", "-c", "echo ready; sleep 60", limits={"grace": 1}) for _ in range(3)]
    for execution in executions:
        await until_it_says(installation, execution, "ready")
        await installation.cancel(execution)
    for execution in executions:
        await installation.ended(execution)
    await observed.has(ENDED, 3)
    lines = [orjson.loads(line) for line in installation.log.read_bytes().splitlines() if line.startswith(b"{")]
    # Whatever these say, they say of an attempt.
    about = [line for line in lines if line["logger"] in {"worker.runner", "worker.oversight", "worker.preparation"}]
    for event in ("attempt.claimed", "attempt.started", "stop.rung", "attempt.ended"):
        assert {line["execution_id"] for line in about if line["event"] == event} == set(executions)
    assert all(line["execution_id"] in executions and line["attempt"] == 1 for line in about)


@asynccontextmanager
async def answering(path: Path, answer: bytes) -> AsyncIterator[str]:
    """An engine that answers everything with this; its address."""

    async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer_one, path):
        yield f"unix://{path}"


VERSION = b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}'


@pytest.mark.parametrize(
    ("status", "kind"),
    [(b"500 Internal Server Error", "server_error"), (b"404 Not Found", None), (None, "unreachable")],
)
async def test_errors_of_the_engine_count_by_kind(tmp_path: Path, status: bytes | None, kind: str | None) -> None:
    metrics = WorkerMetrics()
    path = tmp_path / "engine.sock"
    async with answering(path, _answer(b"200 OK", VERSION)) as host:
        runtime = DockerRuntime(host, on_error=metrics.engine_failed)
        with pytest.raises(EngineError):
            await runtime.identify()  # the version is no answer to that; but it is known now
    path.unlink(missing_ok=True)
    if status is None:
        await _fails(runtime)
    else:
        async with answering(path, _answer(status, b'{"message": "no"}')):
            await _fails(runtime)
    counted = {
        sample.labels["kind"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "tailrace_engine_errors_total"
    }
    assert counted == ({kind: 1} if kind else {})


def _answer(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)


async def _fails(runtime: DockerRuntime) -> None:
    async with runtime:
        with pytest.raises(EngineError):
            await runtime.inspect("x")
