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


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_two_workers_tell_every_step_once_and_a_third_goes_on_after_their_death(
    own: StartOwn, receiver: Receiver
) -> None:
    installation = await own(TAILRACE_OUTBOUND_ALLOW="127.0.0.1", slots=2)
    await installation.start("second", "worker")

    async def both() -> bool:
        return len(await installation.api.workers.list().all()) == 2

    await eventually(both, within=60)
    events = [f"execution.{event}" for event in ("queued", "preparing", "running", "succeeded")]
    webhook = await installation.api.webhooks.create(url=receiver.url, events=events)
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
        deliveries = await installation.api.webhooks.deliveries(webhook.id, execution=execution).all()
        events = [each["event"] for each in deliveries if each["state"] == "delivered"]
        return "execution.succeeded" in events and len(events) == len(deliveries)

    await eventually(told_of_its_end, within=90)
    ids = Counter(each.headers["webhook-id"] for each in receiver.received)
    twice = receiver.received[16].headers["webhook-id"]
    assert ids.pop(twice) == 2
    assert set(ids.values()) == {1}
