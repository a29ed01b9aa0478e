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
from app.executions.model import DeclaredOutput
from app.executions.record import Record
from app.executions.repository import find

log = structlog.get_logger(__name__)

# While they are counted, so many paths are in memory.
COUNTED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of an execution: of its latest attempt that left some. `group` is None if none did."""

    record: Record
    group: ArtifactSet | None
    files: list[Artifact]


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
    """The manifest. Raises `NotFound`, also when its files were removed."""
    async with reading(process.database) as connection:
        record = await _visible(connection, caller, execution)
        _check_not_removed(record)
        group, files = await repository.latest_output_files(connection, execution)
    return Outputs(record, group, files)


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
    filled = None if after else await _count_filled(process, group, record.spec.outputs)
    more, files = len(files) > limit, files[:limit]
    return OutputPage(record, files, filled, Place(group.attempt, files[-1].path) if group and more else None)


async def _count_filled(
    process: Process, group: ArtifactSet | None, declared: Sequence[DeclaredOutput]
) -> Mapping[str, int]:
    """How many files fill each, for all that there are: some at a time, since there may be very many."""
    filled: Counter[str] = Counter()
    patterns = [each.path for each in declared]
    last: str | None = None
    while group is not None and patterns:
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
