"""Running again what has ended: by its record, and by what is asked for otherwise."""

import json
import uuid
from typing import Any

import httpx
import pytest
from hand import Hand
from served import Api, Submit, running

from app.auth.tokens import Scope
from app.executions.states import Cause

EVERYTHING: dict[str, Any] = {
    "image": "busybox:local",
    "command": ["sh", "-c", "echo hi"],
    "entrypoint": ["/bin/run"],
    "env": {"A": "1", "B": "2"},
    "inputs": {"rows": 100, "deep": {"a": 1, "b": 2}},
    "name": "first",
    "note": "a note",
    "labels": {"team": "a"},
    "workdir": "/srv",
    "user": "1000",
    "stop_signal": "SIGINT",
    "network": "bridge",
    "image_policy": "never",
    "priority": 3,
    "limits": {"timeout": 60, "grace": 5, "notice": 2, "memory": "64MiB"},
    "max_attempts": 3,
    "retry_on": ["oom_killed", 7],
    "on_timeout": "retry",
    "on_interrupted": "retry",
}
# What is not of the submission.
OF_ITS_OWN = {
    "id", "status", "cause", "message", "hint", "attempt", "exit_code", "created_at", "queued_at", "started_at",
    "finished_at", "updated_at", "queue_seconds", "run_seconds", "lineage", "log", "links", "waiting_on", "secrets",
    "warnings", "queue_position", "expected_seconds", "events",
}  # fmt: skip


async def an_ended(client: httpx.AsyncClient, hand: Hand, **fields: Any) -> str:
    execution: str = (await client.post("/v1/executions", json={"image": "busybox:local", **fields})).json()["id"]
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)
    return execution


def lineage(body: dict[str, Any]) -> tuple[str | None, str | None]:
    return body["lineage"]["resumed_from"], body["lineage"]["rerun_of"]


async def test_without_a_body_it_is_submitted_as_it_was(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand, **EVERYTHING)
    original = (await client.get(f"/v1/executions/{execution}")).json()
    answer = await client.post(f"/v1/executions/{execution}/rerun")
    assert answer.status_code == 201, answer.text
    again = answer.json()
    assert answer.headers["Location"] == again["links"]["self"]
    assert (again["status"], lineage(again)) == ("queued", (None, execution))
    same = original.keys() - OF_ITS_OWN
    assert {name: again[name] for name in same} == {name: original[name] for name in same}
    rows = [await hand.row(each) for each in (execution, again["id"])]
    assert rows[0].spec == rows[1].spec
    assert (await client.get(f"/v1/executions/{execution}")).json() == original


async def test_the_body_is_merged_over_it(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand, **EVERYTHING)
    body = {
        "command": ["true"],
        "env": {"B": None, "C": "3"},
        "inputs": {"deep": {"a": 7}},
        "note": None,
        "limits": {"notice": None, "timeout": 90},
        "retry_on": [],
    }
    answer = await client.post(f"/v1/executions/{execution}/rerun", json=body)
    assert answer.status_code == 201, answer.text
    again = answer.json()
    assert (again["command"], again["env"], again["note"], again["name"]) == (["true"], ["A", "C"], None, "first")
    assert again["inputs"] == {"rows": 100, "deep": {"a": 7, "b": 2}}
    limits = again["limits"]
    assert (limits["notice"], limits["timeout"], limits["memory"]) == (None, 90, 64 * 2**20)
    assert again["retry_on"] == []


async def test_both_ends_of_the_lineage_can_be_followed(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand)
    reruns = {(await client.post(f"/v1/executions/{execution}/rerun")).json()["id"] for _ in range(2)}
    original = (await client.get(f"/v1/executions/{execution}")).json()
    listed = (await client.get(original["links"]["reruns"])).json()["items"]
    assert {item["id"] for item in listed} == reruns


