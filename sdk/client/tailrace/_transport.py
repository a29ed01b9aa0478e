"""Requests: one policy for trying again, and answers that are no success as exceptions."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote
from uuid import uuid4

from tailrace._config import Config
from tailrace._errors import ApiError, ConnectionFailed, NotTailrace, TailraceWarning, api_error
from tailrace._outage import Outage, reason_of
from tailrace._retrying import MISTAKE, MISTAKES, PASSING, REFUSED, SAFE_METHODS, Patience, asked_to_wait
from tailrace._version import VERSION

if TYPE_CHECKING:
    import asyncio

    import httpx

USER_AGENT = f"tailrace-python/{VERSION}"
CONNECT_TIMEOUT = 10.0
# The server closes what has been idle for 5 s. What may not be sent twice must not be sent into that.
IDLE = 4.0


def segment(value: object) -> str:
    """A part of a path, with nothing in it that could be taken for more."""
    return quote(str(value), safe="@:")


def new_key() -> str:
    """An `Idempotency-Key`."""
    return str(uuid4())


@dataclass(frozen=True)
class Request:
    """What is asked for. `repeatable` are those that may be sent twice; by default what HTTP says, or with a key.

    `patience` is for how many seconds it is tried again, where that is not the client's own.
    """

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    timeout: float | None = None
    repeatable: bool | None = None
    patience: float | None = None

    @property
    def may_be_repeated(self) -> bool:
        """Whether nothing is done twice if it is sent twice."""
        if self.repeatable is not None:
            return self.repeatable
        return self.method.upper() in SAFE_METHODS or self.key is not None

    @property
    def all_headers(self) -> dict[str, str]:
        """With the key."""
        return {**self.headers, **({"Idempotency-Key": self.key} if self.key else {})}


class Transport:
    """The connections to one server. `patience` is for how many seconds a request is tried again."""

    def __init__(self, config: Config, *, timeout: float, patience: float) -> None:
        self.config = config
        self.timeout = timeout
        self.patience = patience
        self.outage = Outage(config.url)
        self._http: httpx.AsyncClient | None = None
        self._opened_in: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._told_version = False

    @property
    def headers(self) -> dict[str, str]:
        """What every request says: who asks, with what."""
        token = self.config.token
        return {"User-Agent": USER_AGENT, **({"Authorization": f"Bearer {token}"} if token else {})}

    async def send(self, request: Request) -> httpx.Response:
        """The answer, read whole. Raises `ApiError`, `ConnectionFailed`."""
        async with self.open(request, streamed=False) as response:
            return response

    @asynccontextmanager
    async def open(self, request: Request, *, streamed: bool = True) -> AsyncIterator[httpx.Response]:
        """The answer, its body not read yet. What breaks while it is read is not tried again.

        Raises:
            ApiError: It is no success.
            ConnectionFailed: There is none.
        """
        response = await self._answer(request, streamed=streamed)
        try:
            yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Let the connections go."""
        import asyncio

        http, self._http = self._http, None
        if http is not None and self._opened_in == (os.getpid(), asyncio.get_running_loop()):
            await http.aclose()

    async def _answer(self, request: Request, *, streamed: bool) -> httpx.Response:
        patience = Patience(self.patience if request.patience is None else request.patience, self.outage)
        while True:
            answer, at_least = await self._attempt(request, streamed=streamed)
            if not isinstance(answer, Exception):
                self.outage.over()
                return answer
            mistaken = isinstance(answer, ApiError) and answer.status == MISTAKE
            if at_least is None or (mistaken and patience.attempts + 1 >= MISTAKES):
                self.outage.given_up()
                raise answer
            await patience.rest(answer, at_least=at_least)

    async def _attempt(self, request: Request, *, streamed: bool) -> tuple[httpx.Response | Exception, float | None]:
        """An answer; or what went wrong, and after how many seconds at the earliest another attempt makes sense."""
        import httpx

        if not request.path.startswith("/"):
            # The token goes to the server that it is for, and to no other.
            raise ValueError(f"`{request.path}` is no path of the API: it begins with /")
        try:
            response = await self._once(request, streamed=streamed)
        except httpx.TransportError as error:
            never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            again = request.may_be_repeated or never_sent
            return ConnectionFailed(self.config.url, reason_of(error)), 0.0 if again else None
        self._look_at_version(response)
        if _is_foreign(response):
            await response.aclose()
            return NotTailrace(self.config.url), None
        if response.is_success or response.status_code == 304:
            return response, None
        refusal = await _refusal(response)
        passing = response.status_code in REFUSED or (response.status_code in PASSING and request.may_be_repeated)
        return refusal, (asked_to_wait(response.headers) or 0.0) if passing else None

    async def _once(self, request: Request, *, streamed: bool) -> httpx.Response:
        import httpx

        http = self._client()
        path, _, query = request.path.partition("?")
        content = request.content() if callable(request.content) else request.content
        built = http.build_request(
            request.method.upper(),
            path,
            params=[*parse_qsl(query, keep_blank_values=True), *_parameters(request.params)],
            json=request.json,
            content=content,
            headers=request.all_headers,
            timeout=httpx.Timeout(request.timeout or self.timeout, connect=CONNECT_TIMEOUT),
        )
        return await http.send(built, stream=streamed)

    def _client(self) -> httpx.AsyncClient:
        """Opened at first use, and anew in another event loop, or a process that was forked: nothing is shared."""
        import asyncio

        import httpx

        here = (os.getpid(), asyncio.get_running_loop())
        if self._http is None or self._opened_in != here:
            self._opened_in = here
            self._http = httpx.AsyncClient(
                base_url=self.config.url,
                headers=self.headers,
                # Who waits for many executions holds a connection for each, and may ask for something else meanwhile.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=IDLE),
                verify=_certificates(self.config.url),
            )
            # Who forgets to close it leaves nothing open.
            weakref.finalize(self, _let_go, self._http, *here).atexit = False
        return self._http

    def _look_at_version(self, response: httpx.Response) -> None:
        theirs = response.headers.get("tailrace-version")
        if self._told_version or theirs is None or _line(theirs) == _line(VERSION):
            return
        self._told_version = True
        warnings.warn(
            f"This is the client {VERSION} of a server {theirs}: what is new in one of them does not work.",
            TailraceWarning,
            stacklevel=2,
        )


