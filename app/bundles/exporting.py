"""An execution on its way out: made while it is sent, so that neither memory nor disk ever holds it whole."""

from __future__ import annotations

import base64
import hashlib
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from stream_zip import ZIP_64, ZIP_AUTO, AsyncMemberFile, async_stream_zip

from app.artifacts import repository as artifacts
from app.artifacts.model import Artifact, ArtifactSet
from app.artifacts.zip import SafeNames, level_of
from app.auth.service import Caller
from app.bootstrap import Process
from app.bundles import document
from app.bundles.document import (
    BundledAttempt,
    BundledEvent,
    BundledFile,
    BundledGap,
    BundledLine,
    BundledLineage,
    BundledRecord,
    Contents,
    Manifest,
    Member,
)
from app.bundles.provenance import provenance
from app.bundles.sealing import seal_of
from app.db.engine import snapshot
from app.errors import Conflict
from app.executions import repository
from app.executions.attempts import list_attempts
from app.executions.finding import get_record
from app.executions.record import Record
from app.logs.protocol import STREAM_OF, Line, decode_lines
from app.logs.query import TailQuery
from app.logs.reading import begin, read
from app.logs.segments import Chunk
from app.logs.store import Missing
from app.version import VERSION

FILES_AT_ONCE = 500
_FILE = stat.S_IFREG | 0o644
_DIRECTORY_OF = {"output": "outputs/", "checkpoint": "checkpoint/"}


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the artifact store, and as which member it goes."""

    group: ArtifactSet
    artifact: Artifact
    described: BundledFile


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be sent; the bytes of log and files are read when they are."""

    record: BundledRecord
    events: list[BundledEvent]
    attempts: list[BundledAttempt]
    files: list[Stored]
    contents: Contents
    by: str


async def collect(process: Process, caller: Caller, execution: Any, contents: Contents) -> Export:
    """Everything but the bytes, as of one moment. Raises `NotFound`, and `Conflict` before it has ended."""
    async with snapshot(process.database) as connection:
        record = await get_record(connection, execution, caller.sees)
        if not record.is_terminal:
            raise Conflict(
                f"It is still {record.status}: only what has ended can be bundled.",
                hint="Wait for its end, or cancel it.",
            )
        events = await repository.list_events(connection, execution)
        attempts = await list_attempts(connection, execution)
        groups = []
        if contents is not Contents.RECORD:
            groups.append(await artifacts.latest_output_files(connection, execution))
        if contents is Contents.ALL and (checkpoint := await artifacts.latest_checkpoint(connection, execution)):
            groups.append(checkpoint)
    return Export(
        record=_bundled(record),
        events=[BundledEvent.model_validate(event) for event in events],
        attempts=[BundledAttempt.model_validate(attempt) for attempt in attempts],
        files=[stored for group, files in groups if group is not None for stored in _stored(group, files)],
        contents=contents,
        by=caller.owner,
    )


def _bundled(record: Record) -> BundledRecord:
    names = BundledRecord.model_fields.keys() - {"lineage"}
    return BundledRecord(
        **{name: getattr(record, name) for name in names}, lineage=BundledLineage.model_validate(record)
    )


def _stored(group: ArtifactSet, files: list[Artifact]) -> Iterator[Stored]:
    names = SafeNames()
    for file in files:
        described = BundledFile(
            member=_DIRECTORY_OF[group.kind] + names.of(file.path),
            execution=group.execution,
            kind=group.kind,
            attempt=group.attempt,
            path=file.path,
            bytes=file.bytes,
            sha256=file.sha256,
            media_type=file.media_type,
            executable=file.executable,
        )
        yield Stored(group, file, described)


def bundle(process: Process, export: Export) -> AsyncIterable[bytes]:
    """The zip, in pieces. Breaks off if something of it cannot be read."""
    return async_stream_zip(_members(process, export))


@dataclass(slots=True)
class _Counted:
    """Pieces of one member on their way: counted and hashed."""

    pieces: AsyncIterable[bytes]
    size: int = 0
    hash: Any = field(default_factory=hashlib.sha256)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self.pieces:
            self.size += len(piece)
            self.hash.update(piece)
            yield piece

    @property
    def member(self) -> Member:
        return Member(bytes=self.size, sha256=self.hash.hexdigest())


async def _members(process: Process, export: Export) -> AsyncIterator[AsyncMemberFile]:
    exported_at = datetime.now(UTC)
    sent: dict[str, _Counted] = {}

    def member(name: str, pieces: AsyncIterable[bytes], method: Any = ZIP_64) -> AsyncMemberFile:
        sent[name] = _Counted(pieces)
        return name, exported_at, _FILE, method, aiter(sent[name])

    for name, content in _documents(export):
        yield member(name, _whole(content), ZIP_AUTO(len(content)))
    yield member(document.FILES, _list(export.files))
    if export.contents is Contents.ALL:
        yield member(document.LOG, _log(process, export))
    for stored in export.files:
        method = ZIP_AUTO(stored.artifact.bytes, level=level_of(stored.artifact))
        pieces = process.artifacts.read(stored.group, stored.artifact.path)
        yield stored.described.member, exported_at, _FILE, method, pieces
    manifest = Manifest(
        tailrace=VERSION,
        instance=process.instance,
        exported_at=exported_at,
        exported_by=export.by,
        execution=export.record.id,
        contents=export.contents,
        members={name: counted.member for name, counted in sent.items()},
    )
    manifest.seal = seal_of(manifest, process.vault)
    content = manifest.dump()
    yield document.MANIFEST, exported_at, _FILE, ZIP_AUTO(len(content)), _whole(content)


def _documents(export: Export) -> Iterator[tuple[str, bytes]]:
    files = [stored.described for stored in export.files]
    yield document.RECORD, export.record.dump()
    yield document.EVENTS, _all(export.events)
    yield document.ATTEMPTS, _all(export.attempts)
    origin = provenance(export.record, export.attempts, files, version=VERSION)
    yield document.PROVENANCE, orjson.dumps(origin, option=orjson.OPT_INDENT_2)


def _all(parts: list[Any]) -> bytes:
    return orjson.dumps([part.model_dump(mode="json") for part in parts], option=orjson.OPT_INDENT_2)


async def _list(files: list[Stored]) -> AsyncIterator[bytes]:
    """The list of files as JSON lines."""
    for start in range(0, len(files), FILES_AT_ONCE):
        yield b"".join(_json(stored.described) for stored in files[start : start + FILES_AT_ONCE])


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _log(process: Process, export: Export) -> AsyncIterator[bytes]:
    """The log as JSON lines."""
    start = await begin(process, export.record.id, None, TailQuery(), follow=False)
    async for item in read(process, start, follow=False):
        if isinstance(item, Chunk):
            yield b"".join(_json(_line(line)) for line in decode_lines(item.frame, item.raw))
        elif isinstance(item, Missing):
            yield _json(BundledGap(first=item.first, last=item.last, gap=item.reason))


def _line(line: Line) -> BundledLine:
    return BundledLine(
        seq=line.seq,
        at=line.at_ms,
        stream=STREAM_OF[line.letter].value,
        text=line.text,
        continues=line.continues,
        raw=None if line.exact is None else base64.b64encode(line.exact).decode(),
    )


def _json(part: BundledLine | BundledGap | BundledFile) -> bytes:
    return orjson.dumps(part.model_dump(mode="json", exclude_defaults=True)) + b"\n"
