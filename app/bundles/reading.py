"""A bundle on its way in: a file that anybody may have made. Nothing of it is believed before all of it is checked.

Log and list of files are read in pieces, as often as they are needed. Blocking: to be called from a thread.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.artifacts.model import ArtifactSet, Kind
from app.bundles import document
from app.bundles.document import (
    BundledAttempt,
    BundledEvent,
    BundledFile,
    BundledGap,
    BundledLine,
    BundledRecord,
    Contents,
    Manifest,
    Member,
)

PIECE_BYTES = 256 * 1024
# Of a member that is read at once. What is longer is read in pieces.
DOCUMENT_BYTES = 32 * 1024 * 1024
# A line of the log, with all that JSON makes of its 16 KiB; or of the list of files.
LINE_BYTES = 256 * 1024
# Of a zip that is read at once: its directory, of at least 46 bytes for a member, which takes ten times that.
DIRECTORY_BYTES = 16 * 1024 * 1024
# Ids of executions are UUIDs that begin with their time (RFC 9562).
ID_VERSION = 7
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

T = TypeVar("T", bound=BaseModel)
M = TypeVar("M")


class BadBundle(Exception):
    """It is no bundle, or not any more what it was made as; the message is a sentence for people."""


class _Bounded:
    """A file from which nobody reads more at once than there is room for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int | None = -1) -> bytes:
        """Raises `BadBundle` for more than `DIRECTORY_BYTES`."""
        if size is None or size < 0:
            size = DIRECTORY_BYTES
        if size > DIRECTORY_BYTES:
            raise BadBundle("It has too many members.")
        return self._file.read(size)


@dataclass(slots=True)
class Total:
    """What the files of one kind are together."""

    group: ArtifactSet
    files: int = 0
    bytes: int = 0


