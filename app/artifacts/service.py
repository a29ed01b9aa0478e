"""Use cases of outputs: list them, and open one or all for reading."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

import structlog
from obstore.exceptions import BaseError

from app.artifacts import repository
from app.artifacts.model import Artifact, ArtifactSet, Kind, Span
from app.artifacts.requests import Place
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, reading
from app.errors import NotFound, Unavailable
from app.executions.declared import fills
from app.executions.record import Record
from app.executions.repository import find

log = structlog.get_logger(__name__)

# While they are counted, so many paths are in memory.
COUNTED_AT_ONCE = 1000
# While they are read, so many files are.
READ_AT_ONCE = 1000
# Of executions, once counted.
COUNTS_KEPT = 1000


class FilesGone(Exception):
    """Files were removed while they were being read."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of an execution: of its latest attempt that left some. `group` is None if none did."""

    record: Record
    group: ArtifactSet | None


@dataclass(frozen=True, slots=True)
class OutputPage:
    """A part of the same list. `filled` counts over all of it what fills each declaration, None behind the first page;
    `after` is where the next page begins, None on the last one.
    """

    record: Record
    files: list[Artifact]
    filled: Mapping[str, int] | None
    after: Place | None


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One output, and the key of its bytes in the store."""

    file: Artifact
    key: str


async def get_outputs(process: Process, caller: Caller, execution: UUID) -> Outputs:
    """Which they are. Raises `NotFound`, also when its files were removed."""
    async with reading(process.database) as connection:
        record = await _visible(connection, caller, execution)
        _check_not_removed(record)
        return Outputs(record, await repository.latest_outputs(connection, execution))


async def each_file(process: Process, group: ArtifactSet | None) -> AsyncIterator[Artifact]:
    """All files of a set, by path; there may be very many, so some at a time. No connection is held in between.

    Raises `FilesGone` when they are removed meanwhile, at the end at the latest.
    """
    if group is None:
        return
    left, last = 0, None
    while True:
        async with reading(process.database) as connection:
            if last is None:
                left = await repository.count_artifacts(connection, group)
            files = await repository.list_artifacts(connection, group, after=last, most=READ_AT_ONCE)
        for file in files:
            yield file
        left -= len(files)
        if len(files) < READ_AT_ONCE:
            break
        last = files[-1].path
    if left > 0:
        raise FilesGone(group)


async def list_page(
    process: Process, caller: Caller, execution: UUID, *, limit: int, after: Place | None = None
) -> OutputPage:
    """A page of the manifest, by path. Raises `NotFound`."""
    async with reading(process.database) as connection:
        record = await _visible(connection, caller, execution)
        if after is not None:
            group: ArtifactSet | None = ArtifactSet(execution, after.attempt, Kind.OUTPUT)
        else:
            group = await repository.latest_outputs(connection, execution)
        files: list[Artifact] = []
        if group is not None:
            behind = after.path if after else None
            files = await repository.list_artifacts(connection, group, after=behind, most=limit + 1)
    filled = None if after else await _find_filled(process, group, record)
    more, files = len(files) > limit, files[:limit]
    return OutputPage(record, files, filled, Place(group.attempt, files[-1].path) if group and more else None)


async def _find_filled(process: Process, group: ArtifactSet | None, record: Record) -> Mapping[str, int]:
    """How many files fill each declared output. It is counted once for all who ask, since there may be very many."""
    patterns = [each.path for each in record.spec.outputs]
    if group is None or not patterns:
        return {}
    # Under the same id something else may be taken in.
    question = (_count_filled, group, record.updated_at)
    filled = process.filled.get(question)
    if filled is None:
        filled = await process.sharing.ask(question, lambda: _count_filled(process, group, patterns))
        process.filled[question] = filled
        if len(process.filled) > COUNTS_KEPT:
            process.filled.popitem(last=False)
    return filled


async def _count_filled(process: Process, group: ArtifactSet, patterns: Sequence[str]) -> Mapping[str, int]:
    """Some files at a time."""
    filled: Counter[str] = Counter()
    last: str | None = None
    while True:
        async with reading(process.database) as connection:
            files = await repository.list_artifacts(connection, group, after=last, most=COUNTED_AT_ONCE)
        paths = [file.path for file in files]
        filled.update(await asyncio.to_thread(_filled_by, paths, patterns))
        if len(files) < COUNTED_AT_ONCE:
            break
        last = paths[-1]
    return filled


def _filled_by(paths: Sequence[str], patterns: Sequence[str]) -> Counter[str]:
    return Counter(pattern for path in paths for pattern in patterns if fills(path, pattern))


async def find_output(process: Process, caller: Caller, execution: UUID, path: str) -> FoundFile:
    """One file. Raises `NotFound`."""
    missing = NotFound(f"There is no output `{path}`.", hint=f"List them: GET /v1/executions/{execution}/outputs")
    if "\0" in path:  # Postgres could not even compare it
        raise missing
    async with reading(process.database) as connection:
        _check_not_removed(await _visible(connection, caller, execution))
        group = await repository.latest_outputs(connection, execution)
        file = await repository.find_artifact(connection, group, path) if group else None
    if group is None or file is None:
        raise missing
    return FoundFile(file, group.key(path))


async def open_bytes(process: Process, key: str, span: Span | None = None) -> AsyncIterator[bytes]:
    """What is stored there, or a part of it, which has been found to exist. Raises `NotFound`, `Unavailable`."""
    pieces = process.artifacts.read_object(key, span)
    try:
        # Now, so that a missing file is an answer of its own and not half of another.
        first = await anext(pieces, b"")
    except FileNotFoundError:
        raise NotFound("The file is on record, but its bytes are gone from the store.") from None
    except BaseError as error:
        log.warning("artifacts.store_away", error=repr(error))
        raise Unavailable("The store of files cannot be reached.", hint="Try again in a moment.") from None

    async def all_of_it() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_it()


async def _visible(connection: Connection, caller: Caller, execution: UUID) -> Record:
    record = await find(connection, execution, owner=caller.sees)
    if record is None:
        raise NotFound(f"There is no execution {execution}.")
    return record


def _check_not_removed(record: Record) -> None:
    if record.outputs_expired_at is not None:
        at = record.outputs_expired_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        hint = "For how long they are kept, says GET /v1/retention; what is archived with them stays."
        raise NotFound(f"Its outputs were removed at {at}.", hint=hint)
