"""Lists that come in pages, as iterators that fetch the next page when it is needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Generic, TypeVar

from typing_extensions import override

from tailrace._portal import iterate

T = TypeVar("T")


class AsyncPages(Generic[T]):
    """Items, a page at a time from the server. Each iteration begins anew."""

    def __init__(self, fetch: Callable[[], AsyncGenerator[list[T], None]]) -> None:
        self._fetch = fetch

    def pages(self) -> AsyncGenerator[list[T], None]:
        """The pages as they come."""
        return self._fetch()

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}(async for … in it, or .first(), .all())"

    def __aiter__(self) -> AsyncIterator[T]:
        return self._items()

    async def all(self) -> list[T]:
        """All items at once."""
        return [item async for item in self]

    async def first(self) -> T | None:
        """The first item, or None."""
        async for item in self:
            return item
        return None

    async def _items(self) -> AsyncGenerator[T, None]:
        pages = self._fetch()
        try:
            async for page in pages:
                for item in page:
                    yield item
        finally:
            await pages.aclose()


class Pages(Generic[T]):
    """Items, a page at a time from the server. Each iteration begins anew."""

    def __init__(self, pages: AsyncPages[T]) -> None:
        self._pages = pages

    def pages(self) -> Iterator[list[T]]:
        """The pages as they come."""
        return iterate(self._pages.pages())

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}(for … in it, or .first(), .all())"

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page

    def all(self) -> list[T]:
        """All items at once."""
        return list(self)

    def first(self) -> T | None:
        """The first item, or None."""
        return next(iter(self), None)
