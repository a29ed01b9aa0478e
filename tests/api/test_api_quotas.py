"""How much an owner may have queued and running, who sets it, and what whoever has too much is told."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from served import Api, Submit, running
from sqlalchemy import select, update

from app.auth.tokens import Scope
from app.logs.tables import LogHead
from app.quotas.tables import Quota
from app.settings import Settings
from support.eventually import eventually
from support.racing import is_blocked_by
from support.records import Records
from worker import ending

BODY = {"image": "busybox:local"}


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> str:
    """Who `client` is."""
    return str((await client.get("/v1/me")).json()["owner"])


async def put(admin: httpx.AsyncClient, owner: str, **limits: float | str) -> dict[str, Any]:
    response = await admin.put(f"/v1/quotas/{owner}", json=limits)
    assert response.status_code == 200, response.text
    quota: dict[str, Any] = response.json()
    return quota


async def shares(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/v1/me")).json()["quota"]
    return {name: found[name] for name in ("queued", "running")}


# Who one is


async def test_whoever_has_a_token_may_ask_who_they_are(api: Api) -> None:
    name = f"user-{uuid.uuid4().hex}"
    for scopes in ([Scope.READ], [Scope.SUBMIT, Scope.CANCEL]):
        client = await api.client(name, *scopes)
        shares = ("queued", "running", "cpus", "memory", "log_bytes", "storage", "file_bytes")
        none = {key: {"used": 0, "limit": None} for key in shares}
        expected = {"owner": name, "scopes": sorted(scopes), "quota": none, "rate": None}
        assert expected.items() <= (await client.get("/v1/me")).json().items()


async def test_one_sees_what_one_uses(
    api: Api, client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient, submit: Submit
) -> None:
    records = await Records.of(api.process)
    await put(admin, owner, max_queued=9, max_running=3)
    for hold in (False, False, True):
        await submit(pool=records.worker.pool, hold=hold)
    await submit()
    assert await shares(client) == {"queued": {"used": 4, "limit": 9}, "running": {"used": 0, "limit": 3}}
    assert len(await records.take(most=4)) == 2
    assert await shares(client) == {"queued": {"used": 2, "limit": 9}, "running": {"used": 2, "limit": 3}}


# How many are queued


async def test_of_many_that_are_run_again_there_are_as_many_as_may_be(
    client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient, submit: Submit
) -> None:
    for _ in range(4):
        await client.post(f"/v1/executions/{await submit()}/cancel")
    await put(admin, owner, max_queued=3)
    await submit()
    answer = await client.post("/v1/executions:rerun", json={"status": ["canceled"]})
    assert [item["result"] for item in answer.json()["items"]] == ["done", "done", "refused", "refused"]
    error = answer.json()["items"][-1]["error"]
    assert (error["code"], error["detail"]) == ("quota_exceeded", f"`{owner}` has 3 executions queued of at most 3.")


async def test_whoever_has_as_many_queued_as_they_may_is_told_so(
    client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient, submit: Submit, stranger: httpx.AsyncClient
) -> None:
    await put(admin, owner, max_queued=2)
    first = await submit(hold=True)
    await submit()
    refused = await client.post("/v1/executions", json=BODY)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    problem = refused.json()
    assert problem["type"] == "urn:tailrace:problem:quota_exceeded"
    assert (problem["used"], problem["limit"]) == (2, 2)
    assert "2 executions queued of at most 2" in problem["detail"]
    assert (await client.post("/v1/executions?dry_run=true", json=BODY)).status_code == 429
    assert (await stranger.post("/v1/executions", json=BODY)).status_code == 201
    await client.post(f"/v1/executions/{first}/cancel")
    assert (await client.post("/v1/executions", json=BODY)).status_code == 201


async def test_what_is_wrong_is_told_before_what_is_too_much(
    client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient
) -> None:
    await put(admin, owner, max_queued=0)
    assert (await client.post("/v1/executions", json=BODY | {"resume_from": str(uuid.uuid4())})).status_code == 422
    refused = await client.post("/v1/executions?dry_run=true", json=BODY | {"pool": "nowhere", "name": 5})
    assert {each["code"] for each in refused.json()["errors"]} == {"quota_exceeded", "unknown_pool", "string_type"}


async def test_no_other_problem_has_a_quota(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/v1/executions", json={})).json()
    assert {"used", "limit"}.isdisjoint(problem)


async def test_a_hundred_at_once_are_accepted_as_far_as_there_is_room(
    client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient
) -> None:
    await put(admin, owner, max_queued=10)
    answers = await asyncio.gather(*(client.post("/v1/executions", json=BODY) for _ in range(100)))
    assert Counter(answer.status_code for answer in answers) == {201: 10, 429: 90}
    assert (await shares(client))["queued"]["used"] == 10


async def test_what_was_accepted_is_found_again_by_its_key_when_there_is_no_room_left(
    client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient
) -> None:
    await put(admin, owner, max_queued=1)
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    answers = await asyncio.gather(*(client.post("/v1/executions", json=BODY, headers=headers) for _ in range(20)))
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, answers[0].json()["id"])}


async def test_a_retry_is_queued_whatever_the_limit(
    api: Api, client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient, submit: Submit
) -> None:
    records = await Records.of(api.process)
    await put(admin, owner, max_queued=1)
    await submit(pool=records.worker.pool)
    (claim,) = await records.take()
    other = await submit()
    await records.commit(lambda connection: ending.requeue(connection, claim.lease, actor="w", why="It left."))
    assert (await shares(client))["queued"] == {"used": 2, "limit": 1}
    await client.post(f"/v1/executions/{other}/cancel")
    assert (await client.post("/v1/executions", json=BODY)).status_code == 429


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Api]:
    """An installation where nobody may have more than two queued."""
    async with running(settings.model_copy(update={"max_queued_per_owner": 2})) as api:
        yield api


async def test_the_default_is_for_whoever_has_no_limit_of_their_own(strict: Api) -> None:
    ann, bob = await strict.client("ann-of-quotas"), await strict.client("bob-of-quotas")
    admin = await strict.client("admin", Scope.ADMIN)
    await put(admin, "bob-of-quotas", max_queued=3)
    for client, most in ((ann, 2), (bob, 3)):
        codes = [(await client.post("/v1/executions", json=BODY)).status_code for _ in range(most + 1)]
        assert codes == [201] * most + [429]
        assert (await shares(client))["queued"] == {"used": most, "limit": most}
    # A limit of something else leaves this one at the default.
    await put(admin, "bob-of-quotas", max_running=9)
    assert (await shares(bob))["queued"] == {"used": 3, "limit": 2}


# How many run


async def test_what_waits_for_its_owners_limit_says_so(
    api: Api, client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient, submit: Submit
) -> None:
    here, there = await Records.of(api.process), await Records.of(api.process)
    await put(admin, owner, max_running=1)
    for each in (here, there):
        await submit(pool=each.worker.pool)
    waiting = await submit(pool=there.worker.pool)
    assert len(await here.take(most=4)) == 1
    assert await there.take(most=4) == []
    assert (await client.get(f"/v1/executions/{waiting}")).json()["waiting_on"] == "quota"
    await put(admin, owner, max_running=2)
    assert (await client.get(f"/v1/executions/{waiting}")).json()["waiting_on"] == "slot"
    assert len(await there.take(most=4)) == 1


async def test_what_is_larger_than_its_owner_may_ever_have_is_refused_by_name(
    client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient
) -> None:
    await put(admin, owner, max_cpus=2, max_memory="1GiB")
    assert (await client.post("/v1/executions", json=BODY)).status_code == 201
    refused = await client.post("/v1/executions", json=BODY | {"limits": {"cpus": 2.5, "memory": "2GiB"}})
    assert refused.status_code == 422
    assert [(each["field"], each["code"]) for each in refused.json()["errors"]] == [
        ("limits.cpus", "over_quota"),
        ("limits.memory", "over_quota"),
    ]
    used = (await client.get("/v1/me")).json()["quota"]
    assert (used["cpus"]["limit"], used["memory"]["limit"]) == (2, 2**30)


# What is kept


async def test_what_is_queued_grows_no_larger_than_its_owner_may_have(
    api: Api, client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient, submit: Submit
) -> None:
    await put(admin, owner, max_cpus=2, max_memory="1GiB")
    url = f"/v1/executions/{await submit(limits={'cpus': 1, 'memory': '512MiB'})}"
    refused = await client.patch(url, json={"limits": {"cpus": 4}})
    assert refused.status_code == 422, refused.text
    assert [(each["field"], each["code"]) for each in refused.json()["errors"]] == [("limits.cpus", "over_quota")]
    async with api.process.database.connect() as connection:
        # As a claim does that has read how large it is.
        await connection.execute(select(Quota.owner).where(Quota.owner == owner).with_for_update(key_share=True))
        growing = asyncio.create_task(client.patch(url, json={"limits": {"cpus": 2}}))
        await eventually(lambda: is_blocked_by(api.process, connection))
        await connection.rollback()
    assert (await growing).json()["limits"]["cpus"] == 2


async def test_whoever_keeps_as_much_as_they_may_is_told_what_to_do(
    api: Api, client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient, submit: Submit
) -> None:
    records = await Records.of(api.process)
    execution = await submit(pool=records.worker.pool)
    (claim,) = await records.take()
    charged = update(LogHead).where(LogHead.execution_id == claim.lease.execution).values(charged=500)
    await records.commit(lambda connection: connection.execute(charged))
    await records.finish(claim)
    await records.change(claim.lease.execution, outputs_bytes=2000)
    for limit, used in (("max_log_bytes", 500), ("max_storage", 2000)):
        await put(admin, owner, **{limit: used + 1})
        assert (await client.post("/v1/executions?dry_run=true", json=BODY)).status_code == 200
        await put(admin, owner, **{limit: used})
        for path, body in (
            ("/v1/executions", BODY),
            ("/v1/executions?dry_run=true", BODY),
            ("/v1/batches", {"items": [BODY]}),
        ):
            refused = await client.post(path, json=body)
            assert (refused.status_code, refused.json()["used"], refused.json()["limit"]) == (429, used, used), path
        assert "Delete" in refused.json()["hint"]
        # What is judged now and submitted later is judged again then.
        later = {"name": f"later-{limit}", "rule": {"cron": "@daily"}, "targets": [{"execution": BODY}]}
        assert (await client.post("/v1/schedules", json=later | {"enabled": False})).status_code == 201
    assert (await client.post("/v1/files?name=a", content=b"a")).status_code == 429
    await put(admin, owner, max_log_bytes=500, max_storage=2000, max_queued=0)
    refused = await client.post("/v1/executions", json=BODY)
    assert (refused.status_code, refused.json()["used"]) == (429, 500)
    for exceeded in ("logs of 500 bytes", "files of 2000 bytes", "0 executions queued of at most 0"):
        assert exceeded in refused.json()["detail"]
    await put(admin, owner, max_storage=2010)
    assert (await client.post("/v1/files?name=a", content=b"a" * 11)).status_code == 429
    assert (await client.post("/v1/files?name=a", content=b"a" * 10)).status_code == 201
    assert (await client.get("/v1/me")).json()["quota"]["storage"] == {"used": 2010, "limit": 2010}
    assert (await client.delete(f"/v1/executions/{execution}")).status_code == 204
    assert (await client.post("/v1/executions", json=BODY)).status_code == 201


# Who sets them


async def test_limits_are_set_and_taken_back(client: httpx.AsyncClient, owner: str, admin: httpx.AsyncClient) -> None:
    quota = await put(admin, owner, max_queued=5)
    assert (quota["owner"], quota["max_queued"], quota["max_running"]) == (owner, 5, None)
    assert quota["quota"]["queued"] == {"used": 0, "limit": 5}
    assert quota["updated_at"]
    assert (await admin.get(f"/v1/quotas/{owner}")).json() == quota
    assert owner in [item["owner"] for item in (await admin.get("/v1/quotas")).json()["items"]]
    # What is left out is the default again.
    assert (await put(admin, owner, max_running=0))["max_queued"] is None
    for _ in range(2):
        assert (await admin.delete(f"/v1/quotas/{owner}")).status_code == 204
    assert owner not in [item["owner"] for item in (await admin.get("/v1/quotas")).json()["items"]]
    assert (await admin.get(f"/v1/quotas/{owner}")).json()["updated_at"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"max_queued": -1},
        {"max_running": 1.5},
        {"max_queued": "many"},
        {"most": 1},
        {"max_cpus": "2"},
        {"max_memory": "much"},
        {"max_storage": -1},
    ],
)
async def test_a_limit_that_is_none_is_refused(body: dict[str, Any], owner: str, admin: httpx.AsyncClient) -> None:
    refused = await admin.put(f"/v1/quotas/{owner}", json=body)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == list(body)


@pytest.mark.parametrize("owner", ["a%00b", "x" * 201])
async def test_what_can_be_no_owner_is_refused(owner: str, admin: httpx.AsyncClient) -> None:
    refused = await admin.put(f"/v1/quotas/{owner}", json={})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["owner"]


async def test_only_an_admin_sees_or_sets_limits(client: httpx.AsyncClient, owner: str) -> None:
    for method, path in (("GET", ""), ("GET", f"/{owner}"), ("PUT", f"/{owner}"), ("DELETE", f"/{owner}")):
        body = {"json": {"max_queued": 1}} if method == "PUT" else {}
        assert (await client.request(method, f"/v1/quotas{path}", **body)).status_code == 403  # type: ignore[arg-type]


# Lanes


async def test_only_an_admin_may_use_the_high_lane(client: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    refused = await client.post("/v1/executions", json=BODY | {"lane": "high"})
    assert refused.status_code == 403
    assert "`lane: high`" in refused.json()["detail"]
    for sender, lane in ((client, "low"), (client, "normal"), (admin, "high")):
        accepted = await sender.post("/v1/executions", json=BODY | {"lane": lane, "hold": True})
        assert (accepted.status_code, accepted.json()["lane"]) == (201, lane)


# What lies ahead


async def test_the_record_says_what_lies_ahead(api: Api, client: httpx.AsyncClient, submit: Submit) -> None:
    records = await Records.of(api.process)
    for _ in range(3):
        await submit(pool=records.worker.pool, name="nightly")
        (claim,) = await records.take()
        await records.start(claim.lease)
        await records.end(claim.lease)
    first, second = [await submit(pool=records.worker.pool, name="nightly") for _ in range(2)]
    alone = (await client.get(f"/v1/executions/{second}")).json()
    assert alone["queue_position"] == 2
    assert alone["expected_seconds"] >= 0
    assert alone["expected_seconds_p90"] >= alone["expected_seconds"]
    listed = (await client.get("/v1/executions")).json()["items"]
    assert {item["queue_position"] for item in listed} == {item["expected_seconds"] for item in listed} == {None}
    await records.take()
    assert (await client.get(f"/v1/executions/{first}")).json()["queue_position"] is None
    assert (await client.get(f"/v1/executions/{second}")).json()["queue_position"] == 1


async def test_the_place_changes_what_the_etag_stands_for(api: Api, client: httpx.AsyncClient, submit: Submit) -> None:
    records = await Records.of(api.process)
    await submit(pool=records.worker.pool)
    second = f"/v1/executions/{await submit(pool=records.worker.pool)}"
    etag = (await client.get(second)).headers["etag"]
    assert (await client.get(second, headers={"If-None-Match": etag})).status_code == 304
    await records.take()
    assert (await client.get(second, headers={"If-None-Match": etag})).status_code == 200
