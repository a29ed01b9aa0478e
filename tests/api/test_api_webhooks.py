"""Webhooks as their owners see them: made, changed, rotated, deleted; and what is refused."""

import httpx
import pytest
from posting import Post, add_webhook, deliveries_of, verified
from served import Api, Submit, running
from standardwebhooks.webhooks import WebhookVerificationError

from app.auth.tokens import Scope
from app.settings import Settings
from app.webhooks.model import WEBHOOKS_PER_OWNER
from app.webhooks.signing import new_secret
from support.receiver import Receiver


async def test_a_webhook_is_made_shown_listed_changed_and_deleted(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    made = await client.post("/v1/webhooks", json={"url": receiver.url, "pools": ["default"], "labels": {"a": "b"}})
    assert made.status_code == 201
    webhook = made.json()
    assert made.headers["Location"] == f"/v1/webhooks/{webhook['id']}"
    secret = webhook.pop("secret")
    assert secret.startswith("whsec_")
    assert webhook["events"] == [
        f"execution.{end}" for end in ("canceled", "crashed", "failed", "succeeded", "timed_out")
    ]
    assert (webhook["pools"], webhook["labels"], webhook["enabled"], webhook["signed"]) == (
        ["default"],
        {"a": "b"},
        True,
        True,
    )
    seen = await client.get(f"/v1/webhooks/{webhook['id']}")
    assert seen.json() == webhook
    assert (await client.get("/v1/webhooks")).json() == {"items": [webhook], "next": None}
    change = {"events": ["execution.running"], "labels": {}, "description": "mine", "enabled": False}
    changed = await client.patch(f"/v1/webhooks/{webhook['id']}", json=change)
    assert changed.json() == {**webhook, **change, "updated_at": changed.json()["updated_at"]}
    assert (await client.delete(f"/v1/webhooks/{webhook['id']}")).status_code == 204
    assert (await client.get(f"/v1/webhooks/{webhook['id']}")).status_code == 404


async def test_pages_of_webhooks_have_all_of_them_once(client: httpx.AsyncClient, receiver: Receiver) -> None:
    made = [(await add_webhook(client, receiver))["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = (await client.get("/v1/webhooks", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [webhook["id"] for webhook in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == made[::-1]


async def test_somebody_elses_are_not_there(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, admin: httpx.AsyncClient, receiver: Receiver, post: Post
) -> None:
    webhook = (await add_webhook(client, receiver))["id"]
    await client.post(f"/v1/webhooks/{webhook}/ping")
    [delivery] = await deliveries_of(client, webhook)
    path = f"/v1/webhooks/{webhook}"
    for method, where in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/rotate"),
        ("POST", f"{path}/ping"),
        ("GET", f"{path}/deliveries"),
        ("GET", f"{path}/deliveries/{delivery['id']}/body"),
        ("POST", f"{path}/deliveries/{delivery['id']}/redeliver"),
    ):
        response = await stranger.request(method, where, json={} if method == "PATCH" else None)
        assert response.status_code == 404, (method, where)
    assert (await stranger.get("/v1/webhooks")).json()["items"] == []
    assert (await admin.get(path)).status_code == 200


async def test_who_may_only_read_may_not_make_one(api: Api, receiver: Receiver) -> None:
    reader = await api.client(None, Scope.READ)
    assert (await reader.post("/v1/webhooks", json={"url": receiver.url})).status_code == 403
    assert (await reader.get("/v1/webhooks")).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://169.254.169.254/latest/meta-data"),
        ("url", "http://localhost.:1/"),
        ("url", "http://127.0.0.2/"),
        ("url", "http://[::1]:8080/"),
        ("url", "https://user:password@example.com/"),
        ("url", "file:///etc/passwd"),
        ("url", "https://nowhere.invalid/"),
        ("url", "http://127.0.0.1/\u0000"),
        ("url", "http://127.0.0.1/" + "x" * 3000),
        ("url", 7),
        ("events", []),
        ("events", ["execution.exploded"]),
        ("events", ["webhook.ping"]),
        ("pools", ["No Pool"]),
        ("methods", ["?"]),
        ("labels", {"": "x"}),
        ("description", "x" * 5000),
        ("enabled", "yes"),
        ("secret", "whsec_AAAA"),
    ],
)
async def test_what_is_wrong_is_named(client: httpx.AsyncClient, receiver: Receiver, field: str, value: object) -> None:
    webhook = (await add_webhook(client, receiver))["id"]
    made = await client.post("/v1/webhooks", json={"url": receiver.url, field: value})
    changed = await client.patch(f"/v1/webhooks/{webhook}", json={field: value})
    for response in (made, changed):
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["field"].split(".")[0].split("[")[0] == field


