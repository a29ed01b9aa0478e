"""One reader of a log, from the question to what they get."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select

from app.bootstrap import Process
from app.db.engine import reading, snapshot
from app.db.orm import clock
from app.errors import FieldError, InvalidRequest, NotFound
from app.executions import repository
from app.executions.record import Record
from app.logs.filters import Selection
from app.logs.narrowing import Chosen, More, MoreReason, Picked, narrow
from app.logs.query import TailQuery
from app.logs.searching import Allowance
from app.logs.segments import Chunk
from app.logs.store import last_seq, seq_at, seq_before_last
from app.logs.tail import NEVER, tail

# In so many records the last ones are looked for, and then in more before them: what is rare is far away.
FIRST_WINDOW = 2_048
WIDEST_WINDOW = 2**18


@dataclass(frozen=True, slots=True)
class Start:
    """Where a reader begins; events up to `event` are in `record` already."""

    record: Record
    event: int
    selection: Selection


async def begin(
    process: Process, execution: UUID, owner: str | None, query: TailQuery, *, follow: bool = True
) -> Start:
    """Look up what the question means now: the last so many are the last as of now, and who does not `follow` gets no
    later ones. Raises `NotFound`, `InvalidRequest`.
    """
    # One and the same state: what is in the record is not told again, and nothing is left out.
    async with snapshot(process.database) as connection:
        events = await repository.list_events(connection, execution)
        record = await repository.find(connection, execution, owner=owner)
        if record is None:
            raise NotFound(f"There is no execution {execution}.")
        selection = query.selection((await connection.execute(select(clock()))).scalar_one())
        if selection.since is not None:
            after = await seq_at(connection, execution, selection.since)
            selection = replace(selection, after=max(selection.after, after))
        if query.tail is None:
            return Start(record, events[-1].number, selection)
        newest = await last_seq(connection, execution)
        end = newest + 1 if selection.before is None else min(selection.before, newest + 1)
        if not (follow or record.is_terminal):
            selection = replace(selection, before=end)
        is_counted = selection.is_of_place
        if is_counted:
            after = await seq_before_last(connection, execution, query.tail, before=end)
            selection = replace(selection, after=max(selection.after, after))
    start = Start(record, events[-1].number, selection)
    return start if is_counted else await _from_last(process, start, query.tail, end - 1)


async def _from_last(process: Process, start: Start, count: int, last: int) -> Start:
    """The same, from the last so many records on of those that are wanted, up to seq `last`.

    They are looked for from the end backwards, over gaps at once. Raises `InvalidRequest` if the time for that is over.
    """
    selection, allowance = start.selection, Allowance(process.settings.search_seconds)
    first, last = selection.after, max(selection.after, last)
    width = min(max(FIRST_WINDOW, 2 * count), WIDEST_WINDOW)
    while last > first and count > 0:
        async with reading(process.database) as connection:
            behind = await seq_before_last(connection, start.record.id, width, before=last + 1)
        window = replace(selection, after=max(first, behind), before=last + 1, limit=None)
        found: deque[int] = deque(maxlen=count)
        async for item in _read(process, replace(start, selection=window), allowance, follow=False):
            if isinstance(item, More) and item.reason is MoreReason.SEARCH_TIME:
                raise _too_far(count, last)
            found.extend(_seqs_of(item))
        count -= len(found)
        last = found[0] - 1 if count == 0 else window.after
        width = min(4 * width, WIDEST_WINDOW)
    return replace(start, selection=replace(selection, after=last))


def _too_far(count: int, last: int) -> InvalidRequest:
    message = f"took too long to find: {count} more would be at or below {last}; ask for some with `before` or `after`"
    return InvalidRequest(f"`tail` {message}.", fields=[FieldError("tail", "search_time", message)])


def _seqs_of(item: Chosen) -> Iterable[int]:
    match item:
        case Chunk():
            return range(item.first, item.last + 1)
        case Picked():
            return (line.seq for line in item.lines)
        case _:
            return ()


def read(process: Process, start: Start, *, follow: bool = True) -> AsyncIterator[Chosen]:
    """What they asked for; with `follow`, until the execution ends."""
    return _read(process, start, Allowance(process.settings.search_seconds), follow=follow)


def _read(process: Process, start: Start, allowance: Allowance, *, follow: bool) -> AsyncIterator[Chosen]:
    selection, execution = start.selection, start.record.id
    until = NEVER if selection.until is None else selection.until / 1000
    items = tail(process, execution, after=selection.reads_after, event=start.event, follow=follow, until=until)
    if selection.is_everything:
        return items
    return narrow(items, selection, process.searches, follow=follow, allowance=allowance)
