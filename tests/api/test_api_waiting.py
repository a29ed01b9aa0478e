"""Waiting for the end of an execution, or for any change of its record."""

import asyncio
import time
from functools import partial
from uuid import UUID

import httpx
from hand import Hand
from served import Submit

from app.bootstrap import Process
from app.executions.states import Status
from support.eventually import eventually


async def until_watched(process: Process, execution: str) -> None:
    async def is_watched() -> bool:
        ((_, watchers),) = await process.redis.pubsub_numsub(process.channels.execution(UUID(execution)))
        return bool(watchers)

    await eventually(is_watched)


async def test_with_an_etag_the_answer_comes_as_soon_as_it_is_another(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    own = f"/v1/executions/{execution}"
    known = (await client.get(own)).headers["etag"]
    seen = []
    for act in (hand.claim, partial(hand.move, target=Status.RUNNING, changes={}), hand.end):
        waiting = asyncio.create_task(client.get(f"{own}?wait=30", headers={"If-None-Match": known}))
        await until_watched(process, execution)
        began = time.monotonic()
        await act(execution)
        response = await waiting
        assert time.monotonic() - began < 1
        assert response.status_code == 200
        seen.append(response.json()["status"])
        assert response.headers["etag"] != known
        known = response.headers["etag"]
    assert seen == ["preparing", "running", "succeeded"]


async def test_what_nobody_tells_is_found_by_looking(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    own = f"/v1/executions/{execution}"
    known = (await client.get(own)).headers["etag"]
    waiting = asyncio.create_task(client.get(f"{own}?wait=30", headers={"If-None-Match": known}))
    await until_watched(process, execution)
    await hand.change(execution, note="changed")
    response = await waiting
    assert (response.status_code, response.json()["note"]) == (200, "changed")


async def test_what_differs_already_is_answered_at_once(client: httpx.AsyncClient, submit: Submit) -> None:
    began = time.monotonic()
    response = await client.get(f"/v1/executions/{await submit()}?wait=30", headers={"If-None-Match": '"another"'})
    assert response.status_code == 200
    assert time.monotonic() - began < 5


async def test_without_a_change_the_answer_is_304_when_the_time_is_over(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    for act in (None, hand.start, hand.end):
        if act is not None:
            await act(execution)
        known = (await client.get(f"/v1/executions/{execution}")).headers["etag"]
        began = time.monotonic()
        response = await client.get(f"/v1/executions/{execution}?wait=0.3", headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == known
        assert time.monotonic() - began >= 0.3
