"""Methods: made, changed, published, found, shared, and carried about as files."""

from typing import Any

import httpx
import orjson
import pytest
import yaml
from methods import METHODS, TRAIN, a_name, draft, publish, published, wrong
from served import Api
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.bootstrap import Process
from app.db.engine import transaction

# Drafts and versions


async def test_a_method_begins_as_a_draft(client: httpx.AsyncClient) -> None:
    name = a_name()
    response = await client.post(METHODS, json={"name": name, "version": "1.0.0", "title": "Train", **TRAIN})
    assert response.status_code == 201
    assert response.headers["location"] == f"{METHODS}/{name}/versions/1.0.0"
    version = response.json()
    assert (version["status"], version["published_at"]) == ("draft", None)
    assert version["document"] == {"name": name, "version": "1.0.0", "title": "Train", **TRAIN}
    assert (await client.get(response.headers["location"])).json() == version
    method = (await client.get(f"{METHODS}/{name}")).json()
    assert (method["latest"], method["version"], method["title"]) == (None, "1.0.0", "Train")
    assert (method["visibility"], method["runnable"], method["disabled"]) == ("private", True, None)
    assert [each["version"] for each in method["versions"]] == ["1.0.0"]


async def test_inputs_keep_their_order(client: httpx.AsyncClient) -> None:
    properties = {name: {"type": "string"} for name in ("zeta", "b", "alpha")}
    document = await draft(client, command=None, inputs={"properties": properties})
    kept = (await client.get(f"{METHODS}/{document['name']}/versions/1.0.0")).json()["document"]
    assert list(kept["inputs"]["properties"]) == ["zeta", "b", "alpha"]


async def test_everything_wrong_with_a_document_is_told_at_once(client: httpx.AsyncClient) -> None:
    body = {
        "name": "No",
        "version": "1.0",
        "image": "UPPER",
        "command": "echo",
        "colour": "red",
        "limits": {"timeout": -1, "speed": 3},
        "exit_codes": {"999": "success"},
        "inputs": {"properties": {"a": {"type": "text"}, "b": {"type": "string", "pattern": "(?=x)"}}},
    }
    assert wrong(await client.post(METHODS, json=body)) == {
        "name": "bad_method_name",
        "version": "bad_version",
        "image": "not_an_image",
        "command": "not_a_list",
        "colour": "extra_forbidden",
        "limits.timeout": "greater_than_equal",
        "limits.speed": "extra_forbidden",
        "exit_codes.999": "not_an_exit_code",
        "inputs.properties.a.type": "enum",
        "inputs.properties.b.pattern": "bad_pattern",
    }


async def test_fields_have_to_agree(client: httpx.AsyncClient) -> None:
    body = {
        "name": a_name(),
        "version": "1.0.0",
        "image": "busybox:local",
        "command": ["x", "{{nothing}}", "{{token}}", "a {{", "{{{{fine}}"],
        "inputs": {
            "properties": {
                "rate": {"type": "number", "maximum": 1, "default": 2},
                "token": {"type": "string", "format": "secret", "default": "x"},
            }
        },
        "profiles": {"fast": {"inputs": {"rate": "quick", "speed": 1}, "limits": {"grace": 5, "notice": 5}}},
    }
    assert wrong(await client.post(METHODS, json=body)) == {
        "command[1]": "unknown_input",
        "command[2]": "secret_input",
        "command[3]": "bad_template",
        "inputs.properties.rate.default": "maximum",
        "inputs.properties.token.default": "no_preset",
        "profiles.fast.inputs.rate": "type",
        "profiles.fast.inputs.speed": "unknown_input",
        "profiles.fast.limits.notice": "not_below_grace",
    }


