"""What is sent to webhooks: every event once, in order, again until it arrives, and whoever hangs delays nobody."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from aiohttp import web
from hand import Hand
from posting import Post, add_webhook, deliveries_of, verified
from served import Api, Submit
from sqlalchemy import delete, func, select, update

from app.bootstrap import Process
from app.db.engine import transaction
from app.db.orm import clock
from app.events.following import follow
from app.events.store import BatchEnded, Happened
from app.events.tables import EventCursor
from app.executions.states import Cause
from app.webhooks import following, outbox
from app.webhooks.model import BREAKS_AT
from app.webhooks.signing import new_secret
from app.webhooks.tables import DeliveryRow, WebhookRow
from support.eventually import eventually
from support.receiver import Received, Receiver, receiving

ALL = [
    "execution.queued",
    "execution.preparing",
    "execution.running",
    "execution.stopping",
    "execution.cancel_requested",
    "execution.succeeded",
    "execution.failed",
    "execution.canceled",
    "execution.updated",
    "execution.deleted",
]


async def _age(process: Process, webhook: str, **columns: Any) -> None:
    """Let time have passed."""
    async with transaction(process.database) as connection:
        await connection.execute(update(DeliveryRow).where(DeliveryRow.webhook_id == UUID(webhook)).values(**columns))


async def test_of_what_was_deleted_before_its_turn_only_that_is_told(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, hand: Hand, post: Post
) -> None:
    webhook = await add_webhook(client, receiver, *ALL)
    execution = await submit(labels={"a": "b"})
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO, exit_code=3)
    assert (await client.delete(f"/v1/executions/{execution}")).status_code == 204
    await post.until_received(receiver, 1)
    await post.until_idle()
    [message] = [verified(each, webhook["secret"]) for each in receiver.received]
    was = {"id": execution, "status": "failed", "owner": webhook["owner"], "pool": "default", "labels": {"a": "b"}}
    assert (message["type"], message["data"]) == ("execution.deleted", {"execution": was})


async def test_every_step_is_told_in_order_with_event_and_record_and_no_secret(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, hand: Hand, post: Post
) -> None:
    webhook = await add_webhook(client, receiver, *ALL)
    execution = await submit(name="told", secrets={"TOKEN": "confidential"}, env={"X": "hidden"})
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO, exit_code=3)
    await post.until_received(receiver, 4)
    told = [verified(each, webhook["secret"]) for each in receiver.received]
    assert [each["type"] for each in told] == [
        f"execution.{step}" for step in ("queued", "preparing", "running", "failed")
    ]
    history = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    assert [each["data"]["event"] for each in told] == history
    assert [each["timestamp"] for each in told] == [each["at"].replace("Z", "+00:00") for each in history]
    record = (await client.get(f"/v1/executions/{execution}")).json()
    assert told[-1]["data"]["execution"] == record
    for each in receiver.received:
        assert b"confidential" not in each.body
        assert b"hidden" not in each.body
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 4


async def test_a_cancellation_is_told_when_it_is_asked_for(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, hand: Hand, post: Post
) -> None:
    await add_webhook(client, receiver, "execution.cancel_requested", "execution.canceled")
    execution = await submit()
    await hand.start(execution)
    await client.post(f"/v1/executions/{execution}/cancel")
    [asked] = await post.until_received(receiver, 1)
    assert (asked["type"], asked["data"]["execution"]["status"]) == ("execution.cancel_requested", "stopping")
    await hand.end(execution, Cause.CANCELED_BY_USER)
    messages = await post.until_received(receiver, 2)
    assert messages[1]["type"] == "execution.canceled"


async def test_only_what_was_chosen_is_told_and_only_of_ones_own(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, receiver: Receiver, submit: Submit, post: Post
) -> None:
    async with receiving() as picky, receiving() as other:
        await add_webhook(client, receiver, "execution.queued")
        await add_webhook(client, picky, "execution.queued", labels={"team": "a"}, pools=["default"])
        await add_webhook(client, other, "execution.queued", methods=["nobody-calls-it"])
        await stranger.post("/v1/executions", json={"image": "busybox:local"})
        plain, mine = await submit(), await submit(labels={"team": "a", "more": "x"})
        await post.until_received(receiver, 2)
        await post.until_received(picky, 1)
        await post.until_idle()
        told = [
            [orjson.loads(each.body)["data"]["execution"]["id"] for each in one.received] for one in (receiver, picky)
        ]
        assert [sorted(each) for each in told] == [sorted([plain, mine]), [mine]]
        assert other.received == []


async def test_what_happened_before_is_not_told(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, post: Post
) -> None:
    await submit()
    await add_webhook(client, receiver, "execution.queued")
    execution = await submit()
    [message] = await post.until_received(receiver, 1)
    assert message["data"]["execution"]["id"] == execution


async def test_progress_is_told_now_and_then(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, hand: Hand, post: Post, process: Process
) -> None:
    webhook = (await add_webhook(client, receiver, "execution.progress"))["id"]
    execution = await submit()
    await hand.start(execution)
    await hand.change(execution, progress_percent=10, progress_phase="early", progress_at=func.clock_timestamp())
    [message] = await post.until_received(receiver, 1)
    assert message["data"]["execution"]["progress"]["percent"] == 10
    await hand.change(execution, progress_percent=20, progress_at=func.clock_timestamp())
    await post.until_idle()
    assert len(receiver.received) == 1
    await _age(process, webhook, created_at=DeliveryRow.created_at - timedelta(seconds=11))
    messages = await post.until_received(receiver, 2)
    assert messages[1]["data"]["execution"]["progress"]["percent"] == 20
    await _age(process, webhook, created_at=DeliveryRow.created_at - timedelta(seconds=11))
    await post.until_idle()
    assert len(receiver.received) == 2


async def test_a_submission_brings_its_own(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, hand: Hand, post: Post
) -> None:
    secret = new_secret()
    async with receiving() as unsigned:
        hooks = [
            {"url": f"{receiver.url}/one", "secret": secret, "events": ["execution.queued", "execution.succeeded"]},
            {"url": unsigned.url},
        ]
        execution = await submit(webhooks=hooks)
        await submit()
        await hand.start(execution)
        await hand.end(execution)
        await post.until_received(receiver, 2)
        await post.until_received(unsigned, 1)
        await post.until_idle()
        told = [verified(each, secret) for each in receiver.received]
        assert [each["type"] for each in told] == ["execution.queued", "execution.succeeded"]
        assert {each["data"]["execution"]["id"] for each in told} == {execution}
        [ended] = unsigned.received
        assert "webhook-signature" not in ended.headers
        assert ended.headers["webhook-id"].startswith("msg_")
    assert (await client.get("/v1/webhooks")).json()["items"] == []
    theirs = (await client.get("/v1/webhooks", params={"execution": execution})).json()["items"]
    assert sorted((each["execution"], each["signed"]) for each in theirs) == [(execution, False), (execution, True)]
    assert secret not in (await client.get(f"/v1/executions/{execution}")).text


async def test_batches_bring_theirs_too(client: httpx.AsyncClient, receiver: Receiver, post: Post) -> None:
    hook = {"url": receiver.url, "events": ["execution.queued"]}
    body = {"defaults": {"image": "busybox:local", "webhooks": [hook]}, "count": 3}
    response = await client.post("/v1/batches", json=body)
    assert response.status_code == 201, response.text
    messages = await post.until_received(receiver, 3)
    assert {each["data"]["execution"]["lineage"]["batch"]["index"] for each in messages} == {0, 1, 2}


@pytest.mark.parametrize(
    "hook",
    [
        {"url": "http://10.0.0.1/"},
        {"url": "nonsense"},
        {"url": "http://127.0.0.1/", "secret": "whsec_dG9vIHNob3J0"},
        {"url": "http://127.0.0.1/", "secret": "not one"},
        {"url": "http://127.0.0.1/", "events": ["webhook.ping"]},
        {"url": "http://127.0.0.1/", "labels": {}},
        {},
    ],
)
async def test_a_submission_with_a_bad_one_is_refused(client: httpx.AsyncClient, hook: dict[str, Any]) -> None:
    body = {"image": "busybox:local", "webhooks": [hook]}
    for asked in (client.post("/v1/executions", json=body), client.post("/v1/executions?dry_run=true", json=body)):
        response = await asked
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"].startswith("webhooks")


async def test_another_secret_is_another_body(client: httpx.AsyncClient, receiver: Receiver) -> None:
    def body() -> dict[str, Any]:
        return {"image": "busybox:local", "webhooks": [{"url": receiver.url, "secret": new_secret()}]}

    one, other = body(), body()
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/v1/executions", json=one, headers=headers)
    again = await client.post("/v1/executions", json=one, headers=headers)
    changed = await client.post("/v1/executions", json=other, headers=headers)
    assert (first.json()["id"], changed.status_code) == (again.json()["id"], 422)


async def test_what_does_not_arrive_comes_again_under_the_same_id(
    client: httpx.AsyncClient, receiver: Receiver, post: Post
) -> None:
    webhook = await add_webhook(client, receiver)
    answers = iter([(500, "<b>broken</b>" + "x" * 2000), (302, ""), (204, "")])

    async def act(_: Received) -> web.StreamResponse:
        status, body = next(answers)
        return web.Response(
            status=status, text=body or None, headers={"Location": receiver.url} if status == 302 else {}
        )

    receiver.act = act
    await client.post(f"/v1/webhooks/{webhook['id']}/ping")
    await post.until_received(receiver, 3)
    await post.until_idle()
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    assert len({each.body for each in receiver.received}) == 1
    for each in receiver.received:
        verified(each, webhook["secret"])
    [delivery] = await deliveries_of(client, webhook["id"])
    assert (delivery["state"], delivery["tries"], delivery["next_at"]) == ("delivered", 3, None)
    assert [each["status"] for each in delivery["log"]] == [500, 302, 204]
    assert delivery["log"][0]["response"].startswith("<b>broken</b>")
    assert len(delivery["log"][0]["response"]) == 512
    assert (await client.get(f"/v1/webhooks/{webhook['id']}")).json()["failures"] == 0


async def test_after_a_day_it_is_given_up_and_can_be_sent_again_by_hand(
    client: httpx.AsyncClient, receiver: Receiver, post: Post, process: Process
) -> None:
    webhook = (await add_webhook(client, receiver))["id"]
    receiver.answer(500)
    sent = (await client.post(f"/v1/webhooks/{webhook}/ping")).json()
    await _age(process, webhook, give_up_at=DeliveryRow.give_up_at - timedelta(days=1))
    [failed] = await post.until(lambda: deliveries_of(client, webhook, state="failed"))
    assert failed["done_at"] is not None
    await post.until_idle()
    received = len(receiver.received)
    receiver.answer(200)
    again = await client.post(f"/v1/webhooks/{webhook}/deliveries/{sent['id']}/redeliver")
    assert (again.status_code, again.json()["state"], again.json()["message_id"]) == (
        202,
        "waiting",
        sent["message_id"],
    )
    await post.until_received(receiver, received + 1)
    assert receiver.received[-1].headers["webhook-id"] == sent["message_id"]
    [delivered] = await post.until(lambda: deliveries_of(client, webhook, state="delivered"))
    assert delivered["id"] == sent["id"]


async def test_a_receiver_that_fails_is_left_alone_tried_once_and_then_has_it_all(
    client: httpx.AsyncClient, receiver: Receiver, post: Post, process: Process
) -> None:
    webhook = (await add_webhook(client, receiver))["id"]
    receiver.answer(503)
    for _ in range(BREAKS_AT + 3):
        await client.post(f"/v1/webhooks/{webhook}/ping")

    async def paused() -> Any:
        return (await client.get(f"/v1/webhooks/{webhook}")).json()["paused_until"]

    await post.until(paused)
    await post.until_idle()
    seen = (await client.get(f"/v1/webhooks/{webhook}")).json()
    assert seen["failures"] == BREAKS_AT
    assert seen["failing_since"] is not None
    assert len(receiver.received) == BREAKS_AT
    async with transaction(process.database) as connection:
        assert await outbox.read_due(connection, UUID(webhook), most=10) is None
        await connection.execute(update(WebhookRow).where(WebhookRow.id == UUID(webhook)).values(paused_until=clock()))
        await connection.execute(
            update(DeliveryRow).where(DeliveryRow.webhook_id == UUID(webhook)).values(next_at=clock())
        )
    async with transaction(process.database) as connection:
        bundle = await outbox.read_due(connection, UUID(webhook), most=10)
        assert bundle is not None
        assert len(bundle.letters) == 1
    receiver.answer(200)
    await post.until_received(receiver, 2 * BREAKS_AT + 3)
    await post.until_idle()
    assert len(await deliveries_of(client, webhook, state="delivered")) == BREAKS_AT + 3
    assert await paused() is None


async def test_a_receiver_that_is_gone_or_fails_for_days_is_disabled_with_a_reason(
    client: httpx.AsyncClient, receiver: Receiver, post: Post, process: Process
) -> None:
    gone, dead = [(await add_webhook(client, receiver))["id"] for _ in range(2)]
    receiver.answer(410)
    await client.post(f"/v1/webhooks/{gone}/ping")

    async def disabled(webhook: str) -> Any:
        return (await client.get(f"/v1/webhooks/{webhook}")).json()["disabled_reason"]

    assert await post.until(lambda: disabled(gone)) == "It answered 410 Gone"
    receiver.answer(500)
    await client.post(f"/v1/webhooks/{dead}/ping")
    async with transaction(process.database) as connection:
        long_ago = clock() - timedelta(days=6)
        values = {"failures": BREAKS_AT, "failing_since": long_ago}
        await connection.execute(update(WebhookRow).where(WebhookRow.id == UUID(dead)).values(**values))
    assert await post.until(lambda: disabled(dead)) == "Nothing could be delivered for 5 days"
    [failed] = await deliveries_of(client, dead)
    assert failed["state"] == "failed"
    enabled = (await client.patch(f"/v1/webhooks/{dead}", json={"enabled": True})).json()
    assert (enabled["enabled"], enabled["disabled_reason"], enabled["failures"]) == (True, None, 0)


async def test_a_host_that_is_not_public_any_more_is_not_reached(
    client: httpx.AsyncClient, receiver: Receiver, post: Post, process: Process
) -> None:
    webhook = (await add_webhook(client, receiver))["id"]
    inside = receiver.url.replace("127.0.0.1", "127.0.0.2")
    async with transaction(process.database) as connection:
        await connection.execute(update(WebhookRow).where(WebhookRow.id == UUID(webhook)).values(url=inside))
    await client.post(f"/v1/webhooks/{webhook}/ping")

    async def tried() -> Any:
        return (await deliveries_of(client, webhook))[0]["log"]

    [first, *_] = await post.until(tried)
    assert first["error"] == "Its URL must not name an address that is not public"
    assert receiver.received == []


async def test_who_hangs_delays_nobody(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, post: Post
) -> None:
    async with receiving() as dead:
        dead.hang()
        await add_webhook(client, dead, "execution.queued")
        await add_webhook(client, receiver, "execution.queued")
        for number in range(1, 20):
            await submit()
            await post.until_received(receiver, number)
        # The dead one has not let go of a single one of its first.
        assert 1 <= len(dead.received) <= 4
        # The other's last is noted a moment after it was received.
        await eventually(lambda: len(post.sender._sending) == 1)


async def test_of_one_execution_a_receiver_hears_one_thing_after_the_other(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, hand: Hand, post: Post
) -> None:
    await add_webhook(client, receiver, *ALL)
    receiver.hang()
    executions = [await submit() for _ in range(6)]
    for execution in executions:
        await hand.start(execution)
        await hand.end(execution)
    await post.until(lambda: len(receiver.received) == 4)
    receiver.go_on.set()
    await post.until_received(receiver, 24)
    heard = [orjson.loads(each.body) for each in receiver.received]
    for execution in executions:
        numbers = [each["data"]["event"]["number"] for each in heard if each["data"]["execution"]["id"] == execution]
        assert numbers == [1, 2, 3, 4]


async def test_several_who_follow_at_once_make_one_delivery_of_each_event(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, process: Process
) -> None:
    webhook = (await add_webhook(client, receiver, "execution.queued"))["id"]

    async def follow_on() -> None:
        for _ in range(20):
            await following.follow_events(process.database)

    followers = [asyncio.create_task(follow_on()) for _ in range(3)]
    executions = await asyncio.gather(*(submit() for _ in range(20)))
    await asyncio.gather(*followers)
    await following.follow_events(process.database)
    deliveries = await deliveries_of(client, webhook, limit=200)
    assert sorted(each["execution"] for each in deliveries) == sorted(executions)


async def test_many_who_hear_of_many_at_once_all_do(
    client: httpx.AsyncClient, receiver: Receiver, process: Process
) -> None:
    hooks = [(await add_webhook(client, receiver, "execution.queued"))["id"] for _ in range(40)]
    made = await client.post("/v1/batches", json={"defaults": {"image": "busybox:local"}, "count": 150})
    assert made.status_code == 201
    while await following.follow_events(process.database):
        pass
    for hook in hooks:
        assert len(await deliveries_of(client, hook, limit=200)) == 150
        await client.delete(f"/v1/webhooks/{hook}")


async def test_what_fails_in_between_is_done_again_from_where_it_was(
    client: httpx.AsyncClient, submit: Submit, process: Process
) -> None:
    name = f"test-{(await client.get('/v1/me')).json()['owner']}"
    while await follow(process.database, name, _ignore):
        pass
    execution = UUID(await submit())
    seen: list[UUID] = []

    async def fail(_: Any, events: Any) -> None:
        raise ZeroDivisionError

    async def note(_: Any, events: Any) -> None:
        seen.extend(happened.execution for happened in events if isinstance(happened, Happened))

    with pytest.raises(ZeroDivisionError):
        await follow(process.database, name, fail)
    await follow(process.database, name, note)
    await follow(process.database, name, note)
    assert seen.count(execution) == 1
    async with transaction(process.database) as connection:
        await connection.execute(delete(EventCursor).where(EventCursor.name == name))


async def _ignore(_: Any, events: Any) -> None:
    assert all(isinstance(happened, Happened | BatchEnded) for happened in events)


async def test_what_is_over_is_forgotten_after_a_while(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, post: Post, process: Process
) -> None:
    webhook = (await add_webhook(client, receiver))["id"]
    await client.post(f"/v1/webhooks/{webhook}/ping")
    await post.until(lambda: deliveries_of(client, webhook, state="delivered"))
    await _age(process, webhook, done_at=clock() - timedelta(days=31))
    receiver.answer(500)
    await client.post(f"/v1/webhooks/{webhook}/ping")
    await post.sender.tidy()
    assert [each["state"] for each in await deliveries_of(client, webhook)] == ["waiting"]


async def test_webhooks_of_an_execution_go_with_it(
    client: httpx.AsyncClient, receiver: Receiver, submit: Submit, hand: Hand, post: Post, process: Process
) -> None:
    execution = await submit(webhooks=[{"url": receiver.url, "events": ["execution.deleted"]}])
    await hand.start(execution)
    await hand.end(execution)
    await client.delete(f"/v1/executions/{execution}")
    await post.until_received(receiver, 1)
    await post.until_idle()
    theirs = WebhookRow.execution_id == UUID(execution)
    async with transaction(process.database) as connection:
        await connection.execute(update(WebhookRow).where(theirs).values(created_at=clock() - timedelta(hours=2)))
        await connection.execute(
            update(DeliveryRow)
            .where(DeliveryRow.execution_id == UUID(execution))
            .values(done_at=clock() - timedelta(days=31))
        )
    await post.sender.tidy()
    async with transaction(process.database) as connection:
        assert (await connection.execute(select(func.count()).select_from(WebhookRow).where(theirs))).scalar_one() == 0


async def test_what_waits_is_measured(client: httpx.AsyncClient, receiver: Receiver, post: Post, api: Api) -> None:
    webhook = (await add_webhook(client, receiver))["id"]
    receiver.hang()
    await client.post(f"/v1/webhooks/{webhook}/ping")
    await post.sender.tidy()
    metrics = post.sender._metrics
    assert metrics.registry.get_sample_value("tailrace_webhook_deliveries_waiting") >= 1
    receiver.go_on.set()
    await post.until(lambda: deliveries_of(client, webhook, state="delivered"))
    delivered = metrics.registry.get_sample_value("tailrace_webhook_tries_total", {"outcome": "delivered"})
    assert delivered is not None
    assert delivered >= 1
    await eventually(lambda: not post.sender._sending)
