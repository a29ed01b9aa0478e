"""Webhooks of a whole installation: sent by whichever worker leads, once each, and again after its death."""

import signal
from collections import Counter
from collections.abc import AsyncIterator

import orjson
import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from support.eventually import eventually
from support.own import StartOwn
from support.receiver import Receiver, receiving
from support.running import Json, Running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def _add(installation: Running, receiver: Receiver, *events: str) -> Json:
    response = await installation.request(
        "POST", "/v1/webhooks", json={"url": receiver.url, "events": [f"execution.{event}" for event in events]}
    )
    assert response.status_code == 201, response.text
    webhook: Json = response.json()
    return webhook


async def test_two_workers_tell_every_step_once_and_a_third_goes_on_after_their_death(
    own: StartOwn, receiver: Receiver
) -> None:
    installation = await own(TAILRACE_OUTBOUND_ALLOW="127.0.0.1", slots=2)
    await installation.start("second", "worker")

    async def both() -> bool:
        return len((await installation.get("/v1/workers"))["items"]) == 2

    await eventually(both, within=60)
    webhook = await _add(installation, receiver, "queued", "preparing", "running", "succeeded")
    executions = [await installation.submit("true") for _ in range(4)]
    for execution in executions:
        assert (await installation.ended(execution))["status"] == "succeeded"
    await eventually(lambda: len(receiver.received) == 16, within=60)
    told = [orjson.loads(each.body) for each in receiver.received]
    for each in receiver.received:
        Verifier(webhook["secret"]).verify(each.body, dict(each.headers))
    counted = Counter((each["data"]["execution"]["id"], each["type"]) for each in told)
    assert set(counted.values()) == {1}
    assert {execution for execution, _ in counted} == set(executions)

    # Sent, and not noted: whoever comes next can only send it again, under the same id.
    receiver.hang()
    execution = await installation.submit("true")
    await eventually(lambda: len(receiver.received) > 16, within=60)
    for worker in ("worker", "second"):
        await installation.stop(worker, signal.SIGKILL)
    receiver.go_on.set()
    await installation.start("worker", "worker")

    async def told_of_its_end() -> bool:
        page = await installation.get(f"/v1/webhooks/{webhook['id']}/deliveries", params={"execution": execution})
        events = [each["event"] for each in page["items"] if each["state"] == "delivered"]
        return "execution.succeeded" in events and len(events) == len(page["items"])

    await eventually(told_of_its_end, within=90)
    ids = Counter(each.headers["webhook-id"] for each in receiver.received)
    twice = receiver.received[16].headers["webhook-id"]
    assert ids.pop(twice) == 2
    assert set(ids.values()) == {1}
