"""Waiting for the end of an execution, or for any change of its record."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from hand import Hand
from served import Submit
from sqlalchemy import delete, event

from app.bootstrap import Process
from app.db.engine import transaction
from app.executions import awaiting, repository
from app.executions.states import Cause, Status
from app.executions.tables import Execution
from support.eventually import eventually


async def until_watched(process: Process, execution: str) -> None:
    async def is_watched() -> bool:
        ((_, watchers),) = await process.redis.pubsub_numsub(process.channels.execution(UUID(execution)))
        return bool(watchers)

    await eventually(is_watched)


async def test_with_an_etag_the_answer_comes_as_soon_as_it_is_another(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "POLL_SECONDS", 60.0)
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
        assert time.monotonic() - began < 15
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
    assert time.monotonic() - began < 15


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


@contextmanager
def glances_of(process: Process) -> Iterator[list[str]]:
    """The statements by which those who wait make sure that they missed nothing."""
    glances: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "xmin" in statement:
            glances.append(statement)

    event.listen(process.database.sync_engine, "before_cursor_execute", hear)
    try:
        yield glances
    finally:
        event.remove(process.database.sync_engine, "before_cursor_execute", hear)


async def test_all_who_wait_share_the_looks_that_no_hint_asked_for(
    client: httpx.AsyncClient, submit: Submit, process: Process
) -> None:
    executions = [await submit() for _ in range(30)]
    with glances_of(process) as glances:
        waiting = [asyncio.create_task(client.get(f"/v1/executions/{each}?wait=60")) for each in executions]
        for each in executions:
            await until_watched(process, each)
        async with transaction(process.database) as connection:
            await connection.execute(delete(Execution).where(Execution.id == UUID(executions[0])))
            for each in executions[1:]:
                await repository.move(
                    connection, UUID(each), Status.CANCELED, actor="nobody", cause=Cause.CANCELED_BY_USER
                )
        deleted, *ended = await asyncio.gather(*waiting)
    assert deleted.status_code == 404
    assert {answer.json()["status"] for answer in ended} == {"canceled"}
    assert 0 < len(glances) < len(executions)


async def test_of_what_runs_nothing_is_looked_at_until_something_is_written(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    await hand.start(execution)
    own = f"/v1/executions/{execution}"
    known = (await client.get(own)).headers["etag"]
    with glances_of(process) as glances:
        waiting = asyncio.create_task(client.get(f"{own}?wait=60", headers={"If-None-Match": known}))
        # The first glance is compared with nothing.
        await eventually(lambda: len(glances) >= 2)
        assert not waiting.done()
        await hand.change(execution, note="changed")
        response = await waiting
    assert (response.status_code, response.json()["note"]) == (200, "changed")