async def test_a_name_is_given_once(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    document = await draft(client)
    for somebody in (client, stranger):
        response = await somebody.post(METHODS, json=document)
        assert response.status_code == 409
        assert document["name"] in response.json()["detail"]


async def test_a_draft_may_change(client: httpx.AsyncClient) -> None:
    name = (await draft(client))["name"]
    version = f"{METHODS}/{name}/versions/1.0.0"
    changed = (await client.patch(version, json={"title": "New", "limits": {"timeout": 5}})).json()["document"]
    assert changed == {"name": name, "version": "1.0.0", "title": "New", "limits": {"timeout": 5}, **TRAIN}
    replaced = await client.put(version, json={"name": name, "version": "1.0.0", "image": "python:local"})
    assert replaced.json()["document"] == {"name": name, "version": "1.0.0", "image": "python:local"}
    assert wrong(await client.patch(version, json={"name": "other", "version": "2.0.0", "command": ["{{rate}}"]})) == {
        "name": "fixed",
        "version": "fixed",
        "command[0]": "unknown_input",
    }


async def test_what_is_published_does_not_change(client: httpx.AsyncClient) -> None:
    name = await published(client)
    version = f"{METHODS}/{name}/versions/1.0.0"
    before = (await client.get(version)).json()
    assert before["status"] == "published"
    for response in (
        await client.patch(version, json={"title": "New"}),
        await client.put(version, json={"name": name, "version": "1.0.0", "image": "python:local"}),
        await client.post(f"{version}/publish"),
        await client.delete(version),
        await client.delete(f"{METHODS}/{name}"),
    ):
        assert response.status_code == 409, response.text
        assert response.json()["hint"]
    assert (await client.get(version)).json() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE method_versions SET document = '{}' WHERE method = :name",
        "UPDATE method_versions SET published_at = NULL, published_by = NULL WHERE method = :name",
        "UPDATE method_versions SET version = '9.9.9' WHERE method = :name",
        "DELETE FROM method_versions WHERE method = :name",
        "DELETE FROM methods WHERE name = :name",
    ],
)
async def test_the_database_says_so_too(client: httpx.AsyncClient, process: Process, statement: str) -> None:
    name = await published(client)
    with pytest.raises(IntegrityError, match="is published"):
        async with transaction(process.database) as connection:
            await connection.execute(text(statement), {"name": name})


async def test_a_new_draft_is_made_from_the_latest_or_another(client: httpx.AsyncClient) -> None:
    name = await published(client)
    made = await client.post(f"{METHODS}/{name}/versions", json={"version": "1.1.0", "changes": {"title": "Two"}})
    assert made.status_code == 201
    assert made.json()["document"] == {"name": name, "version": "1.1.0", "title": "Two", **TRAIN}
    again = await client.post(f"{METHODS}/{name}/versions", json={"version": "2.0.0-rc.1", "from": "1.1.0"})
    assert again.json()["document"]["title"] == "Two"
    assert (await client.post(f"{METHODS}/{name}/versions", json={"version": "1.1.0"})).status_code == 409
    assert (
        await client.post(f"{METHODS}/{name}/versions", json={"version": "3.0.0", "from": "9.9.9"})
    ).status_code == 404
    versions = (await client.get(f"{METHODS}/{name}")).json()["versions"]
    assert [each["version"] for each in versions] == ["2.0.0-rc.1", "1.1.0", "1.0.0"]


async def test_latest_is_the_highest_release_that_is_not_retired(client: httpx.AsyncClient) -> None:
    name = await published(client, version="1.9.0")
    for version in ("1.10.0", "2.0.0-rc.1", "3.0.0"):
        made = await client.post(f"{METHODS}/{name}/versions", json={"version": version})
        assert made.status_code == 201
        if version != "3.0.0":
            await publish(client, name, version)
    latest = f"{METHODS}/{name}/versions/latest"
    assert (await client.get(latest)).json()["version"] == "1.10.0"
    assert (await client.post(f"{METHODS}/{name}/versions/1.10.0/retire")).json()["status"] == "retired"
    assert (await client.get(latest)).json()["version"] == "1.9.0"
    assert (await client.post(f"{METHODS}/{name}/versions/1.10.0/restore")).json()["status"] == "published"
    assert (await client.get(f"{METHODS}/{name}")).json()["latest"] == "1.10.0"
    assert (await client.post(f"{METHODS}/{name}/versions/3.0.0/retire")).status_code == 409


async def test_with_its_last_draft_goes_a_method(client: httpx.AsyncClient) -> None:
    name = (await draft(client))["name"]
    await client.post(f"{METHODS}/{name}/versions", json={"version": "2.0.0"})
    assert (await client.delete(f"{METHODS}/{name}/versions/1.0.0")).status_code == 204
    assert (await client.get(f"{METHODS}/{name}")).json()["version"] == "2.0.0"
    assert (await client.delete(f"{METHODS}/{name}/versions/2.0.0")).status_code == 204
    assert (await client.get(f"{METHODS}/{name}")).status_code == 404


async def test_a_method_of_drafts_can_be_deleted(client: httpx.AsyncClient) -> None:
    name = (await draft(client))["name"]
    assert (await client.delete(f"{METHODS}/{name}")).status_code == 204
    assert (await client.get(f"{METHODS}/{name}")).status_code == 404
    await draft(client, name)


async def test_two_versions_can_be_compared(client: httpx.AsyncClient) -> None:
    name = await published(client, limits={"timeout": 60})
    changes = {"limits": {"timeout": 90}, "title": "Two", "command": ["echo"], "inputs": {"properties": {"seed": None}}}
    await client.post(f"{METHODS}/{name}/versions", json={"version": "2.0.0", "changes": changes})
    diff = (await client.get(f"{METHODS}/{name}/diff", params={"from": "1.0.0", "to": "2.0.0"})).json()
    assert (diff["from"], diff["to"]) == ("1.0.0", "2.0.0")
    assert {each["path"]: (each["change"], each.get("from"), each.get("to")) for each in diff["changes"]} == {
        "command[1]": ("removed", "--rate={{rate}}", None),
        "command[2]": ("removed", "--epochs={{epochs}}", None),
        "command[3]": ("removed", "--seed={{seed}}", None),
        "limits.timeout": ("changed", 60, 90),
        "inputs.properties.seed": ("removed", {"type": "integer"}, None),
        "title": ("added", None, "Two"),
    }


