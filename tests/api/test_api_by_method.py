"""Submissions by method: what they become, what is refused, and that they are counted and found by it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hand import Hand
from methods import BATCHES, EXECUTIONS, METHODS, TRAIN, a_name, draft, publish, published, submit, wrong
from served import Api
from sqlalchemy import func, select

from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.executions.states import Cause
from app.stats import repository as stats
from app.webhooks.signing import new_secret
from app.webhooks.tables import WebhookRow


async def fail(hand: Hand, execution: str) -> None:
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)


async def test_a_method_becomes_what_it_says(client: httpx.AsyncClient) -> None:
    name = await published(
        client,
        env={"MODE": "train"},
        labels={"team": "a"},
        limits={"timeout": 60, "memory": "64MiB"},
        exit_codes={"3": "retry"},
    )
    record = await submit(
        client, name, env={"DEBUG": "1"}, labels={"tier": "b"}, limits={"timeout": 30}, name="mine", priority=3
    )
    assert record["method"] == {"name": name, "version": "1.0.0", "profile": None}
    assert record["image"] == "busybox:local"
    assert record["command"] == ["echo", "--rate=0.5", "--epochs=10"]
    assert record["inputs"] == {"rate": 0.5, "epochs": 10}
    assert record["env"] == ["DEBUG", "MODE"]
    assert record["labels"] == {"team": "a", "tier": "b"}
    assert (record["limits"]["timeout"], record["limits"]["memory"]) == (30, 64 * 2**20)
    assert (record["name"], record["priority"], record["exit_codes"]) == ("mine", 3, {"3": "retry"})
    assert (await client.get(f"{EXECUTIONS}/{record['id']}")).json()["method"] == record["method"]


async def told_of(process: Process, execution: str) -> list[str]:
    async with reading(process.database) as connection:
        urls = select(WebhookRow.url).where(WebhookRow.execution_id == UUID(execution))
        return list((await connection.execute(urls)).scalars())


async def test_a_method_may_say_who_is_told_of_what_its_owner_submits(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, process: Process
) -> None:
    url, mine = "http://127.0.0.1:8000/method", "http://127.0.0.1:8000/mine"
    hook = {"url": url, "events": ["execution.failed"]}
    name = await published(client, webhooks=[hook])
    for said, expected in (({}, [url]), ({"webhooks": []}, []), ({"webhooks": [{"url": mine}]}, [mine])):
        assert await told_of(process, (await submit(client, name, **said))["id"]) == expected
    steps = {
        "first": {"image": "busybox:local", "webhooks": [{"url": mine}]},
        "second": {"method": f"{name}@1.0.0", "inputs": {"rate": 0.5}, "needs": ["first"]},
    }
    whole = await published(client, image=None, command=None, inputs=None, steps=steps)

    async def told_of_steps(by: httpx.AsyncClient) -> list[list[str]]:
        batch = (await by.post(BATCHES, json={"method": whole})).json()
        children = (await by.get(EXECUTIONS, params={"batch": batch["id"], "sort": "created"})).json()["items"]
        return [await told_of(process, child["id"]) for child in children]

    assert await told_of_steps(client) == [[mine], [url]]
    # What others submit is theirs, and so is what they make of it.
    for each in (name, whole):
        await client.patch(f"{METHODS}/{each}", json={"visibility": "everyone"})
    assert await told_of(process, (await submit(stranger, name))["id"]) == []
    assert await told_of_steps(stranger) == [[], []]
    for by, kept in ((client, [hook]), (stranger, None)):
        cloned = (await by.post(f"{METHODS}/{name}/clone", json={"name": a_name()})).json()
        assert cloned["document"].get("webhooks") == kept
        # A URL may be a credential.
        seen = [(await by.get(f"{METHODS}/{name}/versions/1.0.0{what}")).text for what in ("", "/export")]
        assert [url in text for text in seen] == [kept is not None] * 2
        steps_seen = (await by.get(f"{METHODS}/{whole}/versions/1.0.0")).text
        assert (mine in steps_seen) == (kept is not None)
    # It is carried about, and compared, like everything else.
    exported = (await client.get(f"{METHODS}/{name}/versions/1.0.0/export", params={"format": "yaml"})).content
    again = exported.replace(name.encode(), (other := a_name()).encode())
    await client.post(f"{METHODS}:import", content=again, headers={"Content-Type": "application/yaml"})
    taken_in = (await client.get(f"{METHODS}/{other}/versions/1.0.0")).json()
    assert taken_in["document"]["webhooks"] == [hook]
    changes = {"version": "1.1.0", "changes": {"webhooks": [{**hook, "url": mine}]}}
    await client.post(f"{METHODS}/{name}/versions", json=changes)
    compared = (await client.get(f"{METHODS}/{name}/diff", params={"from": "1.0.0", "to": "1.1.0"})).json()
    assert [change["path"] for change in compared["changes"]] == ["webhooks[0].url"]


async def test_no_secret_of_a_webhook_is_in_a_method(client: httpx.AsyncClient) -> None:
    hook = {"url": "http://127.0.0.1:8000/", "secret": new_secret()}
    document = {"name": a_name(), "version": "1.0.0", **TRAIN}
    step = {"image": "busybox:local", "webhooks": [{"url": "http://127.0.0.1:8000/", "events": ["x"]}]}
    assert wrong(await client.post(METHODS, json={**document, "webhooks": [hook]})) == {
        "webhooks[0].secret": "secret_in_method"
    }
    refused = await client.post(METHODS, json={"name": a_name(), "version": "1.0.0", "steps": {"a": step}})
    assert "steps.a.webhooks[0].events[0]" in wrong(refused)
    assert wrong(await client.post(METHODS, json={**document, "webhooks": None})).keys() == {"webhooks"}


async def test_versions_are_named(client: httpx.AsyncClient) -> None:
    name = await published(client)
    for version in ("1.1.0", "2.0.0-rc.1"):
        await client.post(f"{METHODS}/{name}/versions", json={"version": version})
        await publish(client, name, version)

    async def version_of(method: str) -> str:
        made: str = (await submit(client, method))["method"]["version"]
        return made

    assert await version_of(name) == "1.1.0"
    assert await version_of(f"{name}@latest") == "1.1.0"
    assert await version_of(f"{name}@1.0.0") == "1.0.0"
    assert await version_of(f"{name}@2.0.0-rc.1") == "2.0.0-rc.1"


async def test_a_profile_is_between_the_method_and_the_submission(
    client: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    pool = a_name()
    await admin.post("/v1/pools", json={"name": pool})
    quick = {"inputs": {"epochs": 1, "rate": 0.1}, "limits": {"timeout": 5, "grace": 2}, "pool": pool}
    name = await published(client, limits={"timeout": 60, "pids": 9}, profiles={"quick": quick})
    record = await submit(client, name, profile="quick", limits={"grace": 3}, inputs={"seed": 4})
    assert record["method"]["profile"] == "quick"
    assert record["inputs"] == {"rate": 0.1, "epochs": 1, "seed": 4}
    assert record["command"] == ["echo", "--rate=0.1", "--epochs=1", "--seed=4"]
    limits = record["limits"]
    assert (limits["timeout"], limits["grace"], limits["pids"], record["pool"]) == (5, 3, 9, pool)
    body = {"method": name, "profile": "slow", "inputs": {"rate": 1}}
    assert wrong(await client.post(EXECUTIONS, json=body)) == {"profile": "unknown_profile"}


async def test_every_wrong_input_is_told(client: httpx.AsyncClient) -> None:
    name = await published(client)
    body = {"method": name, "inputs": {"rate": 5, "epochs": 1.5, "speed": 1}}
    response = await client.post(EXECUTIONS, json=body)
    assert wrong(response) == {"inputs.rate": "maximum", "inputs.epochs": "type", "inputs.speed": "unknown_input"}
    assert "`inputs.rate` must be at most 1" in response.json()["detail"]
    assert wrong(await client.post(EXECUTIONS, json={"method": name})) == {"inputs.rate": "missing"}


async def test_what_is_the_methods_own_is_not_said_otherwise(client: httpx.AsyncClient) -> None:
    name = await published(client, env={"MODE": "train"})
    body = {
        "method": name,
        "inputs": {"rate": 1},
        "image": "busybox:local",
        "command": ["sh"],
        "env": {"MODE": "x"},
        "network": "none",
        "exit_codes": {},
    }
    codes = dict.fromkeys(("image", "command", "env.MODE", "network", "exit_codes"), "methods_own")
    assert wrong(await client.post(EXECUTIONS, json=body)) == codes


async def test_image_or_method(client: httpx.AsyncClient) -> None:
    assert wrong(await client.post(EXECUTIONS, json={"method": "No Name"})) == {"method": "bad_method"}
    assert wrong(await client.post(EXECUTIONS, json={"inputs": {}})) == {"image": "missing"}
    body = {"image": "busybox:local", "profile": "fast"}
    assert wrong(await client.post(EXECUTIONS, json=body)) == {"profile": "no_method"}


async def test_what_is_not_there_cannot_be_submitted(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    name, only_a_draft = await published(client), (await draft(client))["name"]

    async def refused(somebody: httpx.AsyncClient, method: str) -> str:
        response = await somebody.post(EXECUTIONS, json={"method": method, "inputs": {"rate": 1}})
        return wrong(response)["method"]

    assert await refused(client, a_name()) == "unknown_method"
    assert await refused(stranger, name) == "unknown_method"
    assert await refused(client, f"{name}@7.0.0") == "unknown_version"
    assert await refused(client, only_a_draft) == "unknown_version"
    assert await refused(client, f"{only_a_draft}@1.0.0") == "draft"
    await client.post(f"{METHODS}/{name}/versions/1.0.0/retire")
    assert await refused(client, f"{name}@1.0.0") == "retired"
    await client.post(f"{METHODS}/{name}/versions/1.0.0/restore")
    await client.patch(f"{METHODS}/{name}", json={"retired": True})
    assert await refused(client, name) == "retired"


async def test_a_disabled_method_refuses_with_its_reason(client: httpx.AsyncClient) -> None:
    name = await published(client)
    disabled = (await client.post(f"{METHODS}/{name}/disable", json={"reason": "The data moves."})).json()
    assert (disabled["runnable"], disabled["disabled"]["reason"]) == (False, "The data moves.")
    response = await client.post(EXECUTIONS, json={"method": name, "inputs": {"rate": 1}})
    assert response.status_code == 409
    assert "The data moves." in response.json()["detail"]
    assert (await client.post(f"{METHODS}/{name}/enable")).json()["disabled"] is None
    await submit(client, name)


async def test_a_dry_run_tells_every_reason(client: httpx.AsyncClient, settings: Any) -> None:
    name = await published(client)
    body = {"method": name, "inputs": {"rate": 7}, "pool": "nowhere", "lane": "high", "resume_from": "0" * 32}
    response = await client.post(f"{EXECUTIONS}?dry_run=true", json=body)
    assert wrong(response) == {
        "inputs.rate": "maximum",
        "pool": "unknown_pool",
        "lane": "not_allowed",
        "resume_from": "not_found",
    }
    await client.post(f"{METHODS}/{name}/disable", json={"reason": "Broken."})
    response = await client.post(f"{EXECUTIONS}?dry_run=true", json={**body, "inputs": {"rate": 1}})
    assert wrong(response)["method"] == "method_disabled"
    alone = await client.post(f"{EXECUTIONS}?dry_run=true", json={"method": name, "inputs": {"rate": 1}})
    assert alone.status_code == 409
    await client.post(f"{METHODS}/{name}/enable")
    fine = await client.post(f"{EXECUTIONS}?dry_run=true", json={"method": name, "inputs": {"rate": 1}})
    assert (fine.status_code, fine.json()["execution"]["method"]["name"]) == (200, name)
    assert (await client.get(EXECUTIONS, params={"method": name})).json()["items"] == []


async def test_a_secret_input_is_a_secret(client: httpx.AsyncClient) -> None:
    inputs = {"properties": {"token": {"type": "string", "format": "secret", "minLength": 8}}, "required": ["token"]}
    name = await published(client, command=["env"], inputs=inputs)
    record = await submit(client, name, inputs={"token": "not-a-real-one"})
    assert (record["secrets"], record["inputs"]) == (["INPUT_TOKEN"], {})
    assert "not-a-real-one" not in str(record)
    also = await submit(client, name, inputs={}, secrets={"INPUT_TOKEN": "not-a-real-one"})
    assert also["secrets"] == ["INPUT_TOKEN"]
    short = await client.post(EXECUTIONS, json={"method": name, "inputs": {"token": "hush"}})
    assert wrong(short) == {"inputs.token": "minLength"}
    assert "hush" not in short.text


async def test_a_file_input_is_a_file_and_its_path(client: httpx.AsyncClient) -> None:
    inputs = {"properties": {"table": {"type": "string", "format": "file"}}, "required": ["table"]}
    name = await published(client, command=["cat", "{{table}}"], inputs=inputs)
    record = await submit(client, name, inputs={"table": {"text": "a,b\n", "name": "small.csv"}})
    path = "/tailrace/inputs/table/small.csv"
    assert (record["command"], record["inputs"]) == (["cat", path], {"table": path})
    assert record["files"] == {"table/small.csv": {"text": "a,b\n"}}
    for value in (7, {"text": "x", "id": "y"}, {"name": "a"}, {"text": "x", "name": "../x"}):
        response = await client.post(EXECUTIONS, json={"method": name, "inputs": {"table": value}})
        assert {field.partition(".")[0] for field in wrong(response)} == {"inputs"}, response.text


# Again


async def test_an_execution_is_run_again_by_its_method(client: httpx.AsyncClient, hand: Hand) -> None:
    name = await published(client, env={"MODE": "train"}, profiles={"p": {"limits": {"timeout": 9}}})
    record = await submit(client, name, profile="p", env={"DEBUG": "1"}, limits={"grace": 3})
    await fail(hand, record["id"])
    await client.post(f"{METHODS}/{name}/versions", json={"version": "2.0.0", "changes": {"command": ["new"]}})
    await publish(client, name, "2.0.0")
    rerun = f"{EXECUTIONS}/{record['id']}/rerun"
    same = (await client.post(rerun)).json()
    alike = ("method", "command", "inputs", "env", "limits", "image")
    assert {field: same[field] for field in alike} == {field: record[field] for field in alike}
    other = (await client.post(rerun, json={"inputs": {"rate": 0.25, "epochs": None}})).json()
    assert other["command"] == ["echo", "--rate=0.25", "--epochs=10"]
    assert wrong(await client.post(rerun, json={"inputs": {"rate": 7}})) == {"inputs.rate": "maximum"}
    assert wrong(await client.post(rerun, json={"command": ["sh"]})) == {"command": "methods_own"}
    newer = (await client.post(rerun, json={"method": name})).json()
    assert (newer["method"]["version"], newer["command"]) == ("2.0.0", ["new"])
    plain = (await client.post(rerun, json={"method": None, "command": ["sh"]})).json()
    assert (plain["method"], plain["command"], plain["env"]) == (None, ["sh"], ["DEBUG", "MODE"])
    await client.post(f"{METHODS}/{name}/disable", json={"reason": "Broken."})
    assert (await client.post(rerun)).status_code == 409
    many = (await client.post(f"{EXECUTIONS}:rerun", json={"method": [name], "cause": ["exit_nonzero"]})).json()
    assert [item["error"]["code"] for item in many["items"]] == ["conflict"]


async def test_secrets_and_files_of_a_method_are_run_again(client: httpx.AsyncClient, hand: Hand) -> None:
    inputs = {"token": {"type": "string", "format": "secret"}, "table": {"type": "string", "format": "file"}}
    name = await published(client, command=["cat", "{{table}}"], inputs={"properties": inputs})
    record = await submit(client, name, inputs={"token": "not-a-real-one", "table": {"text": "x", "name": "a.csv"}})
    await fail(hand, record["id"])
    rerun = f"{EXECUTIONS}/{record['id']}/rerun"
    assert wrong(await client.post(rerun)) == {"secrets.INPUT_TOKEN": "missing"}
    again = (await client.post(rerun, json={"inputs": {"token": "not-a-real-one"}})).json()
    for field in ("inputs", "files", "secrets", "command"):
        assert again[field] == record[field]


async def test_a_key_stands_for_what_it_made(client: httpx.AsyncClient) -> None:
    name = await published(client)
    body, headers = {"method": name, "inputs": {"rate": 1}}, {"Idempotency-Key": a_name()}
    first = (await client.post(EXECUTIONS, json=body, headers=headers)).json()
    await client.post(f"{METHODS}/{name}/disable", json={"reason": "Broken."})
    again = await client.post(EXECUTIONS, json=body, headers=headers)
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    other = await client.post(EXECUTIONS, json={**body, "inputs": {"rate": 0.5}}, headers=headers)
    assert wrong(other) == {"Idempotency-Key": "key_reused"}


# Many


async def children(client: httpx.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    response = await client.post(BATCHES, json=body)
    assert response.status_code == 201, response.text
    listed = await client.get(EXECUTIONS, params={"batch": response.json()["id"], "sort": "created"})
    found: list[dict[str, Any]] = listed.json()["items"]
    return found


async def test_batches_are_made_of_methods(client: httpx.AsyncClient) -> None:
    name = await published(client)
    other = await published(client, command=["other", "{{rate}}"])
    rates = {"inputs": {"rate": [0.1, 0.2]}}
    by_matrix = await children(client, {"defaults": {"method": name, "inputs": {"epochs": 2}}, "matrix": rates})
    assert [child["command"][1:] for child in by_matrix] == [["--rate=0.1", "--epochs=2"], ["--rate=0.2", "--epochs=2"]]
    items = [{"inputs": {"rate": 0.3}}, {"method": other, "inputs": {"rate": 0.4}}, {"image": "busybox:local"}]
    by_items = await children(client, {"items": [{"method": name, **items[0]}, *items[1:]]})
    assert [(child["method"] or {}).get("name") for child in by_items] == [name, other, None]
    by_count = await children(client, {"defaults": {"method": name, "inputs": {"rate": 1}}, "count": 3})
    assert [child["method"]["name"] for child in by_count] == [name] * 3


async def test_a_file_that_is_not_there_is_named_by_the_input_that_it_is(client: httpx.AsyncClient) -> None:
    inputs = {"properties": {"table": {"type": "string", "format": "file"}}}
    name = await published(client, command=["cat", "{{table}}"], inputs=inputs)
    nobodys = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
    body = {"method": name, "inputs": {"table": nobodys}, "files": {"other": {"id": nobodys}}}
    assert wrong(await client.post(EXECUTIONS, json=body)) == {"inputs.table.id": "gone", "files.other.id": "gone"}
    assert wrong(await client.post(BATCHES, json={"items": [body]})) == {
        "items[0].inputs.table.id": "gone",
        "items[0].files.other.id": "gone",
    }
    fetched = {"method": name, "inputs": {"table": {"url": "https://example.com/a", "name": "b"}}}
    assert wrong(await client.post(EXECUTIONS, json=fetched)) == {"inputs.table.url": "url_not_allowed"}


async def test_a_large_method_is_not_repeated_any_number_of_times(client: httpx.AsyncClient) -> None:
    name = await published(client, env={"LONG": "x" * 100_000})
    one = {"method": name, "inputs": {"rate": 0.1}}
    bodies = [{"defaults": one, "count": 1000}, {"items": [one] * 1000}]
    for body, field in zip(bodies, ("defaults", "items"), strict=True):
        assert wrong(await client.post(BATCHES, json=body)) == {field: "too_large"}
    assert len(await children(client, {"defaults": one, "count": 2})) == 2


async def test_what_is_wrong_with_children_is_told_where_it_was_said(client: httpx.AsyncClient) -> None:
    name = await published(client)
    body = {
        "defaults": {"method": name, "inputs": {"epochs": 0}},
        "items": [{"inputs": {"rate": 7}}, {"inputs": {"rate": 1}, "command": ["sh"]}, {"method": "nothing"}],
    }
    assert wrong(await client.post(BATCHES, json=body)) == {
        "defaults.inputs.epochs": "minimum",
        "items[0].inputs.rate": "maximum",
        "items[1].command": "methods_own",
        "items[2].method": "unknown_method",
    }
    matrix = {"defaults": {"method": name}, "matrix": {"inputs": {"rate": [0.1, 9]}}}
    assert wrong(await client.post(BATCHES, json=matrix)) == {"matrix.inputs.rate": "maximum"}


# Found and counted


async def test_executions_are_found_by_method(client: httpx.AsyncClient) -> None:
    name, other = await published(client), await published(client)
    await client.post(f"{METHODS}/{name}/versions", json={"version": "2.0.0"})
    await publish(client, name, "2.0.0")
    first, second = (await submit(client, f"{name}@1.0.0"))["id"], (await submit(client, name))["id"]
    third = (await submit(client, other))["id"]
    await client.post(EXECUTIONS, json={"image": "busybox:local"})

    async def found(*methods: str) -> list[str]:
        items = (await client.get(EXECUTIONS, params={"method": list(methods)})).json()["items"]
        return [item["id"] for item in items]

    assert await found(name) == [second, first]
    assert await found(f"{name}@1.0.0") == [first]
    assert await found(name, other) == [third, second, first]
    assert await found(a_name()) == []


async def test_what_a_stranger_runs_by_a_shared_method_is_theirs(api: Api, client: httpx.AsyncClient) -> None:
    name = await published(client)
    await client.patch(f"{METHODS}/{name}", json={"visibility": "everyone"})
    theirs = await submit(stranger := await api.client(), name)
    assert theirs["owner"] == (await stranger.get("/v1/me")).json()["owner"]
    assert (await client.get(EXECUTIONS, params={"method": name})).json()["items"] == []


@pytest.mark.parametrize("command", [None, TRAIN["command"]])
async def test_a_method_may_need_no_command(client: httpx.AsyncClient, command: list[str] | None) -> None:
    name = await published(client, command=command)
    assert (await submit(client, name))["command"] == (command and ["echo", "--rate=0.5", "--epochs=10"])


async def test_executions_are_counted_by_method(client: httpx.AsyncClient, hand: Hand) -> None:
    name, other = await published(client), await published(client)
    await fail(hand, (await submit(client, name))["id"])
    for method in (name, name, other):
        await submit(client, method)
    ended = (await client.post(EXECUTIONS, json={"image": "busybox:local"})).json()["id"]
    await fail(hand, ended)
    archived = (await submit(client, other))["id"]
    await fail(hand, archived)
    await client.post(f"{EXECUTIONS}/{archived}/archive")

    async def counted(**params: Any) -> list[tuple[str | None, str | None, int]]:
        items = (await client.get("/v1/stats/counts", params=params)).json()["items"]
        return sorted(((item.get("method") or "", item.get("status"), item["n"]) for item in items), key=str)

    assert await counted(group_by="method,status") == sorted(
        [("", "failed", 1), (name, "failed", 1), (name, "queued", 2), (other, "queued", 1)], key=str
    )
    assert await counted(group_by="method", archived="any") == sorted(
        [("", None, 1), (name, None, 3), (other, None, 2)]
    )
    assert await counted(method=name, group_by="status") == [("", "failed", 1), ("", "queued", 2)]
    assert await counted(group_by="status") == [("", "failed", 2), ("", "queued", 3)]
    process = hand.process
    async with transaction(process.database) as connection:
        await stats.fold(connection)
    assert await counted(group_by="method", archived="any") == sorted(
        [("", None, 1), (name, None, 3), (other, None, 2)]
    )


async def test_how_long_it_will_take_is_known_by_method(client: httpx.AsyncClient, hand: Hand) -> None:
    name = await published(client)
    for seconds in (10, 20, 30):
        execution = (await submit(client, name, name=f"run-{seconds}", inputs={"rate": seconds / 100}))["id"]
        await hand.start(execution)
        await hand.change(execution, started_at=func.now() - timedelta(seconds=seconds))
        await hand.end(execution)
    waiting = await submit(client, name, name="another")
    expected = (await client.get(f"{EXECUTIONS}/{waiting['id']}")).json()["expected_seconds"]
    assert 19 < expected < 25


# Steps


PIPELINE: dict[str, Any] = {
    "image": None,
    "command": None,
    "inputs": {"properties": {"rate": {"type": "number", "default": 0.1}, "note": {"type": "string"}}},
}


async def test_a_method_of_steps_becomes_a_batch(client: httpx.AsyncClient) -> None:
    train = await published(client)
    steps = {
        "fetch": {"image": "busybox:local", "command": ["echo", "--note={{note}}", "{{rate}}"]},
        "train": {"method": f"{train}@1.0.0", "inputs": {"rate": "{{rate}}", "epochs": 3}, "needs": ["fetch"]},
        "plot": {
            "image": "busybox:local",
            "needs": ["train"],
            "inputs": {"title": "at {{rate}}"},
            "limits": {"pids": 9},
        },
    }
    name = await published(client, **PIPELINE, steps=steps)
    response = await client.post(
        BATCHES, json={"method": name, "inputs": {"rate": 0.25}, "defaults": {"labels": {"a": "b"}}}
    )
    assert response.status_code == 201, response.text
    assert response.json()["name"] == f"{name}@1.0.0"
    listed = await client.get(EXECUTIONS, params={"batch": response.json()["id"], "sort": "created"})
    fetch, trained, plot = listed.json()["items"]
    assert fetch["command"] == ["echo", "0.25"]
    assert trained["method"] == {"name": train, "version": "1.0.0", "profile": None}
    assert trained["command"] == ["echo", "--rate=0.25", "--epochs=3"]
    assert (plot["inputs"], plot["limits"]["pids"], plot["labels"]) == ({"title": "at 0.25"}, 9, {"a": "b"})
    assert [child["waiting_on"] == "needs" for child in (fetch, trained, plot)] == [False, True, True]
    assert [child["lineage"]["batch"]["key"] for child in (fetch, trained, plot)] == ["fetch", "train", "plot"]


async def test_steps_are_judged_when_they_are_made_and_published(client: httpx.AsyncClient) -> None:
    steps = {
        "a": {"image": "busybox:local", "command": ["{{nothing}}"], "needs": ["b"]},
        "b": {"image": "busybox:local", "needs": ["a", "z"]},
        "c": {"method": "train", "command": ["x"], "inputs": {"rate": "{{other}}"}},
        "d": {"command": ["x"], "speed": 1},
    }
    body = {"name": a_name(), "version": "1.0.0", "steps": steps}
    assert wrong(await client.post(METHODS, json={**body, "image": "x", "limits": {}})) == {
        "steps.d.speed": "extra_forbidden",
        "image": "with_steps",
        "limits": "with_steps",
        "steps.a.command[0]": "unknown_input",
        "steps.b.needs[1]": "unknown_key",
        "steps.c.method": "no_version",
        "steps.c.command": "methods_own",
        "steps.c.inputs.rate": "unknown_input",
        "steps.d": "not_one_way",
    }
    ring = {"a": {"image": "x", "needs": ["b"]}, "b": {"image": "x", "needs": ["a"]}}
    assert "ring" in wrong(await client.post(METHODS, json={**body, "steps": ring})).values()
    made = await client.post(METHODS, json={**body, "steps": {"a": {"method": "m-nobody@1.0.0"}}})
    refused = await client.post(f"{made.headers['location']}/publish")
    assert wrong(refused) == {"steps.a.method": "unknown_method"}


async def test_steps_are_submitted_together(client: httpx.AsyncClient) -> None:
    steps = {"only": {"image": "busybox:local", "command": ["echo", "{{rate}}"]}}
    name, plain = await published(client, **PIPELINE, steps=steps), await published(client)
    assert wrong(await client.post(EXECUTIONS, json={"method": name})) == {"method": "has_steps"}
    assert wrong(await client.post(BATCHES, json={"method": plain})) == {"method": "no_steps"}
    assert wrong(await client.post(BATCHES, json={"method": name, "inputs": {"rate": "x"}})) == {"inputs.rate": "type"}
    assert wrong(await client.post(BATCHES, json={"method": a_name()})) == {"method": "unknown_method"}
    assert wrong(await client.post(BATCHES, json={"count": 1, "inputs": {"a": 1}})) == {
        "inputs": "no_method",
        "defaults.image": "missing",
    }
    deeper = await draft(client, **PIPELINE, steps={"a": {"method": f"{name}@1.0.0"}})
    refused = await client.post(f"{METHODS}/{deeper['name']}/versions/1.0.0/publish")
    assert wrong(refused) == {"steps.a.method": "has_steps"}
    other = {"method": f"{plain}@1.0.0", "profile": "none", "inputs": {"rate": 0.1, "speed": 1}}
    unfit = await draft(client, **PIPELINE, steps={"a": other})
    refused = await client.post(f"{METHODS}/{unfit['name']}/versions/1.0.0/publish")
    assert wrong(refused) == {"steps.a.inputs.speed": "unknown_input", "steps.a.profile": "unknown_profile"}
