"""Pausing and resuming: what the API decides by itself, and what it leaves to the worker."""

import asyncio

import httpx
import pytest
from hand import Hand
from served import Api, Submit

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.executions.states import Cause


@pytest.fixture
async def running(submit: Submit, hand: Hand) -> str:
    """One that runs, of a program that saves checkpoints."""
    execution = await submit(limits={"grace": 30})
    await hand.claim(execution)
    await hand.run(execution)
    return execution


def own(execution: str, what: str = "") -> str:
    return f"/v1/executions/{execution}{what}"


async def test_it_is_the_checkpoint_by_default_of_who_saves_some(
    client: httpx.AsyncClient, running: str, hand: Hand
) -> None:
    before = await hand.row(running)
    assert (await client.get(own(running))).json()["saves_checkpoints"]
    response = await client.post(own(running, "/pause"))
    assert response.status_code == 202
    body = response.json()
    assert (body["status"], body["stop"]["reason"], body["stop"]["by"]) == ("running", "pause", body["owner"])
    assert (body["pause"]["mode"], body["pause"]["by"], body["pause"]["paused_at"]) == (
        "checkpoint",
        body["owner"],
        None,
    )
    row = await hand.row(running)
    assert (row.pause_deadline - row.pause_requested_at).total_seconds() == pytest.approx(30, abs=0.1)
    # A worker of an older version would take it as a reason to kill.
    assert row.stop_reason is None
    assert (row.control_version, row.deadline) == (before.control_version + 1, before.deadline)


