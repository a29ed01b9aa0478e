"""Pools: made, changed and deleted by an admin, named by a submission, and what a queued execution waits for."""

import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hand import Hand
from pydantic import ValidationError
from served import Api
from sqlalchemy import func, update

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import transaction
from app.errors import Conflict
from app.executions import accepting
from app.executions.states import Status
from app.pools import service
from app.settings import Settings
from app.workers.model import Wanted
from app.workers.tables import Worker
from support.racing import overtaken
from support.records import Records

POOLS = "/v1/pools"
EXECUTIONS = "/v1/executions"


@pytest.fixture
async def pool(admin: httpx.AsyncClient) -> str:
    """A pool of this test's own, that nobody serves."""
    return await make_pool(admin)


async def make_pool(admin: httpx.AsyncClient, **limits: Any) -> str:
    name = f"pool-{uuid.uuid4().hex[:12]}"
    response = await admin.post(POOLS, json={"name": name, **limits})
    assert response.status_code == 201, response.text
    return name


async def submit(client: httpx.AsyncClient, pool: str, **fields: Any) -> dict[str, Any]:
    response = await client.post(EXECUTIONS, json={"image": "busybox:local", "pool": pool, **fields})
    assert response.status_code == 201, response.text
    record: dict[str, Any] = response.json()
    return record


async def waits_for(client: httpx.AsyncClient, execution: str) -> str | None:
    """As its own page says, and the list too."""
    record = (await client.get(f"{EXECUTIONS}/{execution}")).json()
    (listed,) = [item for item in (await client.get(EXECUTIONS)).json()["items"] if item["id"] == execution]
    assert listed["waiting_on"] == record["waiting_on"]
    word: str | None = record["waiting_on"]
    return word


async def change_worker(process: Process, worker: UUID, **columns: Any) -> None:
    async with transaction(process.database) as connection:
        await connection.execute(update(Worker).where(Worker.id == worker).values(**columns))


# Make, look, change, delete


async def test_a_pool_is_made_and_found(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    name = f"gpu-{uuid.uuid4().hex[:12]}"
    body = {"name": name, "description": "One card per slot", "max_running": 8, "max_running_per_owner": 2}
    response = await admin.post(POOLS, json=body)
    assert response.status_code == 201
    assert response.headers["location"] == f"{POOLS}/{name}"
    made = response.json()
    assert made == {**body, "queued": 0, "running": 0, "workers": 0, "slots": 0, "created_at": made["created_at"]}
    assert (await client.get(f"{POOLS}/{name}")).json() == made
    pools = (await client.get(POOLS)).json()["items"]
    assert made in pools
    assert "default" in {pool["name"] for pool in pools}
    assert [pool["name"] for pool in pools] == sorted(pool["name"] for pool in pools)


async def test_a_pool_without_limits_has_none(admin: httpx.AsyncClient) -> None:
    made = (await admin.get(f"{POOLS}/{await make_pool(admin)}")).json()
    assert (made["description"], made["max_running"], made["max_running_per_owner"]) == (None, None, None)


async def test_a_name_is_given_once(admin: httpx.AsyncClient, pool: str) -> None:
    response = await admin.post(POOLS, json={"name": pool, "max_running": 1})
    assert response.status_code == 409
    assert pool in response.json()["detail"]
    assert (await admin.get(f"{POOLS}/{pool}")).json()["max_running"] is None


@pytest.mark.parametrize("name", ["", "GPU", "-a", "a b", "a/b", "a\n", "ä", "a" * 64, 7, None])
async def test_a_name_has_a_form(admin: httpx.AsyncClient, name: Any) -> None:
    for response in (
        await admin.post(POOLS, json={"name": name}),
        await admin.post(EXECUTIONS, json={"image": "busybox:local", "pool": name}),
    ):
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] in (["name"], ["pool"])


def test_the_pool_of_a_worker_has_that_form_too() -> None:
    assert Settings(pool="gpu-1").pool == "gpu-1"
    with pytest.raises(ValidationError, match="must be a name such as"):
        Settings(pool="GPU 1")


async def test_everything_wrong_with_a_pool_is_told_at_once(admin: httpx.AsyncClient) -> None:
    body = {"name": "No", "max_running": -1, "max_running_per_owner": 1.5, "description": 3, "colour": "red"}
    response = await admin.post(POOLS, json=body)
    assert response.status_code == 422
    assert {error["field"] for error in response.json()["errors"]} == body.keys()


async def test_only_what_is_named_is_changed(admin: httpx.AsyncClient) -> None:
    name = await make_pool(admin, description="first", max_running=3, max_running_per_owner=2)
    before = (await admin.get(f"{POOLS}/{name}")).json()
    for change in ({"max_running": 0}, {"max_running_per_owner": None}, {"description": "second"}, {}):
        changed = await admin.patch(f"{POOLS}/{name}", json=change)
        assert changed.status_code == 200
        before |= change
        assert changed.json() == before == (await admin.get(f"{POOLS}/{name}")).json()


