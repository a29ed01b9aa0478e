"""Secrets with a name: put once, referred to for ever, and shown to nobody."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from hand import Hand
from methods import published
from pydantic import SecretStr
from served import USER_SCOPES, running

from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.secrets import repository
from app.secrets.model import MOST_NAMED
from app.secrets.resealing import reseal
from app.secrets.tables import NamedSecret
from app.secrets.vault import BadKey, Vault
from app.settings import Settings

VALUE = "correct horse battery staple"
FIELD = {"TOKEN": {"name": "hub"}}


async def put(client: httpx.AsyncClient, name: str = "hub", value: str = VALUE) -> httpx.Response:
    return await client.put(f"/v1/secrets/{name}", json={"value": value})


async def submit(client: httpx.AsyncClient, named: Any = FIELD, **more: Any) -> httpx.Response:
    body = {"image": "busybox:local", "named_secrets": named, **more}
    return await client.post("/v1/executions", json=body)


async def values_of(process: Process, execution: str) -> dict[str, str]:
    """What its program would get."""
    async with reading(process.database) as connection:
        sealed = await repository.read(connection, UUID(execution))
    return {name: process.vault.open(text, execution=UUID(execution), name=name) for name, text in sealed.items()}


async def end(client: httpx.AsyncClient, execution: str) -> None:
    assert (await client.post(f"/v1/executions/{execution}/cancel")).status_code == 202


def wrong_in(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


async def test_they_are_put_listed_and_deleted_and_no_answer_has_a_value(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    answers = [await put(client), await put(client, value=f"{VALUE} too"), await put(client, "a.b-c_1")]
    listed = await client.get("/v1/secrets")
    used = await submit(client)
    again = await client.get("/v1/secrets")
    answers += [listed, used, again, await client.get("/v1/audit")]
    assert [answer.status_code for answer in answers] == [201, 200, 201, 200, 201, 200, 200]
    assert [each["name"] for each in listed.json()["items"]] == ["a.b-c_1", "hub"]
    assert [each["used_at"] is None for each in again.json()["items"]] == [True, False]
    assert used.json()["named_secrets"] == {"TOKEN": {"name": "hub", "via": "file"}}
    assert not [answer.url for answer in answers if "horse" in answer.text]
    for other in (stranger, admin):
        assert "hub" not in [each["name"] for each in (await other.get("/v1/secrets")).json()["items"]]
        assert (await other.delete("/v1/secrets/hub")).status_code == 404
    assert (await client.delete("/v1/secrets/hub")).status_code == 204
    assert (await client.delete("/v1/secrets/hub")).status_code == 404
    actions = [entry["action"] for entry in answers[-1].json()["items"]]
    assert actions == ["submit_execution", "put_secret", "put_secret", "put_secret"]


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("hub", {"value": ""}, "empty"),
        ("hub", {"value": f"{VALUE}\0"}, "nul_character"),
        ("hub", {"value": VALUE * 1200}, "too_large"),
        ("hub", {"value": [VALUE]}, "string_type"),
        ("hub", {}, "missing"),
        ("-hub", {"value": VALUE}, "bad_name"),
        ("h" * 101, {"value": VALUE}, "bad_name"),
    ],
)
async def test_what_cannot_be_one_is_refused_without_being_quoted(
    client: httpx.AsyncClient, name: str, body: Any, code: str
) -> None:
    answer = await client.put(f"/v1/secrets/{name}", json=body)
    assert [found for _, found in wrong_in(answer)] == [code]
    assert "horse" not in answer.text


async def test_nobody_has_more_than_so_many(client: httpx.AsyncClient, process: Process) -> None:
    await put(client)
    me = (await client.get("/v1/me")).json()["owner"]
    async with transaction(process.database) as connection:
        for number in range(MOST_NAMED - 1):
            row = {"id": UUID(int=hash((me, number)) % 2**128), "owner": me, "name": f"n{number}", "ciphertext": b""}
            await connection.execute(NamedSecret.__table__.insert().values(**row))
    assert (await put(client, "one-more")).status_code == 409
    assert (await put(client)).status_code == 200


async def test_an_execution_keeps_what_it_was_submitted_with_and_a_rerun_gets_what_is_there_now(
    client: httpx.AsyncClient, process: Process
) -> None:
    await put(client)
    old = (await submit(client, {**FIELD, "DB": {"name": "hub", "via": "env"}})).json()["id"]
    await put(client, value="another value")
    assert await values_of(process, old) == {"TOKEN": VALUE, "DB": VALUE}
    await end(client, old)
    assert await values_of(process, old) == {}
    new = (await client.post(f"/v1/executions/{old}/rerun", json={})).json()
    assert await values_of(process, new["id"]) == {"TOKEN": "another value", "DB": "another value"}
    await client.delete("/v1/secrets/hub")
    assert await values_of(process, new["id"]) != {}
    await end(client, new["id"])
    gone = await client.post(f"/v1/executions/{old}/rerun", json={})
    assert {code for _, code in wrong_in(gone)} == {"unknown_secret"}
    assert {field for field, _ in wrong_in(gone)} == {"named_secrets.TOKEN.name", "named_secrets.DB.name"}
    without = await client.post(f"/v1/executions/{old}/rerun", json={"named_secrets": None})
    assert without.status_code == 201


async def test_who_goes_on_after_a_pause_has_what_they_had(
    client: httpx.AsyncClient, process: Process, hand: Hand
) -> None:
    await put(client)
    execution = (await submit(client)).json()["id"]
    await hand.claim(execution)
    await hand.run(execution)
    await hand.save(execution)
    await client.delete("/v1/secrets/hub")
    resumed = await client.post(f"/v1/executions/{execution}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (202, "queued")
    assert await values_of(process, execution) == {"TOKEN": VALUE}
    await hand.claim(execution)
    await hand.run(execution)
    assert await values_of(process, execution) == {"TOKEN": VALUE}
    await hand.end(execution)
    assert await values_of(process, execution) == {}


async def test_who_runs_somebody_elses_again_does_not_lend_them_secrets(
    client: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    for each in (client, admin):
        await put(each)
    batch = {"items": [{"image": "busybox:local", "named_secrets": FIELD}]}
    batch = (await client.post("/v1/batches", json=batch)).json()
    (child,) = (await client.get("/v1/executions", params={"batch": batch["id"]})).json()["items"]
    await end(client, child["id"])
    again = f"/v1/executions/{child['id']}/rerun"
    assert wrong_in(await admin.post(again, json={})) == [("named_secrets.TOKEN", "of_somebody_else")]
    whole = await admin.post(f"/v1/batches/{batch['id']}/rerun", json={"only": "all"})
    assert wrong_in(whole) == [("children[0].named_secrets.TOKEN", "of_somebody_else")]
    assert (await admin.post(again, json={"named_secrets": None})).status_code == 201
    assert (await client.post(again, json={})).status_code == 201


@pytest.mark.parametrize(
    ("named", "more", "wrong"),
    [
        ({"TOKEN": {"name": "nobody"}}, {}, ("named_secrets.TOKEN.name", "unknown_secret")),
        ({"TOKEN": VALUE}, {}, ("named_secrets.TOKEN", "model_attributes_type")),
        ({"TOKEN": {"name": "../hub"}}, {}, ("named_secrets.TOKEN.name", "string_pattern_mismatch")),
        ({"TOKEN": {"name": "hub", "via": "mail"}}, {}, ("named_secrets.TOKEN.via", "enum")),
        ({"../TOKEN": {"name": "hub"}}, {}, ("named_secrets.../TOKEN", "bad_name")),
        (FIELD, {"secrets": {"TOKEN": "value"}}, ("named_secrets.TOKEN", "also_in_secrets")),
        ({"A": {"name": "hub", "via": "env"}}, {"env": {"A": "1"}}, ("named_secrets.A", "also_in_env")),
        (FIELD, {"secrets": {"LARGE": "x" * 32_750}}, ("named_secrets", "too_large")),
    ],
)
async def test_what_is_wrong_with_a_reference_is_said_at_its_place(
    client: httpx.AsyncClient, named: Any, more: Any, wrong: tuple[str, str]
) -> None:
    await put(client)
    for query in ("", "?dry_run=true"):
        answer = await client.post(
            f"/v1/executions{query}", json={"image": "busybox:local", "named_secrets": named, **more}
        )
        assert wrong_in(answer) == [wrong]


async def test_somebody_elses_is_not_there(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    await put(client)
    assert wrong_in(await submit(stranger)) == [("named_secrets.TOKEN.name", "unknown_secret")]


async def test_children_have_copies_of_their_own(client: httpx.AsyncClient, process: Process) -> None:
    await put(client)
    body = {"defaults": {"image": "busybox:local", "named_secrets": FIELD}, "items": [{}, {"name": "b"}]}
    batch = (await client.post("/v1/batches", json=body)).json()
    children = (await client.get("/v1/executions", params={"batch": batch["id"]})).json()["items"]
    assert [await values_of(process, child["id"]) for child in children] == [{"TOKEN": VALUE}] * 2
    body["items"] = [{}, {"named_secrets": {"TOKEN": {"name": "none"}}}]
    refused = await client.post("/v1/batches", json=body)
    assert wrong_in(refused) == [("items[1].named_secrets.TOKEN.name", "unknown_secret")]


async def test_a_method_names_secrets_of_whoever_submits_it(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, process: Process
) -> None:
    method = await published(client, named_secrets=FIELD)
    asked = {"method": method, "inputs": {"rate": 0.5}, "named_secrets": {"MORE": {"name": "hub", "via": "env"}}}
    refused = await client.post("/v1/executions", json=asked)
    assert wrong_in(refused)[0] == ("named_secrets.TOKEN.name", "unknown_secret")
    await put(client)
    made = (await client.post("/v1/executions", json=asked)).json()
    assert await values_of(process, made["id"]) == {"TOKEN": VALUE, "MORE": VALUE}
    await end(client, made["id"])
    assert (await client.post(f"/v1/executions/{made['id']}/rerun", json={})).status_code == 201


async def test_everything_is_sealed_anew_and_the_old_key_can_go(settings: Settings) -> None:
    old, new = "o" * 32, "n" * 32
    async with running(settings.model_copy(update={"secret_key": SecretStr(old)})) as api:
        token = await api.token("ann-who-rotates", *USER_SCOPES)
        client = await api.client_with(token)
        await put(client)
        execution = (await submit(client)).json()["id"]
        hook = (await client.post("/v1/webhooks", json={"url": "http://127.0.0.1/"})).json()
        schedule = await client.post(
            "/v1/schedules",
            json={
                "name": "rotated",
                "rule": {"cron": "0 0 1 1 *"},
                "targets": [{"execution": {"image": "busybox:local", "secrets": {"A": VALUE}}}],
            },
        )
        assert (schedule.status_code, "id" in hook) == (201, True), (schedule.text, hook)
    async with running(settings.model_copy(update={"secret_key": SecretStr(f"{new},{old}")})) as api:
        tallies = await reseal(api.process)
        for column in (
            "named_secrets.ciphertext",
            "execution_secrets.ciphertext",
            "webhooks.sealed",
            "schedules.sealed",
        ):
            assert tallies[column].anew >= 1, column
        assert not any(tally.anew for tally in (await reseal(api.process)).values())
    async with running(settings.model_copy(update={"secret_key": SecretStr(new)})) as api:
        client = await api.client_with(token)
        assert await values_of(api.process, execution) == {"TOKEN": VALUE}
        assert await values_of(api.process, (await submit(client)).json()["id"]) == {"TOKEN": VALUE}
        fired = await client.post(f"/v1/schedules/{schedule.json()['id']}/fire", json={})
        assert fired.status_code == 201, fired.text
        assert (await client.post(f"/v1/webhooks/{hook['id']}/ping")).status_code == 202
    async with running(settings.model_copy(update={"secret_key": SecretStr("x" * 32)})) as api:
        client = await api.client_with(token)
        assert wrong_in(await submit(client)) == [("named_secrets.TOKEN.name", "sealed_otherwise")]
        assert (await put(client)).status_code == 200
        assert (await submit(client)).status_code == 201


async def test_without_a_key_none_is_kept(settings: Settings) -> None:
    async with running(settings.model_copy(update={"secret_key": None})) as api:
        client = await api.client()
        assert wrong_in(await put(client)) == [("value", "no_secret_key")]
        assert wrong_in(await submit(client)) == [("named_secrets.TOKEN.name", "unknown_secret")]


def test_a_key_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{'n' * 32}\n{'o' * 32}\n")
    sealed = Vault(["o" * 32]).seal("value", execution=UUID(int=1), name="A")
    assert Vault.of(None, file).open(sealed, execution=UUID(int=1), name="A") == "value"
    for setting, path, words in (
        (SecretStr("n" * 32), file, "Only one"),
        (None, tmp_path / "none", "cannot be read"),
        (None, tmp_path, "cannot be read"),
    ):
        with pytest.raises(BadKey, match=words):
            Vault.of(setting, path)
