"""The log: read, or followed until the end, through whatever breaks in between.

Both remember the number of the last line that was handed on, and ask for what comes after it. So nothing comes twice,
and nothing is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tailrace._errors import ConnectionFailed, api_error
from tailrace._lines import Gap, Line, gap, line_of_ndjson, lines_of_frame
from tailrace._retrying import Patience
from tailrace._transport import Request, Transport

if TYPE_CHECKING:
    import httpx
    from websockets.asyncio.client import ClientConnection

# The server pings every 20 s. A line that says nothing for so long is asked whether it is still there; one that does
# not answer either, such as after the sleep of a laptop, is given up.
QUIET = 30.0
PAGE_LINES = 1000
MAX_FRAME = 2**24
# What the server says with a close code.
REFUSALS = {4400: 422, 4401: 401, 4403: 403, 4404: 404}


class LogReader:
    """One reader of one log. `query` are parameters of docs/logs.md; a line that says nothing for `quiet` seconds is
    asked whether it is still there.
    """

    def __init__(self, transport: Transport, execution: str, query: Mapping[str, Any], *, quiet: float = QUIET) -> None:
        self._quiet = quiet
        self._transport = transport
        self._path = f"/v1/executions/{execution}"
        self._query = {name: value for name, value in query.items() if value is not None}
        self._done = False

    def _after(self, seq: int) -> None:
        """Go on behind this. Whatever counts from the newest line, or from now, has been counted."""
        self._query["after"] = seq
        self._query.pop("tail", None)
        if _is_relative(self._query.get("since")):
            del self._query["since"]

    async def read(self) -> AsyncGenerator[list[Line], None]:
        """What there is, and no more."""
        import httpx

        patience = Patience(self._transport.patience)
        while not self._done:
            try:
                async for page in self._pages():
                    patience = Patience(self._transport.patience)
                    yield page
            except httpx.TransportError as error:  # noqa: PERF203  that is what the loop is for
                await patience.rest(ConnectionFailed(self._transport.config.url, str(error)))

    async def _pages(self) -> AsyncGenerator[list[Line], None]:
        """One answer. It is over when it says so by its end, but for a search that took too long."""
        params = {**self._query, "format": "ndjson"}
        searched = None
        async with self._transport.open(Request("GET", f"{self._path}/logs", params=params)) as response:
            page: list[Line] = []
            async for item in _items(response):
                if item.get("type") == "more" and item.get("reason") == "search_time":
                    searched = int(item["after"])
                line = _line(item)
                if line is None:
                    continue
                page.append(line)
                if len(page) >= PAGE_LINES:
                    yield self._passed(page)
                    page = []
            if page:
                yield self._passed(page)
        if searched is None:
            self._done = True
        else:
            self._after(searched)

    def _passed(self, page: list[Line]) -> list[Line]:
        self._after(page[-1].seq)
        if "limit" in self._query:
            self._query["limit"] -= sum(not isinstance(line, Gap) for line in page)
            self._done = self._query["limit"] <= 0
        return page

    async def follow(self) -> AsyncGenerator[list[Line], None]:
        """Until its end. Cuts, restarts of the server, and sleep are passed over, however long they take."""
        from websockets.exceptions import WebSocketException

        patience = Patience(math.inf)
        while not self._done:
            try:
                async for page in self._frames():
                    patience = Patience(math.inf)
                    yield page
            except (OSError, WebSocketException) as error:
                _check(error)
            if not self._done:
                await patience.rest()

    async def _frames(self) -> AsyncGenerator[list[Line], None]:
        """One connection."""
        socket = await self._connect()
        try:
            while not self._done:
                frame = json.loads(await _received(socket, self._quiet))
                kind = frame.get("type")
                if kind == "hello":
                    self._after(int(frame["after"]))
                elif kind == "lines":
                    self._after(int(frame["first"]) + len(frame["lines"]) - 1)
                    yield lines_of_frame(frame)
                elif kind == "gap":
                    self._after(int(frame["to"]))
                    yield [gap(frame)]
                elif kind == "more":
                    self._after(int(frame["after"]))
                    return
                self._done = kind == "end"
        finally:
            with suppress(OSError):
                await socket.close()

    async def _connect(self) -> ClientConnection:
        import httpx
        from websockets.asyncio.client import connect

        params = httpx.QueryParams({name: _joined(value) for name, value in self._query.items()})
        url = f"{self._transport.config.url.replace('http', 'ws', 1)}{self._path}/tail?{params}"
        return await connect(
            url,
            additional_headers=self._transport.headers,
            user_agent_header=None,
            compression=None,
            max_size=MAX_FRAME,
            # On a thin line the answer to a ping waits behind the log: `_received` knows better.
            ping_interval=None,
            close_timeout=1,
        )


async def _items(response: httpx.Response) -> AsyncGenerator[Mapping[str, Any], None]:
    """NDJSON. Lines end at newlines only: there are other characters that `splitlines` takes for ends."""
    rest = b""
    async for piece in response.aiter_bytes():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield json.loads(line)


async def _received(socket: ClientConnection, quiet: float) -> str | bytes:
    """The next frame. Raises `TimeoutError`, which is an `OSError`, if nobody is there any more."""
    import asyncio

    import anyio

    with anyio.move_on_after(quiet):
        return await socket.recv()
    while True:
        answer = asyncio.ensure_future(await socket.ping())
        with anyio.move_on_after(quiet):
            return await socket.recv()
        if not answer.done():
            raise TimeoutError("The server does not answer any more.")


def _check(error: Exception) -> None:
    """Raises what the server said, if it said that there is no use in coming again."""
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in REFUSALS:
        status = REFUSALS[error.rcvd.code]
        raise api_error(status, {"detail": error.rcvd.reason or f"Closed with {error.rcvd.code}."}) from error
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        # What passes are faults of servers, and being too many. Whatever else is not ours has no WebSockets.
        if status < 500 and status not in {408, 425, 429}:
            detail = f"The server answered {status} where its log is followed, by a WebSocket."
            hint = None if status in {401, 403, 404} else "A proxy in between has to pass WebSockets on."
            raise api_error(status, {"detail": detail, "hint": hint}) from error


def _line(item: Mapping[str, Any]) -> Line | None:
    if "seq" in item:
        return line_of_ndjson(item)
    return gap(item) if item.get("type") == "gap" else None


def _joined(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value))
    moment = getattr(value, "isoformat", None)
    return str(moment() if moment else value)


def _is_relative(since: Any) -> bool:
    """Whether it counts back from now: `10m`, `2h30m`."""
    return isinstance(since, str) and since[-1:].isalpha() and since[-1:] not in "Zz"
