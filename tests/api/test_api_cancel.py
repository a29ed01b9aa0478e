"""Stopping: what the API decides by itself, and what it leaves to the worker."""

import asyncio
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from hand import Hand
from served import Submit

from app.bootstrap import Process
from app.executions.states import Cause
from app.logs.protocol import Kind, unpack_message


async def test_in_the_queue_it_is_canceled_at_once(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit()
    response = await client.post(f"/v1/executions/{execution}/cancel")
    assert response.status_code == 202
    body = response.json()
    assert (body["status"], body["cause"]) == ("canceled", "canceled_by_user")
    assert body["message"] == f"Canceled by {body['owner']} before it was started"
    assert body["finished_at"]
    assert body["log"]["complete"] is True
    again = await client.post(f"/v1/executions/{execution}/cancel")
    assert (again.status_code, again.json()) == (200, body)


@pytest.mark.parametrize("running", [False, True])
async def test_a_held_execution_is_asked_to_stop(
    *, running: bool, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit(limits={"grace": 30})
    await (hand.start if running else hand.claim)(execution)
    before = (await hand.row(execution)).control_version
    response = await client.post(f"/v1/executions/{execution}/cancel", json={})
    assert response.status_code == 202
    stop = response.json()["stop"]
    assert (response.json()["status"], stop["reason"], stop["by"]) == ("stopping", "cancel", response.json()["owner"])
    row = await hand.row(execution)
    assert (row.stop_deadline - row.stop_requested_at).total_seconds() == pytest.approx(30, abs=0.1)
    assert row.control_version == before + 1
    assert row.stop_force is False


async def test_asking_again_changes_nothing(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    first = await client.post(f"/v1/executions/{execution}/cancel")
    second = await client.post(f"/v1/executions/{execution}/cancel", json={"force": False})
    assert (second.status_code, second.json()) == (202, first.json())
    events = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    assert [event["to"] for event in events].count("stopping") == 1


async def test_force_brings_the_kill_forward_once(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit(limits={"grace": 3000})
    await hand.start(execution)
    cancel = f"/v1/executions/{execution}/cancel"
    await client.post(cancel)
    gentle = await hand.row(execution)
    forced = await client.post(cancel, json={"force": True})
    row = await hand.row(execution)
    assert forced.status_code == 202
    assert row.stop_force
    assert row.stop_deadline < gentle.stop_deadline
    assert row.stop_requested_at == gentle.stop_requested_at
    assert row.control_version == gentle.control_version + 1
    await client.post(cancel, json={"force": True})
    assert await hand.row(execution) == row


async def test_force_at_once_leaves_no_grace(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    await client.post(f"/v1/executions/{execution}/cancel", json={"force": True})
    row = await hand.row(execution)
    assert row.stop_force
    # Both are read off a clock that goes on.
    assert timedelta(0) <= row.stop_deadline - row.stop_requested_at < timedelta(seconds=row.limits["grace"])


async def test_the_first_reason_to_stop_stays_but_no_attempt_follows(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.time_out(execution)
    before = await hand.row(execution)
    response = await client.post(f"/v1/executions/{execution}/cancel")
    assert response.status_code == 202
    assert response.json()["stop"]["reason"] == "timeout"
    after = await hand.row(execution)
    assert (before.stop_final, after.stop_final) == (False, True)
    assert (after.stop_reason, after.stop_deadline) == (before.stop_reason, before.stop_deadline)
    assert (after.status, after.control_version) == (before.status, before.control_version)


async def test_what_has_ended_otherwise_says_so(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)
    response = await client.post(f"/v1/executions/{execution}/cancel", json={"force": True})
    assert response.status_code == 409
    assert "failed" in response.json()["detail"]
    assert (await hand.row(execution)).stop_reason is None


async def test_many_at_once_make_one_stop(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    answers = await asyncio.gather(*(client.post(f"/v1/executions/{execution}/cancel") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    events = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    assert [event["to"] for event in events].count("stopping") == 1


async def test_cancel_and_claim_at_once_never_both_win(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    for _ in range(10):
        execution = await submit()
        claim = asyncio.create_task(hand.claim(execution))
        answer = await client.post(f"/v1/executions/{execution}/cancel")
        claimed = (await asyncio.gather(claim, return_exceptions=True))[0] is None
        assert answer.json()["status"] == ("stopping" if claimed else "canceled")


async def test_watchers_and_the_worker_are_told(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    await hand.start(execution)
    watched = process.channels.execution(UUID(execution))
    control = process.channels.control(hand.worker)
    async with process.listener.subscribe(watched) as frames, process.listener.subscribe(control) as intents:
        await client.post(f"/v1/executions/{execution}/cancel")
        frame = await frames.get(30)
        assert frame is not None
        message = unpack_message(frame)
        assert message.kind is Kind.STATUS
        assert b'"stopping"' in message.frame
        assert await intents.get(30) is not None