@pytest.mark.parametrize("running", [False, True])
async def test_what_has_not_ended_is_not_run_again(
    *, running: bool, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    if running:
        await hand.start(execution)
    answer = await client.post(f"/v1/executions/{execution}/rerun", json={})
    assert answer.status_code == 409
    assert ("running" if running else "queued") in answer.json()["detail"]


async def test_everything_wrong_is_named(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand)
    body = {"limits": {"timeout": 0}, "colour": "red", "image": None, "command": []}
    answer = await client.post(f"/v1/executions/{execution}/rerun", json=body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"limits.timeout", "colour", "image", "command"}
    answer = await client.post(f"/v1/executions/{execution}/rerun", json={"pool": "nowhere"})
    assert answer.json()["errors"][0]["code"] == "unknown_pool"
    answer = await client.post(f"/v1/executions/{execution}/rerun", json=[1])
    assert answer.status_code == 422


async def test_secrets_must_be_given_again(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand, secrets={"TOKEN": "correct horse", "OTHER": "battery staple"})
    rerun = f"/v1/executions/{execution}/rerun"
    for body in ({}, {"secrets": {}}):
        answer = await client.post(rerun, json=body)
        assert answer.status_code == 422
        errors = {error["field"]: error["code"] for error in answer.json()["errors"]}
        assert errors == {"secrets.OTHER": "missing", "secrets.TOKEN": "missing"}
    answer = await client.post(rerun, json={"secrets": {"TOKEN": "correct horse", "OTHER": None}})
    assert answer.status_code == 201, answer.text
    assert answer.json()["secrets"] == ["TOKEN"]
    answer = await client.post(rerun, json={"secrets": None})
    assert (answer.status_code, answer.json()["secrets"]) == (201, [])


async def test_it_can_go_on_from_a_checkpoint(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand)
    rerun = f"/v1/executions/{execution}/rerun"
    answer = await client.post(rerun, json={"from_checkpoint": True})
    assert answer.json()["errors"][0] | {"message": ""} == {
        "field": "resume_from", "code": "no_checkpoint", "message": "",
    }  # fmt: skip
    await hand.keep_checkpoint(execution)
    for body in ({"from_checkpoint": True}, {"resume_from": execution}):
        again = (await client.post(rerun, json=body)).json()
        assert lineage(again) == (execution, execution)
    afresh = (await client.post(rerun, json={"from_checkpoint": False})).json()
    assert lineage(afresh) == (None, execution)
    # What it went on from is part of what it was.
    await hand.start(again["id"])
    await hand.end(again["id"])
    third = (await client.post(f"/v1/executions/{again['id']}/rerun")).json()
    assert lineage(third) == (execution, again["id"])
    fourth = (await client.post(f"/v1/executions/{again['id']}/rerun", json={"resume_from": None})).json()
    assert lineage(fourth) == (None, again["id"])
    for value in ("yes", [], {}):
        wrong = await client.post(rerun, json={"from_checkpoint": value})
        assert [error["field"] for error in wrong.json()["errors"]] == ["from_checkpoint"]


async def test_what_is_no_json_is_named_with_a_key_too(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand)
    for field, value in (("inputs", {"a": 2**64}), ("name", "\ud800"), ("secrets", {"A": "\ud800"})):
        for headers in ({}, {"Idempotency-Key": uuid.uuid4().hex}):
            wrong = await client.post(
                f"/v1/executions/{execution}/rerun",
                content=json.dumps({field: value}),
                headers={"Content-Type": "application/json"} | headers,
            )
            assert wrong.status_code == 422
            assert [error["field"] for error in wrong.json()["errors"]] == [field]


async def test_a_key_makes_it_one(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand, secrets={"TOKEN": "correct horse"})
    rerun, headers = f"/v1/executions/{execution}/rerun", {"Idempotency-Key": uuid.uuid4().hex}
    body = {"secrets": {"TOKEN": "correct horse"}, "name": "again"}
    first = await client.post(rerun, json=body, headers=headers)
    second = await client.post(rerun, json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    for other in (body | {"name": "otherwise"}, body | {"secrets": {"TOKEN": "battery staple"}}):
        answer = await client.post(rerun, json=other, headers=headers)
        assert answer.json()["errors"][0]["code"] == "key_reused"


async def test_a_dry_run_keeps_nothing(client: httpx.AsyncClient, hand: Hand) -> None:
    execution = await an_ended(client, hand)
    answer = await client.post(f"/v1/executions/{execution}/rerun?dry_run=true", json={"name": "maybe"})
    assert answer.status_code == 200
    shown = answer.json()["execution"]
    assert (shown["name"], shown["lineage"]["rerun_of"]) == ("maybe", execution)
    assert (await client.get(shown["links"]["self"])).status_code == 404


async def test_who_may(client: httpx.AsyncClient, stranger: httpx.AsyncClient, api: Api, hand: Hand) -> None:
    execution = await an_ended(client, hand)
    rerun = f"/v1/executions/{execution}/rerun"
    assert (await stranger.post(rerun)).status_code == 404
    reader = await api.client(None, Scope.READ, Scope.CANCEL)
    assert (await reader.post(rerun)).status_code == 403


async def test_limits_of_before_are_lowered_to_the_caps_of_today(client: httpx.AsyncClient, hand: Hand) -> None:
    """Nobody asked for them now; what is asked for is refused by the submission's own rule."""
    execution = await an_ended(client, hand, limits={"timeout": 31 * 86_400})
    answer = await client.post(f"/v1/executions/{execution}/rerun", json={"limits": {"grace": 7}})
    assert (answer.status_code, answer.json()["limits"]["grace"]) == (201, 7)


async def test_secrets_that_nothing_can_seal_are_refused(client: httpx.AsyncClient, hand: Hand, api: Api) -> None:
    execution = await an_ended(client, hand)
    keyless = api.process.settings.model_copy(update={"secret_key": None})
    async with running(keyless) as other:
        owner = (await client.get(f"/v1/executions/{execution}")).json()["owner"]
        asking = await other.client(owner)
        answer = await asking.post(
            f"/v1/executions/{execution}/rerun",
            json={"secrets": {"TOKEN": "correct horse"}},
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "no_secret_key")
