"""Keep what a program leaves: regular files of `outputs/` and `checkpoint/`, within caps, into the artifact store.

No process of the container runs any more, but the tree is whatever it made of it: links, devices, FIFOs, a million
names. Everything is opened relative to its directory's descriptor and never through a link.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import mimetypes
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import structlog
from obstore.exceptions import BaseError

from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.store import PIECE_BYTES, ArtifactStore
from app.executions.declared import declaration_of, missing
from app.executions.model import DeclaredOutput
from app.executions.record import Record
from worker.ending import Kept
from worker.storing import AT_ONCE, abreast, insist
from worker.workspace import OPEN_DIRECTORY, OPEN_FILE, Workspace, open_hostile

log = structlog.get_logger(__name__)

MAX_DEPTH = 32
MAX_PATH_BYTES = 1024
MAX_WARNINGS = 20
# So many entries are looked at, and two for each file that may be kept: more would only fill our memory.
ENTRIES_SEEN = 100_000
# The code of a warning.
NO_CHECKPOINT = "checkpoint_not_kept"


@dataclass(frozen=True, slots=True)
class Caps:
    """How much is kept."""

    files: int
    bytes: int


@dataclass(slots=True)
class Collected:
    """What was kept; `partial` when something was left out, and why. `pending`: files that the store did not take."""

    files: list[Artifact] = field(default_factory=list)
    bytes: int = 0
    partial: bool = False
    warnings: list[str] = field(default_factory=list)
    seen: int = 0
    pending: set[str] = field(default_factory=set)

    def leave_out(self, why: str) -> None:
        """Note that something is not kept."""
        self.partial = True
        if len(self.warnings) < MAX_WARNINGS and why not in self.warnings:
            self.warnings.append(why)

    def refuse(self, path: str, why: str) -> None:
        """Note that this file is not kept."""
        self.pending.discard(path)
        self.leave_out(why)

    def take(self, file: Artifact) -> None:
        """Note that this file is in the store."""
        self.pending.discard(file.path)
        self.bytes += file.bytes
        self.files.append(file)


async def keep(store: ArtifactStore, record: Record, workspace: Workspace, *, log_complete: bool) -> Kept:
    """What an attempt left: its outputs as far as they fit, its checkpoint whole or not at all."""
    limits = record.limits
    outputs = await collect(
        store,
        ArtifactSet(record.id, record.attempt, Kind.OUTPUT),
        workspace.outputs,
        Caps(limits.output_files, int(limits.output_bytes)),
        record.spec.outputs,
    )
    checkpoint = await collect(
        store,
        ArtifactSet(record.id, record.attempt, Kind.CHECKPOINT),
        workspace.checkpoint,
        Caps(limits.output_files, int(limits.checkpoint_bytes)),
    )
    if checkpoint.partial and checkpoint.files:
        with suppress(OSError, BaseError):
            await store.delete(ArtifactSet(record.id, record.attempt, Kind.CHECKPOINT))
    absent, lost = await asyncio.to_thread(_without, record.spec.outputs, outputs)
    return Kept(
        outputs=outputs.files,
        outputs_partial=outputs.partial,
        # Half a checkpoint would be resumed from as if it were one.
        checkpoint=[] if checkpoint.partial else checkpoint.files,
        log_complete=log_complete,
        warnings=[
            *({"code": "output_left_out", "message": f"Outputs: {why}."} for why in outputs.warnings),
            *({"code": NO_CHECKPOINT, "message": f"The checkpoint is not kept: {why}."} for why in checkpoint.warnings),
        ],
        missing=absent,
        lost=lost,
    )


def _without(declared: Sequence[DeclaredOutput], outputs: Collected) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the required ones those that the program has not left, and those that the store did not take."""
    stored = [file.path for file in outputs.files]
    absent = missing(declared, [*stored, *outputs.pending])
    return absent, tuple(path for path in missing(declared, stored) if path not in absent)


