"""The log: read, or followed until the end, through whatever breaks in between.

Both remember the number of the last line that was handed on, and ask for what comes after it. So nothing comes twice,
and nothing is left out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from tailrace._aio.sockets import QUIET, followed, frames
from tailrace._errors import ConnectionFailed
from tailrace._lines import Gap, Line, gap, line_of_ndjson, lines_of_frame
from tailrace._outage import reason_of
from tailrace._retrying import Patience
from tailrace._transport import Request, Transport

if TYPE_CHECKING:
    import httpx

PAGE_LINES = 1000


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

        patience = Patience(self._transport.patience, self._transport.outage)
        while not self._done:
            try:
                async for page in self._pages():
                    patience = Patience(self._transport.patience, self._transport.outage)
                    yield page
            except httpx.TransportError as error:  # noqa: PERF203  that is what the loop is for
                await patience.rest(ConnectionFailed(self._transport.config.url, reason_of(error)))

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
        async for page in followed(self._transport, self._frames, lambda: self._done):
            yield page

    async def _frames(self) -> AsyncGenerator[list[Line], None]:
        """One connection."""
        async with frames(self._transport, f"{self._path}/tail", self._query, quiet=self._quiet) as received:
            async for frame in received:
                kind = frame["type"]
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
                if self._done:
                    return


async def _items(response: httpx.Response) -> AsyncGenerator[Mapping[str, Any], None]:
    """NDJSON. Lines end at newlines only: there are other characters that `splitlines` takes for ends."""
    rest = b""
    async for piece in response.aiter_bytes():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield json.loads(line)


def _line(item: Mapping[str, Any]) -> Line | None:
    if "seq" in item:
        return line_of_ndjson(item)
    return gap(item) if item.get("type") == "gap" else None


def _is_relative(since: Any) -> bool:
    """Whether it counts back from now: `10m`, `2h30m`."""
    return isinstance(since, str) and since[-1:].isalpha() and since[-1:] not in "Zz"
