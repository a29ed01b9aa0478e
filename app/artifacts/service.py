"""Use cases of outputs: list them, and open one or all for reading."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from app.artifacts import repository
from app.artifacts.model import Artifact, ArtifactSet
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, reading
from app.errors import NotFound
from app.executions.record import Record
from app.executions.repository import find


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of an execution: of its latest attempt that left some. `group` is None if none did."""

    record: Record
    group: ArtifactSet | None
    files: list[Artifact]


@dataclass(frozen=True, slots=True)
class OpenFile:
    """One output; `pieces` are its bytes, and have been found to exist."""

    file: Artifact
    pieces: AsyncIterator[bytes]


async def get_outputs(process: Process, caller: Caller, execution: UUID) -> Outputs:
    """The manifest. Raises `NotFound`."""
    async with reading(process.database) as connection:
        record = await _visible(connection, caller, execution)
        group = await repository.latest_outputs(connection, execution)
        files = await repository.list_artifacts(connection, group) if group else []
    return Outputs(record, group, files)


async def open_output(process: Process, caller: Caller, execution: UUID, path: str) -> OpenFile:
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
    return OpenFile(file, await _opened(process.artifacts.read(group, path)))


async def _visible(connection: Connection, caller: Caller, execution: UUID) -> Record:
    record = await find(connection, execution, owner=caller.sees)
    if record is None:
        raise NotFound(f"There is no execution {execution}.")
    return record


async def _opened(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Reads the first piece now, so that a missing file is an answer of its own and not half of another."""
    try:
        first = await anext(pieces, b"")
    except FileNotFoundError:
        raise NotFound("The file is on record, but its bytes are gone from the store.") from None

    async def all_of_it() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_it()