async def collect(
    store: ArtifactStore,
    group: ArtifactSet,
    directory: Path,
    caps: Caps,
    declared: Sequence[DeclaredOutput] = (),
) -> Collected:
    """Store every file of the tree that fits. What cannot be kept makes it partial, never an error.

    What was `declared` is of the media type that was said.
    """
    result = Collected()
    try:
        await _collect(store, group, directory, caps, declared, result)
    except (OSError, BaseError) as error:
        log.exception("artifacts.store_failed", kind=group.kind)
        result.leave_out(f"the artifact store failed: {type(error).__name__}")
    return result


async def _collect(
    store: ArtifactStore,
    group: ArtifactSet,
    directory: Path,
    caps: Caps,
    declared: Sequence[DeclaredOutput],
    result: Collected,
) -> None:
    # A thread walks: it may be a large tree, and the event loop carries everybody's logs.
    found = await asyncio.to_thread(
        lambda: [(path, _media_type(path, declared)) for path in _walk(directory, caps.files, result)]
    )
    result.pending.update(path for path, _ in found)
    for first in range(0, len(found), AT_ONCE):
        await _keep(store, group, directory, found[first : first + AT_ONCE], caps, result)


async def _keep(
    store: ArtifactStore,
    group: ArtifactSet,
    directory: Path,
    some: Sequence[tuple[str, str]],
    caps: Caps,
    result: Collected,
) -> None:
    async def put(source: _Source) -> None:
        await insist(lambda: store.put(group, source.path, source.pieces()), within=store.patience)
        source.is_stored = True

    with ExitStack() as opened:
        sources: list[_Source] = []
        for path, media_type in some:
            room = caps.bytes - result.bytes - sum(source.size for source in sources)
            try:
                source = opened.enter_context(closing(_Source(directory, path, media_type)))
                source.check(room)
            except OSError as error:
                result.refuse(path, f"a file could not be read: {errno.errorcode.get(error.errno or 0, 'error')}")
            except _Refused as refused:
                result.refuse(path, str(refused))
            else:
                sources.append(source)
        try:
            await abreast(sources, put, size_of=lambda source: source.size)
        finally:
            for source in sources:
                if source.is_stored:
                    result.take(source.artifact())


def _media_type(path: str, declared: Sequence[DeclaredOutput]) -> str:
    """As it was declared, else as its name says."""
    declaration = declaration_of(path, declared)
    said = declaration.media_type if declaration else None
    return said or mimetypes.guess_type(path)[0] or "application/octet-stream"


def _walk(directory: Path, most: int, result: Collected) -> Iterator[str]:
    """Paths of regular files, sorted within each directory, at most so many. Holds one directory open at a time."""
    kept = 0
    pending = [""]
    while pending:
        prefix = pending.pop()
        for name, is_directory in _entries(directory, prefix, ENTRIES_SEEN + 2 * most, result):
            path = f"{prefix}{name}"
            if len(path.encode()) > MAX_PATH_BYTES or path.count("/") >= MAX_DEPTH:
                result.leave_out("a path is too long or too deep")
            elif is_directory:
                pending.append(f"{path}/")
            elif kept >= most:
                result.leave_out(f"there are more than {most} files")
                return
            else:
                kept += 1
                yield path


def _entries(directory: Path, prefix: str, seen_at_most: int, result: Collected) -> list[tuple[str, bool]]:
    """Names in one directory of the tree, and whether each is a directory itself."""
    try:
        descriptor = _open_directory(directory, prefix.rstrip("/"))
    except OSError:
        result.leave_out("a directory could not be read")
        return []
    entries: list[tuple[str, bool]] = []
    try:
        with os.scandir(descriptor) as scan:
            for entry in scan:
                result.seen += 1
                if result.seen > seen_at_most:
                    result.leave_out("there are too many entries")
                    break
                if not entry.name.isprintable():
                    result.leave_out("a name is not printable text")
                elif entry.is_dir(follow_symlinks=False):
                    entries.append((entry.name, True))
                elif entry.is_file(follow_symlinks=False):
                    entries.append((entry.name, False))
                else:
                    result.leave_out("links, devices, sockets and FIFOs are not kept")
    finally:
        os.close(descriptor)
    return sorted(entries)