async def test_one_can_be_cloned(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    name, other = await published(client), a_name()
    assert (await stranger.post(f"{METHODS}/{name}/clone", json={"name": other})).status_code == 404
    await client.patch(f"{METHODS}/{name}", json={"visibility": "everyone"})
    made = await stranger.post(f"{METHODS}/{name}/clone", json={"name": other, "version": "0.1.0"})
    assert made.status_code == 201
    assert made.json()["document"] == {"name": other, "version": "0.1.0", **TRAIN}
    assert (await stranger.get(f"{METHODS}/{other}")).json()["owner"] != (await client.get("/v1/me")).json()["owner"]
    assert (await stranger.post(f"{METHODS}/{name}/clone", json={"name": other})).status_code == 409


# Who may see and change one


async def test_others_see_what_they_are_shown(api: Api, client: httpx.AsyncClient) -> None:
    friend, stranger = await api.client("friend"), await api.client("stranger")
    name = await published(client)
    await client.post(f"{METHODS}/{name}/versions", json={"version": "2.0.0"})

    async def seen() -> list[bool]:
        return [(await somebody.get(f"{METHODS}/{name}")).status_code == 200 for somebody in (client, friend, stranger)]

    assert await seen() == [True, False, False]
    shared = await client.patch(f"{METHODS}/{name}", json={"visibility": "named", "shared_with": ["friend"]})
    assert shared.json()["shared_with"] == ["friend"]
    assert await seen() == [True, True, False]
    await client.patch(f"{METHODS}/{name}", json={"visibility": "everyone"})
    assert await seen() == [True, True, True]
    method = (await stranger.get(f"{METHODS}/{name}")).json()
    assert ([each["version"] for each in method["versions"]], method["shared_with"]) == (["1.0.0"], [])
    assert (await stranger.get(f"{METHODS}/{name}/versions/2.0.0")).status_code == 404


async def test_only_its_owner_changes_one(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    name = await published(client)
    await client.patch(f"{METHODS}/{name}", json={"visibility": "everyone"})
    one, version = f"{METHODS}/{name}", f"{METHODS}/{name}/versions/1.0.0"

    async def try_all(somebody: httpx.AsyncClient) -> set[int]:
        responses = [
            await somebody.patch(one, json={"max_running": 1}),
            await somebody.post(f"{one}/disable", json={"reason": "x"}),
            await somebody.post(f"{one}/enable"),
            await somebody.delete(one),
            await somebody.post(f"{one}/versions", json={"version": "2.0.0"}),
            await somebody.patch(version, json={"title": "x"}),
            await somebody.delete(version),
            await somebody.post(f"{version}/publish"),
            await somebody.post(f"{version}/retire"),
        ]
        return {response.status_code for response in responses}

    assert await try_all(stranger) == {403}
    await client.patch(one, json={"visibility": "private"})
    assert await try_all(stranger) == {404}


async def test_an_admin_sees_and_changes_all(client: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    name = (await draft(client))["name"]
    assert (await admin.patch(f"{METHODS}/{name}", json={"max_running": 3})).json()["max_running"] == 3
    assert (await admin.post(f"{METHODS}/{name}/versions/1.0.0/publish")).status_code == 200


# The list


async def test_methods_are_found(client: httpx.AsyncClient) -> None:
    mark = a_name()
    plot = await published(client, title=f"Plot {mark}", keywords=["csv", "plot"], category="report")
    train = await published(client, description=f"Fits {mark} to data", keywords=["csv"], category="model")

    me = (await client.get("/v1/me")).json()["owner"]

    async def found(**params: Any) -> set[str]:
        items = (await client.get(METHODS, params={"owner": me, **params})).json()["items"]
        return {item["name"] for item in items}

    assert await found() == {plot, train}
    assert await found(q=mark.upper()) == {plot, train}
    assert await found(q=f"fits {mark}") == {train}
    assert await found(keyword="plot") == {plot}
    assert await found(keyword="csv", category="model") == {train}
    assert await found(owner="nobody") == set()
    await client.patch(f"{METHODS}/{plot}", json={"retired": True})
    assert await found() == {train}
    assert await found(retired="any") == {plot, train}
    assert await found(retired="true") == {plot}


async def test_pages_are_by_name(client: httpx.AsyncClient) -> None:
    names = sorted([(await draft(client))["name"] for _ in range(5)])
    seen: list[str] = []
    cursor: str | None = None
    me = (await client.get("/v1/me")).json()["owner"]
    for _ in range(3):
        page = (
            await client.get(METHODS, params={"limit": 2, "owner": me, **({"cursor": cursor} if cursor else {})})
        ).json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next"]
    assert (seen, cursor) == (names, None)


# Files


@pytest.mark.parametrize("format_", ["yaml", "json"])
async def test_what_was_exported_comes_back_as_it_was(client: httpx.AsyncClient, api: Api, format_: str) -> None:
    odd = {"description": "two\nlines: yes", "labels": {"no": "on", "when": "2026-01-01", "n": "0x1f", "e": "1e5"}}
    document = await draft(client, **odd)
    name = document["name"]
    await publish(client, name)
    file = await client.get(f"{METHODS}/{name}/versions/latest/export", params={"format": format_})
    assert file.headers["content-type"] == f"application/{format_}"
    assert f"{name}-1.0.0.{format_}" in file.headers["content-disposition"]
    read = yaml.safe_load(file.text) if format_ == "yaml" else orjson.loads(file.content)
    assert read == document
    renamed = file.text.replace(name, other := a_name())
    headers = {"Content-Type": f"application/{format_}"}
    made = await client.post("/v1/methods:import?publish=true", content=renamed, headers=headers)
    assert made.status_code == 201, made.text
    assert made.json()["document"] == {**document, "name": other}
    assert made.json()["status"] == "published"
    again = await client.post("/v1/methods:import", content=renamed, headers=headers)
    assert (again.status_code, again.json()) == (200, made.json())
    changed = renamed.replace("1.0.0", "1.0.1")
    assert (await client.post("/v1/methods:import", content=changed, headers=headers)).json()["status"] == "draft"
    otherwise = renamed.replace("lines", "rows")
    assert (await client.post("/v1/methods:import", content=otherwise, headers=headers)).status_code == 409
    theirs = await (await api.client()).post("/v1/methods:import", content=renamed, headers=headers)
    assert theirs.status_code == 409


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("- a", 400),
        ("a: [", 400),
        ("a: &x 1\nb: *x", 400),
        ("a: !!python/object:os.system x", 400),
        ("a: 1\na: 2", 400),
        ("[" * 100_000, 400),
        ("a: " + "9" * 5000, 400),
        ("a: 1e999", 400),
        ("x" * 300_000, 400),
        ("x:\n" + "".join(f"  a{number}:\n" for number in range(24_000)), 422),
        ("name: a", 422),
    ],
)
async def test_a_file_that_is_no_method_is_refused(client: httpx.AsyncClient, content: str, status: int) -> None:
    headers = {"Content-Type": "application/yaml"}
    response = await client.post("/v1/methods:import", content=content, headers=headers)
    assert (response.status_code, len(response.content) < 2000) == (status, True), response.text


async def test_no_change_makes_a_document_larger_than_it_may_be(client: httpx.AsyncClient) -> None:
    name = (await draft(client))["name"]
    version = f"{METHODS}/{name}/versions/1.0.0"
    long = {"type": "string", "default": "x" * 150_000}
    first = await client.patch(version, json={"inputs": {"properties": {"one": long}}})
    assert first.status_code == 200
    more = {"inputs": {"properties": {"two": long}}}
    refused = [
        await client.patch(version, json=more),
        await client.post(f"{METHODS}/{name}/versions", json={"version": "1.1.0", "from": "1.0.0", "changes": more}),
        await client.post(f"{METHODS}/{name}/clone", json={"name": a_name(), "from": "1.0.0", "changes": more}),
    ]
    assert [(each.status_code, each.json()["errors"][0]["code"]) for each in refused] == [(422, "too_large")] * 3
    assert (await client.get(version)).json() == first.json()


async def test_nobody_has_any_number_of_methods(api: Api, process: Process) -> None:
    client = await api.client()
    document = await draft(client)
    owner = (await client.get(f"{METHODS}/{document['name']}")).json()["owner"]
    many = "INSERT INTO methods (name, owner) SELECT :owner || number, :owner FROM generate_series(1, 999) AS number"
    async with transaction(process.database) as connection:
        await connection.execute(text(many), {"owner": owner})
    for path, body in (("", {**document, "name": a_name()}), (f"/{document['name']}/clone", {"name": a_name()})):
        refused = await client.post(METHODS + path, json=body)
        assert (refused.status_code, "1000 methods" in refused.json()["detail"]) == (409, True), refused.text
    again = await client.post("/v1/methods:import", json=document)
    assert again.status_code == 200


async def test_a_file_says_what_it_is(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/methods:import", content="a", headers={"Content-Type": "text/html"})
    assert response.status_code == 415
