"""Whatever is wrong with a submission at once is told at once: each reason by its field, none twice, none invented."""

import json
from random import Random
from typing import Any, NamedTuple

import httpx
import pytest
from hand import Hand
from methods import BATCHES, EXECUTIONS, a_name, published

from app.merging import merged

NOBODYS = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
INPUTS = {
    "properties": {
        "rate": {"type": "number", "maximum": 1},
        "epochs": {"type": "integer", "default": 1},
        "table": {"type": "string", "format": "file"},
        "key": {"type": "string", "format": "secret", "minLength": 8},
    },
    "required": ["rate"],
}
RANDOM_SETS = 25


class Fault(NamedTuple):
    """A merge patch that makes one thing wrong, and what has to be told of it: the code by the field."""

    patch: dict[str, Any]
    told: dict[str, str]


FAULTS = [
    Fault({"name": 5}, {"name": "string_type"}),
    Fault({"colour": "red"}, {"colour": "extra_forbidden"}),
    Fault({"limits": {"timeout": "long"}}, {"limits.timeout": "int_type"}),
    Fault({"limits": {"grace": 5, "notice": 9}}, {"limits.notice": "not_below_grace"}),
    Fault({"priority": 1000}, {"priority": "less_than_equal"}),
    Fault({"retry_on": ["host_lost", "bad"]}, {"retry_on[1]": "not_a_reason"}),
    Fault({"env": {"TAILRACE_A": "1"}}, {"env.TAILRACE_A": "reserved"}),
    Fault({"labels": {"a": 1}}, {"labels.a": "string_type"}),
    Fault({"pool": "nowhere"}, {"pool": "unknown_pool"}),
    Fault({"resume_from": NOBODYS}, {"resume_from": "not_found"}),
    Fault({"lane": "high"}, {"lane": "not_allowed"}),
    Fault({"keep_workspace": True}, {"keep_workspace": "not_allowed"}),
    Fault({"files": {"a.csv": {"id": NOBODYS}}}, {"files.a.csv.id": "gone"}),
    Fault({"files": {"../b.csv": {"text": "b"}}}, {"files.../b.csv": "bad_path"}),
    Fault({"files": {"c.csv": {"url": "https://example.com/c"}}}, {"files.c.csv.url": "url_not_allowed"}),
    Fault({"named_secrets": {"T": {"name": "nobody-has-it"}}}, {"named_secrets.T.name": "unknown_secret"}),
    Fault({"secrets": {"1A": "not-a-real-one"}}, {"secrets.1A": "bad_name"}),
    Fault(
        {"webhooks": [{"url": "http://10.0.0.1/"}, {"url": "http://127.0.0.1:8000/", "events": ["x"]}]},
        {"webhooks[0].url": "refused", "webhooks[1].events[0]": "enum"},
    ),
]
OF_METHODS = [
    Fault({"inputs": {"rate": 7}}, {"inputs.rate": "maximum"}),
    Fault({"inputs": {"speed": 1}}, {"inputs.speed": "unknown_input"}),
    Fault({"inputs": {"epochs": float("nan")}}, {"inputs.epochs": "not_finite"}),
    Fault({"inputs": {"table": NOBODYS}}, {"inputs.table.id": "gone"}),
    Fault({"inputs": {"key": "short"}}, {"inputs.key": "minLength"}),
    Fault({"env": {"MODE": "x"}}, {"env.MODE": "methods_own"}),
    Fault({"command": ["sh"]}, {"command": "methods_own"}),
]