def _let_go(http: httpx.AsyncClient, process: int, loop: asyncio.AbstractEventLoop) -> None:
    """Close connections from wherever the garbage is collected."""
    if process == os.getpid() and loop.is_running():
        import asyncio

        loop.call_soon_threadsafe(lambda: asyncio.ensure_future(http.aclose()))


def _line(version: str) -> str:
    """What has to be alike: 1.2.3 goes with 1.5.0, 0.1.2 with 0.1.9."""
    parts = version.split(".")
    return ".".join(parts[:2]) if parts[0] == "0" else parts[0]


def _certificates(url: str) -> Any:
    """To read the certificates of the world takes longer than most requests; plain HTTP needs none."""
    if url.startswith("https:"):
        return True
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _parameters(params: Mapping[str, Any] | None) -> list[tuple[str, str | int | float | bool | None]]:
    """As a URL has them: None is left out, lists are repeated, mappings are `key=value`."""
    found: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in (params or {}).items():
        if isinstance(value, Mapping):
            found += [(name, label(key, wanted)) for key, wanted in value.items()]
        elif isinstance(value, list | tuple | set | frozenset):
            found += [(name, _text(item)) for item in value]
        elif value is not None:
            found.append((name, _text(value)))
    return found


def label(key: str, value: object) -> str:
    """A label as a filter has it; with the value None whatever its value is."""
    name = key.replace("\\", "\\\\").replace("=", "\\=")
    return name if value is None else f"{name}={value}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    moment = getattr(value, "isoformat", None)
    return str(moment() if moment else value)


def _is_foreign(response: httpx.Response) -> bool:
    """Whether a success is that of a login page or the like. A proxy may have taken out the header of ours."""
    is_page = response.headers.get("content-type", "").startswith("text/html")
    return response.is_success and is_page and "tailrace-version" not in response.headers


async def _refusal(response: httpx.Response) -> ApiError:
    try:
        await response.aread()
        problem = response.json()
    except Exception:  # noqa: BLE001  a proxy may answer with anything, or break off
        problem = None
    if not isinstance(problem, Mapping) or not ("title" in problem or "detail" in problem):
        leads = f", which leads to {response.headers['location']}" if "location" in response.headers else ""
        problem = {"detail": f"{response.status_code} {response.reason_phrase} from {response.request.url}{leads}."}
    return api_error(response.status_code, problem, request_id=response.headers.get("x-request-id"))
