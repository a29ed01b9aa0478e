"""What is tried again, and what is not: beside a server that answers as it is told."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp import web

from support.eventually import eventually
from support.receiver import Received, Receiver, receiving
from tailrace import ApiError, AsyncClient, BadRequest, ConnectionFailed, ServerError, TailraceWarning, TooMany
from tailrace._version import VERSION

ME = json.dumps({"owner": "ann", "scopes": ["read"], "colour": "red"})


class Answers:
    """Statuses in turn, the last one for ever after."""

    def __init__(self, *statuses: int, **headers: str) -> None:
        self._statuses = list(statuses)
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def __call__(self, _: Received) -> web.StreamResponse:
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return web.Response(status=status, text=ME, content_type="application/json", headers=self._headers)


@pytest.fixture
async def server() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def asking(server: Receiver) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, "trt_known", patience=30) as client:
        yield client


@pytest.mark.parametrize("statuses", [(503, 502, 504, 200), (429, 200), (500, 500, 200)])
async def test_what_passes_is_waited_for(statuses: Sequence[int], server: Receiver, asking: AsyncClient) -> None:
    server.act = Answers(*statuses, Retry_After="0")
    me = await asking.me()
    assert (me.owner, me.extra) == ("ann", {"colour": "red"})
    assert len(server.received) == len(statuses)
    assert {request.headers["Authorization"] for request in server.received} == {"Bearer trt_known"}
    assert server.received[0].headers["User-Agent"] == f"tailrace-python/{VERSION}"


async def test_what_may_be_done_twice_has_a_key_and_what_may_not_is_asked_once(
    server: Receiver, asking: AsyncClient
) -> None:
    server.act = Answers(503, 200)
    await asking.run("busybox:local")
    keys = [request.headers["Idempotency-Key"] for request in server.received]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    server.received.clear()
    server.act = Answers(503)
    with pytest.raises(ServerError):
        await asking.tokens.create(name="one")
    assert len(server.received) == 1


async def test_it_gives_up_rather_than_wait_for_longer_than_it_may(server: Receiver, asking: AsyncClient) -> None:
    server.act = Answers(429, Retry_After="3600")
    with pytest.raises(TooMany):
        await asking.me()
    server.act = Answers(500)
    with pytest.raises(ServerError):
        await asking.me()
    server.act = Answers(418)
    with pytest.raises(BadRequest):
        await asking.me()
    assert len(server.received) == 1 + 3 + 1


async def test_an_answer_that_is_no_problem_is_one_all_the_same(server: Receiver, asking: AsyncClient) -> None:
    server.answer(404, "<html>nothing here")
    with pytest.raises(ApiError) as refused:
        await asking.request("GET", "/v1/none")
    assert (refused.value.status, refused.value.code) == (404, "unknown")
    assert "404" in str(refused.value)


async def test_a_page_is_no_answer(server: Receiver, asking: AsyncClient) -> None:
    async def page(_: Received) -> web.StreamResponse:
        return web.Response(text="<html>Log in</html>", content_type="text/html")

    server.act = page
    with pytest.raises(ConnectionFailed, match="something else is there"):
        await asking.me()
    assert len(server.received) == 1


async def test_where_an_address_leads_is_said(server: Receiver, asking: AsyncClient) -> None:
    server.act = Answers(301, Location="https://elsewhere.example/v1/me")
    with pytest.raises(BadRequest, match=r"leads to https://elsewhere\.example/v1/me"):
        await asking.me()
    server.received.clear()
    # The token is for one server.
    with pytest.raises(ValueError, match="begins with /"):
        await asking.request("GET", f"{server.url}/v1/me")
    assert server.received == []


async def test_another_version_is_told_once(server: Receiver, asking: AsyncClient) -> None:
    server.act = Answers(200, Tailrace_Version="9.0.0")
    with pytest.warns(TailraceWarning, match=r"9\.0\.0"):
        await asking.me()
    # Every other warning is an error here.
    await asking.me()


async def test_what_an_address_asks_for_stays_in_it(server: Receiver, asking: AsyncClient) -> None:
    server.act = Answers(200)
    await asking.request("GET", "/v1/executions?label=a%3Db&q=x+y&limit=", params={"owner": ["ann", "bob"]})
    await asking.request("GET", "/v1/me?share=trs_1")
    assert [request.path for request in server.received] == [
        "/v1/executions?label=a%3Db&q=x+y&limit=&owner=ann&owner=bob",
        "/v1/me?share=trs_1",
    ]


async def test_a_server_that_is_too_busy_is_told_and_how_long_it_is_tried(
    server: Receiver, asking: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.act = Answers(503, 503, 503, 200)
    await asking.me()
    first, second = caplog.messages
    assert first.startswith(f"{server.url} answers 503, ")
    assert re.search(r"trying again for (30|2\d) s\.$", first)
    assert second == f"{server.url} is back."


async def test_who_waits_for_many_can_still_do_something(server: Receiver, asking: AsyncClient) -> None:
    stopped = asyncio.Event()

    async def act(request: Received) -> web.StreamResponse:
        if "wait=" in request.path:
            await stopped.wait()
        return web.json_response({"id": "01a1", "status": "canceled" if stopped.is_set() else "running"})

    server.act = act
    handles = [await asking.get("01a1") for _ in range(150)]
    waiting = asyncio.gather(*(handle.wait() for handle in handles))
    await eventually(lambda: sum("wait=" in request.path for request in server.received) == len(handles))
    await handles[0].cancel()
    stopped.set()
    assert {record.status for record in await waiting} == {"canceled"}