async def test_it_is_the_freezer_of_who_never_said_so(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    refused = await client.post(own(execution, "/pause"), json={"mode": "checkpoint"})
    assert refused.status_code == 409
    assert "running" in refused.json()["detail"]
    assert "freeze" in refused.json()["hint"]
    assert (await hand.row(execution)).control_version == 0
    response = await client.post(own(execution, "/pause"), json={})
    assert response.status_code == 202
    body = response.json()
    assert (body["status"], body["stop"], body["pause"]["mode"]) == ("running", None, "freeze")


@pytest.mark.parametrize("mode", ["freeze", "checkpoint"])
async def test_asking_again_changes_nothing(client: httpx.AsyncClient, running: str, hand: Hand, mode: str) -> None:
    first = await client.post(own(running, "/pause"), json={"mode": mode})
    for body in ({}, {"mode": mode}):
        again = await client.post(own(running, "/pause"), json=body)
        assert (again.status_code, again.json()) == (202, first.json())
    other = {"freeze": "checkpoint", "checkpoint": "freeze"}[mode]
    refused = await client.post(own(running, "/pause"), json={"mode": other})
    assert refused.status_code == 409
    assert mode in refused.json()["detail"]
    assert (await client.get(own(running))).json() == first.json()


@pytest.mark.parametrize("mode", ["freeze", "checkpoint"])
async def test_what_is_not_there_yet_is_taken_back(client: httpx.AsyncClient, running: str, mode: str) -> None:
    before = (await client.get(own(running))).json()
    await client.post(own(running, "/pause"), json={"mode": mode})
    response = await client.post(own(running, "/resume"))
    assert response.status_code == 202
    assert response.json() == {**before, "updated_at": response.json()["updated_at"]}
    assert (await client.post(own(running, "/resume"))).status_code == 200


async def test_the_history_tells_who_asked_for_what(client: httpx.AsyncClient, running: str) -> None:
    await client.post(own(running, "/pause"), json={"mode": "freeze"})
    await client.post(own(running, "/resume"))
    events = (await client.get(own(running, "/events"))).json()["items"][-2:]
    owner = (await client.get(own(running))).json()["owner"]
    assert [(event["from"], event["to"], event["actor"]) for event in events] == [("running", "running", owner)] * 2
    assert [event["message"] for event in events] == [
        f"{owner} asked to pause (freeze).",
        f"{owner} took the pause back.",
    ]


async def test_what_is_frozen_is_resumed_by_its_worker(client: httpx.AsyncClient, running: str, hand: Hand) -> None:
    await hand.freeze(running)
    before = await hand.row(running)
    response = await client.post(own(running, "/resume"))
    body = response.json()
    assert (response.status_code, body["status"], body["pause"]["resume_by"]) == (202, "paused", body["owner"])
    again = await client.post(own(running, "/resume"))
    assert (again.status_code, again.json()) == (202, body)
    assert (await hand.row(running)).control_version == before.control_version + 1
    # And it may change its mind.
    paused = await client.post(own(running, "/pause"))
    assert (paused.status_code, paused.json()["pause"]["resume_by"]) == (202, None)
    assert (await client.post(own(running, "/pause"))).status_code == 200


async def test_what_has_saved_is_resumed_into_the_queue(
    client: httpx.AsyncClient, running: str, hand: Hand, process: Process
) -> None:
    await hand.save(running)
    async with process.listener.subscribe(process.channels.bell("default")) as bells:
        response = await client.post(own(running, "/resume"))
        assert await bells.get(30) is not None
    body = response.json()
    assert (response.status_code, body["status"], body["pause"], body["attempt"]) == (202, "queued", None, 1)
    again = await client.post(own(running, "/resume"))
    assert (again.status_code, again.json()["status"]) == (200, "queued")
    await hand.claim(running)
    assert (await client.get(own(running))).json()["attempt"] == 2


async def test_what_is_paused_can_be_canceled(client: httpx.AsyncClient, running: str, hand: Hand) -> None:
    await hand.freeze(running)
    response = await client.post(own(running, "/cancel"))
    body = response.json()
    assert (response.status_code, body["status"], body["stop"]["reason"], body["pause"]) == (
        202,
        "stopping",
        "cancel",
        None,
    )


async def test_what_has_saved_is_canceled_at_once(client: httpx.AsyncClient, running: str, hand: Hand) -> None:
    await hand.save(running)
    response = await client.post(own(running, "/cancel"), json={"force": True})
    body = response.json()
    assert (response.status_code, body["status"], body["cause"]) == (202, "canceled", "canceled_by_user")
    assert (await client.post(own(running, "/cancel"))).status_code == 200


async def test_the_worker_is_told(client: httpx.AsyncClient, running: str, hand: Hand, process: Process) -> None:
    control = process.channels.control(hand.worker)
    async with process.listener.subscribe(control) as intents:
        await client.post(own(running, "/pause"))
        assert await intents.get(30) is not None
        await client.post(own(running, "/resume"))
        assert await intents.get(30) is not None


@pytest.mark.parametrize("body", [{"mode": "sleep"}, {"mode": 1}, {"how": "freeze"}, ["freeze"]])
async def test_a_body_that_makes_no_sense_is_refused(client: httpx.AsyncClient, running: str, body: object) -> None:
    response = await client.post(own(running, "/pause"), json=body)
    assert response.status_code == 422
    assert (await client.get(own(running))).json()["pause"] is None


async def test_it_takes_the_scope_to_cancel(api: Api, running: str) -> None:
    reader = await api.client("reader", Scope.READ, Scope.SUBMIT)
    for what in ("/pause", "/resume"):
        assert (await reader.post(own(running, what))).status_code == 403


async def test_pause_and_cancel_at_once_are_a_cancellation(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    for _ in range(10):
        execution = await submit()
        await hand.claim(execution)
        await hand.run(execution)
        paused, canceled = await asyncio.gather(
            client.post(own(execution, "/pause")), client.post(own(execution, "/cancel"))
        )
        assert canceled.status_code == 202
        assert paused.status_code in {202, 409}
        row = await hand.row(execution)
        assert (row.status, row.stop_reason, row.pause_mode) == ("stopping", "cancel", None)


async def test_pause_and_the_end_at_once_leave_the_end(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    for _ in range(10):
        execution = await submit()
        await hand.claim(execution)
        await hand.run(execution)
        paused, _ = await asyncio.gather(client.post(own(execution, "/pause")), hand.end(execution, Cause.OK))
        assert paused.status_code in {202, 409}
        assert (await client.get(own(execution))).json()["status"] == "succeeded"


async def test_many_at_once_make_one_pause(client: httpx.AsyncClient, running: str) -> None:
    answers = await asyncio.gather(*(client.post(own(running, "/pause")) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    events = (await client.get(own(running, "/events"))).json()["items"]
    assert sum("asked to pause" in (event["message"] or "") for event in events) == 1


async def test_resuming_many_times_at_once_queues_it_once(client: httpx.AsyncClient, running: str, hand: Hand) -> None:
    await hand.save(running)
    answers = await asyncio.gather(*(client.post(own(running, "/resume")) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
