"""Many executions at once: accepted together or not at all, counted together, canceled and run again together."""

import asyncio
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hand import Hand
from served import Submit

from app.batches.model import MAX_CHILDREN
from app.batches.repository import list_needs
from app.batches.settling import settle
from app.db.engine import reading
from app.executions.states import Cause
from support.eventually import eventually

IMAGE = {"image": "busybox:local"}
HALF_A_PAIR = "\ud800"
FIELDS = {
    "image": "busybox:local",
    "command": ["true"],
    "entrypoint": ["sh"],
    "env": {"A": "1"},
    "name": "n",
    "note": "m",
    "labels": {"l": "v"},
    "workdir": "/srv",
    "user": "1000",
    "stop_signal": "SIGINT",
    "network": "bridge",
    "image_policy": "never",
    "priority": 3,
    "lane": "low",
    "hold": True,
    "limits": {"timeout": 9, "queue_timeout": 5},
    "max_attempts": 2,
    "retry_on": [3],
    "on_timeout": "retry",
}
# What no two executions share, and what stands in their history.
OWN = {"id", "created_at", "queued_at", "updated_at", "lineage", "links"}


async def submit_batch(client: httpx.AsyncClient, **fields: Any) -> Any:
    """The batch; its children have an image unless `defaults` says otherwise."""
    response = await client.post("/v1/batches", json={"defaults": IMAGE, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def refused(client: httpx.AsyncClient, **fields: Any) -> dict[str, str]:
    """The code of what is wrong, by field."""
    response = await client.post("/v1/batches", json=fields)
    assert response.status_code == 422, response.text
    return {error["field"]: error["code"] for error in response.json()["errors"]}


async def children(client: httpx.AsyncClient, batch: Any) -> list[Any]:
    """Its children, first to last."""
    items = (await client.get(f"/v1/executions?batch={batch['id']}&limit=200&sort=created")).json()["items"]
    return sorted(items, key=lambda item: item["lineage"]["batch"]["index"])


async def look(client: httpx.AsyncClient, batch: Any) -> Any:
    response = await client.get(batch["links"]["self"])
    assert response.status_code == 200, response.text
    return response.json()


def counted(batch: Any) -> dict[str, int]:
    """How many children are in each status that any of them is in."""
    return {status: count for status, count in batch["progress"]["by_status"].items() if count}


async def test_items_are_laid_over_the_defaults(client: httpx.AsyncClient) -> None:
    batch = await submit_batch(
        client,
        name="both",
        labels={"of": "batch"},
        defaults={**IMAGE, "env": {"A": "1", "B": "2"}, "labels": {"team": "a"}, "limits": {"timeout": 60}},
        items=[
            {"env": {"B": "3", "A": None}, "limits": {"memory": "64MiB"}},
            {"image": "python:local", "name": "second"},
        ],
    )
    first, second = await children(client, batch)
    assert (batch["name"], batch["labels"], batch["status"], counted(batch)) == (
        "both",
        {"of": "batch"},
        "queued",
        {"queued": 2},
    )
    assert (first["image"], first["env"], first["labels"], first["name"]) == (
        "busybox:local",
        ["B"],
        {"team": "a"},
        None,
    )
    assert (first["limits"]["timeout"], first["limits"]["memory"]) == (60, 64 * 2**20)
    assert (second["image"], second["env"], second["name"]) == ("python:local", ["A", "B"], "second")
    assert first["lineage"]["batch"] == {"id": batch["id"], "index": 0, "size": 2, "key": None}
    assert second["lineage"]["batch"] == {"id": batch["id"], "index": 1, "size": 2, "key": None}


async def test_a_matrix_gives_every_combination(client: httpx.AsyncClient) -> None:
    batch = await submit_batch(
        client,
        defaults={**IMAGE, "inputs": {"seed": 0}},
        matrix={"inputs": {"rate": [1, 2]}, "env": {"MODE": ["x", "y"]}},
    )
    items = await children(client, batch)
    assert [item["inputs"] for item in items] == [{"seed": 0, "rate": rate} for rate in (1, 1, 2, 2)]
    assert [item["env"] for item in items] == [["MODE"]] * 4


async def test_a_count_gives_as_many_alike(client: httpx.AsyncClient) -> None:
    batch = await submit_batch(client, count=3)
    assert [item["lineage"]["batch"]["index"] for item in await children(client, batch)] == [0, 1, 2]
    assert batch["progress"] == {**batch["progress"], "total": 3, "ended": 0, "percent": 0}


async def test_ten_thousand_are_accepted_in_one_request(client: httpx.AsyncClient) -> None:
    batch = await submit_batch(client, items=[{"inputs": {"n": number}} for number in range(MAX_CHILDREN)])
    assert counted(await look(client, batch)) == {"queued": MAX_CHILDREN}
    newest = (await client.get(f"/v1/executions?batch={batch['id']}&limit=1")).json()["items"][0]
    assert newest["inputs"] == {"n": MAX_CHILDREN - 1}
    canceled = await client.post(batch["links"]["cancel"])
    assert (canceled.status_code, canceled.json()["status"]) == (202, "canceled")
    assert counted(canceled.json()) == {"canceled": MAX_CHILDREN}


async def test_every_field_of_every_item_is_named_and_nothing_is_kept(client: httpx.AsyncClient) -> None:
    wrong = await refused(
        client,
        defaults={**IMAGE, "limits": {"timeout": 0}},
        items=[{}, {"limits": {"memory": "x"}, "colour": "red"}, {"image": None, "command": []}, {"pool": "nowhere"}],
    )
    assert wrong == {
        "defaults.limits.timeout": "greater_than_equal",
        "items[1].limits.memory": "byte_size",
        "items[1].colour": "extra_forbidden",
        "items[2].image": "missing",
        "items[2].command": "empty",
        "items[3].pool": "unknown_pool",
    }
    assert await refused(client, defaults=IMAGE, items=[{}, {"pool": "nowhere"}, {"resume_from": str(uuid4())}]) == {
        "items[1].pool": "unknown_pool",
        "items[2].resume_from": "not_found",
    }
    assert (await client.get("/v1/batches")).json()["items"] == []
    assert (await client.get("/v1/executions")).json()["items"] == []


async def test_a_hundred_of_all_that_is_wrong_are_told(client: httpx.AsyncClient) -> None:
    body = {"defaults": IMAGE, "items": [{"priority": 101}] * 150}
    response = await client.post("/v1/batches", json=body)
    assert response.json()["detail"].startswith("150 fields are wrong: `items[0].priority` must be at most 100;")
    assert [error["field"] for error in response.json()["errors"]] == [f"items[{n}].priority" for n in range(100)]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, {"items": "not_one_way"}),
        ({"count": 2, "items": [{}]}, {"count": "not_one_way"}),
        ({"count": 0}, {"count": "greater_than_equal"}),
        ({"count": MAX_CHILDREN + 1}, {"count": "less_than_equal"}),
        ({"items": []}, {"items": "too_short"}),
        ({"items": [1]}, {"items[0]": "dict_type"}),
        ({"matrix": {}}, {"matrix": "empty"}),
        ({"matrix": {"inputs": {"a": []}}}, {"matrix.inputs.a": "too_short"}),
        ({"matrix": {"inputs": {"a b": [1, 2]}}}, {"matrix.inputs.a b": "bad_name"}),
        ({"matrix": {"inputs": {"a": [1] * 101, "b": [1] * 100}}}, {"matrix": "too_many"}),
        ({"matrix": {"inputs": {f"n{number}": [1, 2] for number in range(20_000)}}}, {"matrix": "too_many"}),
        ({"matrix": {"inputs": {"a": [1, 2**64]}}}, {"matrix.inputs": "not_json"}),
        ({"matrix": {"env": {"A": ["1", HALF_A_PAIR]}}}, {"matrix.env": "not_json"}),
        ({"count": 10_000, "defaults": {**IMAGE, "inputs": {"a": "x" * 10_000}}}, {"defaults": "too_large"}),
        ({"matrix": {"inputs": {"a": ["x" * 10_000], "b": list(range(10_000))}}}, {"matrix": "too_large"}),
        ({"query": {"owner": ["somebody else"]}}, {"query.owner": "not_yours"}),
        ({"count": 1, "max_parallel": 0}, {"max_parallel": "greater_than_equal"}),
        ({"count": 1, "speed": 1}, {"speed": "extra_forbidden"}),
        ({"count": 2, "defaults": {**IMAGE, "key": "a"}}, {"defaults.key": "same_key"}),
        ({"items": [{"key": "a"}, {"key": "a"}]}, {"items[1].key": "same_key"}),
        ({"items": [{"key": "../a"}]}, {"items[0].key": "bad_key"}),
        ({"items": [{"key": "a", "needs": ["b", "c"]}, {"key": "b"}]}, {"items[0].needs[1]": "unknown_key"}),
        ({"items": [{"key": "a", "needs": ["b"]}, {"key": "b", "needs": ["a"]}]}, {"items[0].needs": "ring"}),
        ({"query": {"status": ["failed"]}}, {"query": "no_children"}),
    ],
)
async def test_what_cannot_be_a_batch_is_refused(
    client: httpx.AsyncClient, fields: dict[str, Any], wrong: dict[str, str]
) -> None:
    # With a key too: then the body is told from others, before it is looked at any further.
    body = json.dumps({"defaults": IMAGE, **fields})
    for key in ({}, {"Idempotency-Key": uuid4().hex}):
        response = await client.post("/v1/batches", content=body, headers={"Content-Type": "application/json", **key})
        assert response.status_code == 422, response.text
        assert {error["field"]: error["code"] for error in response.json()["errors"]} == wrong
        assert len(response.json()["detail"]) < 500