@pytest.mark.parametrize("change", [{"name": "other"}, {"max_running": -1}, {"max_running": "3"}, {"created_at": None}])
async def test_a_change_that_makes_no_sense_is_refused(
    admin: httpx.AsyncClient, pool: str, change: dict[str, Any]
) -> None:
    response = await admin.patch(f"{POOLS}/{pool}", json=change)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == list(change)


async def test_a_pool_that_is_deleted_is_gone_until_it_is_made_again(admin: httpx.AsyncClient) -> None:
    name = await make_pool(admin, description="first", max_running=1)
    deleted = await admin.delete(f"{POOLS}/{name}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method in ("GET", "PATCH", "DELETE"):
        response = await admin.request(method, f"{POOLS}/{name}", json={} if method == "PATCH" else None)
        assert response.status_code == 404
    assert name not in {pool["name"] for pool in (await admin.get(POOLS)).json()["items"]}
    again = await admin.post(POOLS, json={"name": name})
    assert again.status_code == 201
    assert (again.json()["description"], again.json()["max_running"]) == (None, None)


async def test_a_worker_that_starts_in_a_pool_makes_it_or_brings_it_back(
    admin: httpx.AsyncClient, process: Process
) -> None:
    worker = await Records.of(process)
    assert (await admin.get(f"{POOLS}/{worker.worker.pool}")).json()["workers"] == 1
    name = await make_pool(admin, max_running=1)
    await admin.delete(f"{POOLS}/{name}")
    await Records.of(process, pool=name)
    back = (await admin.get(f"{POOLS}/{name}")).json()
    assert (back["workers"], back["max_running"]) == (1, 1)


async def test_the_default_pool_cannot_be_deleted(admin: httpx.AsyncClient) -> None:
    response = await admin.delete(f"{POOLS}/default")
    assert response.status_code == 409
    assert (await admin.get(f"{POOLS}/default")).status_code == 200


async def test_a_pool_in_which_something_has_not_ended_cannot_be_deleted(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, hand: Hand, pool: str
) -> None:
    execution = (await submit(client, pool))["id"]
    assert (await admin.delete(f"{POOLS}/{pool}")).status_code == 409
    await hand.start(execution)
    assert (await admin.delete(f"{POOLS}/{pool}")).status_code == 409
    await hand.freeze(execution)
    assert (await admin.delete(f"{POOLS}/{pool}")).status_code == 409
    await hand.move(execution, Status.RUNNING, changes={})
    await hand.end(execution)
    assert (await admin.delete(f"{POOLS}/{pool}")).status_code == 204
    # What was in it is still told.
    assert (await client.get(f"{EXECUTIONS}/{execution}")).json()["pool"] == pool


async def test_a_pool_that_a_worker_serves_cannot_be_deleted(admin: httpx.AsyncClient, process: Process) -> None:
    worker = (await Records.of(process)).worker
    for there in ({}, {"wanted": Wanted.PAUSE}):
        await change_worker(process, worker.id, **there, heartbeat_at=func.now())
        response = await admin.delete(f"{POOLS}/{worker.pool}")
        assert response.status_code == 409
        assert response.json()["hint"]
    await change_worker(process, worker.id, heartbeat_at=func.now() - timedelta(seconds=31))
    assert (await admin.delete(f"{POOLS}/{worker.pool}")).status_code == 204


async def test_looking_at_pools_needs_read_and_all_else_an_admin(api: Api, pool: str) -> None:
    user = await api.client(None, Scope.READ)
    assert (await user.get(POOLS)).status_code == 200
    assert (await user.get(f"{POOLS}/{pool}")).status_code == 200
    operator = await api.client(None, Scope.SUBMIT, Scope.CANCEL)
    for client, method, path in (
        (user, "POST", POOLS),
        (user, "PATCH", f"{POOLS}/{pool}"),
        (user, "DELETE", f"{POOLS}/{pool}"),
        (operator, "GET", POOLS),
        (operator, "POST", POOLS),
    ):
        body = {"name": "new"} if method == "POST" else {}
        response = await client.request(method, path, json=None if method in {"GET", "DELETE"} else body)
        assert response.status_code == 403, (method, path)


async def test_a_pool_counts_what_is_in_it(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, hand: Hand, process: Process, pool: str
) -> None:
    async def counts() -> tuple[int, ...]:
        view = (await client.get(f"{POOLS}/{pool}")).json()
        return view["queued"], view["running"], view["workers"], view["slots"]

    executions = [(await submit(client, pool))["id"] for _ in range(3)]
    worker = (await Records.of(process, pool=pool)).worker
    assert await counts() == (3, 0, 1, worker.slots)
    await hand.claim(executions[0])
    await hand.start(executions[1])
    assert await counts() == (1, 2, 1, worker.slots)
    await hand.end(executions[1])
    await change_worker(process, worker.id, wanted=Wanted.PAUSE)
    assert await counts() == (1, 1, 1, 0)
    await change_worker(process, worker.id, gone_at=func.now())
    assert await counts() == (1, 1, 0, 0)


# In a submission


async def test_a_submission_names_its_pool_and_priority(client: httpx.AsyncClient, pool: str) -> None:
    record = await submit(client, pool, priority=-7)
    assert (record["pool"], record["priority"]) == (pool, -7)
    plain = (await client.post(EXECUTIONS, json={"image": "busybox:local"})).json()
    assert (plain["pool"], plain["priority"]) == ("default", 0)


@pytest.mark.parametrize("priority", [-101, 101, 1.5, "3", None])
async def test_a_priority_has_its_bounds(client: httpx.AsyncClient, priority: Any) -> None:
    response = await client.post(EXECUTIONS, json={"image": "busybox:local", "priority": priority})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["priority"]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("keyed", [True, False])
async def test_an_unknown_pool_is_refused_and_those_that_exist_are_named(
    client: httpx.AsyncClient, *, dry_run: bool, keyed: bool
) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex} if keyed else {}
    response = await client.post(
        EXECUTIONS, params={"dry_run": dry_run}, json={"image": "busybox:local", "pool": "nowhere"}, headers=headers
    )
    assert response.status_code == 422
    problem = response.json()
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("pool", "unknown_pool")]
    assert "nowhere" in problem["detail"]
    assert "`default`" in problem["hint"]
    assert (await client.get(EXECUTIONS)).json()["items"] == []


