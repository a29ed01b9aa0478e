"""Use case of imports: an execution that has ended elsewhere becomes one of this installation, whole or not at all.

The upload lies in a file without a name until all of it is checked. Then its log is written, in short transactions, and
its files go to the store; last of all it is on record, in one transaction.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import IO, TypeVar
from uuid import UUID

import structlog
from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError, StatementError

from app.artifacts import removals
from app.artifacts.model import Artifact, Kind
from app.artifacts.repository import add_artifacts
from app.auth.service import Caller
from app.bootstrap import Process
from app.bundles import repository
from app.bundles.document import BundledFile, Imported
from app.bundles.judging import check_submission
from app.bundles.reading import BadBundle, Bundle, Total
from app.bundles.reserving import Reservation, is_here, reserved
from app.bundles.sealing import is_genuine
from app.crash_points import CrashPoint, crash_here
from app.db.engine import is_outage, transaction
from app.errors import FieldError, InvalidRequest, Unavailable
from app.executions.finding import get_record
from app.executions.record import Record
from app.executions.repository import note
from app.files.room import Room, one_at_once, room_for
from app.quotas import admission

log = structlog.get_logger(__name__)

T = TypeVar("T")

STORE_WITHIN = timedelta(hours=24)
FILES_AT_ONCE = 1000
# Seconds.
AWAIT_REMOVAL = 60.0
LOOK_EVERY = 0.5


async def import_bundle(process: Process, caller: Caller, pieces: AsyncIterator[bytes]) -> Record:
    """Take it in as the caller's. Raises `InvalidRequest` naming what is wrong with it, `Conflict` if it is here,
    `QuotaExceeded` if there is no room for its files, or too many are under way.
    """
    with one_at_once(process, caller.owner), tempfile.TemporaryFile(dir=_room(process)) as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)
        try:
            async with process.checking:
                bundle, genuine = await asyncio.to_thread(_opened, process, file)
            return await _take_in(process, caller, bundle, sealed=genuine is True)
        except BadBundle as bad:
            raise _refused(str(bad)) from None
        except StatementError as error:
            if is_outage(error):
                raise
            # A time without a calendar, a NUL character: what the database does not take, nobody has kept elsewhere.
            log.warning("bundle.refused", error=type(error.orig).__name__)
            raise _refused("It has something in it that cannot be kept.") from None


def _room(process: Process) -> str:
    """Where uploads lie: a disk, since what is temporary is memory on many systems."""
    room = process.settings.data / "imports"
    room.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fspath(room)


def _opened(process: Process, file: IO[bytes]) -> tuple[Bundle, bool | None]:
    bundle = Bundle(file, most=int(process.settings.file_limit))
    genuine = is_genuine(bundle.manifest, process.vault)
    if genuine is False:
        raise BadBundle("It was changed since it was sealed with a key of this installation.")
    return bundle, genuine


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The bundle is refused. {why}",
        hint="Nothing of it was kept. Have it exported again: GET /v1/executions/{id}/bundle.",
        fields=[FieldError("body", "bad_bundle", why)],
    )


async def _take_in(process: Process, caller: Caller, bundle: Bundle, *, sealed: bool) -> Record:
    size = sum(total.bytes for total in bundle.totals.values())
    async with (
        reserved(process, bundle.record.id) as reservation,
        room_for(process, caller.owner, reservation.holder) as room,
    ):
        async with transaction(process.database) as connection:
            await admission.check_kept(connection, caller, adding=size)
            if size:
                await room.take(connection, size)
        await _store_log(process, bundle, reservation)
        async with _stored_files(process, bundle, reservation) as prefixes:
            return await _note(process, caller, bundle, reservation, room, prefixes, sealed=sealed)


async def _store_log(process: Process, bundle: Bundle, reservation: Reservation) -> None:
    """Below an execution that is not there: nobody sees any of it until then."""
    record = bundle.record
    parts = repository.segments(record.id, bundle.log()) if bundle.has_log else repository.missing_log(record)
    async for some in _in_thread(_portions(parts, repository.SEGMENTS_AT_ONCE)):
        async with transaction(process.database) as connection:
            await reservation.hold(connection)
            await repository.add_segments(connection, some)
        crash_here(CrashPoint.IMPORTING)


@asynccontextmanager
async def _stored_files(process: Process, bundle: Bundle, reservation: Reservation) -> AsyncIterator[Collection[str]]:
    """They are in the store, below these prefixes; at the end those go that are not on record."""
    execution = bundle.record.id
    prefixes = {total.group.prefix: execution for total in bundle.totals.values()}
    if not prefixes:
        yield prefixes
        return
    # If it was deleted here, all that is of it may be about to go.
    prefixes[str(execution)] = execution
    await _await_removal(process, prefixes)
    try:
        async for file in _in_thread(bundle.files()):
            pieces = _while_held(reservation, _in_thread(bundle.pieces(file)))
            await process.artifacts.put(file.group, file.path, pieces)
        yield prefixes
    except BaseError as error:
        log.warning("artifacts.store_away", error=repr(error))
        raise Unavailable("The store of files cannot be reached.", hint="Send it again in a moment.") from None
    finally:
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            async with transaction(process.database) as connection:
                await removals.ask(connection, prefixes)


async def _while_held(reservation: Reservation, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Raises `Unavailable` before a piece, and before the end, that comes too late."""
    async for piece in pieces:
        reservation.check()
        yield piece
    reservation.check()


