"""What happens to all executions, as it happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from tailrace._aio.sockets import followed, frames
from tailrace._nouns import Happening
from tailrace._transport import Transport


class HappeningReader:
    """One reader. `query` are parameters of docs/events.md. After a cut it goes on behind the last event."""

    def __init__(self, transport: Transport, query: Mapping[str, Any]) -> None:
        self._transport = transport
        self._query = dict(query)

    async def follow(self) -> AsyncGenerator[list[Happening], None]:
        """Until nobody wants to know any more."""
        async for page in followed(self._transport, self._frames, lambda: False):
            yield page

    async def _frames(self) -> AsyncGenerator[list[Happening], None]:
        """One connection."""
        async with frames(self._transport, "/v1/events", self._query) as received:
            async for frame in received:
                if "cursor" in frame:
                    self._query["after"] = int(frame["cursor"])
                if frame["type"] != "hello":
                    yield [Happening(frame)]
