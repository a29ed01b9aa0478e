"""What clients see when Postgres or Redis is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from outage import Line, line_to
from served import USER_SCOPES, Api, running
from sqlalchemy import make_url, text

from app.bootstrap import Process
from app.db.engine import transaction
from app.settings import Settings
from support.eventually import eventually

ASKED = {"image": "busybox:local"}


@pytest.fixture
async def line(settings: Settings, tmp_path: Path) -> AsyncIterator[Line]:
    """Between an API of its own and Postgres."""
    directory = make_url(settings.database_url).query["host"]
    async with line_to(f"{directory}/.s.PGSQL.5432", tmp_path / ".s.PGSQL.5432") as line:
        yield line


@pytest.fixture
async def behind(line: Line, settings: Settings) -> AsyncIterator[Api]:
    """The API behind that line."""
    url = make_url(settings.database_url).update_query_dict({"host": str(line.directory)}).render_as_string()
    async with running(settings.model_copy(update={"database_url": url})) as api:
        yield api


async def test_without_redis_a_submission_is_accepted(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nothing.sock"})
    async with running(settings) as api:
        client = await api.client()
        response = await client.post("/v1/executions", json=ASKED)
        assert response.status_code == 201
        own = response.headers["location"]
        assert (await client.get(own)).json()["status"] == "queued"
        assert (await client.get(f"{own}?wait=0.2")).json()["status"] == "queued"
        assert (await client.post(f"{own}/cancel")).json()["status"] == "canceled"
        readiness = await client.get("/readyz")
        assert readiness.status_code == 200
        assert readiness.json() == {
            "status": "degraded", "database": "ok", "migrations": "current", "redis": "away",
            "policy": "ok",
        }  # fmt: skip


async def test_waiting_without_redis_still_sees_the_end(settings: Settings, tmp_path: Path, api: Api) -> None:
    settings = settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nothing.sock"})
    async with running(settings) as deaf:
        token = await api.token("patient", *USER_SCOPES)
        client, canceler = await deaf.client_with(token), await api.client_with(token)
        own = (await client.post("/v1/executions", json=ASKED)).headers["location"]
        waiting = asyncio.create_task(client.get(f"{own}?wait=30"))
        await canceler.post(f"{own}/cancel")
        async with asyncio.timeout(15):
            assert (await waiting).json()["status"] == "canceled"


async def test_without_postgres_requests_are_told_to_come_back(line: Line, behind: Api) -> None:
    client = await behind.client()
    own = (await client.post("/v1/executions", json=ASKED)).headers["location"]
    await line.cut()
    for method, path in (
        ("POST", "/v1/executions"),
        ("GET", own),
        ("GET", "/v1/executions"),
        ("POST", f"{own}/cancel"),
    ):
        response = await client.request(method, path, json=ASKED if path == "/v1/executions" else None)
        assert response.status_code == 503, path
        assert response.headers["retry-after"] == "2"
        assert response.headers["x-request-id"]
        assert response.json()["type"] == "urn:tailrace:problem:unavailable"


async def test_an_outage_leaves_no_half_written_state_and_is_survived(line: Line, behind: Api) -> None:
    client = await behind.client()
    own = (await client.post("/v1/executions", json=ASKED)).headers["location"]
    await line.cut()
    assert (await client.post("/v1/executions", json=ASKED)).status_code == 503
    assert (await client.post(f"{own}/cancel")).status_code == 503
    await line.mend()

    async def listed() -> list[str] | None:
        response = await client.get("/v1/executions")
        return [item["status"] for item in response.json()["items"]] if response.status_code == 200 else None

    assert await eventually(listed) == ["queued"]


async def test_a_change_of_which_nobody_can_say_whether_it_is_on_record_is_an_outage(
    line: Line, behind: Api, process: Process
) -> None:
    """It is made; then the database goes before it is written who made it."""
    client = await behind.client()
    own = (await client.post("/v1/executions", json=ASKED)).headers["location"]
    async with transaction(process.database) as connection:
        await connection.execute(text("LOCK TABLE audit_entries IN EXCLUSIVE MODE"))
        holding = asyncio.create_task(client.post(f"{own}/hold"))

        async def waits() -> bool:
            return bool((await connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar())

        await eventually(waits)
        await line.cut()
        answer = await holding
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["type"] == "urn:tailrace:problem:unavailable"


async def test_readiness_follows_postgres_and_health_does_not(line: Line, behind: Api) -> None:
    client = await behind.client()
    assert (await client.get("/readyz")).json()["status"] == "ready"
    await line.cut()
    away = await client.get("/readyz")
    assert away.status_code == 503
    assert (away.json()["status"], away.json()["database"]) == ("unavailable", "away")
    assert away.headers["retry-after"]
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    await line.mend()
    await eventually(lambda: _is_ready(client))


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def test_an_exhausted_pool_is_an_outage_too(settings: Settings) -> None:
    async with running(settings.model_copy(update={"database_pool": 1})) as api:
        client = await api.client()
        async with api.process.database.connect():
            response = await client.get("/v1/executions")
        assert response.status_code == 503
        assert (await client.get("/v1/executions")).status_code == 200
