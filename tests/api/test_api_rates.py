"""How often a token may ask, and an address without a valid one; and what becomes of that while Redis is away."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from fastapi.requests import HTTPConnection
from pydantic import ValidationError
from served import Api, running

from app.auth.tokens import new_token
from app.logs.protocol import CloseCode
from app.quotas.rates import _address_of
from app.settings import Settings
from support.eventually import eventually
from support.issuer import AUDIENCE, Key, issuing
from support.knocking import knock
from support.scraping import scrape

# So long that nothing of it is free again in a test, whatever the machine does meanwhile.
FEW = "4/day"
ME = "/v1/me"


@asynccontextmanager
async def strict(settings: Settings, **more: str) -> AsyncIterator[Api]:
    """An installation whose counters are its own."""
    more = {"request_rate": "", "bad_token_rate": "", "redis_prefix": f"test-{uuid.uuid4().hex}"} | more
    async with running(settings.model_copy(update=more)) as api:
        yield api


async def until_refused(client: httpx.AsyncClient, path: str = ME) -> httpx.Response:
    """The first 429. Redis may be slow for once, and then nothing is counted for a second."""
    answers: list[httpx.Response] = []

    async def ask() -> bool:
        answers.append(await client.get(path))
        return answers[-1].status_code == 429

    await eventually(ask)
    return answers[-1]


async def test_a_token_that_came_too_often_is_told_when_to_come_again(settings: Settings) -> None:
    async with strict(settings, request_rate=FEW) as api:
        client, other = await api.client(), await api.client()
        mine = (await client.get(ME)).json()["rate"]
        assert (mine["limit"], mine["seconds"]) == (4, 86_400)
        refused = await until_refused(client)
        problem = refused.json()
        assert problem["type"] == "urn:tailrace:problem:rate_limited"
        assert "4 times" in problem["detail"]
        assert problem["hint"]
        wait = int(refused.headers["retry-after"])
        assert 0 < wait <= 86_400
        assert refused.headers["ratelimit-policy"] == '"token";q=4;w=86400'
        assert refused.headers["ratelimit"] == f'"token";r=0;t={wait}'
        # It is refused before its body is read, over a WebSocket too; and nobody else is.
        assert (await client.post("/v1/executions", content=b"no json")).status_code == 429
        async with knock(api.app, "/v1/events", client.headers["authorization"].split()[1]) as socket:
            await socket.first()
            assert socket.code == CloseCode.TOO_MANY_REQUESTS
        for free in ("/healthz", "/readyz", "/metrics"):
            assert (await client.get(free)).status_code == 200
        assert (await other.get(ME)).status_code == 200
        assert (await scrape(other)).sum("tailrace_rate_limited_total", by="token") >= 3


async def test_what_is_left_is_told(settings: Settings) -> None:
    async with strict(settings, request_rate="1000/day") as api:
        client = await api.client()
        left = [(await client.get(ME)).json()["rate"]["left"] for _ in range(3)]
        known = [each for each in left if each is not None]
        assert known == sorted(known, reverse=True)
        assert known[-1] in range(997, 1000)


async def test_without_a_rate_nothing_is_said_of_one(client: httpx.AsyncClient) -> None:
    assert (await client.get(ME)).json()["rate"] is None


async def test_who_guesses_is_shut_out_and_who_works_beside_them_is_not(settings: Settings) -> None:
    async with strict(settings, bad_token_rate=FEW) as api:
        at_work = await api.client()
        assert (await at_work.get(ME)).status_code == 200
        guesser = await api.client_with(new_token())
        refused = await until_refused(guesser, "/metrics")
        assert refused.headers["ratelimit-policy"] == '"address";q=4;w=86400'
        # Also with a token that is right: nothing is looked up for them, or they could go on guessing.
        assert (await (await api.client()).get(ME)).status_code == 429
        assert (await at_work.get(ME)).status_code == 200
        async with knock(api.app, "/v1/events", new_token()) as socket:
            await socket.first()
            assert socket.code == CloseCode.TOO_MANY_REQUESTS
        # Another replica shuts them out at the first that is wrong.
        async with running(api.process.settings) as replica:
            assert (await (await replica.client_with(new_token())).get(ME)).status_code == 429


@pytest.mark.parametrize(
    ("client", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("fe80::7%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_as_which_address_a_client_counts(client: str, counts_as: str) -> None:
    assert _address_of(HTTPConnection({"type": "http", "client": (client, 1), "headers": []})) == counts_as


async def test_who_is_known_stays_so_with_other_cookies(settings: Settings) -> None:
    async with strict(settings, bad_token_rate=FEW) as api:
        at_work = await api.client()
        assert (await at_work.get(ME, headers={"Cookie": "seen=1"})).status_code == 200
        await until_refused(await api.client_with(new_token()))
        assert (await at_work.get(ME, headers={"Cookie": "seen=2"})).status_code == 200


async def test_who_comes_with_a_new_token_of_an_issuer_is_not_shut_out_by_neighbours(settings: Settings) -> None:
    async with issuing() as issuer:
        known = {"oidc_issuer": issuer.name, "oidc_audience": AUDIENCE, "oidc_default_role": "viewer"}
        async with strict(settings, bad_token_rate=FEW, **known) as api:
            await until_refused(await api.client_with(new_token()))
            assert (await (await api.client_with(issuer.sign())).get(ME)).status_code == 200
            assert (await (await api.client_with(issuer.sign(Key.new()))).get(ME)).status_code == 429


async def test_what_is_not_about_the_token_shuts_nobody_out(settings: Settings) -> None:
    async with strict(settings, bad_token_rate="1/day") as api:
        client = await api.client()
        assert [(await client.get(f"/v1/executions/{uuid.uuid4()}")).status_code for _ in range(5)] == [404] * 5


@asynccontextmanager
async def mute(tmp_path: Path) -> AsyncIterator[str]:
    """A Redis that takes everything and answers nothing."""
    path = tmp_path / "mute.sock"
    heard = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set()
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_unix_server(listen, path)
    try:
        yield f"unix://{path}"
    finally:
        server.close()


@pytest.mark.parametrize("how", ["away", "mute"])
async def test_everybody_may_while_redis_does_not_answer(settings: Settings, how: str, tmp_path: Path) -> None:
    async with mute(tmp_path) as silent:
        url = silent if how == "mute" else f"unix://{tmp_path}/none.sock"
        with structlog.testing.capture_logs() as lines:
            async with strict(settings, request_rate="2/day", bad_token_rate="2/day", redis_url=url) as api:
                client, guesser = await api.client(), await api.client_with(new_token())
                answers = await asyncio.gather(*(client.get(ME) for _ in range(8)))
                assert [answer.status_code for answer in answers] == [200] * 8
                assert answers[0].json()["rate"] == {"limit": 2, "seconds": 86_400, "left": None}
                assert [(await guesser.get(ME)).status_code for _ in range(8)] == [401] * 8
                assert (await scrape(client)).sum("tailrace_rate_unchecked_total") >= 16
    assert [line["event"] for line in lines if line["event"].startswith("rates.")] == ["rates.unchecked"]


@pytest.mark.parametrize("rate", ["many", "600", "-1/minute", "0/minute", "600/fortnight"])
def test_what_is_no_rate_ends_the_start(rate: str) -> None:
    for name in ("request_rate", "bad_token_rate"):
        with pytest.raises(ValidationError, match=re.escape("such as `600/minute`")):
            Settings(**{name: rate})