async def test_a_deleted_pool_is_an_unknown_one(admin: httpx.AsyncClient, client: httpx.AsyncClient, pool: str) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"image": "busybox:local", "pool": pool}
    first = await client.post(EXECUTIONS, json=body, headers=headers)
    assert (await client.post(f"{EXECUTIONS}/{first.json()['id']}/cancel")).status_code == 202
    assert (await admin.delete(f"{POOLS}/{pool}")).status_code == 204
    response = await client.post(EXECUTIONS, json=body)
    assert response.status_code == 422
    assert pool not in response.json()["hint"]
    # What was accepted before is still what its key stands for.
    again = await client.post(EXECUTIONS, json=body, headers=headers)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])


def submitting(records: Records) -> Any:
    return lambda connection: accepting.add(connection, records.a_submission())


def deleting(records: Records) -> Any:
    return lambda connection: service._delete(connection, records.worker.pool)


async def test_a_submission_that_waited_for_the_end_of_its_pool_is_refused(process: Process) -> None:
    records = await Records.of(process)
    await change_worker(process, records.worker.id, gone_at=func.now())
    _, submitted = await overtaken(process, deleting(records), submitting(records))
    assert isinstance(submitted, accepting.NoSuchPool)


async def test_the_end_of_a_pool_that_waited_for_a_submission_is_refused(process: Process) -> None:
    records = await Records.of(process)
    await change_worker(process, records.worker.id, gone_at=func.now())
    submitted, deleted = await overtaken(process, submitting(records), deleting(records))
    assert not isinstance(submitted, BaseException)
    assert isinstance(deleted, Conflict)


# What it waits for


async def test_a_queued_execution_says_what_it_waits_for(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, hand: Hand, process: Process, pool: str
) -> None:
    submitted = await submit(client, pool)
    first = submitted["id"]
    assert submitted["waiting_on"] == await waits_for(client, first) == "pool"
    worker = (await Records.of(process, pool=pool)).worker
    assert await waits_for(client, first) == "slot"
    assert (await submit(client, pool))["waiting_on"] == "slot"
    for absence in (
        {"wanted": Wanted.PAUSE},
        {"wanted": Wanted.DRAIN},
        {"heartbeat_at": func.now() - timedelta(seconds=31)},
        {"gone_at": func.now()},
    ):
        await change_worker(process, worker.id, **absence)
        assert await waits_for(client, first) == "pool"
        await change_worker(process, worker.id, wanted=Wanted.WORK, heartbeat_at=func.now(), gone_at=None)
    await hand.change(first, not_before=func.now() + timedelta(minutes=1))
    assert await waits_for(client, first) == "not_before"
    await hand.change(first, not_before=func.now() - timedelta(minutes=1))
    assert await waits_for(client, first) == "slot"
    await hand.claim(first)
    assert await waits_for(client, first) is None


async def test_a_queued_execution_waits_for_a_limit_of_its_pool(
    api: Api, admin: httpx.AsyncClient, client: httpx.AsyncClient, hand: Hand, process: Process, pool: str
) -> None:
    await Records.of(process, pool=pool)
    stranger = await api.client()
    running, mine, theirs = [(await submit(by, pool))["id"] for by in (client, client, stranger)]
    await hand.claim(running)

    async def both_wait_for(**limits: int | None) -> tuple[str | None, str | None]:
        changed = await admin.patch(
            f"{POOLS}/{pool}", json={"max_running": None, "max_running_per_owner": None, **limits}
        )
        assert changed.status_code == 200
        return await waits_for(client, mine), await waits_for(stranger, theirs)

    assert await both_wait_for() == ("slot", "slot")
    assert await both_wait_for(max_running=2, max_running_per_owner=2) == ("slot", "slot")
    assert await both_wait_for(max_running_per_owner=1) == ("quota", "slot")
    assert await both_wait_for(max_running=1) == ("quota", "quota")
    assert await both_wait_for(max_running=0) == ("quota", "quota")
    assert (await submit(client, pool))["waiting_on"] == "quota"
