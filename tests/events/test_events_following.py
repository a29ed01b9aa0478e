"""Acting once on every event: nobody goes back behind what another has done."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update

from app.db.engine import Connection, reading, transaction
from app.events.following import follow
from app.events.store import BatchEnded, Happened, last_position
from app.events.tables import EventCursor
from support.eventually import eventually
from support.racing import is_blocked_by
from support.records import Records


async def position(records: Records, name: str) -> int:
    async with reading(records.process.database) as connection:
        return (await connection.execute(select(EventCursor.position).where(EventCursor.name == name))).scalar_one()


async def put(connection: Connection, name: str, to: int) -> None:
    await connection.execute(update(EventCursor).where(EventCursor.name == name).values(position=to))


async def test_who_has_looked_before_another_was_faster_does_not_go_back(records: Records) -> None:
    name, database, seen = f"test-{uuid4()}", records.process.database, list[UUID]()

    async def note(_: Connection, events: Sequence[Happened | BatchEnded]) -> None:
        seen.extend(each.execution for each in events if isinstance(each, Happened))

    while await follow(database, name, note):
        pass
    first = await records.submit()
    async with database.connect() as faster:
        await put(faster, name, await position(records, name))
        slower = asyncio.create_task(follow(database, name, note))
        # It knows of the first, and waits for the lock.
        await eventually(lambda: is_blocked_by(records.process, faster))
        second = await records.submit()
        reached = await last_position(faster)
        await put(faster, name, reached)
        await faster.commit()
    await slower
    assert await position(records, name) == reached
    third = await records.submit()
    while await follow(database, name, note):
        pass
    assert [execution for execution in seen if execution in {first, second, third}] == [third]

    # A database that was put back to an earlier state counts from there again.
    async with transaction(database) as connection:
        await put(connection, name, reached + 1000)
    while await follow(database, name, note):
        pass
    fourth = await records.submit()
    while await follow(database, name, note):
        pass
    assert seen.count(fourth) == 1
    async with transaction(database) as connection:
        await connection.execute(delete(EventCursor).where(EventCursor.name == name))
