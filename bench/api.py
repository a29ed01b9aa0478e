"""The API with many executions on record: pages and counts at 1,000,000 beside 1,000, submissions, clients that wait.

Run it with `make bench` (where many are 100,000), or whole with `python -m bench.api`. It starts PostgreSQL, Redis and
two APIs in a temporary directory, and no worker. Clients share the machine with what they measure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg

from app.auth.tokens import new_token
from app.db.engine import open_engine, transaction
from app.stats.repository import fold
from bench.core import Row, show
from stack.ports import free_port
from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.migrations import run_alembic
from support.running import Running

FEW = 1_000
OWNERS = 20
CONNECTIONS = 16
FILLED_AT_ONCE = 50_000
# As they are after a while: most succeeded, a tenth archived, the newest queued. `n` is 1 for the newest, whose page is
# so the same however many there are; five of those, and five of the oldest, have a word that no other has.
FILL = """
INSERT INTO executions (id, owner, pool, name, labels, spec, limits, status, cause, created_at, queued_at, started_at,
                        finished_at, updated_at, archived_at)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8'
        || substr(hash, 4, 15))::uuid,
    'owner-' || n % 20,
    CASE WHEN n % 7 = 0 THEN 'gpu' ELSE 'default' END,
    CASE WHEN n % 2 = 0 THEN 'train' ELSE 'evaluate' END || ' model-' || n
        || CASE WHEN n <= 1000 AND n % 200 = 0 THEN ' comet'
            WHEN n % 2 = 0 AND n BETWEEN $3 - 10 AND $3 - 2 THEN ' fossil' ELSE '' END,
    jsonb_build_object('team', 'team-' || n % 10, 'sweep', 'sweep-' || n % 100, 'run', n::text)
        || CASE WHEN n % 10 = 1 AND (n > 2000 OR $3 <= 2000) THEN '{"era": "old"}' ELSE '{}' END::jsonb,
    '{"image": "registry.example.com/team/model:1", "command": ["python", "train.py"]}',
    '{}',
    status,
    CASE status WHEN 'succeeded' THEN 'ok' WHEN 'failed' THEN 'exit_nonzero' WHEN 'canceled' THEN 'canceled_by_user'
        END,
    at, at,
    CASE WHEN status <> 'queued' THEN at + interval '1 s' END,
    CASE WHEN status <> 'queued' THEN at + interval '2 s' + n % 3600 * interval '1 s' END,
    at,
    CASE WHEN status <> 'queued' AND n % 10 = 3 THEN at + interval '2 h' END
