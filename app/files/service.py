"""Use cases of uploaded files. The bytes go to the store first, and are on record when all of them are there.

What is stored is to be removed again, unless it is on record in time: that is committed before the first byte, so that
nothing is left of an upload that broke off, whoever died.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from app.artifacts import removals
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.errors import Conflict, FieldError, InvalidRequest, NotFound, PayloadTooLarge, Unavailable
from app.files import repository
from app.files.model import FileRecord, key_of, prefix_of
from app.files.room import Room, one_at_once, room_for
from app.quotas import admission

log = structlog.get_logger(__name__)

UPLOAD_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """What is said of a file before its bytes come: `size` and `sha256` only if the client says so."""

    name: str
    media_type: str
    labels: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    sha256: str | None = None


async def upload(process: Process, caller: Caller, new: NewFile, pieces: AsyncIterator[bytes]) -> FileRecord:
    """Keep it, durably. Raises `PayloadTooLarge`, `QuotaExceeded`, `InvalidRequest`, `Unavailable`; and what `pieces`
    raises.
    """
    limit = int(process.settings.file_limit)
    if new.size is not None and new.size > limit:
        raise PayloadTooLarge(f"The file has {new.size} bytes, and may have {limit}.")
    with one_at_once(process, caller.owner):
        return await _upload(process, caller, new, pieces, limit)


async def _upload(
    process: Process, caller: Caller, new: NewFile, pieces: AsyncIterator[bytes], limit: int
) -> FileRecord:
    file = uuid7()
    async with room_for(process, caller.owner, file) as room:
        async with transaction(process.database) as connection:
            await admission.check_kept(connection, caller, adding=new.size or 0)
            await room.take(connection, new.size or 0)
            await removals.ask(connection, {prefix_of(file): file}, after=UPLOAD_WITHIN)
        return await _store(process, caller, new, file, _Received(room), pieces, limit)


async def _store(
    process: Process,
    caller: Caller,
    new: NewFile,
    file: UUID,
    received: _Received,
    pieces: AsyncIterator[bytes],
    limit: int,
) -> FileRecord:
    try:
        await process.artifacts.put_object(key_of(file), received.all_of(pieces), most=limit)
        return await _note(process, caller, new, file, received)
    except BaseError as error:
        log.warning("artifacts.store_away", error=repr(error))
        await _let_go(process, file)
        raise Unavailable("The store of files cannot be reached.", hint="Send it again in a moment.") from None
    except BaseException:
        await _let_go(process, file)
        raise


class _Received:
    """An upload on its way to the store: counted, hashed, and never more than there is room for."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._hash = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Of what came so far, in hexadecimal."""
        return self._hash.hexdigest()

    async def all_of(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """All of it. Raises `QuotaExceeded`."""
        async for piece in pieces:
            self.bytes += len(piece)
            await self.room.make(self.bytes)
            self._hash.update(piece)
            if piece:
                yield piece


async def _note(process: Process, caller: Caller, new: NewFile, file: UUID, received: _Received) -> FileRecord:
    if new.sha256 is not None and new.sha256 != received.sha256:
        message = f"is not that of what came, which is {received.sha256}"
        raise InvalidRequest(f"`sha256` {message}.", fields=[FieldError("sha256", "other_bytes", message)])
    record = FileRecord(
        id=file,
        owner=caller.owner,
        name=new.name,
        media_type=new.media_type,
        bytes=received.bytes,
        sha256=received.sha256,
        labels=new.labels,
        created_at=datetime.now(UTC),  # until the database says
    )
    async with transaction(process.database) as connection:
        await received.room.take(connection, record.bytes)
        if not await removals.take_back(connection, prefix_of(file)):
            raise Conflict("It took more than a day to come, and what came was removed.", hint="Send it again, faster.")
        await received.room.give_back(connection)
        return await repository.add(connection, record)


async def _let_go(process: Process, file: UUID) -> None:
    """Let what came of it be removed now. If the database is away, what was committed before does so later."""
    with suppress(SQLAlchemyError, OSError):
        async with transaction(process.database) as connection:
            await removals.ask(connection, {prefix_of(file): file})


async def get(process: Process, caller: Caller, file: UUID) -> FileRecord:
    """The record. Raises `NotFound`, also for somebody else's."""
    async with reading(process.database) as connection:
        record = await repository.find(connection, file, owner=caller.sees)
    if record is None:
        raise _missing(file)
    return record


async def get_page(
    process: Process,
    caller: Caller,
    *,
    limit: int,
    before: UUID | None,
    begins: str | None,
    labels: Mapping[str, str | None],
) -> tuple[list[FileRecord], bool]:
    """One page, newest first, and whether there are more."""
    async with reading(process.database) as connection:
        records = await repository.list_page(
            connection, limit=limit + 1, before=before, owner=caller.sees, begins=begins, labels=labels
        )
    return records[:limit], len(records) > limit


async def delete(process: Process, caller: Caller, file: UUID) -> None:
    """Let go of it. Raises `NotFound`, and `Conflict` while an execution that has not ended has it among its inputs."""
    async with transaction(process.database) as connection:
        if await repository.lock(connection, file, owner=caller.sees) is None:
            raise _missing(file)
        using = await repository.find_using(connection, file)
        if using is not None:
            raise Conflict(
                f"The execution {using}, which has not ended, has it among its inputs.",
                hint="Wait until that has ended, or cancel it.",
            )
        await repository.remove(connection, [file])


def _missing(file: UUID) -> NotFound:
    return NotFound(f"There is no file {file}.", hint="List yours: GET /v1/files.")
