"""Webhooks and notifications of whole batches, and of all owners."""

from typing import Any
from uuid import UUID

import httpx
from hand import Hand
from posting import Post, add_webhook, deliveries_of, verified
from served import Api

from app.auth.tokens import Scope
from app.batches.settling import settle
from app.bootstrap import Process
from app.executions.states import Cause
from app.webhooks.signing import new_secret
from support.eventually import eventually
from support.mailbox import receiving_mail
from support.receiver import Receiver
from worker.metrics import WorkerMetrics
from worker.notifications import NotificationSender

Json = dict[str, Any]


async def _submit(client: httpx.AsyncClient, **fields: Any) -> str:
    body = {"defaults": {"image": "busybox:local"}, "count": 2, **fields}
    made = await client.post("/v1/batches", json=body)
    assert made.status_code == 201, made.text
    batch: str = made.json()["id"]
    return batch


async def _end(client: httpx.AsyncClient, hand: Hand, batch: str, cause: Cause = Cause.OK) -> Json:
    """All children, one after the other; and the batch after that."""
    for child in (await client.get("/v1/executions", params={"batch": batch})).json()["items"]:
        await hand.start(child["id"])
        await hand.end(child["id"], cause)
        await settle(hand.process, UUID(batch))
    ended: Json = (await client.get(f"/v1/batches/{batch}")).json()
    assert ended["finished_at"] is not None
    return ended


async def test_the_end_of_a_batch_is_told_once_to_its_own_webhook_and_to_those_of_its_owner(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, receiver: Receiver, hand: Hand, post: Post
) -> None:
    own, theirs = await add_webhook(client, receiver, "batch.ended"), await add_webhook(stranger, receiver)
    await add_webhook(client, receiver, "batch.ended", labels={"team": "b"})
    secret = new_secret()
    asked = [{"url": f"{receiver.url}/asked", "secret": secret}]
    batch = await _submit(client, name="sweep", labels={"team": "a"}, webhooks=asked)
    [kept] = (await client.get("/v1/webhooks", params={"batch": batch})).json()["items"]
    assert (kept["batch"], kept["execution"], kept["events"]) == (batch, None, ["batch.ended"])
    assert secret not in str(kept)
    ended = await _end(client, hand, batch, Cause.EXIT_NONZERO)
    await post.until_received(receiver, 2)
    # What is run again is no part of it.
    child = (await client.get("/v1/executions", params={"batch": batch})).json()["items"][0]
    again = (await client.post(f"/v1/executions/{child['id']}/rerun")).json()["id"]
    await hand.start(again)
    await hand.end(again)
    await settle(hand.process, UUID(batch))
    await post.until_idle()
    by_path = {each.path: each for each in receiver.received}
    assert (len(receiver.received), set(by_path)) == (2, {"/hook", "/asked"})
    for path, key in (("/hook", own["secret"]), ("/asked", secret)):
        message = verified(by_path[path], key)
        assert (message["type"], message["data"]) == ("batch.ended", {"batch": ended})
        assert message["timestamp"] == ended["finished_at"].replace("Z", "+00:00")
    [delivery] = await deliveries_of(client, own["id"])
    assert (delivery["event"], delivery["batch"], delivery["execution"]) == ("batch.ended", batch, None)
    assert await deliveries_of(stranger, theirs["id"]) == []


async def test_a_batch_that_is_gone_when_its_end_is_told_is_told_whole(
    client: httpx.AsyncClient, receiver: Receiver, hand: Hand, post: Post
) -> None:
    hook = await add_webhook(client, receiver, "batch.ended")
    batch = await _submit(client)
    ended = await _end(client, hand, batch)
    assert (await client.delete(f"/v1/batches/{batch}")).status_code == 204
    [message] = await post.until_received(receiver, 1)
    assert (message["data"], hook["events"]) == ({"batch": ended}, ["batch.ended"])


async def test_what_cannot_be_asked_of_a_batch_or_an_execution_is_refused(client: httpx.AsyncClient) -> None:
    url = "http://127.0.0.1:1/hook"
    body: Json = {"image": "busybox:local", "webhooks": [{"url": url, "events": ["batch.ended"]}]}
    wrong = await client.post("/v1/executions", json=body)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "webhooks[0].events[0]")
    many: Json = {"defaults": {"image": "busybox:local"}, "count": 1}
    for hooks, field in (
        ([{"url": "http://10.0.0.1/hook"}], "webhooks[0].url"),
        ([{"url": url, "secret": "whsec_short"}], "webhooks[0].secret"),
        ([{"url": url}] * 6, "webhooks"),
    ):
        wrong = await client.post("/v1/batches", json=many | {"webhooks": hooks})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, field), wrong.text
    rule = {"to": "mailto://127.0.0.1?to=a@example.com", "batches": True}
    more = {"causes": ["exit_nonzero"], "alert_after": 2, "statuses": ["timed_out"]}
    wrong = await client.post("/v1/notifications", json=rule | more)
    assert wrong.status_code == 422
    assert {each["field"] for each in wrong.json()["errors"]} == set(more)