FROM (
    SELECT n, md5(n::text) AS hash, now() - n * interval '10 s' AS at,
        CASE WHEN n <= 20 THEN 'queued' WHEN n % 8 = 0 THEN 'failed' WHEN n % 8 = 1 THEN 'canceled' ELSE 'succeeded' END
            AS status
    FROM generate_series($1::bigint, $2::bigint, -1) AS n
) AS each
"""
HEADS = "INSERT INTO log_heads (execution_id, epoch) SELECT id, 0 FROM executions"
PAGES = {
    "page of all": "/v1/executions?limit=20",
    "page of one owner": "/v1/executions?limit=20&owner=owner-3",
    "status=failed": "/v1/executions?limit=20&status=failed",
    "status=queued, running, failed": "/v1/executions?limit=20&status=queued&status=running&status=failed",
    "one owner, status=succeeded": "/v1/executions?limit=20&owner=owner-4&status=succeeded",
    "pool=gpu": "/v1/executions?limit=20&pool=gpu",
    "label of one in ten": "/v1/executions?limit=20&label=team=team-4",
    "label of one in a hundred": "/v1/executions?limit=9&label=sweep=sweep-7",
    "label of one": "/v1/executions?limit=20&label=run=500",
    "label of one in ten, of the newest 2,000 none": "/v1/executions?limit=20&label=era=old",
    "q, one in two": "/v1/executions?limit=20&q=tra",
    "q, two words of one in ten": "/v1/executions?limit=20&q=train+team+4",
    "q, five of the newest": "/v1/executions?limit=20&q=comet",
    "q, five of the oldest": "/v1/executions?limit=20&q=fossil",
    "image, beginning": "/v1/executions?limit=20&image=registry.example.com*",
    "sort=-finished": "/v1/executions?limit=20&sort=-finished",
    "sort=-duration, one owner": "/v1/executions?limit=20&sort=-duration&owner=owner-3",
}
SUMS = {
    "counts by status": "/v1/stats/counts",
    "counts by owner and status": "/v1/stats/counts?group_by=owner,status",
    "what came and went in an hour, by minute": "/v1/stats?step=60&from={hour_ago}",
}
SUBMISSION = {
    "image": "busybox:local",
    "command": ["sh", "-c", "echo hi"],
    "name": "train model-1",
    "labels": {"team": "team-1", "sweep": "sweep-1"},
}


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    many: int
    rounds: int
    submissions: int
    waiters: int


WHOLE = Extent(many=1_000_000, rounds=60, submissions=8_000, waiters=500)
SHORT = Extent(many=100_000, rounds=20, submissions=2_000, waiters=500)


class Connection:
    """One connection that is kept, and next to nothing else: the client is not what is measured."""

    def __init__(self, api: Running) -> None:
        self._port = int(api.url.rpartition(":")[2])
        self._headers = f"Host: bench\r\nAuthorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
        content = await self._reader.readexactly(length)
        if not answer.startswith("http/1.1 2"):
            raise RuntimeError(f"{method} {path}: {answer}{content.decode()}")
        return json.loads(content)

    async def milliseconds(self, path: str) -> float:
        began = time.perf_counter()
        await self.request("GET", path)
        return (time.perf_counter() - began) * 1000


async def compare_requests(few: Running, many: Running, paths: Mapping[str, str], rounds: int) -> list[Row]:
    """Medians, of requests to both in turn; the same page has to come from both."""
    rows = []
    async with Connection(few) as small, Connection(many) as large:
        for what, pattern in paths.items():
            path = pattern.format(hour_ago=int(time.time()) - 3600)
            sizes = [len((await each.request("GET", path)).get("items", [])) for each in (small, large)]
            if paths is PAGES and sizes[0] != sizes[1]:
                raise RuntimeError(f"{what}: pages of {sizes} items cannot be compared")
            for each in (small, large) * 3:
                await each.milliseconds(path)
            pairs = [(await small.milliseconds(path), await large.milliseconds(path)) for _ in range(rounds)]
            ours, theirs = statistics.median(pair[1] for pair in pairs), statistics.median(pair[0] for pair in pairs)
            rows.append(Row(what, "ms", ours, theirs, "at 1,000", "≤ 1.3 ×"))
    return rows


async def submit_many(api: Running, count: int) -> float:
    """Submissions per second, over connections that are all busy."""
    left = iter(range(count))

    async def submit() -> None:
        async with Connection(api) as connection:
            for _ in left:
                await connection.request("POST", "/v1/executions", SUBMISSION)

    began = time.perf_counter()
    await asyncio.gather(*(submit() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - began)


async def wait_many(api: Running, count: int) -> list[Row]:
    """So many clients wait, each for the end of an execution of its own. Then all are canceled, one after the other."""
    async with AsyncExitStack() as stack:
        async with Connection(api) as connection:
            ids = [(await connection.request("POST", "/v1/executions", SUBMISSION))["id"] for _ in range(count)]
        waiters = [await stack.enter_async_context(Connection(api)) for _ in ids]
        heard: dict[str, float] = {}

        async def wait(waiter: Connection, execution: str) -> None:
            record = await waiter.request("GET", f"/v1/executions/{execution}?wait=60")
            if record["status"] != "canceled":
                raise RuntimeError(f"it is {record['status']}")
            heard[execution] = time.perf_counter()

        waiting = [asyncio.create_task(wait(*each)) for each in zip(waiters, ids, strict=True)]
        await asyncio.sleep(5)  # until all of them wait
        before, began = _cpu_seconds(api), time.perf_counter()
        await asyncio.sleep(10)
        busy = (_cpu_seconds(api) - before) / (time.perf_counter() - began) * 100
        told: dict[str, float] = {}
        async with Connection(api) as connection:
            for each in ids:
                await connection.request("POST", f"/v1/executions/{each}/cancel")
                told[each] = time.perf_counter()
        await asyncio.gather(*waiting)
    delays = sorted((heard[each] - told[each]) * 1000 for each in ids)
    return [
        Row(f"{count} wait: of a core", "%", busy, None, "", ""),
        Row(f"{count} wait: canceled → heard, p50", "ms", max(0.0, statistics.median(delays)), None, "", ""),
        Row(f"{count} wait: canceled → heard, p99", "ms", delays[int(count * 0.99)], None, "", ""),
    ]


def _cpu_seconds(api: Running) -> float:
    fields = Path(f"/proc/{api.processes['api'].pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def fill(database_url: str, count: int) -> None:
    """As many executions, with their logs' heads, words and counts."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("INSERT INTO pools (name) VALUES ('default'), ('gpu') ON CONFLICT DO NOTHING")
        for newest in range(count, 0, -FILLED_AT_ONCE):
            await connection.execute(FILL, newest, max(1, newest - FILLED_AT_ONCE + 1), count, timeout=600)
        await connection.execute(HEADS, timeout=600)
    finally:
        await connection.close()
    async with open_engine(database_url, pool_size=1, application="tailrace-bench") as engine:
        # As the worker that leads this does now and then.
        folded = 1
        while folded:
            async with transaction(engine) as folding:
                folded = await fold(folding)
    connection = await asyncpg.connect(database_url)
    await connection.execute("VACUUM ANALYZE", timeout=600)
    await connection.close()


