"""Deleting: all that belongs to an execution goes; what has not ended is stopped first."""

import asyncio
from uuid import UUID

import httpx
import pytest
from hand import Hand
from served import Api, Submit
from sqlalchemy import select

from app.artifacts.tables import ArtifactRemoval
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.executions import deleting
from app.executions.states import Cause
from support.tables import rows_below


@pytest.fixture
async def ended(submit: Submit, hand: Hand) -> str:
    execution = await submit()
    await hand.start(execution)
    await hand.keep_outputs(execution, {"a.txt": b"hello"})
    await hand.end(execution)
    return execution


async def test_what_has_ended_is_gone_at_once_with_all_that_belongs_to_it(
    client: httpx.AsyncClient, ended: str, process: Process
) -> None:
    assert await rows_below(process, UUID(ended)) >= {"attempts", "execution_events", "log_heads", "artifacts"}
    answer = await client.delete(f"/v1/executions/{ended}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await rows_below(process, UUID(ended)) == set()
    for path in ("", "/events", "/logs", "/outputs", "/outputs/a.txt"):
        assert (await client.get(f"/v1/executions/{ended}{path}")).status_code == 404
    assert (await client.delete(f"/v1/executions/{ended}")).status_code == 404
    async with reading(process.database) as connection:
        asked = select(ArtifactRemoval.prefix).where(ArtifactRemoval.execution_id == UUID(ended))
        assert (await connection.execute(asked)).scalars().all() == [ended]


async def test_from_the_queue_it_is_gone_at_once(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit(secrets={"TOKEN": "correct horse"})
    assert (await client.delete(f"/v1/executions/{execution}")).status_code == 204
    assert (await client.get(f"/v1/executions/{execution}")).status_code == 404


async def test_what_runs_is_stopped_and_goes_when_it_has_ended(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    await hand.start(execution)
    first = await client.delete(f"/v1/executions/{execution}")
    assert first.status_code == 202
    body = first.json()
    assert (body["status"], body["stop"]["reason"], body["delete_requested_by"]) == (
        "stopping",
        "cancel",
        body["owner"],
    )
    assert body["delete_requested_at"] is not None
    again = await client.delete(f"/v1/executions/{execution}")
    assert (again.status_code, again.json()) == (202, body)
    async with transaction(process.database) as connection:
        assert await deleting.remove_asked(connection, only=UUID(execution)) == []
    await hand.end(execution, Cause.CANCELED_BY_USER)
    async with transaction(process.database) as connection:
        assert await deleting.remove_asked(connection, only=UUID(execution)) == [UUID(execution)]
    assert (await client.delete(f"/v1/executions/{execution}")).status_code == 404


async def test_the_worker_is_told_to_stop_it(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    await hand.start(execution)
    async with process.listener.subscribe(process.channels.control(hand.worker)) as intents:
        await client.delete(f"/v1/executions/{execution}")
        assert await intents.get(30) is not None


async def test_what_another_needs_is_not_deleted_under_it(
    client: httpx.AsyncClient, submit: Submit, ended: str, hand: Hand
) -> None:
    await hand.keep_checkpoint(ended)
    resumed = await submit(resume_from=ended)
    answer = await client.delete(f"/v1/executions/{ended}")
    assert answer.status_code == 409
    assert resumed in answer.json()["detail"]
    await client.post(f"/v1/executions/{resumed}/cancel")
    assert (await client.delete(f"/v1/executions/{ended}")).status_code == 204
    assert (await client.get(f"/v1/executions/{resumed}")).json()["lineage"]["resumed_from"] is None


async def test_of_what_is_somebody_elses_the_refusal_says_nothing(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, ended: str, hand: Hand
) -> None:
    await hand.keep_checkpoint(ended)
    body = {"image": "busybox:local", "resume_from": ended}
    resumed = (await admin.post("/v1/executions", json=body)).json()["id"]
    to_the_owner = await client.delete(f"/v1/executions/{ended}")
    assert to_the_owner.status_code == 409
    assert resumed not in to_the_owner.text
    assert "Another execution" in to_the_owner.json()["detail"]
    in_bulk = await client.post("/v1/executions:delete", json={"status": ["succeeded"], "limit": 1000})
    (refused,) = [item for item in in_bulk.json()["items"] if item["id"] == ended]
    assert (refused["result"], resumed in str(refused)) == ("refused", False)
    assert resumed in (await admin.delete(f"/v1/executions/{ended}")).json()["detail"]
    await admin.post(f"/v1/executions/{resumed}/cancel")


async def test_its_reruns_stay(client: httpx.AsyncClient, ended: str) -> None:
    again = (await client.post(f"/v1/executions/{ended}/rerun")).json()
    assert (await client.delete(f"/v1/executions/{ended}")).status_code == 204
    kept = (await client.get(again["links"]["self"])).json()
    assert (kept["status"], kept["lineage"]["rerun_of"]) == ("queued", None)


async def test_a_key_goes_with_its_execution(client: httpx.AsyncClient) -> None:
    headers, body = {"Idempotency-Key": "k"}, {"image": "busybox:local"}
    first = (await client.post("/v1/executions", json=body, headers=headers)).json()
    assert (await client.delete(first["links"]["self"])).status_code == 204
    second = await client.post("/v1/executions", json=body, headers=headers)
    assert "Idempotency-Replayed" not in second.headers
    assert second.json()["id"] != first["id"]


async def test_who_waits_for_it_learns_that_it_is_gone(client: httpx.AsyncClient, submit: Submit, api: Api) -> None:
    execution = await submit()
    waiting = asyncio.create_task(client.get(f"/v1/executions/{execution}?wait=30"))
    await asyncio.sleep(0)
    assert (await client.delete(f"/v1/executions/{execution}")).status_code == 204
    assert (await waiting).status_code == 404
    await api.settle()


async def test_who_may(client: httpx.AsyncClient, stranger: httpx.AsyncClient, api: Api, ended: str) -> None:
    reader = await api.client(None, Scope.READ, Scope.SUBMIT)
    assert (await stranger.delete(f"/v1/executions/{ended}")).status_code == 404
    assert (await reader.delete(f"/v1/executions/{ended}")).status_code == 403
    assert (await client.get(f"/v1/executions/{ended}")).status_code == 200


async def test_many_at_once_delete_it_once(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit()
    answers = await asyncio.gather(*(client.delete(f"/v1/executions/{execution}") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 9


async def race_with_a_claim(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    claim = asyncio.create_task(hand.claim(execution))
    answer = await client.delete(f"/v1/executions/{execution}")
    claimed = (await asyncio.gather(claim, return_exceptions=True))[0] is None
    assert answer.status_code == (202 if claimed else 204)
    left = await client.get(f"/v1/executions/{execution}")
    assert left.status_code == (200 if claimed else 404)
    if claimed:
        assert left.json()["status"] == "stopping"


async def race_with_the_end(client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process) -> None:
    """Whoever is first, nothing is left of it."""
    execution = await submit()
    await hand.start(execution)

    async def end() -> None:
        await hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)
        async with transaction(process.database) as connection:
            await deleting.remove_asked(connection, only=UUID(execution))

    answer, _ = await asyncio.gather(client.delete(f"/v1/executions/{execution}"), end())
    assert answer.status_code in {202, 204}
    assert await rows_below(process, UUID(execution)) == set()


async def race_with_who_refers_to_it(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    """Whoever is accepted keeps what it goes on from; nobody is accepted from what is gone."""
    execution = await submit()
    await hand.start(execution)
    await hand.keep_checkpoint(execution)
    await hand.end(execution)
    rerun = f"/v1/executions/{execution}/rerun"
    deleted, resumed, again = await asyncio.gather(
        client.delete(f"/v1/executions/{execution}"),
        client.post("/v1/executions", json={"image": "busybox:local", "resume_from": execution}),
        client.post(rerun, json={"from_checkpoint": True}),
    )
    statuses = (deleted.status_code, resumed.status_code, again.status_code)
    assert statuses in {(409, 201, 201), (204, 422, 404), (409, 201, 404), (409, 422, 201)}
    for answer in (resumed, again):
        if answer.status_code == 201:
            assert answer.json()["lineage"]["resumed_from"] == execution


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.slow)])
async def test_deleting_and_claiming_at_once(times: int, client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    for _ in range(times):
        await race_with_a_claim(client, submit, hand)


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.slow)])
async def test_deleting_and_ending_at_once(
    times: int, client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    for _ in range(times):
        await race_with_the_end(client, submit, hand, process)


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.slow)])
async def test_deleting_and_referring_at_once(
    times: int, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    for _ in range(times):
        await race_with_who_refers_to_it(client, submit, hand)
