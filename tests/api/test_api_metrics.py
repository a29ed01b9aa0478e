"""`GET /metrics`: who may read it, what requests move, and how the fleet stands."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import pytest
from hand import Hand
from prometheus_client import CONTENT_TYPE_LATEST
from served import Api, Submit
from sqlalchemy import TextClause, text, update

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import transaction
from app.executions.states import ACTIVE, Status
from app.executions.tables import Execution
from app.observability import fleet
from app.pools.tables import Pool
from app.workers.model import LOST_AFTER
from app.workers.tables import Worker
from support.eventually import eventually
from support.records import Records
from support.scraping import Scrape, scrape

REQUESTS = "tailrace_http_requests_total"
LITERAL = {"literal_binds": True}


@pytest.fixture
async def records(process: Process) -> Records:
    """A worker in a pool of its own."""
    return await Records.of(process)


@pytest.fixture
def pool(records: Records) -> str:
    return records.worker.pool


async def fleet_of(client: httpx.AsyncClient, pool: str, **wanted: float) -> Scrape:
    """A scrape in which this pool stands so; what was read is kept for a moment."""

    async def look() -> Scrape | None:
        seen = await scrape(client)
        now = {name: seen.sum("tailrace_executions", pool=pool, status=name) for name in wanted}
        return seen if now == wanted else None

    found = await eventually(look)
    assert found is not None
    return found


async def set_worker(process: Process, worker: UUID, **columns: object) -> None:
    async with transaction(process.database) as connection:
        await connection.execute(update(Worker).where(Worker.id == worker).values(**columns))


async def test_metrics_are_for_those_who_may_read(api: Api, anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/metrics")).status_code == 401
    submitter = await api.client("ann", Scope.SUBMIT)
    assert (await submitter.get("/metrics")).json()["type"] == "urn:tailrace:problem:not_allowed"
    reader = await api.client("ann", Scope.READ)
    answer = await reader.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == CONTENT_TYPE_LATEST
    assert (await (await api.client("root", Scope.ADMIN)).get("/metrics")).status_code == 200


async def test_requests_count_by_template_method_and_status(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit()
    before = await scrape(client)
    for path in (f"/v1/executions/{execution}", f"/v1/executions/{uuid4()}", f"/v1/executions/{uuid4()}"):
        await client.get(path)
    await client.put("/v1/executions")
    await client.get("/nowhere/at/all")
    await client.request("BREW", "/healthz")
    after = await scrape(client)

    def counted(**labels: str) -> float:
        return after.sum(REQUESTS, **labels) - before.sum(REQUESTS, **labels)

    one = "/v1/executions/{id}"
    assert counted(method="GET", route=one, status="200") == 1
    assert counted(method="GET", route=one, status="404") == 2
    assert counted(method="PUT", route="/v1/executions", status="405") == 1
    assert counted(method="GET", route="none", status="404") == 1
    assert counted(method="other", route="/healthz", status="405") == 1
    # The first scrape is counted when it has been answered, and so is not in itself.
    assert counted() == 7
    answered = "tailrace_http_answer_seconds_count"
    assert after.sum(answered, route=one) - before.sum(answered, route=one) == 3
    assert not any(execution in labels["route"] for labels in after.labels(REQUESTS))


async def test_errors_that_nobody_foresaw_count_too(api: Api, client: httpx.AsyncClient) -> None:
    @api.app.get("/broken", include_in_schema=False)
    async def broken() -> None:
        raise RuntimeError("on purpose")

    before = await scrape(client)
    assert (await client.get("/broken")).status_code == 500
    after = await scrape(client)
    assert after.sum(REQUESTS, status="500") - before.sum(REQUESTS, status="500") == 1


async def test_submissions_count_when_they_are_accepted(client: httpx.AsyncClient) -> None:
    async def send(query: str = "", headers: dict[str, str] | None = None, **body: object) -> int:
        return (await client.post(f"/v1/executions{query}", json=body, headers=headers)).status_code

    before = await scrape(client)
    assert await send(image="busybox:local") == 201
    assert await send(image="busybox:local") == 201
    assert await send("?dry_run=true", image="busybox:local") == 200
    assert await send(image="") == 422
    for _ in range(3):
        assert await send(headers={"Idempotency-Key": "the-same"}, image="busybox:local") == 201
    after = await scrape(client)

    def counted(replayed: str) -> float:
        name, labels = "tailrace_submissions_total", {"pool": "default", "replayed": replayed}
        return after.sum(name, **labels) - before.sum(name, **labels)

    assert (counted("no"), counted("yes")) == (3, 2)


async def test_what_is_canceled_in_the_queue_ends_here(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    queued, running = await submit(), await submit()
    await hand.start(running)
    before = await scrape(client)
    for execution in (queued, queued, running):
        assert (await client.post(f"/v1/executions/{execution}/cancel")).is_success
    after = await scrape(client)
    ended = "tailrace_executions_ended_total"
    assert after.sum(ended, cause="canceled_by_user") - before.sum(ended, cause="canceled_by_user") == 1
    assert after[ended] - before[ended] == 1
    assert len(after.labels(ended)) > 20, "every cause is there from the beginning"


async def test_what_ends_with_another_of_its_batch_is_counted_too(client: httpx.AsyncClient) -> None:
    items = [{"key": "a"}, {"key": "b", "needs": ["a"]}, {"key": "c", "needs": ["b"]}]
    made = await client.post("/v1/batches", json={"defaults": {"image": "busybox:local"}, "items": items})
    batch = made.json()["id"]
    children = (await client.get("/v1/executions", params={"batch": batch, "sort": "created"})).json()["items"]
    before = await scrape(client)
    assert (await client.post(f"/v1/executions/{children[0]['id']}/cancel")).is_success

    async def counted() -> dict[str, float] | None:
        after, ended = await scrape(client), "tailrace_executions_ended_total"
        causes = ("canceled_by_user", "canceled_by_system")
        more = {cause: after.sum(ended, cause=cause) - before.sum(ended, cause=cause) for cause in causes}
        return more if sum(more.values()) >= len(items) else None

    assert await eventually(counted) == {"canceled_by_user": 1, "canceled_by_system": 2}


async def test_a_pool_shows_what_is_in_it_and_who_serves_it(
    client: httpx.AsyncClient, records: Records, pool: str
) -> None:
    for status in (Status.PREPARING, Status.RUNNING, Status.RUNNING, Status.STOPPING, Status.SUCCEEDED, Status.FAILED):
        await records.in_status(status)
    for _ in range(3):
        await records.submit()
    seen = await fleet_of(client, pool, queued=3, preparing=1, running=2, stopping=1, paused=0)
    assert seen.sum("tailrace_executions", pool=pool) == 7
    assert seen.sum("tailrace_workers", pool=pool, state="present") == 1
    assert seen.sum("tailrace_workers", pool=pool, state="lost") == 0
    assert seen.sum("tailrace_slots", pool=pool, state="busy") == 4
    assert seen.sum("tailrace_slots", pool=pool, state="free") == records.worker.slots - 4
    assert 0 < seen.sum("tailrace_queue_oldest_seconds", pool=pool) < 600
    assert 0 < seen.sum("tailrace_lease_age_seconds", pool=pool) < LOST_AFTER


async def test_a_worker_that_is_silent_is_lost_and_one_that_is_paused_has_no_free_slots(
    client: httpx.AsyncClient, records: Records, pool: str
) -> None:
    silent, paused, gone = [(await records.colleague()).worker.id for _ in range(3)]
    async with transaction(records.process.database) as connection:
        long_ago = text("clock_timestamp() - make_interval(secs => 40)")
        await connection.execute(update(Worker).where(Worker.id == silent).values(heartbeat_at=long_ago))
    await set_worker(records.process, paused, wanted="pause")
    await set_worker(records.process, gone, gone_at=text("clock_timestamp()"))
    await records.submit()
    seen = await fleet_of(client, pool, queued=1)
    assert seen.sum("tailrace_workers", pool=pool, state="present") == 2
    assert seen.sum("tailrace_workers", pool=pool, state="lost") == 1
    assert seen.sum("tailrace_slots", pool=pool, state="free") == records.worker.slots
    assert seen.sum("tailrace_lease_age_seconds", pool=pool) < LOST_AFTER


async def test_waiting_begins_when_an_execution_may_start(
    client: httpx.AsyncClient, records: Records, pool: str
) -> None:
    async def set_times(execution: UUID, **columns: object) -> None:
        async with transaction(records.process.database) as connection:
            await connection.execute(update(Execution).where(Execution.id == execution).values(**columns))

    hours_ago = text("clock_timestamp() - make_interval(hours => 3)")
    waiting = await records.submit()
    await set_times(waiting, queued_at=hours_ago, not_before=text("clock_timestamp() + make_interval(hours => 1)"))
    seen = await fleet_of(client, pool, queued=1)
    assert seen.sum("tailrace_queue_oldest_seconds", pool=pool) == 0
    await set_times(await records.submit(), queued_at=hours_ago)
    seen = await fleet_of(client, pool, queued=2)
    assert seen.sum("tailrace_queue_oldest_seconds", pool=pool) >= 3 * 3600


async def test_a_pool_that_goes_takes_its_series_with_it(
    client: httpx.AsyncClient, records: Records, pool: str
) -> None:
    await fleet_of(client, pool, **dict.fromkeys(ACTIVE, 0))
    await set_worker(records.process, records.worker.id, gone_at=text("clock_timestamp()"))
    async with transaction(records.process.database) as connection:
        deleted = update(Pool).where(Pool.name == pool).values(deleted_at=text("clock_timestamp()"))
        await connection.execute(deleted)

    async def is_gone() -> bool:
        seen = await scrape(client)
        return not any(sample.labels.get("pool") == pool for sample in seen.samples)

    await eventually(is_gone)


async def test_scrapes_at_one_time_ask_the_database_once(api: Api, records: Records, pool: str) -> None:
    reader = fleet.FleetReader()
    first = await reader.read(api.process.database)
    await records.submit()
    assert await reader.read(api.process.database) is first
    assert first[pool].executions[Status.QUEUED] == 0


@pytest.mark.parametrize("statement", [fleet._QUEUES, fleet._HELD, fleet._WORKERS])
async def test_the_fleet_is_read_from_indexes(process: Process, statement: TextClause) -> None:
    async with transaction(process.database) as connection:
        # What has ended is most of the table: nobody may read through it.
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            (await connection.execute(text(f"EXPLAIN {statement.compile(compile_kwargs=LITERAL)}"))).scalars()
        )
    assert "Seq Scan on executions" not in plan, plan
    assert "on executions" in plan
