"""Schedules over HTTP: made, judged, shown, changed, tried and deleted. When they fire is tested in tests/records."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hand import Hand
from methods import INPUTS, published
from served import Api

from app.auth.tokens import Scope
from app.db.engine import reading, transaction
from app.schedules import repository
from app.schedules.firing import BY_HAND_AT_ONCE
from app.secrets import repository as secrets
from support.eventually import eventually
from support.racing import is_blocked_by

Json = dict[str, Any]
RUN = {"execution": {"image": "busybox:local", "command": ["true"]}}


def a_schedule(**fields: Any) -> Json:
    return {"name": uuid4().hex, "rule": {"cron": "@daily"}, "targets": [RUN], **fields}


async def add(client: httpx.AsyncClient, **fields: Any) -> Json:
    answer = await client.post("/v1/schedules", json=a_schedule(**fields))
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    assert answer.headers["location"] == made["links"]["self"] == f"/v1/schedules/{made['id']}"
    return made


def fields_of(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


async def test_one_is_made_found_and_deleted(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    rule = {"cron": "30 6 * * MON-FRI", "time_zone": "Europe/Berlin", "jitter": 60}
    made = await add(client, rule=rule, labels={"team": "a"}, overlap="queue", catch_up=0, time_input="day")
    assert made["rule"] == {**rule, "every": None, "offset": 0, "start": None, "end": None}
    assert (made["overlap"], made["catch_up"], made["time_input"]) == ("queue", 0, "day")
    assert (made["enabled"], made["paused_reason"], made["failures"], made["last_at"]) == (True, None, 0, None)
    assert made["next"]["at"] <= made["next"]["due_at"]
    own = made["links"]["self"]
    assert (await client.get(own)).json() == (await admin.get(own)).json() == made
    assert [each["id"] for each in (await client.get("/v1/schedules")).json()["items"]] == [made["id"]]
    assert (await stranger.get("/v1/schedules")).json()["items"] == []
    for path in (own, f"{own}/runs", f"{own}/preview"):
        assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(f"{own}/fire")).status_code == 404
    assert (await stranger.patch(own, json={"enabled": False})).status_code == 404
    assert (await stranger.delete(own)).status_code == 404
    assert (await client.delete(own)).status_code == 204
    assert (await client.get(own)).status_code == 404


async def test_everything_that_is_wrong_with_it_is_told(client: httpx.AsyncClient) -> None:
    targets: list[Json] = [
        {"execution": {"image": "NO", "limits": {"timeout": 0}}},
        {"batch": {"count": 2, "matrix": {"env": {"A": ["1"]}}}},
        {},
    ]
    wrong = {"rule": {"cron": "never", "offset": -1}, "targets": targets, "overlap": "x", "colour": "red"}
    assert set(fields_of(await client.post("/v1/schedules", json=wrong))) == {
        ("name", "missing"),
        ("rule.cron", "bad_cron"),
        ("rule.offset", "greater_than_equal"),
        ("overlap", "enum"),
        ("targets[0].execution.image", "not_an_image"),
        ("targets[0].execution.limits.timeout", "greater_than_equal"),
        ("targets[1].batch.count", "not_one_way"),
        ("targets[1].batch.defaults.image", "missing"),
        ("targets[2]", "not_one_way"),
        ("colour", "extra_forbidden"),
    }


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ({"execution": {"image": "a:1", "pool": "none-such"}}, ("targets[0].execution.pool", "unknown_pool")),
        (
            {"execution": {"image": "a:1", "resume_from": "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"}},
            ("targets[0].execution.resume_from", "not_found"),
        ),
        (
            {"batch": {"defaults": {"image": "a:1"}, "items": [{}, {"pool": "none-such"}]}},
            ("targets[0].batch.items[1].pool", "unknown_pool"),
        ),
        ({"batch": {"items": [{"image": "a:1"}, {}]}}, ("targets[0].batch.items[1].image", "missing")),
        ({"execution": {"image": "a:1", "env": {"A": "***"}}}, ("targets[0].execution", "hidden")),
        ({"batch": {"items": [{"image": "a:1", "note": "x" * 4000}] * 300}}, ("targets", "too_large")),
        (
            {"batch": {"defaults": {"image": "a:1"}, "items": [{"env": {"A": "***"}}]}},
            ("targets[0].batch", "hidden"),
        ),
        (
            {"batch": {"defaults": {"image": "A"}, "query": {"label": {"a": "b"}}}},
            ("targets[0].batch.defaults.image", "not_an_image"),
        ),
    ],
)
async def test_targets_are_judged_as_if_they_were_submitted(
    client: httpx.AsyncClient, target: Json, wrong: tuple[str, str]
) -> None:
    answer = await client.post("/v1/schedules", json=a_schedule(targets=[target]))
    assert fields_of(answer) == [wrong]
    assert (await client.get("/v1/executions")).json()["items"] == []


async def test_all_targets_together_are_no_more_than_one_batch(client: httpx.AsyncClient) -> None:
    many = {"batch": {"defaults": {"image": "a:1"}, "count": 10_000}}
    answer = await client.post("/v1/schedules", json=a_schedule(targets=[many, RUN]))
    assert fields_of(answer) == [("targets[1].execution", "too_many")]


async def test_what_is_judged_leaves_nothing_and_counts_for_no_quota(
    client: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    owner = (await client.get("/v1/me")).json()["owner"]
    await admin.put(f"/v1/quotas/{owner}", json={"max_queued": 1})
    made = await add(client, targets=[RUN, RUN, {"batch": {"defaults": RUN["execution"], "count": 3}}])
    assert (await client.get("/v1/executions")).json()["items"] == []
    refused = await client.post(f"{made['links']['self']}/fire")
    assert (refused.status_code, refused.json()["limit"]) == (429, 1)


async def test_who_is_no_admin_finds_nothing_of_others_by_the_tokens_of_one(
    api: Api, client: httpx.AsyncClient
) -> None:
    """Whoever has a lesser token of an admin is not to gain by it that the schedule fires in that one's name."""
    theirs = (await client.post("/v1/executions", json={"image": "a:1", "labels": {"of": uuid4().hex}})).json()
    assert (await client.post(f"/v1/executions/{theirs['id']}/cancel")).status_code == 202
    query = {"batch": {"defaults": {"image": "a:1"}, "query": {"label": theirs["labels"]}}}
    owner = uuid4().hex
    made = {}
    for scope in (Scope.ADMIN, Scope.SUBMIT):
        holder = await api.client(owner, scope)
        schedule = await add(holder, targets=[query])
        made[scope] = (await holder.post(schedule["links"]["fire"])).json()["status"]
    assert made == {Scope.ADMIN: "fired", Scope.SUBMIT: "skipped"}


