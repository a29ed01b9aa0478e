"""An import whose process was not heard of for too long is over: nothing is on record of which a part may be gone."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from uuid_utils.compat import uuid7

from app.artifacts import removals
from app.artifacts.removals import AGAIN_AFTER
from app.artifacts.tables import ArtifactRemoval
from app.bootstrap import Process
from app.bundles import repository
from app.bundles.document import BundledLine
from app.bundles.importing import _while_held
from app.bundles.reserving import HELD_FOR, Reservation, reserved
from app.bundles.tables import Import
from app.db.engine import reading, transaction
from app.db.orm import clock
from app.errors import Unavailable
from app.logs.tables import LogSegment


async def count_segments(process: Process, execution: UUID) -> int:
    statement = select(func.count()).select_from(LogSegment).where(LogSegment.execution_id == execution)
    async with reading(process.database) as connection:
        return int((await connection.execute(statement)).scalar_one())


async def test_who_was_late_with_an_import_does_not_go_on_with_a_part_of_its_log(process: Process) -> None:
    execution = uuid7()
    lines = [BundledLine(seq=seq, at=1_700_000_000_000, stream="stdout", text="x") for seq in range(1, 40)]
    segments = [segment for line in lines for segment in repository.segments(execution, [line])]
    async with reserved(process, execution) as reservation:
        async with transaction(process.database) as connection:
            await reservation.hold(connection)
            await repository.add_segments(connection, segments)
            await connection.execute(update(Import).where(Import.execution_id == execution).values(until=clock()))
        async with transaction(process.database) as connection:
            assert await repository.clear_abandoned(connection) == [execution]
        assert 0 < await count_segments(process, execution) < len(segments)
        for go_on in (reservation.hold, reservation.end):
            with pytest.raises(Unavailable):
                async with transaction(process.database) as connection:
                    await go_on(connection)
    # What is left of it is not theirs to clear up, either, nor forgotten: the next one who takes it in does, say.
    assert await count_segments(process, execution)
    async with reading(process.database) as connection:
        assert await connection.scalar(select(Import.until < clock()).where(Import.execution_id == execution))
    async with reserved(process, execution):
        assert not await count_segments(process, execution)


async def test_who_stood_still_for_too_long_stores_nothing_more(process: Process) -> None:
    execution, now = uuid7(), [0.0]
    async with transaction(process.database) as connection:
        frozen = Reservation(execution, clock=lambda: now[0])
        assert await repository.claim(connection, execution, frozen.holder, within=HELD_FOR)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        now[0] += HELD_FOR.total_seconds()
        yield b"b"

    taken = list[bytes]()
    with pytest.raises(Unavailable):
        async for piece in _while_held(frozen, pieces()):
            taken.append(piece)
    assert taken == [b"a"]
    async with transaction(process.database) as connection:
        await frozen.hold(connection)
    frozen.check()


async def test_what_somebody_has_begun_to_remove_is_seen_by_who_is_to_note_it(process: Process) -> None:
    """Whenever that was: in the hour between the two rounds, too."""
    execution = uuid7()
    prefixes = {f"{execution}/1/output": execution, str(execution): execution}

    async def is_untouched() -> bool:
        async with transaction(process.database) as connection:
            return await removals.is_untouched(connection, prefixes)

    assert not await is_untouched()
    async with transaction(process.database) as connection:
        await removals.ask(connection, prefixes, after=AGAIN_AFTER)
    assert await is_untouched()
    begun = update(ArtifactRemoval).where(ArtifactRemoval.prefix == str(execution)).values(due_at=clock())
    async with transaction(process.database) as connection:
        await connection.execute(begun)
        taken = await removals.take_due(connection, most=1000)
    assert str(execution) in {removal.prefix for removal in taken}
    assert not await is_untouched()
    async with transaction(process.database) as connection:
        await removals.note_done(connection, [str(execution)])
    assert not await is_untouched()