async def test_what_is_wrong_with_all_alike_is_told_once(client: httpx.AsyncClient) -> None:
    for fields, field in (
        ({"pool": "nowhere"}, "pool"),
        ({"resume_from": str(uuid4())}, "resume_from"),
        ({"limits": {"timeout": 10**9}}, "limits.timeout"),
    ):
        for way in ({"count": 3}, {"items": [{}, {"name": "second"}]}, {"matrix": {"inputs": {"x": [1, 2]}}}):
            response = await client.post("/v1/batches", json={"defaults": {**IMAGE, **fields}, **way})
            assert response.status_code == 422
            assert [error["field"] for error in response.json()["errors"]] == [f"defaults.{field}"]


async def test_of_what_children_go_on_from_each_is_judged(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    saved, empty, active = [await submit() for _ in range(3)]
    for execution in (saved, empty):
        await hand.start(execution)
    await hand.keep_checkpoint(saved)
    for execution in (saved, empty):
        await hand.end(execution)
    others = (await stranger.post("/v1/executions", json=IMAGE)).json()["id"]
    items = [{"resume_from": each} for each in (saved, empty, active, others, empty)]
    assert await refused(client, defaults=IMAGE, items=items) == {
        "items[1].resume_from": "no_checkpoint",
        "items[2].resume_from": "still_active",
        "items[3].resume_from": "not_found",
        "items[4].resume_from": "no_checkpoint",
    }
    batch = await submit_batch(client, items=[{"resume_from": saved}, {}, {"resume_from": saved}])
    sources = [child["lineage"]["resumed_from"] for child in await children(client, batch)]
    assert sources == [saved, None, saved]


async def test_a_ring_is_named(client: httpx.AsyncClient) -> None:
    items = [{"key": "a", "needs": ["b"]}, {"key": "b", "needs": ["c"]}, {"key": "c", "needs": ["b"]}]
    response = await client.post("/v1/batches", json={"defaults": IMAGE, "items": items})
    assert "makes a ring: `b` → `c` → `b`" in response.json()["detail"]


async def test_a_dry_run_keeps_nothing(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/batches?dry_run=true", json={"defaults": IMAGE, "count": 5})
    assert (response.status_code, response.json()["batch"]["progress"]["total"]) == (200, 5)
    assert (await client.get("/v1/batches")).json()["items"] == []


async def test_a_batch_sent_again_with_its_key_is_the_same(client: httpx.AsyncClient) -> None:
    body, headers = {"defaults": IMAGE, "count": 2}, {"Idempotency-Key": str(uuid4())}
    first = await client.post("/v1/batches", json=body, headers=headers)
    again = await client.post("/v1/batches", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (again.headers["location"], again.headers["idempotency-replayed"]) == (first.json()["links"]["self"], "true")
    other = await client.post("/v1/batches", json={**body, "count": 3}, headers=headers)
    single = await client.post("/v1/executions", json=IMAGE, headers=headers)
    assert [answer.json()["errors"][0]["code"] for answer in (other, single)] == ["key_reused", "key_reused"]
    assert len((await client.get("/v1/executions")).json()["items"]) == 2


async def test_others_batches_do_not_exist(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    batch = await submit_batch(client, count=1)
    for method, path in (
        ("GET", ""),
        ("GET", "/needs"),
        ("POST", "/cancel"),
        ("POST", "/rerun"),
        ("GET", "/outputs.zip"),
    ):
        response = await stranger.request(method, batch["links"]["self"] + path)
        assert response.status_code == 404, (method, path)
    assert (await stranger.get("/v1/batches")).json()["items"] == []


async def test_batches_are_listed_by_page_newest_first(client: httpx.AsyncClient) -> None:
    ids = [(await submit_batch(client, count=number + 1))["id"] for number in range(3)]
    first = (await client.get("/v1/batches?limit=2")).json()
    rest = (await client.get(f"/v1/batches?limit=2&cursor={first['next']}")).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None


async def test_who_needs_whom_is_told_by_page(client: httpx.AsyncClient) -> None:
    items = [{"key": "a"}, {"key": "b", "needs": ["a"]}, {"key": "sum", "needs": ["b", "a"]}, {}]
    batch = await submit_batch(client, items=items)
    own = f"{batch['links']['self']}/needs"
    first = (await client.get(own, params={"limit": 3})).json()
    rest = (await client.get(own, params={"limit": 3, "cursor": first["next"]})).json()
    told = first["items"] + rest["items"]
    ids = {child["key"]: child["execution"] for child in told}
    assert [(child["index"], [(need["name"], need["execution"]) for need in child["needs"]]) for child in told] == [
        (0, []),
        (1, [("a", ids["a"])]),
        (2, [("a", ids["a"]), ("b", ids["b"])]),
        (3, []),
    ]
    assert rest["next"] is None


async def test_the_status_follows_from_the_children(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(client, count=3)
    first, second, third = [child["id"] for child in await children(client, batch)]
    await hand.start(first)
    assert (await look(client, batch))["status"] == "running"
    await hand.end(first)
    assert ((await look(client, batch))["status"], (await look(client, batch))["progress"]["percent"]) == (
        "running",
        33,
    )
    await hand.start(second)
    await hand.end(second, Cause.EXIT_NONZERO, exit_code=1)
    await hand.start(third)
    await hand.end(third)
    ended = await look(client, batch)
    assert (ended["status"], counted(ended)) == ("failed", {"succeeded": 2, "failed": 1})
    assert ended["finished_at"] == (await children(client, batch))[2]["finished_at"]


async def test_who_waits_for_a_batch_is_told_when_all_of_it_has_ended(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(client, count=2)
    first, second = [child["id"] for child in await children(client, batch)]
    await hand.start(first)
    await hand.end(first)
    own = f"/v1/batches/{batch['id']}"
    assert (await client.get(f"{own}?wait=0.1")).json()["status"] == "running"
    waiting = asyncio.create_task(client.get(f"{own}?wait=60"))
    await hand.start(second)
    await hand.end(second)
    assert (await waiting).json()["status"] == "succeeded"
    going = await submit_batch(client, count=1)
    waiting = asyncio.create_task(client.get(f"/v1/batches/{going['id']}?wait=60"))
    assert (await client.delete(f"/v1/batches/{going['id']}")).status_code == 204
    assert (await waiting).status_code == 404
    assert (await client.get(f"{own}?wiat=60")).json()["errors"][0]["field"] == "wiat"


async def test_a_canceled_batch_ends_what_is_queued_and_stops_what_runs(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(client, count=3, max_parallel=2)
    running, _, _ = [child["id"] for child in await children(client, batch)]
    await hand.start(running)
    answer = await client.post(batch["links"]["cancel"])
    assert (answer.status_code, counted(answer.json())) == (202, {"stopping": 1, "canceled": 2})
    assert answer.json()["stop"]["reason"] == "cancel"
    again = await client.post(batch["links"]["cancel"])
    assert (again.status_code, again.json()) == (202, answer.json())
    await hand.end(running, Cause.CANCELED_BY_USER)
    over = await client.post(batch["links"]["cancel"])
    assert (over.status_code, over.json()["status"]) == (200, "canceled")


async def test_whoever_needs_a_canceled_child_is_canceled_with_it(client: httpx.AsyncClient) -> None:
    batch = await submit_batch(client, items=[{"key": "a"}, {"key": "b", "needs": ["a"]}, {}])
    first, _, _ = await children(client, batch)
    await client.post(first["links"]["cancel"])

    async def both() -> bool:
        return counted(await look(client, batch)) == {"canceled": 2, "queued": 1}

    await eventually(both)


async def test_a_batch_counts_as_much_as_its_children(client: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    owner = (await submit_batch(client, count=1))["owner"]
    await admin.put(f"/v1/quotas/{owner}", json={"max_queued": 5})
    response = await client.post("/v1/batches", json={"defaults": IMAGE, "count": 5})
    assert response.status_code == 429, response.text
    await submit_batch(client, count=4)


async def test_what_has_ended_otherwise_is_not_canceled(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(client, count=1)
    (child,) = await children(client, batch)
    await hand.start(child["id"])
    await hand.end(child["id"])
    assert (await client.post(batch["links"]["cancel"])).status_code == 409


async def test_children_have_secrets_of_their_own(client: httpx.AsyncClient) -> None:
    batch = await submit_batch(
        client,
        defaults={**IMAGE, "secrets": {"COMMON": "of-all-of-them"}},
        items=[{}, {"secrets": {"OWN": "of-the-second"}}],
    )
    first, second = await children(client, batch)
    assert (first["secrets"], second["secrets"]) == (["COMMON"], ["COMMON", "OWN"])


async def test_only_what_did_not_succeed_is_run_again(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(
        client,
        name="pipeline",
        fail_fast=False,
        items=[{"key": "a"}, {"key": "b", "needs": ["a"], "inputs": {"x": 1}}, {"key": "c", "needs": ["a", "b"]}],
    )
    a, b, c = [child["id"] for child in await children(client, batch)]
    early = await client.post(batch["links"]["rerun"])
    assert early.status_code == 409
    await hand.start(a)
    await hand.end(a)
    await hand.start(b)
    await hand.end(b, Cause.EXIT_NONZERO, exit_code=2)
    await settle(hand.process, UUID(batch["id"]))
    assert counted(await look(client, batch)) == {"succeeded": 1, "failed": 1, "canceled": 1}

    response = await client.post(batch["links"]["rerun"], json={"only": "failed"})
    assert response.status_code == 201, response.text
    again = response.json()
    assert (again["name"], again["lineage"]["rerun_of"], again["progress"]["total"]) == ("pipeline", batch["id"], 2)
    second, third = await children(client, again)
    assert [child["lineage"]["batch"]["index"] for child in (second, third)] == [1, 2]
    assert [child["lineage"]["batch"]["size"] for child in (second, third)] == [3, 3]
    assert [child["lineage"]["rerun_of"] for child in (second, third)] == [b, c]
    assert (second["inputs"], second["waiting_on"] == "needs", third["waiting_on"]) == ({"x": 1}, False, "needs")
    async with reading(hand.process.database) as connection:
        needs = await list_needs(connection, UUID(again["id"]))
    assert needs == {
        UUID(second["id"]): {"a": UUID(a)},
        UUID(third["id"]): {"a": UUID(a), "b": UUID(second["id"])},
    }


async def test_all_of_it_is_run_again_when_asked(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(client, items=[{"key": "a"}, {"key": "b", "needs": ["a"]}])
    for child in await children(client, batch):
        await hand.start(child["id"])
        await hand.end(child["id"])
    assert (await client.post(batch["links"]["rerun"])).status_code == 409
    key = {"Idempotency-Key": str(uuid4())}
    again = await client.post(batch["links"]["rerun"], json={"only": "all"}, headers=key)
    assert (again.status_code, again.json()["progress"]["total"]) == (201, 2)
    replayed = await client.post(batch["links"]["rerun"], json={"only": "all"}, headers=key)
    assert replayed.json()["id"] == again.json()["id"]
    assert [child["waiting_on"] for child in await children(client, again.json())][1] == "needs"


async def test_what_is_run_again_is_the_same(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(
        client, name="n", note="m", labels={"l": "v"}, items=[{**FIELDS, "hold": False}] * 2, max_parallel=1
    )
    before = await children(client, batch)
    await client.post(batch["links"]["cancel"])
    again = (await client.post(batch["links"]["rerun"])).json()
    after = await children(client, again)
    for one, other in zip(before, after, strict=True):
        assert {name: value for name, value in one.items() if name not in OWN} == {
            name: value for name, value in other.items() if name not in OWN
        }
    same = {"name", "note", "labels", "owner", "max_parallel", "fail_fast", "status", "progress"}
    assert {name: batch[name] for name in same} == {name: again[name] for name in same}


async def test_outputs_that_have_expired_are_not_to_be_had_again(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    batch = await submit_batch(client, items=[{"key": "a"}, {"key": "b", "needs": ["a"]}])
    first, second = [child["id"] for child in await children(client, batch)]
    await hand.start(first)
    await hand.end(first)
    await hand.start(second)
    await hand.end(second, Cause.EXIT_NONZERO, exit_code=1)
    await hand.change(first, outputs_expired_at=datetime.now(UTC))
    response = await client.post(batch["links"]["rerun"])
    wrong = [(error["field"], error["code"]) for error in response.json()["errors"]]
    assert (response.status_code, wrong) == (422, [("children[1]", "outputs_expired")])
    assert f"`a`, of {first}" in response.json()["detail"]
    alone = await client.post(f"/v1/executions/{second}/rerun")
    wrong = [(error["field"], error["code"]) for error in alone.json()["errors"]]
    assert (alone.status_code, wrong) == (422, [("needs.a", "gone")])
    many = await client.post("/v1/executions:rerun", json={"batch": batch["id"], "status": "failed"})
    assert [(item["result"], item["error"]["detail"]) for item in many.json()["items"]] == [
        ("refused", alone.json()["detail"])
    ]
    assert await refused(client, defaults=IMAGE, query={"batch": batch["id"], "status": ["succeeded"]}) == {
        "query": "outputs_expired"
    }
    assert (await client.post(batch["links"]["rerun"], json={"only": "all"})).status_code == 201


async def test_children_with_secrets_are_not_run_again_without_them(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(client, count=1, defaults={**IMAGE, "secrets": {"TOKEN": "not-a-real-one"}})
    (child,) = await children(client, batch)
    await hand.start(child["id"])
    await hand.end(child["id"], Cause.EXIT_NONZERO, exit_code=1)
    response = await client.post(batch["links"]["rerun"])
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "children[0].secrets")


async def test_a_query_gives_one_child_per_execution_that_has_ended(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    found = [await submit(labels={"set": "x"}) for _ in range(3)]
    await submit(labels={"set": "y"})
    for execution in found[:2]:
        await hand.start(execution)
        await hand.end(execution)
    batch = await submit_batch(client, query={"label": {"set": "x"}}, defaults={**IMAGE, "inputs": {"mode": "fast"}})
    items = await children(client, batch)
    assert [item["inputs"] for item in items] == [{"mode": "fast", "execution": id_} for id_ in found[:2]]
    assert [item["waiting_on"] == "needs" for item in items] == [False, False]


async def test_the_outputs_of_all_children_come_as_one_zip(client: httpx.AsyncClient, hand: Hand) -> None:
    batch = await submit_batch(client, items=[{"key": "train"}, {"name": "../odd: name"}, {}])
    first, second, third = [child["id"] for child in await children(client, batch)]
    for child in (first, second, third):
        await hand.start(child)
    await hand.keep_outputs(first, {"model/weights.bin": b"w" * 100_000, "log.txt": b"done"})
    await hand.keep_outputs(second, {"a.txt": b"a"})
    for child in (first, second, third):
        await hand.end(child)
    response = await client.get(batch["links"]["outputs"])
    assert response.headers["content-type"] == "application/zip"
    assert f"{batch['id']}-outputs.zip" in response.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert {name: len(archive.read(name)) for name in archive.namelist()} == {
            "0-train/log.txt": 4,
            "0-train/model/weights.bin": 100_000,
            "1-.._odd_ name/a.txt": 1,
        }


async def test_a_batch_that_left_nothing_is_an_empty_zip(client: httpx.AsyncClient) -> None:
    batch = await submit_batch(client, count=1)
    response = await client.get(batch["links"]["outputs"])
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.namelist() == []


async def test_a_child_is_what_a_submission_of_its_fields_is(client: httpx.AsyncClient) -> None:
    fields = {**FIELDS, "not_before": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    single = (await client.post("/v1/executions", json=fields)).json()
    (child,) = await children(client, await submit_batch(client, items=[fields]))
    assert {name: value for name, value in child.items() if name not in OWN} == {
        name: value for name, value in single.items() if name not in OWN
    }
