"""Acting once on every event, in their order: what is done and how far one has come are one transaction.

Whoever writes events pays nothing for it, and whoever dies is followed by somebody who goes on where they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Connection, reading, transaction
from app.events import store
from app.events.store import BatchEnded, Happened
from app.events.tables import EventCursor

PAGE = 100
WRITERS_END_WITHIN = (0.005, 0.2)

_AHEAD = text("""
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS top,
        (SELECT position FROM event_cursors WHERE name = :name) AS position
    FROM event_positions_position_seq
""")

Act = Callable[[Connection, Sequence[Happened | BatchEnded]], Awaitable[None]]


async def follow(database: AsyncEngine, name: str, act: Act) -> bool:
    """Let `act` write what follows from the next events, if there are any, and move on; whether there may be more.

    Several may follow by the same name at once. Raises what the database raises.
    """
    async with reading(database) as connection:
        ahead = (await connection.execute(_AHEAD, {"name": name})).one()
    if ahead.top == ahead.position:
        return False
    top = int(ahead.top)
    await until_writers_end(database)
    async with transaction(database) as connection:
        after = await _lock(connection, name)
        if after > top:
            # Somebody was faster. Or the database was put back to an earlier state, and counts from there again.
            return await _go_back(connection, name, after)
        events = await store.read_between(connection, after, top, most=PAGE)
        reached = events[-1].position if len(events) == PAGE else top
        if events:
            await act(connection, events)
        await _move(connection, name, reached)
    return reached < top


def owner_of(told: Happened | BatchEnded) -> str:
    """Whose it is."""
    return told.batch.record.owner if isinstance(told, BatchEnded) else told.subject.owner


async def until_writers_end(database: AsyncEngine) -> None:
    """Return when all transactions have ended that may be writing events now."""
    pause, longest = WRITERS_END_WITHIN
    writers = await _list_writers(database)
    while writers:
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest)
        writers &= await _list_writers(database)


async def _list_writers(database: AsyncEngine) -> set[str]:
    async with reading(database) as connection:
        return await store.list_writers(connection)


async def _go_back(connection: Connection, name: str, after: int) -> bool:
    """Go back to the last position if there are not so many; whether there may be more behind `after`."""
    last = await store.last_position(connection)
    if after > last:
        await _move(connection, name, last)
    return after < last


async def _move(connection: Connection, name: str, reached: int) -> None:
    await connection.execute(update(EventCursor).where(EventCursor.name == name).values(position=reached))


async def _lock(connection: Connection, name: str) -> int:
    """Where they are, which nobody else changes until the transaction ends."""
    await connection.execute(
        insert(EventCursor).values(name=name, position=0).on_conflict_do_nothing(index_elements=[EventCursor.name])
    )
    statement = select(EventCursor.position).where(EventCursor.name == name).with_for_update()
    return int((await connection.execute(statement)).scalar_one())