async def test_a_rule_that_never_fires_is_refused(client: httpx.AsyncClient) -> None:
    over = {"every": 60, "end": "2020-01-01T00:00:00Z"}
    assert fields_of(await client.post("/v1/schedules", json=a_schedule(rule=over))) == [("rule", "never_fires")]


async def test_a_name_is_had_once(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    first, second = await add(client, name="one"), await add(client, name="two")
    await add(stranger, name="one")
    assert (await client.post("/v1/schedules", json=a_schedule(name="one"))).status_code == 409
    assert (await client.patch(second["links"]["self"], json={"name": "one"})).status_code == 409
    assert (await client.patch(first["links"]["self"], json={"name": "one"})).status_code == 200


async def test_a_change_is_a_merge_patch(client: httpx.AsyncClient) -> None:
    made = await add(client, note="n", labels={"a": "1", "b": "2"}, rule={"cron": "@daily", "jitter": 5})
    own = made["links"]["self"]
    patch = {"note": None, "labels": {"a": None, "c": "3"}, "rule": {"cron": None, "every": 60}, "overlap": "allow"}
    changed = (await client.patch(own, json=patch)).json()
    assert (changed["note"], changed["labels"], changed["overlap"]) == (None, {"b": "2", "c": "3"}, "allow")
    assert (changed["rule"]["cron"], changed["rule"]["every"], changed["rule"]["jitter"]) == (None, 60, 5)
    assert changed["next"]["at"] < made["next"]["at"]
    assert changed["targets"] == made["targets"]
    paused = (await client.patch(own, json={"enabled": False})).json()
    assert (paused["enabled"], paused["next"]) == (False, None)
    assert (await client.patch(own, json={"enabled": True})).json()["next"] is not None
    assert fields_of(await client.patch(own, json={"rule": {"cron": "@daily"}})) == [("rule.every", "not_one_way")]
    assert fields_of(await client.patch(own, json={"name": None})) == [("name", "missing")]
    assert fields_of(await client.patch(own, json={"targets": []})) == [("targets", "too_short")]
    assert fields_of(await client.patch(own, json={"colour": None})) == [("colour", "extra_forbidden")]
    replaced = (await client.patch(own, json={"targets": [{"execution": {"image": "other:1"}}]})).json()
    assert replaced["targets"] == [{"execution": {"image": "other:1"}}]


async def test_a_change_may_ask_that_nothing_was_changed_since(client: httpx.AsyncClient) -> None:
    own = (await add(client))["links"]["self"]
    etag = (await client.get(own)).headers["etag"]
    first = await client.patch(own, json={"note": "first"}, headers={"If-Match": etag})
    assert first.status_code == 200
    for refused in (
        await client.patch(own, json={"note": "second"}, headers={"If-Match": etag}),
        await client.delete(own, headers={"If-Match": etag}),
    ):
        assert (refused.status_code, refused.json()["type"]) == (412, "urn:tailrace:problem:precondition_failed")
    assert (await client.get(own)).json()["note"] == "first"
    assert (await client.delete(own, headers={"If-Match": first.headers["etag"]})).status_code == 204


async def test_nobody_gets_to_see_secrets_and_variables(client: httpx.AsyncClient, hand: Hand) -> None:
    value = f"confided-{uuid4().hex}"
    alone = {"image": "busybox:local", "env": {"A": value}, "secrets": {"S": value}}
    together = {"defaults": {"image": "busybox:local", "secrets": {"T": value}}, "items": [{}, {"env": {"B": value}}]}
    answer = await client.post("/v1/schedules", json=a_schedule(targets=[{"execution": alone}, {"batch": together}]))
    assert answer.status_code == 201, answer.text
    own = answer.json()["links"]["self"]
    assert answer.json()["targets"] == [
        {"execution": {"image": "busybox:local", "env": {"A": "***"}, "secrets": {"S": "***"}}},
        {
            "batch": {
                "defaults": {"image": "busybox:local", "secrets": {"T": "***"}},
                "items": [{}, {"env": {"B": "***"}}],
            }
        },
    ]
    async with reading(hand.process.database) as connection:
        assert value not in str(await repository.find(connection, UUID(answer.json()["id"])))
    run = (await client.post(f"{own}/fire")).json()
    assert value not in answer.text + (await client.get(own)).text + str(run)
    execution = (await client.get(f"/v1/executions/{run['made'][0]['execution']}")).json()
    assert (execution["env"], execution["secrets"]) == (["A"], ["S"])
    async with reading(hand.process.database) as connection:
        ((name, sealed),) = (await secrets.read(connection, UUID(execution["id"]))).items()
    assert hand.process.vault.open(sealed, execution=UUID(execution["id"]), name=name) == value


async def test_a_method_is_fired_with_its_inputs(client: httpx.AsyncClient) -> None:
    value = f"confided-{uuid4().hex}"
    properties = {**INPUTS["properties"], "key": {"type": "string", "format": "secret"}}
    method = await published(client, inputs={**INPUTS, "properties": properties})
    inputs = {"rate": 0.5, "key": value}
    made = await add(client, targets=[{"execution": {"method": method, "inputs": inputs}}])
    assert made["targets"] == [{"execution": {"method": method, "inputs": {"rate": 0.5, "key": "***"}}}]
    run = (await client.post(made["links"]["fire"])).json()
    execution = (await client.get(f"/v1/executions/{run['made'][0]['execution']}")).json()
    assert (execution["method"]["name"], execution["secrets"]) == (method, ["INPUT_KEY"])
    assert (execution["inputs"]["rate"], execution["logical_time"]) == (0.5, run["at"])


async def test_it_is_fired_by_hand_and_its_executions_are_found(client: httpx.AsyncClient) -> None:
    batch = {"batch": {"defaults": {"image": "busybox:local"}, "count": 2}}
    made = await add(client, enabled=False, targets=[RUN, batch])
    answer = await client.post(f"{made['links']['self']}/fire")
    assert answer.status_code == 201, answer.text
    run = answer.json()
    assert (run["status"], run["manual"], len(run["made"])) == ("fired", True, 2)
    found = (await client.get(made["links"]["executions"])).json()["items"]
    assert len(found) == 3
    assert {each["lineage"]["schedule"] for each in found} == {made["id"]}
    assert {each["source"] for each in found} == {"schedule"}
    assert {each["logical_time"] for each in found} == {run["at"]}
    assert (await client.get("/v1/executions", params={"schedule": str(uuid4())})).json()["items"] == []
    # A rerun is about the same time, and not the schedule's.
    await client.post(f"/v1/executions/{run['made'][0]['execution']}/cancel")
    again = (await client.post(f"/v1/executions/{run['made'][0]['execution']}/rerun")).json()
    assert (again["logical_time"], again["lineage"]["schedule"]) == (run["at"], None)


async def test_a_flood_of_firings_by_hand_takes_one_connection(api: Api, client: httpx.AsyncClient) -> None:
    schedule = await add(client)
    async with transaction(api.process.database) as connection:
        await repository.find(connection, UUID(schedule["id"]), lock=True)
        asked = [asyncio.create_task(client.post(schedule["links"]["fire"])) for _ in range(BY_HAND_AT_ONCE + 2)]
        await eventually(lambda: sum(each.done() for each in asked) == 2)
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [201] * BY_HAND_AT_ONCE + [429] * 2


async def test_nothing_is_fired_of_what_it_was_before(api: Api, client: httpx.AsyncClient) -> None:
    schedule = await add(client)
    async with transaction(api.process.database) as connection:
        await repository.find(connection, UUID(schedule["id"]), lock=True)
        firing = asyncio.create_task(client.post(schedule["links"]["fire"]))
        await eventually(lambda: is_blocked_by(api.process, connection))
        await repository.change(connection, UUID(schedule["id"]), {"note": "another one"})
    assert (await firing).status_code == 409
    assert (await client.get(schedule["links"]["runs"])).json()["items"] == []


async def test_runs_have_pages(client: httpx.AsyncClient) -> None:
    own = (await add(client, overlap="allow"))["links"]["self"]
    fired = [(await client.post(f"{own}/fire")).json()["at"] for _ in range(5)]
    seen: list[str] = []
    page = (await client.get(f"{own}/runs", params={"limit": 2})).json()
    seen += [run["at"] for run in page["items"]]
    while page["next"] is not None:
        page = (await client.get(f"{own}/runs", params={"limit": 2, "cursor": page["next"]})).json()
        seen += [run["at"] for run in page["items"]]
    assert seen == fired[::-1]
    assert (await client.get(f"{own}/runs", params={"status": "failed"})).json()["items"] == []


async def test_schedules_have_pages_and_a_filter(client: httpx.AsyncClient) -> None:
    made = [(await add(client, enabled=number != 1))["id"] for number in range(3)]
    first = (await client.get("/v1/schedules", params={"limit": 2})).json()
    second = (await client.get("/v1/schedules", params={"limit": 2, "cursor": first["next"]})).json()
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
    disabled = (await client.get("/v1/schedules", params={"enabled": False})).json()["items"]
    assert [each["id"] for each in disabled] == [made[1]]


async def test_the_next_firings_of_a_rule(client: httpx.AsyncClient) -> None:
    rule = {"cron": "30 2 * * *", "time_zone": "Europe/Berlin"}
    asked = {"rule": rule, "count": 2, "after": "2026-03-28T00:00:00Z"}
    answer = await client.post("/v1/schedules:preview", json=asked)
    assert [(each["at"], each["local"]) for each in answer.json()["items"]] == [
        ("2026-03-28T01:30:00Z", "2026-03-28T02:30:00+01:00"),
        ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"),
    ]
    assert len((await client.post("/v1/schedules:preview", json={"rule": {"every": 9}})).json()["items"]) == 10
    made = await add(client, rule={**rule, "jitter": 600}, enabled=False)
    preview = (await client.get(made["links"]["preview"], params={"count": 1})).json()["items"]
    await client.patch(made["links"]["self"], json={"enabled": True})
    assert (await client.get(made["links"]["self"])).json()["next"]["due_at"] == preview[0]["due_at"]


async def test_what_a_token_may_do(api: Api, client: httpx.AsyncClient) -> None:
    own = (await add(client))["links"]["self"]
    owner = (await client.get("/v1/me")).json()["owner"]
    reader = await api.client(owner, Scope.READ)
    assert (await reader.get(own)).status_code == 200
    assert (await reader.post("/v1/schedules", json=a_schedule())).status_code == 403
    assert (await reader.patch(own, json={"enabled": False})).status_code == 403
    assert (await reader.delete(own)).status_code == 403
    assert (await reader.post(f"{own}/fire")).status_code == 403
    high = {"execution": {"image": "a:1", "lane": "high"}}
    assert (await client.post("/v1/schedules", json=a_schedule(targets=[high]))).status_code == 403


async def test_an_execution_may_be_about_a_time(client: httpx.AsyncClient) -> None:
    body = {"image": "busybox:local", "logical_time": "2026-03-28T01:00:00+01:00"}
    execution = (await client.post("/v1/executions", json=body)).json()
    assert execution["logical_time"] == "2026-03-28T00:00:00Z"
    wrong = await client.post("/v1/executions", json={**body, "logical_time": "2026-03-28T01:00:00"})
    assert fields_of(wrong) == [("logical_time", "timezone_aware")]