async def test_a_rule_for_batches_tells_of_them_and_not_of_their_children(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, hand: Hand, process: Process
) -> None:
    sender = NotificationSender(process, WorkerMetrics())
    async with receiving_mail() as mailbox:
        rules = []
        for who, fields in ((client, {}), (admin, {"owner": "*", "labels": {"watched": "1"}})):
            made = await who.post("/v1/notifications", json={"to": mailbox.url, "batches": True, **fields})
            assert made.status_code == 201, made.text
            rules.append(made.json())
        assert [each["owner"] == "*" for each in rules] == [False, True]
        for cause in (Cause.OK, Cause.EXIT_NONZERO):
            batch = await _submit(client, name="sweep", labels={"watched": "1"})
            await _end(client, hand, batch, cause)

        async def said() -> list[Json]:
            await sender.act()
            pages = [(await admin.get(f"/v1/notifications/{rule['id']}/log")).json()["items"] for rule in rules]
            items = [item for page in pages for item in page]
            return items if len(items) == 2 and all(item["state"] == "sent" for item in items) else []

        for item in await eventually(said):
            assert (item["batch"], item["execution"], item["kind"]) == (batch, None, "ended")
            assert item["title"] == "[Tailrace] sweep: failed (batch)"
        assert (await client.get(f"/v1/notifications/{rules[1]['id']}")).status_code == 404
        assert (await admin.delete(f"/v1/notifications/{rules[1]['id']}")).status_code == 204
    await sender.stop()


async def test_only_an_admin_hears_of_everybody(
    api: Api, client: httpx.AsyncClient, receiver: Receiver, hand: Hand, post: Post
) -> None:
    admin = await api.client("root", Scope.ADMIN)
    # The same person with a lesser token sees as little of it as anybody else.
    lesser = await api.client("root")
    mark = {"everybody": receiver.url.rpartition(":")[2]}
    for path, target in (("webhooks", {"url": receiver.url}), ("notifications", {"to": "mailto://127.0.0.1"})):
        for who in (client, lesser):
            refused = await who.post(f"/v1/{path}", json={**target, "owner": "*"})
            assert (refused.status_code, '"*"' in refused.json()["detail"]) == (403, True)
        refused = await admin.post(f"/v1/{path}", json={**target, "owner": "ann"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "owner")
    refused = await admin.post("/v1/tokens", json={"name": "all", "owner": "*", "scopes": ["read"]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "owner")
    everything = ["execution.queued", "execution.progress", "batch.ended"]
    hook = await add_webhook(admin, receiver, *everything, owner="*", labels=mark)
    assert hook["owner"] == "*"
    own = f"/v1/webhooks/{hook['id']}"
    for who in (client, lesser):
        assert hook["id"] not in str((await who.get("/v1/webhooks")).json())
        for method, path in (
            ("GET", own),
            ("PATCH", own),
            ("DELETE", own),
            ("GET", f"{own}/deliveries"),
            ("POST", f"{own}/rotate"),
            ("POST", f"{own}/ping"),
        ):
            body = {"json": {"enabled": False}} if method == "PATCH" else {}
            assert (await who.request(method, path, **body)).status_code == 404
    batch = await _submit(client, count=1, defaults={"image": "busybox:local", "labels": mark}, labels=mark)
    other = await lesser.post("/v1/executions", json={"image": "busybox:local", "labels": mark})
    await _end(client, hand, batch)
    messages = await post.until_received(receiver, 3)
    owners = [
        next(iter(each["data"][kind]["owner"] for kind in ("execution", "batch") if kind in each["data"]))
        for each in messages
    ]
    assert sorted(each["type"] for each in messages) == ["batch.ended", "execution.queued", "execution.queued"]
    assert set(owners) == {"root", (await client.get("/v1/me")).json()["owner"]}
    assert other.status_code == 201
    assert (await admin.delete(own)).status_code == 204
