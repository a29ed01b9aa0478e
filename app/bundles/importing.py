"""Use case of imports: an execution that has ended elsewhere becomes one of this installation, whole or not at all.

The upload lies in a file without a name until all of it is checked. Then its files go to the store, and last of all it
is on record, in one transaction.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import IO, TypeVar

import structlog
from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError, StatementError

from app.artifacts import removals
from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.repository import add_artifacts
from app.auth.service import Caller
from app.bootstrap import Process
from app.bundles import repository
from app.bundles.document import BundledFile, Imported
from app.bundles.judging import check_submission
from app.bundles.reading import BadBundle, Bundle
from app.bundles.sealing import is_genuine
from app.db.engine import Connection, is_outage, transaction
from app.errors import Conflict, FieldError, InvalidRequest, Unavailable
from app.executions.finding import get_record
from app.executions.record import Record
from app.executions.repository import note

log = structlog.get_logger(__name__)

T = TypeVar("T")

STORE_WITHIN = timedelta(hours=24)
# Nobody else takes in the same for so long, should we die over it.
CLAIMED_FOR = timedelta(hours=1)


async def import_bundle(process: Process, caller: Caller, pieces: AsyncIterator[bytes]) -> Record:
    """Take it in as the caller's. Raises `InvalidRequest` naming what is wrong with it, `Conflict` if it is here."""
    with tempfile.TemporaryFile(dir=_room(process)) as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)
        try:
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
    execution = bundle.record.id
    async with transaction(process.database) as connection:
        if await repository.is_here(connection, execution):
            raise _here(bundle)
        if not await repository.claim(connection, execution, within=CLAIMED_FOR):
            raise Conflict(f"The execution {execution} is being imported.", hint="Look for it in a moment.")
    try:
        return await _store(process, caller, bundle, sealed=sealed)
    finally:
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            async with transaction(process.database) as connection:
                await repository.release(connection, execution)


async def _store(process: Process, caller: Caller, bundle: Bundle, *, sealed: bool) -> Record:
    execution = bundle.record.id
    groups = _groups(bundle.files)
    prefixes = {group.prefix: execution for group in groups}
    if prefixes:
        # If it was deleted here, all that is of it may be about to go.
        prefixes[str(execution)] = execution
        # Committed before the first byte: nothing is left of what is not on record in time, whoever died.
        async with transaction(process.database) as connection:
            await removals.ask(connection, prefixes, after=STORE_WITHIN)
    try:
        for group, files in groups.items():
            for file in files:
                await process.artifacts.put(group, file.path, _in_thread(bundle.pieces(file)))
        return await _note(process, caller, bundle, groups, sealed=sealed)
    except BaseError as error:
        log.warning("artifacts.store_away", error=repr(error))
        raise Unavailable("The store of files cannot be reached.", hint="Send it again in a moment.") from None
    finally:
        # Of these goes what is not on record by now.
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            async with transaction(process.database) as connection:
                if prefixes:
                    await removals.ask(connection, prefixes)


async def _note(
    process: Process,
    caller: Caller,
    bundle: Bundle,
    groups: dict[ArtifactSet, list[BundledFile]],
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
        if not await repository.add_execution(connection, record, imported, **_sums(bundle.files)):
            raise _here(bundle)
        await repository.add_history(connection, record.id, bundle.events)
        await repository.add_attempts(connection, record.id, bundle.attempts, record.pool)
        for group, files in groups.items():
            await add_artifacts(connection, group, [_artifact(file) for file in files])
        await repository.add_log_head(connection, record)
        check_submission(await get_record(connection, record.id))
        await _add_log(connection, bundle)
        message = (
            f"Imported by {caller.owner}, as exported from {manifest.instance} on {manifest.exported_at:%Y-%m-%d}."
        )
        await note(connection, record.id, actor=caller.owner, message=message)
        return await get_record(connection, record.id)


async def _add_log(connection: Connection, bundle: Bundle) -> None:
    parts = (
        repository.segments(bundle.record.id, bundle.log()) if bundle.has_log else repository.missing_log(bundle.record)
    )
    async for segment in _in_thread(parts):
        await repository.add_segment(connection, segment)


def _here(bundle: Bundle) -> Conflict:
    return Conflict(
        f"There is an execution {bundle.record.id} here already.", hint="Delete it first if it is to be replaced."
    )


def _groups(files: Sequence[BundledFile]) -> dict[ArtifactSet, list[BundledFile]]:
    groups: dict[ArtifactSet, list[BundledFile]] = {}
    for file in files:
        groups.setdefault(file.group, []).append(file)
    return groups


def _sums(files: Sequence[BundledFile]) -> dict[str, int]:
    of = {kind: [file for file in files if file.kind is kind] for kind in Kind}
    return {
        "outputs_files": len(of[Kind.OUTPUT]),
        "outputs_bytes": sum(file.bytes for file in of[Kind.OUTPUT]),
        "checkpoint_files": len(of[Kind.CHECKPOINT]),
        "checkpoint_bytes": sum(file.bytes for file in of[Kind.CHECKPOINT]),
    }


def _artifact(file: BundledFile) -> Artifact:
    return Artifact(
        path=file.path, bytes=file.bytes, sha256=file.sha256, media_type=file.media_type, executable=file.executable
    )


async def _in_thread(items: Iterator[T]) -> AsyncIterator[T]:
    """Each of them made in a thread."""
    end = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item  # type: ignore[misc]