def _open_directory(directory: Path, path: str) -> int:
    """Open a directory of the tree, no component of its path being a link. Raises `OSError`."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(directory, flags)
    for folder in path.split("/") if path else ():
        parent = descriptor
        try:
            descriptor = os.open(folder, flags, dir_fd=parent)
        finally:
            os.close(parent)
    return descriptor


def _open_beneath(directory: Path, path: str) -> int:
    """Open a file of the tree, no component of its path being a link. Raises `OSError`."""
    folder, _, name = path.rpartition("/")
    parent = _open_directory(directory, folder)
    try:
        return open_hostile(name, parent)
    finally:
        os.close(parent)


class _Refused(Exception):
    """This file is not kept; the text says why."""


class _Source:
    """A file on its way to the store: counted and hashed while it is read, and never longer than it was when opened.

    Raises `OSError`.
    """

    def __init__(self, directory: Path, path: str, media_type: str) -> None:
        self.path = path
        self.is_stored = False
        self._media_type = media_type
        self._descriptor = _open_beneath(directory, path)
        self._status = os.fstat(self._descriptor)
        self._read_bytes = 0
        self._hash = hashlib.sha256()

    @property
    def size(self) -> int:
        """Its length in bytes, when it was opened."""
        return self._status.st_size

    def check(self, room: int) -> None:
        """Raises `_Refused` if it is no plain file of its own, or has no room."""
        if not stat.S_ISREG(self._status.st_mode):
            raise _Refused("links, devices, sockets and FIFOs are not kept")
        if self._status.st_nlink != 1:
            raise _Refused("files with several names (hard links) are not kept")
        if self.size > room:
            raise _Refused("a file does not fit into the limit on bytes")

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it, from the beginning."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._read_bytes, self._hash = 0, hashlib.sha256()
        while (left := self.size - self._read_bytes) and (piece := await asyncio.to_thread(self._read, left)):
            yield piece

    def artifact(self) -> Artifact:
        """What was read of it."""
        return Artifact(
            path=self.path,
            bytes=self._read_bytes,
            sha256=self._hash.hexdigest(),
            media_type=self._media_type,
            executable=bool(self._status.st_mode & stat.S_IXUSR),
        )

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _read(self, most: int) -> bytes:
        piece = os.read(self._descriptor, min(PIECE_BYTES, most))
        self._read_bytes += len(piece)
        self._hash.update(piece)
        return piece


async def restore(store: ArtifactStore, group: ArtifactSet, files: list[Artifact], directory: Path) -> None:
    """Copy a snapshot into an empty directory of ours, open to any user id inside the container."""

    async def copy(artifact: Artifact) -> None:
        path = directory / PurePosixPath(artifact.path)
        await insist(partial(_copy, store, group, artifact.path, path), within=store.patience)
        path.chmod(OPEN_DIRECTORY if artifact.executable else OPEN_FILE)

    await asyncio.to_thread(_make_folders, directory, {PurePosixPath(file.path).parent for file in files})
    await abreast(files, copy, size_of=lambda file: file.bytes)


def _make_folders(directory: Path, folders: set[PurePosixPath]) -> None:
    for folder in sorted(folders.union(*(folder.parents for folder in folders))):
        if folder.parts:
            made = directory / folder
            made.mkdir()
            made.chmod(OPEN_DIRECTORY)


async def _copy(store: ArtifactStore, group: ArtifactSet, name: str, path: Path) -> None:
    with path.open("wb") as target:
        async for piece in store.read(group, name):
            await asyncio.to_thread(target.write, piece)
