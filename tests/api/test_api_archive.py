"""Archived executions are put aside: not listed, but all else of them is where it was."""

from typing import Any

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


def gone(record: dict[str, Any]) -> set[str]:
    """The parts of which the record says that they were removed."""
    return {part for part in ("log", "outputs", "checkpoint") if record[part]["expired_at"] is not None}


@pytest.mark.parametrize("by", ["submission", "request", "bulk"])
@pytest.mark.parametrize(
    ("level", "going", "said"),
    [
        ("all", set(), "Archived by"),
        ("outputs", {"log", "checkpoint"}, "Archived, its record and its outputs only, by"),
        ("record", {"log", "outputs", "checkpoint"}, "Archived, its record only, by"),
    ],
)
async def test_so_much_is_kept_as_was_asked_for(
    *, client: httpx.AsyncClient, submit: Submit, hand: Hand, by: str, level: str, going: set[str], said: str
) -> None:
    execution = await submit(archive=level if by == "submission" else "all", labels={"by": by + level})
    await hand.start(execution)
    await hand.keep_outputs(execution, {"a.txt": b"hello"})
    await hand.keep_checkpoint(execution)
    await hand.change(execution, checkpoint_files=1)
    await hand.end(execution)
    own = f"/v1/executions/{execution}"
    if by == "bulk":
        body = {"label": {"by": by + level}, "archive": level}
        answer = await client.post("/v1/executions:archive", json=body)
        assert [item["result"] for item in answer.json()["items"]] == ["done"]
    else:
        answer = await client.post(f"{own}/archive", json={"archive": level} if by == "request" else None)
        assert (answer.status_code, gone(answer.json())) == (200, going), answer.text
    record = (await client.get(own)).json()
    assert (gone(record), record["archive"]) == (going, level if by == "submission" else "all")
    assert (await client.get(f"{own}/outputs/a.txt")).status_code == (404 if "outputs" in going else 200)
    from_there = await client.post("/v1/executions", json={"image": "busybox:local", "resume_from": execution})
    assert from_there.is_success == ("checkpoint" not in going), from_there.text
    events = (await client.get(f"{own}/events")).json()["items"]
    assert events[-1]["message"] == f"{said} {record['owner']}."
    # What is gone stays so.
    restored = (await client.post(f"{own}/restore")).json()
    assert (gone(restored), restored["archived_at"]) == (going, None)
    assert (restored["retention"]["log"] is None) or not going


async def test_of_what_is_archived_less_can_be_kept_but_not_more(client: httpx.AsyncClient, ended: str) -> None:
    own = f"/v1/executions/{ended}"
    at = (await client.post(f"{own}/archive")).json()["archived_at"]
    for level, going in (("outputs", {"log"}), ("record", {"log", "outputs"}), ("all", {"log", "outputs"})):
        record = (await client.post(f"{own}/archive", json={"archive": level})).json()
        assert (gone(record), record["archived_at"]) == (going, at)
    messages = [event["message"] for event in (await client.get(f"{own}/events")).json()["items"]]
    for level in ("record", "outputs", None):
        again = await client.post(f"{own}/archive", json={"archive": level})
        assert (again.status_code, again.json()) == (200, record)
    assert [event["message"] for event in (await client.get(f"{own}/events")).json()["items"]] == messages


async def test_what_another_needs_is_not_removed_under_it(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, submit: Submit, ended: str, hand: Hand
) -> None:
    await hand.keep_checkpoint(ended)
    needing = await submit(resume_from=ended)
    own = f"/v1/executions/{ended}"
    refused = await client.post(f"{own}/archive", json={"archive": "outputs"})
    assert (refused.status_code, needing in refused.json()["detail"]) == (409, True)
    in_bulk = await admin.post("/v1/executions:archive", json={"status": ["succeeded"], "archive": "record"})
    assert {item["id"]: item["result"] for item in in_bulk.json()["items"]}[ended] == "refused"
    whole = (await client.post(f"{own}/archive")).json()
    assert (gone(whole), whole["archived_at"] is None) == (set(), False)


@pytest.mark.parametrize("body", [{"archive": "log"}, {"keep": "record"}])
async def test_a_level_that_there_is_not_is_refused(
    client: httpx.AsyncClient, ended: str, body: dict[str, str]
) -> None:
    assert (await client.post(f"/v1/executions/{ended}/archive", json=body)).status_code == 422
    assert (await client.get(f"/v1/executions/{ended}")).json()["archived_at"] is None


async def test_whoever_follows_all_executions_is_told(client: httpx.AsyncClient, ended: str, process: Process) -> None:
    async with process.listener.subscribe(process.channels.events) as hints:
        await client.post(f"/v1/executions/{ended}/archive")
        assert await hints.get(30) is not None


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
