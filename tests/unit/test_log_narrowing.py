import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, cast

from app.logs.filters import Selection
from app.logs.narrowing import More, MoreReason, Picked, narrow
from app.logs.protocol import Entry, encode_lines
from app.logs.searching import Allowance, Searches
from app.logs.segments import Chunk
from app.logs.tail import LATE_SECONDS, CaughtUp, Item


def chunk(seq: int, at: float) -> Chunk:
    frame, raw = encode_lines(seq, [Entry(int(at * 1000), "o", b"%d" % seq, continues=False)])
    return Chunk(seq, seq, frame, raw)


async def chosen(items: AsyncIterator[Item], until: float) -> list[Any]:
    """As somebody who is slow takes them, long after `until`."""
    found: list[Any] = []
    async for each in narrow(
        items, Selection(until=int(until * 1000)), cast("Searches", None), follow=True, allowance=Allowance(1.0)
    ):
        found += [line.seq for line in each.lines] if isinstance(each, Picked) else [each]
        await asyncio.sleep(0.01)
    return found


async def test_who_is_slow_gets_all_from_before_the_end_of_their_time() -> None:
    until = time.time() - 10 * LATE_SECONDS

    async def items() -> AsyncIterator[Item]:
        yield CaughtUp(cast("Any", None))
        for seq in range(1, 6):
            yield chunk(seq, until - 6 + seq)
        yield CaughtUp(cast("Any", None), until)
        await asyncio.Event().wait()

    caught_up, *seqs, again, more = await chosen(items(), until)
    assert isinstance(caught_up, CaughtUp)
    assert isinstance(again, CaughtUp)
    assert (seqs, more) == ([1, 2, 3, 4, 5], More(5, MoreReason.UNTIL))


async def test_what_goes_on_for_ever_ends_with_the_first_line_from_well_behind_the_end() -> None:
    until = time.time() - 10 * LATE_SECONDS

    async def items() -> AsyncIterator[Item]:
        yield CaughtUp(cast("Any", None))
        seq = 0
        while True:
            seq += 1
            yield chunk(seq, until - 2 + seq)
            await asyncio.sleep(0)

    _, *seqs, more = await chosen(items(), until)
    assert (seqs, more) == ([1], More(2 + int(LATE_SECONDS), MoreReason.UNTIL))
