"""The log as one reader asked for it: what `tail` yields, narrowed to their selection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import cast

from app.logs.filters import Selection, Sieve
from app.logs.protocol import Line, holds_only
from app.logs.searching import Allowance, Searches
from app.logs.segments import Chunk
from app.logs.store import Missing
from app.logs.tail import LATE_SECONDS, CaughtUp, Ended, Item, Notice

# A live reader waits so long for the rest of a line, of which the records behind it wait too.
HOLD_SECONDS = 2.0
# So often a reader learns how far their search has come, if it finds nothing.
CURSOR_EVERY = 1.0


class MoreReason(StrEnum):
    """Why an answer ends before the log does."""

    LIMIT = "limit"
    BEFORE = "before"
    UNTIL = "until"
    SEARCH_TIME = "search_time"


@dataclass(frozen=True, slots=True)
class Picked:
    """Lines out of a chunk, perhaps none. Of what is up to `after`, nothing that is wanted comes later.

    `frame` is the chunk's, where all of it is wanted as it is.
    """

    lines: list[Line]
    after: int
    frame: bytes | None = None


@dataclass(frozen=True, slots=True)
class More:
    """The answer ends here, the log does not; `after` is where to go on."""

    after: int
    reason: MoreReason


Chosen = Item | Picked | More


async def narrow(
    items: AsyncIterator[Item], selection: Selection, searches: Searches, *, follow: bool, allowance: Allowance
) -> AsyncIterator[Chosen]:
    """The records of the selection.

    A search ends with `More` when its allowance is used up.
    """
    narrowing = _Narrowing(selection, searches, follow=follow, allowance=allowance)
    async with aclosing(_with_pauses(items, narrowing.patience)) as coming:
        async for item, idle in coming:
            for chosen in await narrowing.take(item, idle):
                yield chosen
                if isinstance(chosen, More):
                    return


class _Narrowing:
    def __init__(self, selection: Selection, searches: Searches, *, follow: bool, allowance: Allowance) -> None:
        self._selection = selection
        self._by_stream = selection.is_of_streams
        self._searches = searches
        self._follow = follow
        self._sieve = Sieve(selection)
        self._allowance = allowance
        self._left = selection.limit
        self._live = False
        self._waited = 0.0
        self._has_all_before = 0.0
        self._told = selection.after
        self._told_at = time.monotonic()

    def patience(self) -> float | None:
        """How long the next item may take before something else has to be done."""
        if not self._live:
            return None
        dues: list[float] = []
        if self._sieve.holds:
            dues.append(HOLD_SECONDS - self._waited)
        if self._sieve.decided > self._told:
            dues.append(self._told_at + CURSOR_EVERY - time.monotonic())
        return max(0.0, min(dues)) if dues else None

    async def take(self, item: Item | None, idle: float) -> list[Chosen]:
        """What follows from an item, or from none having come for a while; a `More` comes last."""
        if isinstance(item, Chunk) and self._is_at_a_glance(item):
            # A flood of one stream is not parsed for each of its readers.
            self._sieve.pass_by(item.last)
            return [self._told_of(item.last, item)]
        before = self._sieve.decided
        if self._sieve.holds:
            self._waited += idle
        lines = await self._sift(item)
        if not self._sieve.holds or self._sieve.decided > before:
            self._waited = 0.0
        if isinstance(item, CaughtUp):
            self._live, self._has_all_before = True, item.has_all_before
        if self._is_late() and self._sieve.holds:
            lines += await self._search(self._sieve.release)
        return list(self._choose(item, lines))

    def _is_at_a_glance(self, chunk: Chunk) -> bool:
        """Whether it is clear without parsing it that all of a chunk is wanted as it is."""
        selection = self._selection
        return self._by_stream and chunk.first > selection.after and holds_only(chunk.frame, selection.letters)

    async def _sift(self, item: Item | None) -> list[Line]:
        match item:
            case Chunk():
                lines = await self._search(partial(self._sieve.take, item))
            case Missing():
                return await self._search(partial(self._sieve.close, item.last))
            case Ended():
                return await self._search(partial(self._sieve.close, item.after))
            case CaughtUp() if not self._follow:
                return await self._search(partial(self._sieve.close, 0))
            case _:
                lines = []
        if self._live and self._sieve.holds and self._waited >= HOLD_SECONDS:
            lines += await self._search(self._sieve.release)
        return lines

    async def _search(self, search: Callable[[], list[Line]]) -> list[Line]:
        if not self._selection.judges:
            return search()
        lines, seconds = await self._searches.run(search)
        self._allowance.spend(seconds)
        return lines

    def _choose(self, item: Item | None, lines: list[Line]) -> Iterator[Chosen]:
        kept = lines if self._left is None else lines[: self._left]
        if kept:
            yield self._told_of(kept[-1].seq, Picked(kept, self._sieve.decided, self._whole_frame(item, kept)))
        if self._left is not None:
            self._left -= len(kept)
            if self._left == 0:
                yield More(kept[-1].seq if kept else self._told, MoreReason.LIMIT)
                return
        match item:
            case Missing():
                yield from self._gap(item)
            case Notice() | CaughtUp() | Ended():
                yield item
            case _ if self._sieve.decided > self._told and time.monotonic() >= self._told_at + CURSOR_EVERY:
                yield self._told_of(self._sieve.decided, Picked([], self._sieve.decided))
        if not isinstance(item, Ended) and (more := self._more()) is not None:
            yield more

    def _told_of(self, seq: int, chosen: Chosen) -> Chosen:
        self._told, self._told_at = seq, time.monotonic()
        return chosen

    def _whole_frame(self, item: Item | None, kept: list[Line]) -> bytes | None:
        if not isinstance(item, Chunk) or self._selection.strip:
            return None
        return item.frame if len(kept) == item.last - item.first + 1 and kept[0].seq == item.first else None

    def _gap(self, item: Missing) -> Iterator[Chosen]:
        selection = self._selection
        last = item.last if selection.before is None else min(item.last, selection.before - 1)
        gap = replace(item, first=max(item.first, selection.after + 1), last=last)
        if gap.first <= gap.last:
            yield self._told_of(gap.last, gap)

    def _more(self) -> More | None:
        after, before = self._selection.after, self._selection.before
        decided = max(after, self._sieve.decided)
        if before is not None and decided >= before - 1:
            return More(max(after, before - 1), MoreReason.BEFORE)
        if self._is_late():
            return More(decided, MoreReason.UNTIL)
        # Whoever goes on from here is to get further.
        is_over = self._allowance.is_used_up and decided > after
        return More(decided, MoreReason.SEARCH_TIME) if is_over else None

    def _is_late(self) -> bool:
        """Whether everything from before `until` has been seen."""
        # Times do not always grow with seqs: in a log of the past, nothing ends it before the log does.
        until = self._selection.until
        if until is None or not self._live:
            return False
        return self._has_all_before * 1000 >= until or self._sieve.newest >= until + LATE_SECONDS * 1000


async def _with_pauses(
    items: AsyncIterator[Item], patience: Callable[[], float | None]
) -> AsyncGenerator[tuple[Item | None, float], None]:
    """The items, each with the seconds that it was waited for; None whenever patience ends first."""
    over = object()
    coming: asyncio.Future[Item | object] | None = None
    try:
        while True:
            begun = time.monotonic()
            if coming is None:
                coming = asyncio.ensure_future(anext(items, over))
            await asyncio.wait((coming,), timeout=patience())
            idle = time.monotonic() - begun
            if not coming.done():
                yield None, idle
                continue
            item, coming = coming.result(), None
            if item is over:
                return
            yield cast("Item", item), idle
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait((coming,))
        if isinstance(items, AsyncGenerator):
            await items.aclose()
