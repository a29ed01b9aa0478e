"""The one client for URLs from outside. What it connects to is what `Policy` has taken, at that very moment.

No proxy, cookie or password comes from the environment. Redirects are followed only for what is fetched, and each is
judged like the first URL. Certificates must be those of the name in the URL, and `SSL_CERT_FILE` adds to those trusted.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override
from yarl import URL

from app.outbound.policy import Address, Policy, Refused
from app.outbound.threads import wait_for

CONNECT_WITHIN = 10.0
LOOK_UP_WITHIN = 5.0
REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
# What is sent is counted and signed as it is: nobody is to unpack a bomb here.
_AS_IT_IS = {"Accept-Encoding": "identity", "User-Agent": "Tailrace"}


class NoAnswer(Exception):
    """It was tried, and there was no answer, or not all of one. The message is a short sentence without a full stop."""


class TooLarge(Exception):
    """What is fetched has more bytes than it may have."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said, and the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetched:
    """A body on its way to us."""

    def __init__(self, response: aiohttp.ClientResponse, most: int) -> None:
        self._response = response
        self._most = most

    @property
    def status(self) -> int:
        """The HTTP status, of the last hop."""
        return self._response.status

    @property
    def media_type(self) -> str:
        """What the other side says that it is."""
        return self._response.content_type

    @property
    def size(self) -> int | None:
        """How many bytes there will be, if the other side says so."""
        return self._response.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body. Raises `TooLarge`, `NoAnswer`."""
        if (self.size or 0) > self._most:
            raise TooLarge
        left = self._most
        with _as_no_answer():
            async for chunk in self._response.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    raise TooLarge
                yield chunk


class Outbound:
    """All connections of one process to where others say. Bounds of how many at once are the callers'."""

    def __init__(self, policy: Policy, *, trusted: ssl.SSLContext | None = None) -> None:
        self._policy = policy
        self._trusted = trusted

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """Made when it is first needed: to read all certificates takes a while, and few processes need them."""
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(self._policy),
            use_dns_cache=False,  # what is judged is what is connected to
            ssl=self._trusted or ssl.create_default_context(),
            limit=0,  # one that hangs must not keep another from its connection
            force_close=True,  # a connection that died while it was idle would count as a failure
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_AS_IT_IS,
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Drop what is open."""
        if "_session" in vars(self):
            await self._session.close()

    def read(self, text: str) -> URL:
        """See `Policy.read`: nothing is looked up. Raises `Refused`."""
        return self._policy.read(text)

    async def check(self, text: str) -> None:
        """Whether it may be connected to, as far as that can be said now. Raises `Refused`."""
        url = self._policy.read(text)
        await self.check_host(str(url.raw_host), url.port)

    async def check_host(self, host: str, port: int | None = None) -> None:
        """The same of a host, for whoever connects by other means, at whatever port. Raises `Refused`."""
        try:
            self._policy.choose(host, await _look_up(host), port)
        except OSError:
            raise Refused("must name a host that can be found") from None

    async def post(self, text: str, body: bytes, *, headers: Mapping[str, str], within: float, most: int) -> Answer:
        """Send it once, and give the answer with up to `most` bytes of its body. A redirect is an answer, too.

        Raises `Refused`, `NoAnswer`.
        """
        response = await self._send("POST", self._policy.read(text), within, data=body, headers=headers)
        try:
            with _as_no_answer():
                return Answer(response.status, dict(response.headers), await _beginning(response, most))
        finally:
            response.close()

    @asynccontextmanager
    async def fetch(
        self,
        text: str,
        *,
        within: float,
        most: int,
        headers: Mapping[str, str] | None = None,
        judge: Callable[[str], None] | None = None,
    ) -> AsyncIterator[Fetched]:
        """A body of at most so many bytes, all of it in so many seconds. `headers` are for the first host only.

        `judge` may refuse more, of the URL and of where each redirect leads, before anything is sent there. Raises
        `Refused`, `NoAnswer`; status and media type are for the caller to judge.
        """
        url, given = self._policy.read(text), dict(headers or {})
        now = asyncio.get_running_loop().time
        until = now() + within
        for _ in range(REDIRECTS + 1):
            if judge is not None:
                judge(str(url))
            response = await self._send("GET", url, max(until - now(), 0.001), headers=given)
            try:
                onward = _onward(response)
                if onward is None:
                    yield Fetched(response, most)
                    return
            finally:
                response.close()
            following = self._policy.read(onward)
            if url.scheme == "https" != following.scheme:
                raise NoAnswer("It was redirected from https to http")
            given = given if following.origin() == url.origin() else {}
            url = following
        raise NoAnswer(f"It was redirected more than {REDIRECTS} times")

    async def _send(self, method: str, url: URL, within: float, **options: Any) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT_WITHIN)
        with _as_no_answer():
            return await self._session.request(method, url, timeout=timeout, allow_redirects=False, **options)


class _GuardedResolver(AbstractResolver):
    """Gives a connection only the addresses that it may have. Hosts that are addresses never come here: `read`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        taken = self._policy.choose(host, await _look_up(host), port)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in taken
        ]

    @override
    async def close(self) -> None:
        pass


async def _look_up(host: str) -> list[Address]:
    """Every address of a host, as this host finds them. Raises `OSError`."""

    def ask() -> list[Address]:
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return [ip_address(each[4][0]) for each in infos]
        except ValueError as error:
            raise OSError(str(error)) from None

    return await wait_for(ask, within=LOOK_UP_WITHIN, name="look up")


async def _beginning(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= most:
            break
    return bytes(body[:most])


def _onward(response: aiohttp.ClientResponse) -> str | None:
    """Where it redirects to."""
    location = response.headers.get("Location")
    if response.status not in _MOVED or location is None:
        return None
    try:
        return str(response.url.join(URL(location)))
    except ValueError:
        raise NoAnswer("It was redirected to something that is no URL") from None


@contextmanager
def _as_no_answer() -> Iterator[None]:
    """Whatever the network and the other side may do, in words that give away nothing of this network."""
    try:
        yield
    except TimeoutError as error:
        raise NoAnswer("There was no whole answer in time") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise NoAnswer("The host cannot be found") from error
    except aiohttp.ClientSSLError as error:
        raise NoAnswer("No connection by TLS could be made, with a certificate that is valid for the host") from error
    except aiohttp.ClientConnectorError as error:
        raise NoAnswer("No connection could be made") from error
    except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as error:
        raise NoAnswer("The answer is not HTTP") from error
    except (aiohttp.ClientError, OSError) as error:
        raise NoAnswer("The connection broke off") from error
