"""What every resource builds on: requests that answer with JSON, and lists in pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tailrace._pages import AsyncPages
from tailrace._transport import Request, Transport

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

PAGE = 200


class Api:
    """One server, as one user."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """One request; the answer as JSON, text or bytes by its media type, and None if it has no body."""
        response = await self.transport.send(Request(method, path, **options))
        return decoded(response)

    async def get(self, path: str, **params: Any) -> Any:
        """What is there."""
        return await self.ask("GET", path, params=params)

    async def act(self, path: str, json: Any = None, **options: Any) -> Any:
        """A verb that may be said twice: the second time it is so already."""
        return await self.ask("POST", path, json=json, **{"repeatable": True, **options})

    def pages(
        self, path: str, read: Callable[[Mapping[str, Any]], T], params: Mapping[str, Any] | None = None
    ) -> AsyncPages[T]:
        """A list, read a page at a time."""
        wanted = dict(params or {})

        async def fetch() -> AsyncGenerator[list[T], None]:
            cursor = None
            while True:
                page = await self.ask("GET", path, params={"limit": PAGE, **wanted, "cursor": cursor})
                yield [read(item) for item in page["items"]]
                cursor = page.get("next")
                if cursor is None:
                    return

        return AsyncPages(fetch)

    async def items(self, path: str, read: Callable[[Mapping[str, Any]], T], **params: Any) -> list[T]:
        """A list that comes whole."""
        return [read(item) for item in (await self.get(path, **params))["items"]]


def decoded(response: httpx.Response) -> Any:
    """By its media type."""
    media_type = response.headers.get("content-type", "").partition(";")[0].strip()
    if not response.content:
        return None
    if media_type == "application/json" or media_type.endswith("+json"):
        return response.json()
    return response.text if media_type.startswith("text/") else response.content
