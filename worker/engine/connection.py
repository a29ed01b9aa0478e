"""HTTP to one engine: a connection per request, the API version negotiated, and every failure of the network told.

Every request opens its own connection: a kept one may have died with the engine, and a `start` that failed on it could
not be told from one that was carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from worker.engine.answers import read_message, read_version, understanding
from worker.engine.port import EngineError, EngineUnreachable

_NEWEST: Final = (1, 47)  # the newest API version the adapter was written for
_OLDEST: Final = (1, 40)  # the first one that knows every field we set
_STREAM_BUFFER: Final = 1 << 20  # what may wait for us unread before the engine, and then the container, has to wait
_USUAL_PORT: Final = 2375


class Refused(EngineError):
    """An error answer of the engine; the message is the engine's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _WrongVersionError(EngineError):
    """The engine does not speak the API version of the request, and has not looked at it."""


class EngineConnection:
    """Requests to one engine. `timeout` bounds every short request and the beginning of every stream, `slow_timeout`
    those in which the engine works on a disk. `on_error` hears of requests in which the engine failed: `unreachable`,
    or `server_error`. Raises `ValueError` for a `host` that is neither `unix:///path` nor `tcp://host:port`.
    """

    def __init__(self, host: str, *, timeout: float, slow_timeout: float, on_error: Callable[[str], None]) -> None:
        self._host = host
        self._on_error = on_error
        self._base, self._socket = _endpoint(host)
        self._timeout = timeout
        self._slow_timeout = slow_timeout
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._negotiating = asyncio.Lock()
        self.version: str | None = None

    async def close(self) -> None:
        """Cut every connection; open streams end with `EngineUnreachable`."""
        self._closed = True
        if self._session:
            await self._session.close()

    async def json(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer. Raises as `call`."""
        answer = await self.call(method, path, **request)
        with understanding(f"{method} {path}"):
            return orjson.loads(answer)

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        slow: bool = False,
    ) -> bytes:
        """One request and its whole answer. Raises `Refused`, `EngineUnreachable`."""
        limit = self._slow_timeout if slow else self._timeout
        with self.reaching(f"{method} {path}"):
            async with asyncio.timeout(limit), await self.open(method, path, params=params, body=body) as response:
                return await response.read()

    async def begin(self, method: str, path: str, *, params: Mapping[str, str]) -> aiohttp.ClientResponse:
        """The beginning of a stream, as `open`."""
        async with asyncio.timeout(self._timeout):
            return await self.open(method, path, params=params)

    async def open(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> aiohttp.ClientResponse:
        """Send one request; the answer with its body unread. Raises `Refused` for an error answer."""
        try:
            return await self._send(method, path, params, body)
        except _WrongVersionError:
            # Another engine than the one we negotiated with. It did not look at the request, so it can be repeated.
            self.version = None
            return await self._send(method, path, params, body)

    async def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> aiohttp.ClientResponse:
        version = self.version or await self._negotiate()
        url = URL(f"{self._base}/v{version}{path}", encoded=True).update_query(params or {})
        data = None if body is None else orjson.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        response = await self._client().request(method, url, data=data, headers=headers)
        if response.status < 400:
            return response
        async with response:
            message = read_message(await response.read())
        if response.status == 400 and message.startswith("client version"):
            raise _WrongVersionError(message)
        if response.status >= 500:
            self._on_error("server_error")
        raise Refused(response.status, message)

    async def _negotiate(self) -> str:
        async with self._negotiating:
            if self.version:
                return self.version
            async with self._client().get(URL(f"{self._base}/version")) as response:
                answer = await response.read()
            with understanding("GET /version"):
                engine = orjson.loads(answer)
                newest, oldest = read_version(engine["ApiVersion"]), read_version(engine.get("MinAPIVersion") or "1.0")
            if newest < _OLDEST or oldest > _NEWEST:
                raise EngineError(
                    f"The container engine speaks API {_dotted(oldest)} to {_dotted(newest)}; "
                    f"this worker needs one of {_dotted(_OLDEST)} to {_dotted(_NEWEST)}"
                )
            self.version = _dotted(min(newest, _NEWEST))
            return self.version

    def _client(self) -> aiohttp.ClientSession:
        if self._closed:
            raise EngineUnreachable("This connection to the container engine is closed")
        if self._session is None:
            connector: aiohttp.BaseConnector
            if self._socket:
                connector = aiohttp.UnixConnector(self._socket, limit=0, force_close=True)
            else:
                connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeout),
                read_bufsize=_STREAM_BUFFER,
            )
        return self._session

    @contextmanager
    def reaching(self, what: str) -> Iterator[None]:
        """Turns whatever the network can do to us into `EngineUnreachable`."""
        try:
            yield
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            self._on_error("unreachable")
            self.version = None  # whoever answers next may be another engine
            reason = str(error) or "it did not answer in time"
            raise EngineUnreachable(
                f"No answer from the container engine at {self._host} ({what}): {reason}"
            ) from error


def _endpoint(host: str) -> tuple[str, str | None]:
    """The base URL, and the path of the socket if it is one."""
    if host.startswith("unix:///"):
        return "http://engine", host.removeprefix("unix://")
    url = URL(host)
    if url.scheme == "tcp" and url.host:
        return f"http://{url.host_subcomponent}:{url.explicit_port or _USUAL_PORT}", None
    raise ValueError(f"The container engine is unix:///path or tcp://host:port, not {host!r}")


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
