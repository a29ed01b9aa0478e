"""One reader of a log, from the question to what they get."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select

from app.bootstrap import Process
from app.db.engine import Connection, snapshot
from app.db.orm import clock
from app.errors import NotFound
from app.executions import repository
from app.executions.record import Record
from app.logs.filters import Selection
from app.logs.narrowing import Chosen, narrow
from app.logs.query import TailQuery
from app.logs.store import last_seq, seq_at
from app.logs.tail import tail


@dataclass(frozen=True, slots=True)
class Start:
    """Where a reader begins; events up to `event` are in `record` already."""

    record: Record
    event: int
    selection: Selection


async def begin(process: Process, execution: UUID, owner: str | None, query: TailQuery) -> Start:
    """Look up what the question means now. Raises `NotFound`."""
    # One and the same state: what is in the record is not told again, and nothing is left out.
    async with snapshot(process.database) as connection:
        events = await repository.list_events(connection, execution)
        record = await repository.find(connection, execution, owner=owner)
        if record is None:
            raise NotFound(f"There is no execution {execution}.")
        selection = query.selection((await connection.execute(select(clock()))).scalar_one())
        after = await _first(connection, execution, selection, query.tail)
    return Start(record, events[-1].number, replace(selection, after=after))


async def _first(connection: Connection, execution: UUID, selection: Selection, last: int | None) -> int:
    """The cursor of the first record that may be wanted."""
    after = selection.after
    if last is not None:
        newest = await last_seq(connection, execution)
        after = max(after, min(newest, (selection.before or newest + 1) - 1) - last)
    if selection.since is not None:
        after = max(after, await seq_at(connection, execution, selection.since))
    return after


def read(process: Process, start: Start, *, follow: bool = True) -> AsyncIterator[Chosen]:
    """What they asked for; with `follow`, until the execution ends."""
    selection, execution = start.selection, start.record.id
    items = tail(process, execution, after=selection.reads_after, event=start.event, follow=follow)
    if selection.is_everything:
        return items
    return narrow(items, selection, process.searches, follow=follow, allowed=process.settings.search_seconds)
