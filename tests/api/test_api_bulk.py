"""One operation on all that a filter takes: each has the outcome that it has when it is asked alone."""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
from hand import Hand
from served import Api, Submit
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.executions.states import Cause
from app.logs.protocol import Kind, unpack_message
from support.eventually import eventually
from support.racing import is_blocked_by

OPERATIONS = ("cancel", "rerun", "archive", "restore", "delete")


async def ask(client: httpx.AsyncClient, operation: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/executions:{operation}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def results(answer: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["id"]: (item["result"], item["status"]) for item in answer["items"]}


@pytest.fixture
async def some(submit: Submit, hand: Hand) -> dict[str, str]:
    """One of each: queued, running, ended well, failed, canceled."""
    queued, running, ended, failed, canceled = [await submit(labels={"team": "a"}) for _ in range(5)]
    for each in (running, ended, failed):
        await hand.start(each)
    await hand.end(ended)
    await hand.end(failed, Cause.EXIT_NONZERO, exit_code=1)
    await hand.end(canceled, Cause.CANCELED_BY_USER, exit_code=None)
    return {"queued": queued, "running": running, "ended": ended, "failed": failed, "canceled": canceled}


async def test_without_a_status_it_is_those_where_there_is_something_to_do(
    client: httpx.AsyncClient, some: dict[str, str]
) -> None:
    answer = await ask(client, "cancel", label={"team": "a"})
    assert results(answer) == {some["queued"]: ("done", "canceled"), some["running"]: ("accepted", "stopping")}
    assert (answer["more"], answer["next"]) == (False, None)
    assert results(await ask(client, "cancel", label={"team": "a"})) == {some["running"]: ("unchanged", "stopping")}


async def test_with_a_status_each_says_why_not(client: httpx.AsyncClient, some: dict[str, str]) -> None:
    answer = await ask(client, "cancel", status=["succeeded", "failed", "canceled"])
    assert results(answer) == {
        some["ended"]: ("refused", "succeeded"),
        some["failed"]: ("refused", "failed"),
        some["canceled"]: ("unchanged", "canceled"),
    }
    for item in answer["items"][:2]:
        alone = (await client.post(f"/v1/executions/{item['id']}/cancel")).json()
        assert item["error"] == {"code": "conflict", "detail": alone["detail"], "hint": alone["hint"]}


async def test_archive_and_restore(client: httpx.AsyncClient, some: dict[str, str]) -> None:
    ended = {some[name]: ("done", status) for name, status in (
        ("ended", "succeeded"), ("failed", "failed"), ("canceled", "canceled")
    )}  # fmt: skip
    assert results(await ask(client, "archive", all=True)) == ended
    assert results(await ask(client, "archive", all=True)) == {}
    assert results(await ask(client, "archive", all=True, archived="any")) == {
        execution: ("unchanged", status) for execution, (_, status) in ended.items()
    }
    assert results(await ask(client, "restore", label={"team": "a"})) == ended
    listed = (await client.get("/v1/executions")).json()["items"]
    assert {item["id"] for item in listed} == set(some.values())


async def test_delete(client: httpx.AsyncClient, some: dict[str, str], submit: Submit, hand: Hand) -> None:
    await hand.keep_checkpoint(some["failed"])
    resumed = await submit(resume_from=some["failed"], name="resumed")
    answer = await ask(client, "delete", label={"team": "a"})
    assert results(answer) == {
        some["queued"]: ("done", "canceled"),
        some["running"]: ("accepted", "stopping"),
        some["ended"]: ("done", "succeeded"),
        some["failed"]: ("refused", "failed"),
        some["canceled"]: ("done", "canceled"),
    }
    left = {item["id"] for item in (await client.get("/v1/executions")).json()["items"]}
    assert left == {some["running"], some["failed"], resumed}
    archived = some["failed"]
    await client.post(f"/v1/executions/{resumed}/cancel")
    await client.post(f"/v1/executions/{archived}/archive")
    assert archived not in results(await ask(client, "delete", all=True))
    assert results(await ask(client, "delete", archived="true", all=True)) == {archived: ("done", "failed")}


async def test_rerun(client: httpx.AsyncClient, some: dict[str, str], submit: Submit, hand: Hand) -> None:
    secretive = await submit(labels={"team": "a"}, secrets={"TOKEN": "correct horse"})
    await hand.end(secretive, Cause.CANCELED_BY_USER, exit_code=None)
    body = {"status": ["failed", "canceled"], "label": {"team": "a"}, "changes": {"name": "again"}}
    answer = await ask(client, "rerun", **body)
    assert results(answer) == {
        some["failed"]: ("done", "failed"),
        some["canceled"]: ("done", "canceled"),
        secretive: ("refused", "canceled"),
    }
    for item in answer["items"][1:]:
        again = (await client.get(f"/v1/executions/{item['rerun']}")).json()
        assert (again["status"], again["name"], again["lineage"]["rerun_of"]) == ("queued", "again", item["id"])
    assert "secrets.TOKEN" in answer["items"][0]["error"]["detail"]
    wrong = await ask(client, "rerun", status=["failed"], changes={"limits": {"timeout": 0}})
    assert wrong["items"][0]["error"]["code"] == "invalid_request"


async def test_a_rerun_by_pages_does_not_meet_what_it_has_made(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    async def ended(execution: str) -> str:
        await hand.start(execution)
        await hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)
        return execution

    asked = [await ended(await submit()) for _ in range(5)]
    seen, after = [], None
    for _ in range(10):
        answer = await ask(client, "rerun", status=["failed"], limit=2, after=after)
        for item in answer["items"]:
            seen.append(item["id"])
            # What is run again fails as fast as it did.
            await ended(item["rerun"])
        if (after := answer["next"]) is None:
            break
    assert seen == asked[::-1]


async def test_it_goes_on_where_it_left_off(client: httpx.AsyncClient, submit: Submit) -> None:
    executions = [await submit() for _ in range(5)]
    seen: list[str] = []
    after = None
    while True:
        answer = await ask(client, "cancel", all=True, limit=2, after=after)
        seen += [item["id"] for item in answer["items"]]
        assert answer["more"] == (answer["next"] is not None)
        if not answer["more"]:
            break
        after = answer["next"]
    assert seen == executions


async def test_a_few_hundred_at_once(client: httpx.AsyncClient, submit: Submit) -> None:
    executions = [await submit() for _ in range(120)]
    answer = await ask(client, "cancel", status="queued")
    assert results(answer) == dict.fromkeys(executions, ("done", "canceled"))


async def test_with_a_key_each_is_run_again_once(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    async def failed() -> str:
        execution = await submit(labels={"team": "a"})
        await hand.start(execution)
        await hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)
        return execution

    async def send(key: str, **body: Any) -> httpx.Response:
        return await client.post(
            "/v1/executions:rerun", json={"status": ["failed"], **body}, headers={"Idempotency-Key": key}
        )

    older, newer = [await failed() for _ in range(2)]
    first = await send("again", changes={"name": "again"})
    assert ([item["id"] for item in first.json()["items"]], "idempotency-replayed" in first.headers) == (
        [newer, older],
        False,
    )
    for item in first.json()["items"]:
        # What was made fails, too, and would be met by another request.
        await hand.start(item["rerun"])
        await hand.end(item["rerun"], Cause.EXIT_NONZERO, exit_code=1)
    repeated = await send("again", changes={"name": "again"})
    assert (repeated.json(), repeated.headers["idempotency-replayed"]) == (first.json(), "true")
    for other in (await send("again", changes={"name": "other"}), await send("again", limit=1)):
        assert [error["code"] for error in other.json()["errors"]] == ["key_reused"]
    assert len((await send("another")).json()["items"]) == 4
    assert len((await client.get("/v1/executions")).json()["items"]) == 8


async def test_a_key_that_is_sent_twice_at_once_is_one_request(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    for _ in range(3):
        await hand.end(await submit(), Cause.CANCELED_BY_USER, exit_code=None)
    headers, body = {"Idempotency-Key": "twice"}, {"status": ["canceled"]}
    both = await asyncio.gather(*(client.post("/v1/executions:rerun", json=body, headers=headers) for _ in range(2)))
    assert both[0].json() == both[1].json()
    assert len((await client.get("/v1/executions")).json()["items"]) == 6


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_all_must_be_said(operation: str, client: httpx.AsyncClient, submit: Submit) -> None:
    await submit()
    for body in ({}, {"archived": "any"}, {"all": False}):
        answer = await client.post(f"/v1/executions:{operation}", json=body)
        assert answer.status_code == 422
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("all", "no_filter")]
    answer = await client.post(f"/v1/executions:{operation}", json={"colour": "red", "limit": 0})
    assert {error["field"] for error in answer.json()["errors"]} >= {"colour", "limit"}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_others_are_not_touched(
    operation: str, client: httpx.AsyncClient, stranger: httpx.AsyncClient, some: dict[str, str], api: Api
) -> None:
    before = (await client.get("/v1/executions")).json()
    assert await ask(stranger, operation, all=True) == {"items": [], "more": False, "next": None}
    owner = before["items"][0]["owner"]
    answer = await stranger.post(f"/v1/executions:{operation}", json={"owner": [owner]})
    assert answer.status_code == 422
    reader = await api.client(None, Scope.READ)
    assert (await reader.post(f"/v1/executions:{operation}", json={"all": True})).status_code == 403
    after = (await client.get("/v1/executions")).json()
    assert [item["status"] for item in after["items"]] == [item["status"] for item in before["items"]]
    assert some


async def test_watchers_and_workers_are_told(
    client: httpx.AsyncClient, some: dict[str, str], hand: Hand, process: Process
) -> None:
    control, watched = process.channels.control(hand.worker), process.channels.execution(UUID(some["queued"]))
    async with process.listener.subscribe(control) as intents, process.listener.subscribe(watched) as frames:
        await ask(client, "cancel", label={"team": "a"})
        assert await intents.get(30) is not None
        frame = await frames.get(30)
        assert frame is not None
        assert unpack_message(frame).kind is Kind.STATUS


async def test_the_bell_rings_for_what_is_run_again(
    client: httpx.AsyncClient, some: dict[str, str], process: Process
) -> None:
    async with process.listener.subscribe(process.channels.bell("default")) as bells:
        await ask(client, "rerun", label={"team": "a"})
        assert await bells.get(30) is not None
    assert some


@pytest.mark.parametrize("times", [2, pytest.param(100, marks=pytest.mark.slow)])
async def test_two_that_do_the_same_at_once_do_it_once(
    times: int, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    for _ in range(times):
        executions = [await submit() for _ in range(6)]
        await asyncio.gather(*(hand.start(each) for each in executions[:3]))
        canceling = [ask(client, "cancel", status=["queued", "running", "stopping"]) for _ in range(2)]
        deleting = ask(client, "delete", status=["queued", "running", "stopping", "canceled"])
        answers = await asyncio.gather(*canceling, deleting)
        for execution in executions:
            told = [results(answer)[execution][0] for answer in answers if execution in results(answer)]
            assert "refused" not in told
            assert told.count("done") <= 2  # canceled, and deleted
        left = {item["id"]: item for item in (await client.get("/v1/executions")).json()["items"]}
        assert left.keys() == set(executions[:3])
        for execution in executions[:3]:
            assert left[execution]["delete_requested_at"] is not None
            await hand.end(execution, Cause.CANCELED_BY_USER)
        assert len((await ask(client, "delete", all=True))["items"]) == 3


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.slow)])
async def test_deleting_and_running_again_at_once_hold_nobody_up(
    times: int, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    """Each refers to the one before: nobody waits for who waits for them."""
    for _ in range(times):
        first = await submit()
        chain = [first]
        for _ in range(3):
            await hand.start(chain[-1])
            await hand.keep_checkpoint(chain[-1])
            await hand.end(chain[-1])
            chain.append(await submit(resume_from=chain[-1]))
        await hand.end(chain[-1], Cause.CANCELED_BY_USER)
        ended = ["succeeded", "canceled"]
        again, deleted = await asyncio.gather(ask(client, "rerun", status=ended), ask(client, "delete", status=ended))
        gone = {execution for execution, (result, _) in results(deleted).items() if result == "done"}
        for item in again["items"]:
            if item["rerun"] is not None:
                source = (await client.get(f"/v1/executions/{item['rerun']}")).json()["lineage"]["resumed_from"]
                assert source not in gone
        # First those that need others, then the others.
        for _ in range(2):
            await ask(client, "delete", all=True)
        assert (await client.get("/v1/executions")).json()["items"] == []


@pytest.mark.parametrize("by", ["filter", "id"])
async def test_a_deletion_that_the_server_ends_for_anothers_sake_is_done_again(
    by: str, client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    original = await submit(labels={"team": "a"})
    await hand.start(original)
    await hand.end(original)
    rerun = (await client.post(f"/v1/executions/{original}/rerun", json={"labels": {"team": "b"}})).json()["id"]
    row = text("SELECT 1 FROM executions WHERE id = :id FOR UPDATE")
    async with process.database.connect() as other:
        # What refers to it is locked before it is. Of the two, who waits first is the first to notice, and gives way.
        await other.execute(row, {"id": rerun})
        if by == "filter":
            deleting = asyncio.create_task(client.post("/v1/executions:delete", json={"label": {"team": "a"}}))
        else:
            deleting = asyncio.create_task(client.delete(f"/v1/executions/{original}"))
        await eventually(lambda: is_blocked_by(process, other))
        with suppress(DBAPIError):  # on a machine that stood still for a second it is us
            await other.execute(row, {"id": original})
        await other.rollback()
        answer = await deleting
    assert answer.status_code == (200 if by == "filter" else 204), answer.text
    assert (await client.get(f"/v1/executions/{original}")).status_code == 404
    assert (await client.get(f"/v1/executions/{rerun}")).json()["lineage"]["rerun_of"] is None
