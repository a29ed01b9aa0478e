"""Archived executions are put aside: not listed, but all else of them is where it was."""

import httpx
import pytest
from hand import Hand
from served import Api, Submit

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.executions.states import Cause


@pytest.fixture
async def ended(submit: Submit, hand: Hand) -> str:
    execution = await submit()
    await hand.start(execution)
    await hand.keep_outputs(execution, {"a.txt": b"hello"})
    await hand.end(execution)
    return execution


async def listed(client: httpx.AsyncClient, **params: str) -> set[str]:
    answer = await client.get("/v1/executions", params=params)
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


async def test_what_is_archived_is_not_listed_unless_asked_for(client: httpx.AsyncClient, ended: str) -> None:
    answer = await client.post(f"/v1/executions/{ended}/archive")
    assert answer.status_code == 200
    assert answer.json()["archived_at"] is not None
    assert await listed(client) == set()
    assert await listed(client, archived="true") == await listed(client, archived="any") == {ended}
    restored = await client.post(f"/v1/executions/{ended}/restore")
    assert (restored.status_code, restored.json()["archived_at"]) == (200, None)
    assert await listed(client) == {ended}


async def test_all_else_of_it_stays_where_it_was(client: httpx.AsyncClient, ended: str) -> None:
    own = f"/v1/executions/{ended}"
    await client.post(f"{own}/archive")
    assert (await client.get(own)).json()["status"] == "succeeded"
    assert (await client.get(f"{own}/outputs/a.txt")).content == b"hello"
    assert (await client.get(f"{own}/logs")).status_code == 200
    assert (await client.post(f"{own}/rerun")).status_code == 201
    assert (await client.post(f"{own}/cancel")).status_code == 409


async def test_asking_again_changes_nothing(client: httpx.AsyncClient, ended: str) -> None:
    for what in ("archive", "restore"):
        first = await client.post(f"/v1/executions/{ended}/{what}")
        again = await client.post(f"/v1/executions/{ended}/{what}")
        assert (again.status_code, again.json()) == (200, first.json())
    items = (await client.get(f"/v1/executions/{ended}/events")).json()["items"]
    owner = first.json()["owner"]
    assert [item["message"] for item in items[-2:]] == [f"Archived by {owner}.", f"Restored by {owner}."]
    assert [(item["from"], item["to"], item["cause"]) for item in items[-2:]] == [("succeeded", "succeeded", "ok")] * 2


@pytest.mark.parametrize("running", [False, True])
async def test_what_has_not_ended_is_not_archived(
    *, running: bool, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    if running:
        await hand.start(execution)
    answer = await client.post(f"/v1/executions/{execution}/archive")
    assert answer.status_code == 409
    assert ("running" if running else "queued") in answer.json()["detail"]
    assert (await client.post(f"/v1/executions/{execution}/restore")).status_code == 200


async def test_whoever_follows_all_executions_is_told(client: httpx.AsyncClient, ended: str, process: Process) -> None:
    async with process.listener.subscribe(process.channels.events) as hints:
        await client.post(f"/v1/executions/{ended}/archive")
        assert await hints.get(5) is not None


async def test_who_may(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, api: Api, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO)
    reader = await api.client(None, Scope.READ, Scope.SUBMIT)
    for what in ("archive", "restore"):
        assert (await stranger.post(f"/v1/executions/{execution}/{what}")).status_code == 404
        assert (await reader.post(f"/v1/executions/{execution}/{what}")).status_code == 403
    assert (await client.get(f"/v1/executions/{execution}")).json()["archived_at"] is None
