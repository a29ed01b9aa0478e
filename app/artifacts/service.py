"""Use cases of outputs: list them, and open one or all for reading."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import structlog
from obstore.exceptions import BaseError

from app.artifacts import repository
from app.artifacts.model import Artifact, ArtifactSet, Span
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, reading
from app.errors import NotFound, Unavailable
from app.executions.record import Record
from app.executions.repository import find

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of an execution: of its latest attempt that left some. `group` is None if none did."""

    record: Record
    group: ArtifactSet | None
    files: list[Artifact]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One output, and the key of its bytes in the store."""

    file: Artifact
    key: str


async def get_outputs(process: Process, caller: Caller, execution: UUID) -> Outputs:
    """The manifest. Raises `NotFound`."""
    async with reading(process.database) as connection:
        record = await _visible(connection, caller, execution)
        group = await repository.latest_outputs(connection, execution)
        files = await repository.list_artifacts(connection, group) if group else []
    return Outputs(record, group, files)


async def find_output(process: Process, caller: Caller, execution: UUID, path: str) -> FoundFile:
    """One file. Raises `NotFound`."""
    missing = NotFound(f"There is no output `{path}`.", hint=f"List them: GET /v1/executions/{execution}/outputs")
    if "\0" in path:  # Postgres could not even compare it
        raise missing
    async with reading(process.database) as connection:
        await _visible(connection, caller, execution)
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
