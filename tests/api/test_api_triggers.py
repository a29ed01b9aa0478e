"""Triggers over HTTP: addresses to which somebody without a token posts, and something is submitted, once."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from methods import published
from served import Api
from sqlalchemy import QueuePool, insert, update
from standardwebhooks.webhooks import Webhook as Sender

from app.auth.tables import Token
from app.auth.tokens import Scope
from app.db.engine import reading, transaction
from app.schedules.service import read_now
from app.triggers import repository
from app.triggers.delivering import AT_ONCE, SEALED_AS
from app.triggers.model import BODY_BYTES, Delivery, DeliveryStatus
from app.triggers.repository import DELIVERIES_KEPT
from app.triggers.signatures import Signature, new_secret
from app.triggers.tables import TriggerDelivery
from support.eventually import eventually
from support.racing import is_blocked_by

Json = dict[str, Any]
BUILD = {"execution": {"image": "busybox:local", "inputs": {"ref": "main", "kept": 1}}}


async def add(client: httpx.AsyncClient, **fields: Any) -> Json:
    answer = await client.post("/v1/triggers", json={"name": uuid4().hex, "target": BUILD, **fields})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def made_by(client: httpx.AsyncClient, trigger: Json) -> list[Json]:
    items: list[Json] = (await client.get(trigger["links"]["deliveries"])).json()["items"]
    return items


async def test_what_is_posted_are_inputs_of_what_is_submitted(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    trigger = await add(client)
    answer = await anonymous.post(trigger["address"], json={"ref": "v2", "size": 3})
    assert answer.status_code == 202, answer.text
    assert answer.json().keys() == {"execution", "batch"}
    execution = (await client.get(f"/v1/executions/{answer.json()['execution']}")).json()
    assert execution["inputs"] == {"ref": "v2", "size": 3, "kept": 1}
    assert execution["source"] == "trigger"
    assert execution["owner"] == trigger["owner"]
    (delivery,) = await made_by(client, trigger)
    assert (delivery["status"], delivery["made"]) == ("accepted", answer.json())
    assert (await client.get(trigger["links"]["self"])).json()["last_used_at"] == delivery["at"]


async def test_all_of_it_can_be_one_input(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    trigger = await add(client, payload_input="event")
    answer = await anonymous.post(trigger["address"], json=[1, {"not a name": 2}])
    execution = (await client.get(f"/v1/executions/{answer.json()['execution']}")).json()
    assert execution["inputs"] == {"ref": "main", "kept": 1, "event": [1, {"not a name": 2}]}


async def test_it_may_submit_a_batch(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    trigger = await add(client, target={"batch": {"defaults": {"image": "busybox:local"}, "count": 2}})
    answer = await anonymous.post(trigger["address"], json={"ref": "v2"})
    found = (await client.get("/v1/executions", params={"batch": answer.json()["batch"]})).json()["items"]
    assert [each["inputs"] for each in found] == [{"ref": "v2"}] * 2


async def test_what_is_posted_are_inputs_of_a_method(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    method = await published(client)
    trigger = await add(client, target={"execution": {"method": method, "inputs": {"epochs": 3}}})
    answer = await anonymous.post(trigger["address"], json={"rate": 0.5})
    execution = (await client.get(f"/v1/executions/{answer.json()['execution']}")).json()
    assert (execution["method"]["name"], execution["inputs"]) == (method, {"rate": 0.5, "epochs": 3})
    assert (await anonymous.post(trigger["address"], json={"rate": 7})).status_code == 422
    refused, _ = await made_by(client, trigger)
    assert [error["field"] for error in refused["problem"]["errors"]] == ["target.execution.inputs.rate"]
    unknown = {"name": uuid4().hex, "target": {"execution": {"method": "none-such"}}}
    answer = await client.post("/v1/triggers", json=unknown)
    assert [error["field"] for error in answer.json()["errors"]] == ["target.execution.method"]


@pytest.mark.parametrize("header", ["Webhook-Id", "Idempotency-Key", "X-GitHub-Delivery"])
async def test_a_delivery_is_taken_once(client: httpx.AsyncClient, anonymous: httpx.AsyncClient, header: str) -> None:
    trigger = await add(client)
    headers = {header: uuid4().hex}
    answers = await asyncio.gather(
        *(anonymous.post(trigger["address"], json={"n": number}, headers=headers) for number in range(5))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert [each["key"] for each in await made_by(client, trigger)] == [headers[header]]
    assert len((await client.get("/v1/executions")).json()["items"]) == 1


async def test_whoever_has_not_the_address_learns_nothing(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    trigger, other = await add(client), await add(client)
    disabled = await add(client, enabled=False)
    path = trigger["links"]["deliveries"]
    unknown = f"/v1/triggers/{uuid4()}/deliveries?token={trigger['token']}"
    tried = [path, f"{path}?token=", f"{path}?token={other['token']}", unknown, disabled["address"]]
    answers = [await each.post(address, content=b"{") for each in (anonymous, stranger) for address in tried]
    problems = [{name: value for name, value in answer.json().items() if name != "instance"} for answer in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert problems == [problems[0]] * len(problems)
    for address in (trigger["links"]["self"], path):
        assert (await stranger.get(address)).status_code == 404
        assert (await anonymous.get(address)).status_code == 401


async def test_a_token_is_shown_once_and_can_be_rotated(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    trigger = await add(client)
    own = trigger["links"]["self"]
    assert trigger["token"] not in (await client.get(own)).text + (await client.get("/v1/triggers")).text
    async with reading(api.process.database) as connection:
        record = await repository.find(connection, UUID(trigger["id"]))
    assert record is not None
    assert trigger["token"].encode() not in record.token_hash
    rotated = (await client.post(trigger["links"]["rotate"])).json()
    assert (await anonymous.post(trigger["address"], json={})).status_code == 404
    assert (await anonymous.post(rotated["address"], json={})).status_code == 202


def as_github(secret: str, body: bytes) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def as_standard(secret: str, body: bytes) -> dict[str, str]:
    message, at = f"msg_{uuid4().hex}", datetime.now(UTC)
    signature = Sender(secret).sign(message, at, body.decode())
    return {"webhook-id": message, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


@pytest.mark.parametrize(("signature", "sign"), [("github", as_github), ("standard_webhooks", as_standard)])
async def test_whoever_signs_needs_no_token(
    api: Api,
    client: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    signature: str,
    sign: Callable[[str, bytes], dict[str, str]],
) -> None:
    trigger, other = await add(client, signature=signature), await add(client, signature=signature)
    own, secret, body = trigger["links"]["self"], trigger["secret"], b'{"ref": "v2"}'
    assert (trigger["signature"], trigger["token"], trigger["address"]) == (signature, None, f"{own}/deliveries")

    async def post(headers: dict[str, str], body: bytes = body, address: str = trigger["address"]) -> int:
        return (await anonymous.post(address, content=body, headers=headers)).status_code

    headers = sign(secret, body)
    assert [await post(headers), await post(headers, b'{"ref": "v3"}'), await post({})] == [202, 404, 404]
    assert await post(sign(other["secret"], body)) == 404
    assert await post({}, address=f"{own}/deliveries?token=") == 404
    # It is shown once, and kept so that nobody can read it.
    assert secret not in (await client.get(own)).text + (await client.get("/v1/triggers")).text
    async with reading(api.process.database) as connection:
        record = await repository.find(connection, UUID(trigger["id"]))
    assert record is not None
    assert secret.encode() not in (record.signing or secret.encode())
    # Both are good for a while, and only the new one without that while.
    rotated = (await client.post(trigger["links"]["rotate"])).json()
    assert rotated["secret_before_until"] > rotated["updated_at"]
    assert [await post(sign(each, body)) for each in (secret, rotated["secret"])] == [202, 202]
    again = (await client.post(trigger["links"]["rotate"], json={"overlap": 0})).json()
    assert [await post(sign(each, body)) for each in (rotated["secret"], again["secret"])] == [404, 202]
    # Back to a token.
    by_token = (await client.post(trigger["links"]["rotate"], json={"signature": None})).json()
    assert (by_token["signature"], by_token["secret"], by_token["secret_before_until"]) == (None, None, None)
    assert [await post(sign(again["secret"], body)), await post({}, address=by_token["address"])] == [404, 202]


async def test_what_was_signed_once_is_taken_once(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    trigger = await add(client, signature="standard_webhooks")
    headers = as_standard(trigger["secret"], b"{}")
    answers = [
        await anonymous.post(trigger["address"], content=b"{}", headers=headers | {"Idempotency-Key": uuid4().hex})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()


async def test_a_ping_of_github_submits_nothing(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    trigger = await add(client, signature="github")
    body, ping = b'{"zen": "Keep it logically awesome."}', {"X-GitHub-Event": "ping"}

    async def post(headers: dict[str, str]) -> int:
        return (await anonymous.post(trigger["address"], content=body, headers=headers)).status_code

    assert [await post(as_github(trigger["secret"], body) | ping), await post(ping)] == [204, 404]
    assert (await client.get(trigger["links"]["self"] + "/deliveries")).json()["items"] == []
    # Whoever has a token says what they like in other headers.
    by_token = await add(client)
    assert (await anonymous.post(by_token["address"], content=b"{}", headers=ping)).status_code == 202


async def test_a_secret_may_be_the_senders(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    given = {"signature": "github", "secret": "made-up-elsewhere"}
    trigger = await add(client, **given)
    assert trigger["secret"] == given["secret"]
    headers = as_github(given["secret"], b"{}")
    assert (await anonymous.post(trigger["address"], content=b"{}", headers=headers)).status_code == 202
    wrong: list[Json] = [{"secret": "made-up-elsewhere"}, {**given, "secret": "short"}, {**given, "signature": "wax"}]
    wrong.append({"signature": "standard_webhooks", "secret": "made-up-elsewhere"})
    for fields in wrong:
        answer = await client.post("/v1/triggers", json={"name": uuid4().hex, "target": BUILD, **fields})
        assert [error["field"] for error in answer.json()["errors"]] == [
            "signature" if fields.get("signature") == "wax" else "secret"
        ]
    for fields in ({"secret": "short"}, {"signature": None, "secret": "made-up-elsewhere"}):
        answer = await client.post(trigger["links"]["rotate"], json=fields)
        assert [error["field"] for error in answer.json()["errors"]] == ["secret"]
    # Neither is changed beside the rest of it.
    patched = await client.patch(trigger["links"]["self"], json={"signature": None, "target": BUILD})
    assert [error["field"] for error in patched.json()["errors"]] == ["signature"]


async def test_no_more_than_so_many_are_taken_in_a_minute(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    trigger = await add(client, max_per_minute=3)
    answers = await asyncio.gather(*(anonymous.post(trigger["address"], json={}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 3
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.json()["type"], refused.headers["retry-after"]) == ("urn:tailrace:problem:rate_limited", "60")


async def test_what_is_refused_counts_each_time_it_is_sent(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    trigger = await add(client, max_per_minute=2)
    headers = {"Idempotency-Key": "again"}
    answers = [await anonymous.post(trigger["address"], json=[], headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]
    assert [each["key"] for each in await made_by(client, trigger)] == ["again", "again"]


async def test_a_flood_of_one_trigger_takes_one_connection(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    trigger = await add(client)
    async with transaction(api.process.database) as connection:
        await repository.find(connection, UUID(trigger["id"]), lock=True)
        posts = [asyncio.create_task(anonymous.post(trigger["address"], json={})) for _ in range(AT_ONCE + 3)]
        await eventually(lambda: sum(post.done() for post in posts) == 3)
        refused = [post.result() for post in posts if post.done()]
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(429, "2")}
        await eventually(lambda: is_blocked_by(api.process, connection))
        assert (await client.get(trigger["links"]["self"])).status_code == 200
        # This one, and that of the one whose turn it is.
        await eventually(lambda: checked_out(api) == 2)
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [202] * AT_ONCE + [429] * 3


@pytest.mark.parametrize(("overlap", "status"), [(60, 202), (0, 404)])
async def test_what_is_under_way_when_the_secret_is_changed_is_judged_once_more(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, overlap: float, status: int
) -> None:
    """While both are good nothing gets lost."""
    trigger = await add(client, signature="github")
    post = anonymous.post(trigger["address"], content=b"{}", headers=as_github(trigger["secret"], b"{}"))
    async with transaction(api.process.database) as connection:
        record = await repository.find(connection, UUID(trigger["id"]), lock=True)
        assert record is not None
        posting = asyncio.create_task(post)
        await eventually(lambda: is_blocked_by(api.process, connection))
        sealed = api.process.vault.seal(new_secret(Signature.GITHUB), execution=record.id, name=SEALED_AS)
        key = {"token_hash": record.token_hash, "signature": record.signature, "signing": sealed}
        await repository.rotate(connection, record, key, overlap=overlap)
    assert (await posting).status_code == status
    assert len(await made_by(client, trigger)) == (status == 202)


def checked_out(api: Api) -> int:
    pool = api.process.database.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"", 400), (b'"' + b"x" * BODY_BYTES + b'"', 413), (b"[1]", 422), (b'{"not a name": 1}', 422)],
)
async def test_what_cannot_be_taken_is_refused(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, content: bytes, status: int
) -> None:
    trigger = await add(client)
    assert (await anonymous.post(trigger["address"], content=content)).status_code == status
    assert (await client.get("/v1/executions")).json()["items"] == []


async def test_why_it_was_not_accepted_only_its_owner_sees(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    trigger = await add(client)
    headers = {"Webhook-Id": "one"}
    async with transaction(api.process.database) as connection:
        theirs = update(Token).where(Token.owner == trigger["owner"])
        await connection.execute(theirs.values(scopes=[Scope.READ]))
    answer = await anonymous.post(trigger["address"], json={}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "It was not accepted. Its owner can see why."
    assert answer.json()["errors"] == []
    (delivery,) = await made_by(client, trigger)
    assert (delivery["status"], delivery["problem"]["status"], delivery["made"]) == ("refused", 403, None)
    # What was refused may be sent again.
    async with transaction(api.process.database) as connection:
        await connection.execute(theirs.values(scopes=[Scope.READ, Scope.SUBMIT]))
    assert (await anonymous.post(trigger["address"], json={}, headers=headers)).status_code == 202
    delivery, before = await made_by(client, trigger)
    assert (delivery["status"], delivery["problem"], before["status"]) == ("accepted", None, "refused")


async def test_one_is_changed_and_deleted(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    trigger = await add(client, note="n", target={"execution": {"image": "a:1", "env": {"A": "x"}}})
    own = trigger["links"]["self"]
    assert trigger["target"] == {"execution": {"image": "a:1", "env": {"A": "***"}}}
    etag = (await client.get(own)).headers["etag"]
    changed = await client.patch(own, json={"note": None, "max_per_minute": 5}, headers={"If-Match": etag})
    assert (changed.json()["note"], changed.json()["max_per_minute"]) == (None, 5)
    assert changed.json()["target"] == trigger["target"]
    assert (await client.patch(own, json={"note": "m"}, headers={"If-Match": etag})).status_code == 412
    replaced = await client.patch(own, json={"target": {"execution": {"image": "b:1"}}})
    assert replaced.json()["target"] == {"execution": {"image": "b:1"}}
    wrong = await client.patch(own, json={"target": {"execution": {"image": "b:1", "pool": "none-such"}}})
    assert [error["field"] for error in wrong.json()["errors"]] == ["target.execution.pool"]
    assert (await stranger.patch(own, json={})).status_code == 404
    assert (await stranger.delete(own)).status_code == 404
    assert (await client.post("/v1/triggers", json={"name": trigger["name"], "target": BUILD})).status_code == 409
    assert (await client.delete(own)).status_code == 204
    assert (await client.get(own)).status_code == 404


async def test_its_secrets_are_nobodys_business(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    value = f"confided-{uuid4().hex}"
    trigger = await add(client, target={"execution": {"image": "busybox:local", "secrets": {"S": value}}})
    assert value not in str(trigger)
    async with reading(api.process.database) as connection:
        record = await repository.find(connection, UUID(trigger["id"]))
    assert value not in str(record)
    answer = await anonymous.post(trigger["address"], json={})
    execution = (await client.get(f"/v1/executions/{answer.json()['execution']}")).json()
    assert execution["secrets"] == ["S"]


async def test_what_is_kept_of_its_deliveries(api: Api, client: httpx.AsyncClient) -> None:
    trigger = await add(client)
    id_ = UUID(trigger["id"])
    now = await read_now(api.process)
    rows = [
        {"id": uuid4(), "trigger_id": id_, "key": f"{number}", "status": "refused"}
        | {"at": now - timedelta(days=days, seconds=number)}
        for days, numbers in ((2, range(DELIVERIES_KEPT + 5)), (0, range(DELIVERIES_KEPT + 5, DELIVERIES_KEPT + 10)))
        for number in numbers
    ]
    async with transaction(api.process.database) as connection:
        await connection.execute(insert(TriggerDelivery).values(rows))
        await repository.note(connection, id_, Delivery(key="last", status=DeliveryStatus.REFUSED))
        kept = await repository.list_deliveries(connection, id_, limit=2 * DELIVERIES_KEPT, before=None)
    assert len(kept) == DELIVERIES_KEPT + 6
    page = (await client.get(trigger["links"]["deliveries"], params={"limit": 2})).json()
    assert len(page["items"]) == 2
    second = (await client.get(trigger["links"]["deliveries"], params={"limit": 2, "cursor": page["next"]})).json()
    assert len({each["key"] for each in page["items"] + second["items"]}) == 4
