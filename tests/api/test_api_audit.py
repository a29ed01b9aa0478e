"""Who did what: on record with the change or before the answer, shown to whom it concerns, and only added to."""

import asyncio
import csv
import io
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute
from served import Api, Submit
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.audit import repository
from app.audit.acts import CHANGING, Act
from app.audit.middleware import REHEARSED, UNCHANGING
from app.audit.model import MAX_ADDRESS_CHARS
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import transaction
from app.main import ROUTERS

ROOT = Path(__file__).parents[2]
# Who posts there has no token of the API.
FOR_ANYBODY = {"post_to_trigger"}


async def entries(client: httpx.AsyncClient, **filters: object) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit", params={"limit": 200, **filters})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def changing() -> list[APIRoute]:
    routes = [route for router in ROUTERS for route in router.routes]
    return [route for route in routes if isinstance(route, APIRoute) and route.methods & CHANGING]


async def test_every_route_that_may_change_something_is_on_record(admin: httpx.AsyncClient) -> None:
    """Also those that nobody thought of when this was written."""
    routes = changing()
    assert len(routes) > 60
    asked = uuid4().hex
    for route in routes:
        path = route.path.format(**dict.fromkeys(route.param_convertors, str(uuid4())))
        (method,) = route.methods & CHANGING
        await admin.request(method, path, json={}, headers={"X-Request-Id": asked})
    seen = {entry["action"] for entry in await entries(admin) if entry["request_id"] == asked}
    assert {route.operation_id for route in routes} - seen == UNCHANGING | FOR_ANYBODY


async def test_an_entry_says_who_did_what_to_whose_object(
    api: Api, client: httpx.AsyncClient, stranger: httpx.AsyncClient, admin: httpx.AsyncClient, submit: Submit
) -> None:
    execution = await submit(secrets={"TOKEN": "correct horse battery staple"})
    canceled = await admin.post(f"/v1/executions/{execution}/cancel", json={}, headers={"X-Request-Id": "r-1"})
    await client.post(f"/v1/executions/{execution}/cancel")
    deleted = await admin.delete(f"/v1/executions/{execution}")
    assert (canceled.status_code, deleted.status_code) == (202, 204)
    me = (await client.get("/v1/me")).json()["owner"]
    deletion, again, cancellation, submission = found = await entries(client, object=f"executions/{execution}")
    assert [entry["action"] for entry in found] == [
        "delete_execution",
        "cancel_execution",
        "cancel_execution",
        "submit_execution",
    ]
    assert {entry["owner"] for entry in found} == {me}
    assert [entry["actor"] for entry in found] == ["admin", me, "admin", me]
    assert [entry["status"] for entry in found] == [204, 200, 202, 201]
    assert (cancellation["request_id"], cancellation["address"]) == ("r-1", "127.0.0.1")
    assert submission["token_name"] == "test"
    assert submission["token_id"] == again["token_id"] != deletion["token_id"]
    assert "horse" not in str(found)
    assert await entries(stranger, object=f"executions/{execution}") == []
    assert await entries(stranger) == []


async def test_what_an_admin_makes_for_somebody_is_theirs(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, submit: Submit
) -> None:
    me = (await client.get("/v1/me")).json()["owner"]
    made = await admin.post("/v1/tokens", json={"name": "another", "owner": me, "scopes": ["read"]})
    assert made.status_code == 201, made.text
    (entry,) = await entries(client)
    assert (entry["action"], entry["actor"], entry["object"]) == ("make_token", "admin", f"tokens/{made.json()['id']}")
    assert made.json()["token"] not in str(entry)
    execution = await submit()
    await client.post(f"/v1/executions/{execution}/cancel")
    again = (await admin.post(f"/v1/executions/{execution}/rerun", json={})).json()["id"]
    assert await entries(client, object=f"executions/{again}") == []
    assert [each["owner"] for each in await entries(admin, object=f"executions/{again}")] == ["admin"]


async def test_what_changes_nothing_is_not_on_record(client: httpx.AsyncClient) -> None:
    body = {"image": "busybox:local"}
    await client.post("/v1/executions?dry_run=true", json=body)
    await client.get("/v1/executions")
    assert await entries(client) == []
    # All others know no such word, and it hides nothing.
    await client.post(f"/v1/executions/{uuid4()}/cancel?dry_run=true")
    assert [(entry["action"], entry["status"]) for entry in await entries(client)] == [("cancel_execution", 422)]
    paths = (await client.get("/openapi.json")).json()["paths"].values()
    operations = [each for path in paths for each in path.values() if isinstance(each, dict)]
    asked = [
        each["operationId"] for each in operations if "dry_run" in {of["name"] for of in each.get("parameters", ())}
    ]
    assert set(asked) == REHEARSED


async def test_what_is_asked_for_again_by_its_key_is_on_record_once(client: httpx.AsyncClient) -> None:
    body = {"image": "busybox:local"}
    for _ in range(2):
        await client.post("/v1/executions", json=body, headers={"Idempotency-Key": "k"})
    assert [entry["status"] for entry in await entries(client)] == [201]


async def test_of_a_refused_request_there_is_that_it_was_refused(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, submit: Submit
) -> None:
    execution = await submit()
    await stranger.post(f"/v1/executions/{execution}/cancel")
    await stranger.put("/v1/quotas/somebody", json={"max_queued": 1})
    refused = await entries(stranger, refused=True)
    assert [(entry["action"], entry["status"]) for entry in refused] == [("put_quota", 403), ("cancel_execution", 404)]
    assert await entries(stranger, refused=False) == []
    # It has not come near them.
    assert [entry["action"] for entry in await entries(client)] == ["submit_execution"]


