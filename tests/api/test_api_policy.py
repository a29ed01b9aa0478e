"""What the policy says, said to whoever asks for something else."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from methods import published
from served import Api, running

from app.auth.tokens import Scope
from app.settings import Settings

ROOT = Path(__file__).parents[2]
POLICY = """
images: ["busybox:*"]
networks: [none]
runtimes: [kata]
limits: {memory: 1GiB, timeout: 60}
for:
  - scopes: [admin]
    images: ["**"]
    runtimes: [default, runsc]
"""
EVIL = {"image": "evil", "network": "bridge", "runtime": "runsc", "limits": {"memory": "2GiB", "timeout": 61}}
FIELDS = {"image", "network", "runtime", "limits.memory", "limits.timeout"}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
async def guarded(settings: Settings, policy: Path) -> AsyncIterator[Api]:
    async with running(settings.model_copy(update={"policy": policy})) as api:
        yield api


def fields_of(response: httpx.Response) -> set[str]:
    assert response.status_code == 422, response.text
    return {error["field"] for error in response.json()["errors"]}


@pytest.mark.parametrize("module", ["app", "worker"])
def test_no_process_starts_with_a_policy_that_is_wrong(module: str, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("images: [a]\nlimits:\n  memori: 1GiB\n")
    environment = {
        **os.environ,
        "TAILRACE_DATABASE_URL": settings.database_url,
        "TAILRACE_REDIS_URL": settings.redis_url,
        "TAILRACE_PORT": "0",
        "TAILRACE_POLICY": str(path),
    }
    ended = subprocess.run(
        [sys.executable, "-m", module], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 3
    assert f"{path}: line 3: `limits.memori` is not a known field" in ended.stdout + ended.stderr


async def test_every_reason_is_named_whichever_way_it_is_submitted(guarded: Api, policy: Path) -> None:
    client = await guarded.client()

    async def send(path: str, body: Any, **options: Any) -> httpx.Response:
        return await client.post(f"/v1/{path}", json=body, **options)

    assert fields_of(await send("executions", EVIL)) == FIELDS
    # A dry run has all else that is wrong besides.
    dry = await send("executions", {**EVIL, "pool": "nowhere"}, params={"dry_run": True})
    assert fields_of(dry) == {*FIELDS, "pool"}
    batch = {"items": [{"image": "busybox:local"}, EVIL]}
    assert fields_of(await send("batches", batch)) == {f"items[1].{field}" for field in FIELDS}

    accepted = await send("executions", {"image": "busybox:local", "hold": True})
    assert accepted.status_code == 201, accepted.text
    limits = accepted.json()["limits"]
    assert (limits["memory"], limits["timeout"]) == (512 * 2**20, 60)
    path = f"/v1/executions/{accepted.json()['id']}"
    patched = await client.patch(path, json={"limits": {"memory": "2GiB"}})
    assert fields_of(patched) == {"limits.memory"}

    admin = await guarded.client("admin", Scope.ADMIN)
    strong = await admin.post("/v1/executions", json={"image": "evil", "runtime": "runsc", "hold": True})
    assert strong.status_code == 201, strong.text
    fresh = policy.with_name("fresh")
    for text, status in (("images: [", "old"), ("images: [other]", "ok")):
        fresh.write_text(text)
        fresh.replace(policy)
        assert (await client.get("/readyz")).json()["policy"] == status
        assert f"tailrace_policy_old {float(status == 'old')}" in (await admin.get("/metrics")).text
    # From now on, without a restart; what was accepted is judged again by its worker.
    assert fields_of(await send("executions", {"image": "busybox:local"})) == {"image"}
    assert (await client.post(f"{path}/cancel")).status_code == 202
    # Nobody has asked for the runtime that it would have got.
    fresh.write_text('images: ["busybox:*"]')
    fresh.replace(policy)
    assert (await client.post(f"{path}/rerun", json={})).status_code == 201


async def test_who_may_little_gains_nothing_by_a_trigger_and_an_admin_may_not_more_than_its_owner(
    guarded: Api, policy: Path
) -> None:
    fresh = policy.with_name("fresh")
    fresh.write_text('images: ["busybox:*"]\nlimits: {memory: 1GiB}\nfor: [{scopes: [cancel], images: ["**"]}]')
    fresh.replace(policy)
    owner = f"ann-{uuid4().hex[:8]}"
    strong = await guarded.client(owner)
    little = await guarded.client(owner, Scope.READ, Scope.SUBMIT)
    method = await published(strong, image="elsewhere:1", inputs=None, command=["true"])
    target = {"execution": {"method": method}}
    statuses = []
    for who in (strong, little):
        trigger = (await who.post("/v1/triggers", json={"name": uuid4().hex, "target": target})).json()
        nobody = await guarded.client_with(None)
        statuses.append((await nobody.post(trigger["address"], json={})).status_code)
    assert statuses == [202, 422]
    accepted = await strong.post("/v1/executions", json={"image": "busybox:local", "hold": True})
    fresh.write_text('limits: {memory: 64GiB}\nfor: [{owners: ["ann-*"], limits: {memory: 1GiB}}]')
    fresh.replace(policy)
    admin = await guarded.client("admin", Scope.ADMIN)
    path = f"/v1/executions/{accepted.json()['id']}"
    assert fields_of(await admin.patch(path, json={"limits": {"memory": "2GiB"}})) == {"limits.memory"}
    assert (await admin.patch(path, json={"limits": {"memory": "1GiB"}})).status_code == 200