class Bundle:
    """A bundle that was checked: every member is as it is said to be, and all of them go together."""

    def __init__(self, file: IO[bytes], *, most: int) -> None:
        """Raises `BadBundle`, also for more than so many bytes unpacked."""
        try:
            self._zip = zipfile.ZipFile(_Bounded(file))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise BadBundle("It is no zip, or not all of it has arrived.") from error
        self.manifest = self._read_manifest(most)
        for name in self._documents:
            self._check(name, self.manifest.members.get(name), by="the manifest")
        self.record = self._model(BundledRecord, document.RECORD)
        self.events = self._models(BundledEvent, document.EVENTS)
        self.attempts = self._models(BundledAttempt, document.ATTEMPTS)
        self._check_whole()
        self.totals = self._check_files()

    @property
    def has_log(self) -> bool:
        """Whether the log is in it."""
        return self.manifest.contents is Contents.ALL

    def files(self) -> Iterator[BundledFile]:
        """Its files. Raises `BadBundle`."""
        name = self.manifest.list_of_files
        if name == document.FILES_AT_FIRST:
            yield from self._models(BundledFile, name)
            return
        for text in self._lines(name):
            try:
                yield BundledFile.model_validate_json(text)
            except ValidationError as error:
                raise _wrong(name, error) from None

    def pieces(self, file: BundledFile) -> Iterator[bytes]:
        """The bytes of one of its files."""
        yield from self._pieces(file.member)

    def log(self) -> Iterator[BundledLine | BundledGap]:
        """The log, in order and without holes. Raises `BadBundle`."""
        next_seq = 1
        for text in self._lines(document.LOG):
            part = _log_part(text)
            first, last = (part.first, part.last) if isinstance(part, BundledGap) else (part.seq, part.seq)
            if first != next_seq or last < first:
                raise BadBundle(f"The log does not go on at line {next_seq}.")
            next_seq = last + 1
            yield part
        if next_seq != self.record.log_lines + 1:
            raise BadBundle(f"The log has {next_seq - 1} lines, and the record says {self.record.log_lines}.")

    def _read_manifest(self, most: int) -> Manifest:
        members = self._zip.infolist()
        if len({info.filename for info in members}) != len(members):
            raise BadBundle("Two of its members have the same name.")
        if sum(info.file_size for info in members) > most:
            raise BadBundle(f"Unpacked it would have more than {most} bytes, the limit of this installation.")
        if any(info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS for info in members):
            raise BadBundle("One of its members is encrypted, or compressed in a way that bundles are not.")
        if document.MANIFEST not in self._zip.NameToInfo:
            raise BadBundle(f"It has no `{document.MANIFEST}`: it is no bundle of an execution.")
        return self._model(Manifest, document.MANIFEST)

    @property
    def _documents(self) -> list[str]:
        """What it has beside files and manifest."""
        always = [document.RECORD, document.EVENTS, document.ATTEMPTS, document.PROVENANCE, self.manifest.list_of_files]
        return [*always, document.LOG] if self.has_log else always

    def _check(self, name: str, expected: Member | BundledFile | None, *, by: str) -> None:
        """It is as it is said to be."""
        info = self._zip.NameToInfo.get(name)
        if info is None or expected is None or info.file_size != expected.bytes:
            raise BadBundle(f"`{name}` is not as {by} says.")
        digest = hashlib.sha256()
        for piece in self._pieces(name):
            digest.update(piece)
        if digest.hexdigest() != expected.sha256:
            raise BadBundle(f"`{name}` was changed since the bundle was made.")

    def _check_files(self) -> dict[Kind, Total]:
        """They are as the list says, and nothing else is there."""
        totals: dict[Kind, Total] = {}
        # Where they begin, which takes less than their names.
        seen: set[int] = set()
        stated, known = self.manifest.members, {*self._documents, document.MANIFEST}
        for file in self.files():
            if file.execution != self.record.id:
                raise BadBundle("A file is of another execution.")
            if not _is_inside(file.path):
                raise BadBundle("A path of a file leads out of its place.")
            if file.member in known:
                raise BadBundle(f"`{file.member}` is no file of an execution.")
            self._check(file.member, file, by="the list of files")
            at_first = self.manifest.version == 1
            if at_first and stated.get(file.member) != Member(bytes=file.bytes, sha256=file.sha256):
                raise BadBundle(f"`{file.member}` is not as the manifest says.")
            total = totals.setdefault(file.kind, Total(file.group))
            if total.group != file.group:
                raise BadBundle("Its files are of several attempts.")
            total.files += 1
            total.bytes += file.bytes
            seen.add(self._zip.NameToInfo[file.member].header_offset)
        count = sum(total.files for total in totals.values())
        if len(seen) < count:
            raise BadBundle("Two of its files have the same place.")
        named = len(known) - 1 + (count if self.manifest.version == 1 else 0)
        if len(self._zip.infolist()) != count + len(known) or len(stated) != named:
            raise BadBundle("It has members that belong to nothing.")
        return totals

    def _check_whole(self) -> None:
        """What the documents say of each other is so."""
        checks = {
            # In the order of these all lists are.
            "Its id is none of an execution.": self.record.id.version == ID_VERSION,
            "The record is of another execution than the bundle.": self.record.id == self.manifest.execution,
            "The history is not whole.": [event.number for event in self.events]
            == list(range(1, len(self.events) + 1)),
            "The history does not end as the record does.": bool(self.events)
            and self.events[-1].to_status is self.record.status,
            "The attempts are not in order.": [attempt.number for attempt in self.attempts]
            == sorted({attempt.number for attempt in self.attempts}),
        }
        for sentence, holds in checks.items():
            if not holds:
                raise BadBundle(sentence)

    def _model(self, model: type[T], name: str) -> T:
        return self._validated(TypeAdapter(model), name)

    def _models(self, model: type[T], name: str) -> list[T]:
        adapter: TypeAdapter[list[T]] = TypeAdapter(list[model])  # type: ignore[valid-type]
        return self._validated(adapter, name)

    def _validated(self, adapter: TypeAdapter[M], name: str) -> M:
        if self._zip.getinfo(name).file_size > DOCUMENT_BYTES:
            raise BadBundle(f"`{name}` is too large.")
        try:
            return adapter.validate_json(b"".join(self._pieces(name)))
        except ValidationError as error:
            raise _wrong(name, error) from None

    def _lines(self, name: str) -> Iterator[bytes]:
        rest = b""
        for piece in self._pieces(name):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
            if len(rest) > LINE_BYTES:
                raise BadBundle(f"A line of `{name}` is too long.")
        if rest:
            raise BadBundle(f"`{name}` breaks off.")

    def _pieces(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as member:
                while piece := member.read(PIECE_BYTES):
                    yield piece
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise BadBundle(f"`{name}` is missing or damaged.") from error


def _wrong(name: str, error: ValidationError) -> BadBundle:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return BadBundle(f"`{name}` is not as it should be, at `{where}`: {first['msg']}.")


def _log_part(text: bytes) -> BundledLine | BundledGap:
    try:
        content = orjson.loads(text)
        return BundledGap.model_validate(content) if "gap" in content else BundledLine.model_validate(content)
    except (ValueError, TypeError) as error:  # what is not JSON, no object, or not one of the two
        raise BadBundle("A line of the log is not as it should be.") from error


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and not {"", ".", ".."} & set(path.split("/"))