async def test_there_is_an_end_to_how_many_one_may_have(client: httpx.AsyncClient, receiver: Receiver) -> None:
    for _ in range(WEBHOOKS_PER_OWNER):
        await add_webhook(client, receiver)
    refused = await client.post("/v1/webhooks", json={"url": receiver.url})
    assert refused.status_code == 409


async def test_a_ping_is_signed_and_says_nothing(client: httpx.AsyncClient, receiver: Receiver, post: Post) -> None:
    webhook = await add_webhook(client, receiver)
    sent = await client.post(f"/v1/webhooks/{webhook['id']}/ping")
    assert sent.status_code == 202
    await post.until_received(receiver, 1)
    message = verified(receiver.received[0], webhook["secret"])
    assert (message["type"], message["data"]) == ("webhook.ping", {"webhook": webhook["id"]})
    assert receiver.received[0].headers["webhook-id"] == sent.json()["message_id"]
    assert receiver.received[0].path == "/hook"
    body = await client.get(f"/v1/webhooks/{webhook['id']}/deliveries/{sent.json()['id']}/body")
    assert body.content == receiver.received[0].body
    with pytest.raises(WebhookVerificationError):
        verified(receiver.received[0], new_secret())


async def test_while_a_secret_changes_both_are_valid_and_then_the_new_one(
    client: httpx.AsyncClient, receiver: Receiver, post: Post
) -> None:
    webhook = await add_webhook(client, receiver)
    path = f"/v1/webhooks/{webhook['id']}"
    second = (await client.post(f"{path}/rotate", json={"overlap": 3600})).json()
    assert second["secret_before_until"] is not None
    await client.post(f"{path}/ping")
    await post.until_received(receiver, 1)
    for secret in (webhook["secret"], second["secret"]):
        assert verified(receiver.received[0], secret)["type"] == "webhook.ping"
    third = (await client.post(f"{path}/rotate", json={"overlap": 0})).json()
    await client.post(f"{path}/ping")
    await post.until_received(receiver, 2)
    assert verified(receiver.received[1], third["secret"])
    for secret in (webhook["secret"], second["secret"]):
        with pytest.raises(WebhookVerificationError):
            verified(receiver.received[1], secret)
    assert "secret" not in (await client.get(path)).json()


async def test_without_a_key_no_secret_is_kept(settings: Settings, receiver: Receiver) -> None:
    async with running(settings.model_copy(update={"secret_key": None})) as api:
        client = await api.client()
        refused = await client.post("/v1/webhooks", json={"url": receiver.url})
        execution = {"image": "busybox:local", "webhooks": [{"url": receiver.url, "secret": new_secret()}]}
        refused_too = await client.post("/v1/executions", json=execution, headers={"Idempotency-Key": "k"})
    assert [each.status_code for each in (refused, refused_too)] == [422, 422]
    assert refused_too.json()["errors"][0]["field"] == "webhooks"


async def test_a_webhook_that_is_disabled_is_sent_nothing(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, post: Post
) -> None:
    webhook = (await add_webhook(client, receiver, "execution.queued"))["id"]
    await client.patch(f"/v1/webhooks/{webhook}", json={"enabled": False})
    assert (await client.post(f"/v1/webhooks/{webhook}/ping")).status_code == 409
    await submit()
    await post.sender.act()
    await client.patch(f"/v1/webhooks/{webhook}", json={"enabled": True})
    execution = await submit()
    [message] = await post.until_received(receiver, 1)
    assert message["data"]["execution"]["id"] == execution
