"""Connections to where others say, made to real servers on this host."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from app.outbound.client import NoAnswer, Outbound, TooLarge
from app.outbound.policy import Policy, Refused
from support.receiver import Received, Receiver, certify, receiving

WITHIN = 20.0
Open = Callable[..., Outbound]


@pytest.fixture
async def open_() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        def make(allow: str, trusted: ssl.SSLContext | None = None) -> Outbound:
            outbound = Outbound(Policy.parse(allow), trusted=trusted)
            stack.push_async_callback(outbound.close)
            return outbound

        yield make


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving("localhost") as receiver:
        yield receiver


async def _fetch(outbound: Outbound, url: str, *, most: int = 10_000, within: float = WITHIN) -> tuple[int, bytes]:
    async with outbound.fetch(url, within=within, most=most) as fetched:
        return fetched.status, b"".join([chunk async for chunk in fetched.chunks()])


async def test_a_name_that_leads_to_this_host_is_refused_before_anything_is_sent(
    open_: Open, receiver: Receiver
) -> None:
    outbound = open_("10.0.0.0/8")
    with pytest.raises(Refused):
        await outbound.check(receiver.url)
    with pytest.raises(Refused):
        await outbound.post(receiver.url, b"", headers={}, within=WITHIN, most=10)
    with pytest.raises(Refused):
        await _fetch(outbound, receiver.url)
    with pytest.raises(Refused):
        await _fetch(outbound, receiver.url.replace("localhost", "127.0.0.1"))
    assert receiver.received == []


@pytest.mark.parametrize("allow", ["localhost", "127.0.0.0/8, ::1"])
async def test_what_is_allowed_is_reached(open_: Open, receiver: Receiver, allow: str) -> None:
    receiver.answer(200, "x" * 100, **{"X-Said": "yes"})
    outbound = open_(allow)
    await outbound.check(receiver.url)
    answer = await outbound.post(f"{receiver.url}/a?b=c", b"body", headers={"X-Id": "1"}, within=WITHIN, most=10)
    assert (answer.status, answer.body, answer.headers["X-Said"]) == (200, b"x" * 10, "yes")
    [received] = receiver.received
    assert (received.method, received.path, received.body, received.headers["X-Id"]) == ("POST", "/a?b=c", b"body", "1")


async def test_no_proxy_comes_from_the_environment(
    open_: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await _fetch(open_("localhost"), receiver.url))[0] == 204


async def test_a_host_that_cannot_be_found_is_said_so(open_: Open) -> None:
    outbound = open_("")
    with pytest.raises(Refused, match="can be found"):
        await outbound.check("https://nowhere.invalid/")
    with pytest.raises(NoAnswer, match="cannot be found"):
        await outbound.post("https://nowhere.invalid/", b"", headers={}, within=WITHIN, most=10)


async def test_a_certificate_must_be_that_of_the_name(open_: Open, tmp_path: Path) -> None:
    ours, trust_in_ours = certify(tmp_path, "localhost")
    theirs, trust_in_theirs = certify(tmp_path, "other.example")
    async with receiving("localhost", tls=ours) as good, receiving("localhost", tls=theirs) as bad:
        assert (await _fetch(open_("localhost", trust_in_ours), good.url))[0] == 204
        for outbound, receiver in (
            (open_("localhost", trust_in_theirs), bad),
            (open_("localhost", trust_in_theirs), good),
            (open_("localhost"), good),
        ):
            with pytest.raises(NoAnswer, match="certificate"):
                await _fetch(outbound, receiver.url)
        assert bad.received == []


async def test_a_redirect_is_an_answer_to_a_post_and_followed_when_fetching(open_: Open, receiver: Receiver) -> None:
    async def act(received: Received) -> web.StreamResponse:
        hops = int(received.path.strip("/"))
        if hops:
            return web.Response(status=302, headers={"Location": f"/{hops - 1}"})
        return web.Response(text="here")

    receiver.act = act
    outbound = open_("localhost")
    assert (await outbound.post(f"{receiver.url}/1", b"", headers={}, within=WITHIN, most=10)).status == 302
    assert await _fetch(outbound, f"{receiver.url}/5") == (200, b"here")
    with pytest.raises(NoAnswer, match="redirected"):
        await _fetch(outbound, f"{receiver.url}/6")


async def test_each_redirect_is_judged_and_what_was_for_the_first_host_stays_there(
    open_: Open, receiver: Receiver
) -> None:
    async with receiving("127.0.0.1") as other:
        receiver.answer(307, Location=f"{other.url}/inside")
        with pytest.raises(Refused):
            await _fetch(open_("localhost"), receiver.url)
        assert other.received == []
        outbound = open_("localhost, 127.0.0.1")
        async with outbound.fetch(
            receiver.url, within=WITHIN, most=10, headers={"Authorization": "Bearer secret"}
        ) as fetched:
            assert fetched.status == 204
        assert receiver.received[-1].headers["Authorization"] == "Bearer secret"
        assert "Authorization" not in other.received[0].headers
    for location in ("file:///etc/passwd", "http://[::ffff:169.254.169.254]/", "http://127.1/", "http://127.0.0.1:25/"):
        receiver.answer(302, Location=location)
        with pytest.raises(Refused):
            await _fetch(outbound, receiver.url)


async def test_the_port_is_judged_with_what_the_name_leads_to(open_: Open) -> None:
    # There may be a host with this port, but not this one.
    outbound = open_("localhost, 10.0.0.0/8:25")
    with pytest.raises(Refused):
        await outbound.check("http://localhost:25/")
    with pytest.raises(Refused):
        await outbound.post("http://localhost:25/", b"", headers={}, within=WITHIN, most=10)
    with pytest.raises(NoAnswer):
        await open_("localhost:1").post("http://localhost:1/", b"", headers={}, within=WITHIN, most=10)


async def test_from_https_nobody_is_led_to_http(open_: Open, receiver: Receiver, tmp_path: Path) -> None:
    ours, trust = certify(tmp_path, "localhost")
    async with receiving("localhost", tls=ours) as safe:
        safe.answer(301, Location=receiver.url)
        with pytest.raises(NoAnswer, match="https"):
            await _fetch(open_("localhost", trust), safe.url)
    assert receiver.received == []


@pytest.mark.parametrize("announced", [True, False])
async def test_no_more_is_fetched_than_may_be(open_: Open, receiver: Receiver, *, announced: bool) -> None:
    async def act(_: Received) -> web.StreamResponse:
        return web.Response(body=bytes(1000)) if announced else web.Response(body=_pieces())

    receiver.act = act
    outbound = open_("localhost")
    assert await _fetch(outbound, receiver.url, most=1000) == (200, bytes(1000))
    with pytest.raises(TooLarge):
        await _fetch(outbound, receiver.url, most=999)


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(10):
        yield bytes(100)


async def test_what_hangs_or_drips_is_given_up(open_: Open, receiver: Receiver) -> None:
    outbound = open_("localhost")
    receiver.hang()
    with pytest.raises(NoAnswer, match="time"):
        await outbound.post(receiver.url, b"", headers={}, within=0.2, most=10)
    receiver.go_on.set()

    async def drip(_: Received) -> web.StreamResponse:
        return web.Response(body=_without_end())

    receiver.act = drip
    with pytest.raises(NoAnswer, match="time"):
        await _fetch(outbound, receiver.url, within=0.5)


async def _without_end() -> AsyncIterator[bytes]:
    while True:
        yield b"."
        await asyncio.sleep(0.05)  # a peer that takes its time


async def test_what_is_no_http_or_breaks_off_is_no_answer(open_: Open) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says[-1])
        await writer.drain()
        writer.close()

    outbound, says = open_("127.0.0.1"), list[bytes]()
    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for said, meant in (
            (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
            (b"", "broke off"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", "broke off"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "not HTTP"),
        ):
            says.append(said)
            with pytest.raises(NoAnswer, match=meant):
                await _fetch(outbound, url)
    with pytest.raises(NoAnswer, match="No connection"):
        await _fetch(outbound, url)


async def test_a_mistake_of_who_fetches_is_theirs(open_: Open, receiver: Receiver) -> None:
    with pytest.raises(OSError, match="disk full"):
        async with open_("localhost").fetch(receiver.url, within=WITHIN, most=10):
            raise OSError("disk full")