@pytest.mark.parametrize("more", [{}, {"secrets": {"TOKEN": "a secret value"}}])
async def test_a_submission_and_its_entry_are_one_transaction(
    client: httpx.AsyncClient, process: Process, more: dict[str, Any]
) -> None:
    answer = await client.post("/v1/executions", json={"image": "busybox:local", **more})
    execution = answer.json()["id"]
    assert answer.headers["Location"] == f"/v1/executions/{execution}"
    async with transaction(process.database) as connection:
        same = await connection.execute(
            text(
                "SELECT count(*) FROM executions e JOIN audit_entries a ON a.xmin = e.xmin"
                " WHERE e.id::text = :id AND a.object = 'executions/' || CAST(:id AS text)"
            ),
            {"id": execution},
        )
        assert same.scalar_one() == 1


async def test_pages_filters_and_files_agree(
    api: Api, client: httpx.AsyncClient, admin: httpx.AsyncClient, submit: Submit
) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    mine = [await submit() for _ in range(5)]
    await client.post(f"/v1/executions/{mine[0]}/cancel")
    me = (await client.get("/v1/me")).json()["owner"]
    whole = await entries(client)
    assert [entry["object"] for entry in whole] == [f"executions/{each}" for each in [mine[0], *reversed(mine)]]
    paged: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    while not paged or page["next"]:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = (await client.get("/v1/audit", params={"limit": 2, **cursor})).json()
        paged += page["items"]
    assert paged == whole
    for filters in ({"owner": me}, {"actor": me}, {"actor": me, "since": began.isoformat()}):
        assert await entries(admin, **filters) == whole
    assert await entries(admin, actor=me, until=began.isoformat()) == []
    assert await entries(client, action="cancel_execution") == whole[:1]
    lines = (await client.get("/v1/audit/export")).text.splitlines()
    assert [json.loads(line) for line in lines] == whole
    assert list(json.loads(lines[0])) == list(whole[0])
    table = await admin.get("/v1/audit/export", params={"owner": me, "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [int(row["id"]) for row in rows] == [entry["id"] for entry in whole]
    assert rows[0]["object"] == whole[0]["object"]
    for name in ("a", "a0"):
        await client.delete(f"/v1/secrets/{name}")
    assert [entry["object"] for entry in await entries(client, object="secrets/a")] == ["secrets/a"]
    assert (await client.get("/v1/audit", params={"object": "a\0"})).status_code == 422


async def test_a_name_is_no_formula(api: Api, admin: httpx.AsyncClient) -> None:
    client = await api.client("=HYPERLINK(1)")
    await client.post("/v1/executions", json={"image": "busybox:local"})
    table = await admin.get("/v1/audit/export", params={"owner": "=HYPERLINK(1)", "format": "csv"})
    assert "'=HYPERLINK(1)" in table.text
    assert ",=HYPERLINK" not in table.text


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"]
)
async def test_nobody_changes_what_was_written(process: Process, submit: Submit, statement: str) -> None:
    await submit()
    with pytest.raises(IntegrityError, match="only added to"):
        async with transaction(process.database) as connection:
            await connection.execute(text(statement))


async def test_what_is_older_than_the_setting_goes(client: httpx.AsyncClient, process: Process, submit: Submit) -> None:
    await submit()
    async with transaction(process.database) as connection:
        await repository.expire(connection, days=1, most=10)
    assert len(await entries(client)) == 1
    async with transaction(process.database) as connection:
        while await repository.expire(connection, days=0, most=1000):
            pass
    assert await entries(client) == []


def test_what_a_proxy_calls_the_client_is_kept_only_so_far() -> None:
    route = SimpleNamespace(operation_id="make_token", path_format="/v1/tokens")
    scope = {"route": route, "client": ("x" * 5000, 0), "state": {"caller": Caller("ann", frozenset())}}
    entry = Act(scope).entry(201)
    assert entry is not None
    assert entry.address == "x" * MAX_ADDRESS_CHARS


async def test_a_change_that_cannot_be_put_on_record_is_not_said_to_be_done(api: Api, process: Process) -> None:
    owner = f"unlucky-{uuid4().hex[:8]}"
    client = await api.client(owner)
    execution = (await client.post("/v1/executions", json={"image": "busybox:local"})).json()["id"]
    async with transaction(process.database) as connection:
        await connection.execute(
            text(f"ALTER TABLE audit_entries ADD CONSTRAINT unlucky CHECK (actor <> '{owner}') NOT VALID")
        )
    try:
        submitted = await client.post("/v1/executions", json={"image": "busybox:local"})
        assert submitted.status_code == 500
        assert len((await client.get("/v1/executions")).json()["items"]) == 1
        assert (await client.post(f"/v1/executions/{execution}/hold")).status_code == 500
        refused = await client.post(f"/v1/executions/{uuid4()}/cancel")
        assert refused.status_code == 404
    finally:
        async with transaction(process.database) as connection:
            await connection.execute(text("ALTER TABLE audit_entries DROP CONSTRAINT unlucky"))


async def test_that_secrets_are_resealed_on_the_host_is_on_record(api: Api, admin: httpx.AsyncClient) -> None:
    settings = api.process.settings
    assert settings.secret_key is not None
    environment = {
        **os.environ,
        "TAILRACE_DATABASE_URL": settings.database_url,
        "TAILRACE_REDIS_URL": settings.redis_url,
        "TAILRACE_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    resealing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.secrets", cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await resealing.communicate()
    assert b"named_secrets.ciphertext" in said
    (entry, *_) = await entries(admin, action="reseal_secrets")
    assert (entry["actor"], entry["token_id"], entry["owner"], entry["status"]) == ("command line", None, None, 200)
