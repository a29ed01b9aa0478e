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
from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.service import each_file
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
from app.bundles.provenance import made, provenance
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

PIECES_AT_ONCE = 500
_FILE = stat.S_IFREG | 0o644
_KINDS = {
    Contents.RECORD: (),
    Contents.OUTPUTS: (Kind.OUTPUT,),
    Contents.ALL: (Kind.OUTPUT, Kind.CHECKPOINT),
}
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
    groups: list[ArtifactSet]
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
        groups = [await artifacts.latest(connection, execution, kind) for kind in _KINDS[contents]]
    return Export(
        record=_bundled(record),
        events=[BundledEvent.model_validate(event) for event in events],
        attempts=[BundledAttempt.model_validate(attempt) for attempt in attempts],
        groups=[group for group in groups if group is not None],
        contents=contents,
        by=caller.owner,
    )


def _bundled(record: Record) -> BundledRecord:
    names = BundledRecord.model_fields.keys() - {"lineage"}
    return BundledRecord(
        **{name: getattr(record, name) for name in names}, lineage=BundledLineage.model_validate(record)
    )


async def _stored(process: Process, export: Export) -> AsyncIterator[Stored]:
    """Its files, always in the same order. There may be very many: they are read anew each time, some at a time.

    Raises `FilesGone` when they are removed meanwhile.
    """
    for group in export.groups:
        names = SafeNames()
        async for file in each_file(process, group):
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
    yield member(document.PROVENANCE, _gathered(_origin(process, export)))
    yield member(document.FILES, _gathered(_list(process, export)))
    if export.contents is Contents.ALL:
        yield member(document.LOG, _log(process, export))
    async for stored in _stored(process, export):
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
    yield document.RECORD, export.record.dump()
    yield document.EVENTS, _all(export.events)
    yield document.ATTEMPTS, _all(export.attempts)


def _all(parts: list[Any]) -> bytes:
    return orjson.dumps([part.model_dump(mode="json") for part in parts], option=orjson.OPT_INDENT_2)


async def _origin(process: Process, export: Export) -> AsyncIterator[bytes]:
    """The provenance as JSON: what there is in any case, and within two of its objects the files as they are read."""
    whole = provenance(export.record, export.attempts, version=VERSION)
    entities = whole.pop("entity")
    yield orjson.dumps(whole)[:-1]
    for name, some in (("entity", entities), ("wasGeneratedBy", {})):
        yield b',"%s":' % name.encode() + orjson.dumps(some)[:-1]
        number = 0
        async for stored in _stored(process, export):
            entry = orjson.dumps(made(export.record, stored.described, number)[name])[1:-1]
            yield b"," + entry if some or number else entry
            number += 1
        yield b"}"
    yield b"}"


async def _list(process: Process, export: Export) -> AsyncIterator[bytes]:
    """The list of files as JSON lines."""
    async for stored in _stored(process, export):
        yield _json(stored.described)


async def _gathered(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same in fewer pieces."""
    held: list[bytes] = []
    async for piece in pieces:
        held.append(piece)
        if len(held) == PIECES_AT_ONCE:
            yield b"".join(held)
            held = []
    yield b"".join(held)


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