@asynccontextmanager
async def api_with(
    directory: Path, postgres: EmbeddedPostgres, redis: EmbeddedRedis, count: int
) -> AsyncIterator[Running]:
    """An API as a process, on a database of its own with so many executions."""
    database_url = await postgres.create_database(f"bench_{count}")
    await run_alembic(database_url, "upgrade", "head")
    await fill(database_url, count)
    port, token = free_port("127.0.0.1"), new_token()
    environment = {
        "TAILRACE_DATABASE_URL": database_url,
        "TAILRACE_REDIS_URL": redis.url,
        "TAILRACE_REDIS_PREFIX": f"bench-{count}",
        "TAILRACE_DATA": str(directory / "data"),
        "TAILRACE_PORT": str(port),
        "TAILRACE_BOOTSTRAP_TOKEN": token,
        "TAILRACE_LOG_FORMAT": "console",
    }
    api = Running({**os.environ, **environment}, directory / "log", f"http://127.0.0.1:{port}", token)
    try:
        await api.start("api", "app")
        await api.until_ready()
        yield api
    finally:
        await api.stop_all()


async def run(extent: Extent) -> list[Row]:
    """On servers of its own, which are gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with (
            EmbeddedPostgres(directory / "postgres", directory / "run") as postgres,
            EmbeddedRedis(directory / "redis", directory / "run") as redis,
            api_with(directory, postgres, redis, FEW) as few,
            api_with(directory, postgres, redis, extent.many) as many,
        ):
            rows = await compare_requests(few, many, PAGES, extent.rounds)
            rows += await compare_requests(few, many, SUMS, extent.rounds)
            rates = await submit_many(many, extent.submissions), await submit_many(few, extent.submissions)
            rows.append(Row(f"submissions, {CONNECTIONS} connections", "1/s", *rates, "at 1,000", "≥ 1,000"))
            return rows + await wait_many(few, extent.waiters)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="less of everything, as in `make bench`")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    extent = SHORT if arguments.short else WHOLE
    rows = asyncio.run(run(extent))
    show(rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], indent=2))


if __name__ == "__main__":
    main()