async def _await_removal(process: Process, prefixes: Mapping[str, UUID]) -> None:
    """From here on all below these prefixes goes that is not on record in time, whoever dies, and nothing before that.

    Raises `Unavailable` if what was deleted here is being removed for too long.
    """
    until = time.monotonic() + AWAIT_REMOVAL
    while time.monotonic() < until:
        async with transaction(process.database) as connection:
            if not await removals.is_begun(connection, prefixes):
                await removals.ask(connection, prefixes, after=STORE_WITHIN)
                return
        await asyncio.sleep(LOOK_EVERY)
    raise Unavailable("What was deleted of it here is still being removed.", hint="Send it again in a moment.")


async def _note(
    process: Process,
    caller: Caller,
    bundle: Bundle,
    reservation: Reservation,
    room: Room,
    prefixes: Collection[str],
    *,
    sealed: bool,
) -> Record:
    record, manifest = bundle.record, bundle.manifest
    imported = Imported(
        at=datetime.now(UTC),
        by=caller.owner,
        instance=manifest.instance,
        exported_at=manifest.exported_at,
        owner=record.owner,
        sealed=sealed,
        lineage=record.lineage,
    )
    async with transaction(process.database) as connection:
        await reservation.end(connection)
        if not await removals.is_untouched(connection, prefixes):
            raise Unavailable("What came of its files is being removed.", hint="Send it again in a moment.")
        await room.give_back(connection)
        if not await repository.add_execution(connection, record, imported, **_sums(bundle.totals)):
            raise is_here(record.id)
        await repository.add_history(connection, record.id, bundle.events)
        await repository.add_attempts(connection, record.id, bundle.attempts, record.pool)
        await repository.add_log_head(connection, record)
        check_submission(await get_record(connection, record.id))
        async for files in _in_thread(_portions(bundle.files(), FILES_AT_ONCE)):
            for group, some in groupby(files, key=lambda file: file.group):
                await add_artifacts(connection, group, [_artifact(file) for file in some])
        message = (
            f"Imported by {caller.owner}, as exported from {manifest.instance} on {manifest.exported_at:%Y-%m-%d}."
        )
        await note(connection, record.id, actor=caller.owner, message=message)
        return await get_record(connection, record.id)


def _sums(totals: Mapping[Kind, Total]) -> dict[str, int]:
    columns = {Kind.OUTPUT: "outputs", Kind.CHECKPOINT: "checkpoint"}
    return {
        f"{columns[kind]}_{what}": getattr(total, what) for kind, total in totals.items() for what in ("files", "bytes")
    }


def _artifact(file: BundledFile) -> Artifact:
    return Artifact(
        path=file.path, bytes=file.bytes, sha256=file.sha256, media_type=file.media_type, executable=file.executable
    )


def _portions(items: Iterator[T], most: int) -> Iterator[list[T]]:
    while some := list(islice(items, most)):
        yield some


async def _in_thread(items: Iterator[T]) -> AsyncIterator[T]:
    """Each of them made in a thread."""
    end = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item  # type: ignore[misc]
