"""Room for uploads: what an owner's files, and those of what they have imported, may have together.

What is under way has taken its bytes before they come, so that any number at once never pass the limit. Who dies over
an upload gives them back soon: what it took is renewed as long as somebody is at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.errors import QuotaExceeded
from app.files import repository

TAKEN_FOR = timedelta(minutes=5)
RENEW_EVERY = 60.0
# Of what comes without saying how much it is, as much as there is of it is taken ahead, and at most so much.
STEP_BYTES = 16 * 1024 * 1024
# Of one owner in one process: each has some parts of a file in memory, or all of it on disk.
AT_ONCE = 16
_OUTAGE = (SQLAlchemyError, OSError, TimeoutError)


class Room:
    """What one upload of an owner has taken; `upload` is its id."""

    def __init__(self, process: Process, owner: str, upload: UUID) -> None:
        self._process = process
        self._limit = process.settings.max_file_bytes_per_owner
        self._owner = owner
        self._upload = upload
        self._taken = 0

    async def make(self, needed: int) -> None:
        """Have room for so many bytes in all. Raises `QuotaExceeded`."""
        if self._limit is not None and needed > self._taken:
            async with transaction(self._process.database) as connection:
                await self.take(connection, needed, ahead=min(needed, STEP_BYTES))

    async def take(self, connection: Connection, needed: int, *, ahead: int = 0) -> None:
        """The same, and if there is room for so many more ahead, for these, too. Raises `QuotaExceeded`."""
        if self._limit is None:
            return
        await repository.lock_space(connection, self._owner)
        used = await repository.count_bytes(connection, self._owner, but=self._upload)
        left = self._limit - used
        if needed > left:
            raise QuotaExceeded(
                f"`{self._owner}` has files of {used} bytes of at most {int(self._limit)}, uploads under way included, "
                f"and these are {needed} more.",
                hint="Delete some that are not needed: GET /v1/files, DELETE /v1/files/{id}; or imported executions.",
                used=used,
                limit=int(self._limit),
            )
        self._taken = min(needed + ahead, left)
        await repository.take_space(connection, self._upload, self._owner, self._taken, within=TAKEN_FOR)

    async def give_back(self, connection: Connection) -> None:
        """It is not under way any more."""
        if self._limit is not None:
            await repository.give_space_back(connection, self._upload)

    async def renew(self) -> None:
        """Keep what was taken until cancelled."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            with suppress(*_OUTAGE):
                async with transaction(self._process.database) as connection:
                    await repository.keep_space(connection, self._upload, within=TAKEN_FOR)


@contextmanager
def one_at_once(process: Process, owner: str) -> Iterator[None]:
    """Be one of the few uploads, files or imports, of an owner. Raises `QuotaExceeded` if there are so many already."""
    if process.uploads[owner] >= AT_ONCE:
        raise QuotaExceeded(
            f"`{owner}` is sending {AT_ONCE} files already, the most at once.",
            hint="Wait until some of them have come.",
            used=AT_ONCE,
            limit=AT_ONCE,
        )
    process.uploads[owner] += 1
    try:
        yield
    finally:
        process.uploads[owner] -= 1
        if not process.uploads[owner]:
            del process.uploads[owner]


@asynccontextmanager
async def room_for(process: Process, owner: str, upload: UUID) -> AsyncIterator[Room]:
    """Room that an upload can take, and has until the end of the block."""
    room = Room(process, owner, upload)
    if process.settings.max_file_bytes_per_owner is None:
        yield room
        return
    renewing = asyncio.create_task(room.renew())
    try:
        yield room
    finally:
        renewing.cancel()
        with suppress(*_OUTAGE):
            async with transaction(process.database) as connection:
                await room.give_back(connection)
