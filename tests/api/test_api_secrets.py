"""Secrets go in and never come out."""

import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from pydantic import SecretStr
from served import USER_SCOPES, running
from sqlalchemy import select

from app.bootstrap import Process
from app.db.engine import reading
from app.executions.tables import Execution
from app.idempotency.tables import IdempotencyKey
from app.secrets import repository
from app.secrets.vault import Vault
from app.settings import Settings

VALUE = "correct horse battery staple"
ASKED = {"image": "busybox:local", "env": {"PLAIN": "1"}, "secrets": {"TOKEN": VALUE, "A_KEY": f"{VALUE} too"}}


async def send(client: httpx.AsyncClient, secrets: Any, *, key: str | None = None, query: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post(f"/v1/executions{query}", json=ASKED | {"secrets": secrets}, headers=headers)


async def kept(process: Process, execution: str) -> dict[str, bytes]:
    async with reading(process.database) as connection:
        return await repository.read(connection, UUID(execution))


async def test_no_answer_shows_a_value(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/v1/executions?dry_run=true", json=ASKED)]
    answers.append(await client.post("/v1/executions", json=ASKED, headers={"Idempotency-Key": "k"}))
    answers.append(await client.post("/v1/executions", json=ASKED, headers={"Idempotency-Key": "k"}))
    execution = answers[1].json()["id"]
    paths = ("", f"/{execution}", f"/{execution}/events", f"/{execution}/attempts", f"/{execution}/logs")
    answers += [await client.get(f"/v1/executions{path}") for path in paths]
    answers.append(await client.post(f"/v1/executions/{execution}/cancel"))
    assert [answer.status_code for answer in answers] == [200, 201, 201, 200, 200, 200, 200, 200, 202]
    assert not [answer.url for answer in answers if "horse" in answer.text]
    record = answers[1].json()
    assert (record["env"], record["secrets"], record["warnings"]) == (["PLAIN"], ["A_KEY", "TOKEN"], [])


async def test_they_are_kept_sealed_until_the_end_and_no_longer(client: httpx.AsyncClient, process: Process) -> None:
    execution = (await client.post("/v1/executions", json=ASKED)).json()["id"]
    sealed = await kept(process, execution)
    opened = {name: process.vault.open(text, execution=UUID(execution), name=name) for name, text in sealed.items()}
    assert opened == ASKED["secrets"]
    assert not [text for text in sealed.values() if b"horse" in text]
    async with reading(process.database) as connection:
        spec = (await connection.execute(select(Execution.spec).where(Execution.id == UUID(execution)))).scalar_one()
    assert spec["secrets"] == ["A_KEY", "TOKEN"]
    assert "horse" not in json.dumps(spec)
    await client.post(f"/v1/executions/{execution}/cancel")
    assert await kept(process, execution) == {}


@pytest.mark.parametrize(
    ("secrets", "field", "code"),
    [
        ({"TOKEN": ""}, "secrets.TOKEN", "empty"),
        ({"TOKEN": f"{VALUE}\0"}, "secrets.TOKEN", "nul_character"),
        ({"TOKEN": [VALUE]}, "secrets.TOKEN", "string_type"),
        ({"TOKEN": {"value": VALUE}}, "secrets.TOKEN", "string_type"),
        ([VALUE], "secrets", "dict_type"),
        (VALUE, "secrets", "dict_type"),
        ({"1ST": VALUE}, "secrets.1ST", "bad_name"),
        ({"TAILRACE_TOKEN": VALUE}, "secrets.TAILRACE_TOKEN", "reserved"),
        ({"PLAIN": VALUE}, "secrets.PLAIN", "also_in_env"),
        ({f"S{number}": VALUE for number in range(65)}, "secrets", "too_long"),
        ({f"S{number}": VALUE * 1000 for number in range(3)}, "secrets", "too_large"),
    ],
)
async def test_what_is_wrong_is_said_without_the_value(
    client: httpx.AsyncClient, secrets: Any, field: str, code: str
) -> None:
    answer = await send(client, secrets)
    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert "horse" not in answer.text


async def test_a_body_that_is_no_json_is_not_quoted(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/v1/executions", content=f'{{"secrets": {{"A": "{VALUE}" "b"', headers=headers)
    assert answer.status_code == 400
    assert "horse" not in answer.text


async def test_who_gives_a_short_one_is_warned(client: httpx.AsyncClient) -> None:
    record = (await send(client, {"PIN": "12345", "BLANK": " 1234 \n", "LONG": "123456"})).json()
    assert [warning["code"] for warning in record["warnings"]] == ["secret_not_masked"] * 2
    assert [warning["message"].split()[2] for warning in record["warnings"]] == ["`BLANK`", "`PIN`"]


async def test_with_a_key_another_value_is_another_body(client: httpx.AsyncClient) -> None:
    key = str(uuid4())
    first, again = [await send(client, {"TOKEN": VALUE}, key=key) for _ in range(2)]
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    for other in ({"TOKEN": f"{VALUE}!"}, {"OTHER": VALUE}, {}):
        refused = await send(client, other, key=key)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "key_reused")


async def test_what_is_kept_of_a_body_cannot_be_tried_out(client: httpx.AsyncClient, process: Process) -> None:
    """The plain hash of a body with a short secret would be a way to guess it."""
    key = str(uuid4())
    await send(client, {"PIN": "1234"}, key=key)
    async with reading(process.database) as connection:
        statement = select(IdempotencyKey.body_sha256).where(IdempotencyKey.key == key)
        fingerprint = (await connection.execute(statement)).scalar_one()
    bodies = [ASKED | {"secrets": {"PIN": "1234"}}, ASKED | {"secrets": {"PIN": "**********"}}, ASKED]
    plain = {hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest() for body in bodies}
    assert fingerprint not in plain
    assert len(fingerprint) == 32


async def test_without_a_key_only_secrets_are_refused(settings: Settings) -> None:
    async with running(settings.model_copy(update={"secret_key": None})) as api:
        client = await api.client()
        for query in ("", "?dry_run=true"):
            answer = await send(client, {"TOKEN": VALUE}, query=query)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "no_secret_key")
            assert "TAILRACE_SECRET_KEY" in answer.json()["hint"]
        refused = await send(client, {"TOKEN": VALUE}, key="a")
        assert refused.status_code == 422
        assert (await send(client, {}, key="a")).status_code == 201


async def test_a_new_key_seals_and_the_old_one_still_opens(settings: Settings) -> None:
    old, new = "o" * 32, "n" * 32
    key = str(uuid4())
    async with running(settings.model_copy(update={"secret_key": SecretStr(old)})) as api:
        token = await api.token("ann-of-the-keys", *USER_SCOPES)
        first = await send(await api.client_with(token), {"TOKEN": VALUE}, key=key)
    async with running(settings.model_copy(update={"secret_key": SecretStr(f" {new}, {old} ")})) as api:
        client = await api.client_with(token)
        again = await send(client, {"TOKEN": VALUE}, key=key)
        assert again.json()["id"] == first.json()["id"]
        later = (await send(client, {"TOKEN": VALUE})).json()["id"]
        for execution, only in ((first.json()["id"], old), (later, new)):
            sealed = (await kept(api.process, execution))["TOKEN"]
            for vault in (api.process.vault, Vault([only])):
                assert vault.open(sealed, execution=UUID(execution), name="TOKEN") == VALUE