def sets_of(faults: list[Fault]) -> list[list[Fault]]:
    """Each alone, each two that are neighbours or opposite, all, and some at random."""
    chance = Random(20260115)  # noqa: S311 - to be the same each time
    some = [chance.sample(faults, chance.randint(3, len(faults))) for _ in range(RANDOM_SETS)]
    pairs = [[each, faults[index - step]] for step in (1, len(faults) // 2) for index, each in enumerate(faults)]
    return [*([each] for each in faults), *pairs, faults, *some]


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code in {403, 409, 422}, answer.text
    return sorted((each["field"], each["code"]) for each in answer.json()["errors"])


async def send(client: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    # The client would not write NaN.
    return await client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


def made(base: dict[str, Any], faults: list[Fault]) -> tuple[dict[str, Any], dict[str, str]]:
    body, expected = base, dict[str, str]()
    for fault in faults:
        body, expected = merged(body, fault.patch), expected | fault.told
    return body, expected


@pytest.fixture
async def method(client: httpx.AsyncClient) -> str:
    return await published(client, command=["{{rate}}", "{{table}}"], inputs=INPUTS, env={"MODE": "train"})


async def test_everything_wrong_with_a_submission_is_told_at_once(client: httpx.AsyncClient, method: str) -> None:
    bases = {
        "image": ({"image": "busybox:local"}, FAULTS),
        "method": ({"method": method, "inputs": {"rate": 1}}, FAULTS + OF_METHODS),
    }
    for base, faults in bases.values():
        for number, chosen in enumerate(sets_of(faults)):
            body, expected = made(base, chosen)
            answer = await send(client, EXECUTIONS + ("?dry_run=true" if number % 2 else ""), body)
            assert told(answer) == sorted(expected.items()), body


async def test_everything_wrong_with_a_rerun_is_told_at_once_by_a_dry_run(
    client: httpx.AsyncClient, method: str, hand: Hand
) -> None:
    bases = [
        ({"image": "busybox:local", "secrets": {"KEY": "not-a-real-one"}}, {"secrets": {"KEY": None}}, FAULTS),
        ({"method": method, "inputs": {"rate": 1}}, {}, FAULTS + OF_METHODS),
    ]
    for submission, patch, faults in bases:
        ended = (await client.post(EXECUTIONS, json=submission)).json()["id"]
        await hand.start(ended)
        await hand.end(ended)
        for chosen in sets_of(faults)[::4]:
            body, expected = made(patch, chosen)
            answer = await send(client, f"{EXECUTIONS}/{ended}/rerun?dry_run=true", body)
            assert told(answer) == sorted(expected.items()), body
        answer = await send(client, f"{EXECUTIONS}/{ended}/rerun?dry_run=true", {**patch, "secrets": 5, "limits": 5})
        assert {("secrets", "dict_type"), ("limits", "model_type")} <= set(told(answer))


def placed(told: dict[str, str], where: str) -> dict[str, str]:
    return {f"{where}.{field}": code for field, code in told.items()}


OF_BATCHES = [
    Fault({"name": 5}, {"name": "string_type"}),
    Fault({"colour": "red"}, {"colour": "extra_forbidden"}),
    Fault({"max_parallel": 0}, {"max_parallel": "greater_than_equal"}),
    Fault({"webhooks": [{"url": "http://10.0.0.1/"}]}, {"webhooks[0].url": "refused"}),
]


async def test_everything_wrong_with_many_is_told_at_once_where_it_was_said(
    client: httpx.AsyncClient, method: str
) -> None:
    chance = Random(20260116)  # noqa: S311 - to be the same each time
    for number in range(3 * RANDOM_SETS):
        # Of each fault it is chosen where it is; a batch of its own, its defaults, or one of two items.
        expected: dict[str, str] = {}
        body: dict[str, Any] = {"defaults": {"method": method, "inputs": {"rate": 1}}, "items": []}
        body, told_of_it = made(body, chance.sample(OF_BATCHES, chance.randint(0, len(OF_BATCHES))))
        expected |= told_of_it
        faults = chance.sample(FAULTS + OF_METHODS, chance.randint(0, 12))
        cut = chance.randint(0, len(faults)), chance.randint(0, len(faults))
        parts = faults[: min(cut)], faults[min(cut) : max(cut)], faults[max(cut) :]
        body["defaults"], told_of_it = made(body["defaults"], parts[0])
        expected |= placed(told_of_it, "defaults")
        for index, part in enumerate(parts[1:]):
            item, told_of_it = made({}, part)
            body["items"].append(item)
            expected |= placed(told_of_it, f"items[{index}]")
        if not expected:
            continue
        answer = await send(client, BATCHES + ("?dry_run=true" if number % 2 else ""), body)
        assert told(answer) == sorted(expected.items()), body


async def test_what_follows_from_what_is_wrong_already_is_not_told(client: httpx.AsyncClient, method: str) -> None:
    by_profile = await published(client, inputs=INPUTS, command=None, profiles={"quick": {"inputs": {"rate": 1}}})
    bodies = [
        ({"method": "No Name"}, {"method": "bad_method"}),
        ({"image": "busybox:local", "limits": {"grace": "x", "notice": 20}}, {"limits.grace": "int_type"}),
        ({"method": by_profile, "profile": "?"}, {"profile": "bad_key"}),
        ({"method": by_profile, "profile": "quack"}, {"profile": "unknown_profile"}),
        ({"method": method, "inputs": {"rate": float("inf")}}, {"inputs.rate": "not_finite"}),
        ({"method": method, "inputs": "none"}, {"inputs": "dict_type"}),
        ({"method": a_name(), "inputs": {"rate": 7}}, {"method": "unknown_method"}),
        ([], {"body": "model_attributes_type"}),
    ]
    for body, expected in bodies:
        assert told(await send(client, EXECUTIONS, body)) == sorted(expected.items()), body
    batches = [
        ({"defaults": {"method": method}, "matrix": {"inputs": {"rate": "x"}}}, {"matrix.inputs.rate": "list_type"}),
        (
            {"items": [{"image": "busybox:local", "key": "?"}, {"image": "b", "needs": ["a"]}]},
            {"items[0].key": "bad_key"},
        ),
        ({"items": [7, {"image": "b", "pool": "none"}]}, {"items[0]": "dict_type", "items[1].pool": "unknown_pool"}),
    ]
    for body, expected in batches:
        assert told(await send(client, BATCHES, body)) == sorted(expected.items()), body


async def test_everything_wrong_with_the_targets_of_a_schedule_is_told_at_once(
    client: httpx.AsyncClient, method: str
) -> None:
    rule, chance = {"cron": "0 3 * * *"}, Random(20260117)  # noqa: S311 - to be the same each time
    for _ in range(RANDOM_SETS):
        faults = chance.sample(FAULTS + OF_METHODS, chance.randint(1, 10))
        cut = chance.randint(0, len(faults))
        execution, told_of_it = made({"method": method, "inputs": {"rate": 1}}, faults[:cut])
        expected = placed(told_of_it, "targets[0].execution")
        item, told_of_it = made({"method": method, "inputs": {"rate": 1}}, faults[cut:])
        expected |= placed(told_of_it, "targets[1].batch.items[0]")
        body: dict[str, Any] = {"name": a_name(), "rule": rule, "targets": []}
        body["targets"] = [{"execution": execution}, {"batch": {"items": [item]}}]
        if chance.random() < 0.5:
            body, expected = {**body, "overlap": "x"}, {**expected, "overlap": "enum"}
        answer = await send(client, "/v1/schedules", body)
        assert told(answer) == sorted(expected.items()), body
    made_one = await client.post(
        "/v1/schedules", json={"name": a_name(), "rule": rule, "targets": [{"execution": {"image": "b"}}]}
    )
    nothing = {"name": a_name(), "rule": rule, "targets": [{"execution": {}}]}
    assert told(await send(client, "/v1/schedules", nothing)) == [("targets[0].execution.image", "missing")]
    change = {"catch_up": -1, "targets": [{"execution": {"image": "b", "pool": "none", "name": 5}}]}
    refused = await client.patch(f"/v1/schedules/{made_one.json()['id']}", json=change)
    assert told(refused) == [
        ("catch_up", "greater_than_equal"),
        ("targets[0].execution.name", "string_type"),
        ("targets[0].execution.pool", "unknown_pool"),
    ]


async def test_everything_wrong_with_a_trigger_is_told_at_once(client: httpx.AsyncClient, method: str) -> None:
    execution, expected = made({"image": "busybox:local"}, FAULTS)
    body = {"name": a_name(), "target": {"execution": execution}, "max_per_minute": 0}
    everything = sorted([*placed(expected, "target.execution").items(), ("max_per_minute", "greater_than_equal")])
    assert told(await send(client, "/v1/triggers", body)) == everything
    # What its inputs will be, is not known yet.
    by_method = {"name": a_name(), "target": {"execution": {"method": method}}, "max_per_minute": 0}
    assert told(await send(client, "/v1/triggers", by_method)) == [("max_per_minute", "greater_than_equal")]
