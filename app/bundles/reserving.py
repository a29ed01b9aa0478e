"""Being the only one who takes an execution in; what is written of it before it is on record goes if it never is.

Its log lies below it before it is there itself, where nobody looks. Whoever dies over that leaves the reservation,
which lapses soon: then the next one who takes it in clears up, or the worker that leads that duty.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError

from app.bootstrap import Process
from app.bundles import repository
from app.db.engine import Connection, transaction
from app.errors import Conflict, Unavailable

HELD_FOR = timedelta(minutes=5)
RENEW_EVERY = 60.0
_OUTAGE = (SQLAlchemyError, OSError, TimeoutError)


def _boot_clock() -> float:
    """Seconds, also those in which the host slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Reservation:
    """An execution that nobody else takes in."""

    def __init__(self, execution: UUID, clock: Callable[[], float] = _boot_clock) -> None:
        self.execution = execution
        self.holder = uuid4()
        self._clock = clock
        self._until = clock() + HELD_FOR.total_seconds()

    async def hold(self, connection: Connection) -> None:
        """It is ours until this transaction ends, and some time more. Raises `Unavailable` if it is not any more."""
        began = self._clock()
        if not await repository.hold(connection, self.execution, self.holder, within=HELD_FOR):
            raise _too_late()
        self._until = began + HELD_FOR.total_seconds()

    def check(self) -> None:
        """Raises `Unavailable` once it may be somebody else's: who stood still that long writes nothing over theirs."""
        if self._clock() >= self._until:
            raise _too_late()

    async def end(self, connection: Connection) -> None:
        """It is on record with this transaction. Raises `Unavailable` as `hold` does."""
        await self.hold(connection)
        await repository.release(connection, self.execution, self.holder)


def _too_late() -> Unavailable:
    return Unavailable("The import took too long to be heard of.", hint="Nothing of it was kept: send it again.")


@asynccontextmanager
async def reserved(process: Process, execution: UUID) -> AsyncIterator[Reservation]:
    """Be the only one; unless it was ended, nothing is left. Raises `Conflict` if it is here or somebody is at it."""
    reservation = Reservation(execution)
    async with transaction(process.database) as connection:
        if not await repository.claim(connection, execution, reservation.holder, within=HELD_FOR):
            raise Conflict(f"The execution {execution} is being imported.", hint="Look for it in a moment.")
        # After that: whoever it waited for may have put it on record.
        if await repository.is_here(connection, execution):
            raise is_here(execution)
    renewing = asyncio.create_task(_renew(process, reservation))
    try:
        # What somebody left who died over it.
        await _clear(process, reservation)
        yield reservation
    finally:
        renewing.cancel()
        with suppress(*_OUTAGE):
            await _clear(process, reservation)
            async with transaction(process.database) as connection:
                await repository.release(connection, execution, reservation.holder)


def is_here(execution: UUID) -> Conflict:
    """Why it is not taken in."""
    return Conflict(f"There is an execution {execution} here already.", hint="Delete it first if it is to be replaced.")


async def _renew(process: Process, reservation: Reservation) -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY)
        with suppress(*_OUTAGE, Unavailable):
            async with transaction(process.database) as connection:
                await reservation.hold(connection)


async def _clear(process: Process, reservation: Reservation) -> None:
    """If it is ours and not on record, nothing lies below it."""
    cleared = True
    while cleared:
        async with transaction(process.database) as connection:
            mine = await repository.hold(connection, reservation.execution, reservation.holder, within=HELD_FOR)
            cleared = mine and await repository.clear(connection, reservation.execution)
