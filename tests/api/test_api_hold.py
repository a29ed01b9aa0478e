"""Holding and releasing: what is held stays in the queue, whatever is free."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from hand import Hand
from served import Api, Submit

from app.auth.tokens import Scope
from app.bootstrap import Process
from support.racing import repeated
from support.records import Records


@pytest.fixture
async def records(process: Process) -> Records:
    """A worker with a pool of its own, in which it takes what it is told to."""
    return await Records.of(process)


async def ask(client: httpx.AsyncClient, execution: str, operation: str) -> httpx.Response:
    return await client.post(f"/v1/executions/{execution}/{operation}")


async def get(client: httpx.AsyncClient, execution: str) -> dict[str, Any]:
    record: dict[str, Any] = (await client.get(f"/v1/executions/{execution}")).json()
    return record


async def history(client: httpx.AsyncClient, execution: str) -> list[tuple[str | None, str, str | None]]:
    events = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    return [(event["from"], event["to"], event["message"]) for event in events]


async def test_what_is_submitted_held_waits_until_it_is_released(
    client: httpx.AsyncClient, submit: Submit, records: Records
) -> None:
    execution = await submit(pool=records.worker.pool, hold=True)
    before = await get(client, execution)
    assert (before["status"], before["waiting_on"]) == ("queued", "hold")
    assert await records.take() == []
    response = await ask(client, execution, "release")
    assert response.status_code == 200
    assert response.json()["waiting_on"] == "slot"
    # Its waiting begins now, so that nothing that waited meanwhile is overtaken.
    assert response.json()["queued_at"] > before["queued_at"]
    assert response.json()["created_at"] == before["created_at"]
    (claim,) = await records.take()
    assert str(claim.lease.execution) == execution


async def test_the_held_one_lets_others_pass(submit: Submit, records: Records) -> None:
    await submit(pool=records.worker.pool, hold=True, priority=100)
    other = await submit(pool=records.worker.pool)
    assert [str(claim.lease.execution) for claim in await records.take(most=4)] == [other]


async def test_what_is_queued_can_be_held(client: httpx.AsyncClient, submit: Submit, records: Records) -> None:
    execution = await submit(pool=records.worker.pool)
    response = await ask(client, execution, "hold")
    assert (response.status_code, response.json()["waiting_on"]) == (200, "hold")
    assert await records.take() == []
    await ask(client, execution, "release")
    assert len(await records.take()) == 1


async def test_asking_again_changes_nothing(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit()
    for operation in ("hold", "release"):
        first = await ask(client, execution, operation)
        again = await ask(client, execution, operation)
        assert (again.status_code, again.json()) == (200, first.json())
    owner = first.json()["owner"]
    assert await history(client, execution) == [
        (None, "queued", None),
        ("queued", "queued", f"Held by {owner}."),
        ("queued", "queued", f"Released by {owner}."),
    ]


async def test_what_has_left_the_queue_cannot_be_held_and_need_not_be_released(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await hand.start(execution)
    refused = await ask(client, execution, "hold")
    assert refused.status_code == 409
    assert "running" in refused.json()["detail"]
    assert (await ask(client, execution, "release")).status_code == 200


@pytest.mark.parametrize("operation", ["hold", "release"])
async def test_what_has_ended_is_neither_held_nor_released(
    operation: str, client: httpx.AsyncClient, submit: Submit
) -> None:
    execution = await submit(hold=True)
    canceled = await ask(client, execution, "cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (202, "canceled")
    refused = await ask(client, execution, operation)
    assert refused.status_code == 409
    assert "canceled" in refused.json()["detail"]


async def test_a_release_rings_the_bell_of_the_pool(
    api: Api, client: httpx.AsyncClient, submit: Submit, process: Process
) -> None:
    execution = await submit(hold=True)
    await api.settle()
    async with process.listener.subscribe(process.channels.bell("default")) as bells:
        await ask(client, execution, "release")
        assert await bells.get(30) is not None


@pytest.mark.parametrize("operation", ["hold", "release"])
async def test_it_needs_the_scope_cancel_and_ones_own_execution(
    operation: str, api: Api, stranger: httpx.AsyncClient, submit: Submit
) -> None:
    execution = await submit(hold=True)
    assert (await ask(stranger, execution, operation)).status_code == 404
    reader = await api.client(None, Scope.READ, Scope.SUBMIT)
    assert (await ask(reader, execution, operation)).status_code == 403


async def test_a_dry_run_says_that_it_would_be_held(client: httpx.AsyncClient) -> None:
    body = {"image": "busybox:local", "hold": True}
    answer = await client.post("/v1/executions?dry_run=true", json=body)
    assert answer.json()["execution"]["waiting_on"] == "hold"
    refused = await client.post("/v1/executions", json=body | {"hold": "yes"})
    assert [error["field"] for error in refused.json()["errors"]] == ["hold"]


@repeated
async def test_hold_and_claim_at_once_never_both_win(
    repetitions: int, client: httpx.AsyncClient, submit: Submit, records: Records
) -> None:
    for _ in range(repetitions):
        execution = await submit(pool=records.worker.pool)
        answer, taken = await asyncio.gather(ask(client, execution, "hold"), records.take())
        if answer.status_code == 409:
            assert [claim.lease.execution for claim in taken] == [UUID(execution)]
        else:
            assert (answer.status_code, taken) == (200, [])
