"""All outputs as one zip, made while it is sent: neither memory nor disk ever holds it whole."""

from __future__ import annotations

import re
import stat
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from stream_zip import ZIP_AUTO, AsyncMemberFile, async_stream_zip

from app.artifacts.model import Artifact, ArtifactSet
from app.artifacts.store import ArtifactStore

# Low, since most of the time goes here and the network is seldom the bottleneck; none where it would gain nothing.
LEVEL = 1
STORED = 0
_COMPRESSED_ALREADY = re.compile(r"(image/(png|jpeg|gif|webp|avif)|(audio|video)/.*|application/(.*zip|zstd|x-xz).*)")
# Separators and drive letters of other systems, and what a terminal would obey.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]")
# Windows takes dots and spaces from the end of a name, so that `.. ` is `..` to it, and some names for devices.
_LOST_AT_THE_END = re.compile(r"[. ]+$")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FILE = stat.S_IFREG | 0o644
_PROGRAM = stat.S_IFREG | 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A set of files on its way into a zip, where it is put under `path`: nothing, or a name that is safe and a `/`."""

    group: ArtifactSet
    files: AsyncIterable[Artifact]
    modified_at: datetime
    path: str = ""


def zip_files(
    store: ArtifactStore, group: ArtifactSet | None, files: AsyncIterable[Artifact], modified_at: datetime
) -> AsyncIterable[bytes]:
    """The zip, in pieces. Breaks off if a file is missing from the store."""

    async def folders() -> AsyncIterator[Folder]:
        if group is not None:
            yield Folder(group=group, files=files, modified_at=modified_at)

    return zip_folders(store, folders())


def zip_folders(store: ArtifactStore, folders: AsyncIterable[Folder]) -> AsyncIterable[bytes]:
    """The same of several, each asked for when those before it are sent."""

    async def members() -> AsyncIterator[AsyncMemberFile]:
        async for folder in folders:
            names = SafeNames()
            async for file in folder.files:
                name = names.of(file.path)
                mode = _PROGRAM if file.executable else _FILE
                pieces = store.read(folder.group, file.path)
                yield folder.path + name, folder.modified_at, mode, ZIP_AUTO(file.bytes, level=level_of(file)), pieces

    return async_stream_zip(members())


def level_of(file: Artifact) -> int:
    """How much effort to compress it is worth."""
    return STORED if _COMPRESSED_ALREADY.fullmatch(file.media_type) else LEVEL


class SafeNames:
    """Names of files in a zip: relative, inside, harmless to unpack on any system, and each only once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        # A program may have given all its files the same name, so far as others can have it.
        self._numbers: dict[str, int] = {}

    def of(self, path: str) -> str:
        """The name of the next file."""
        name = safe = safe_name(path)
        while name in self._taken:
            self._numbers[safe] = self._numbers.get(safe, 1) + 1
            parts = PurePosixPath(safe)
            name = str(parts.with_name(f"{parts.stem} ({self._numbers[safe]}){parts.suffix}"))
        self._taken.add(name)
        return name


def safe_name(path: str) -> str:
    r"""`a/../b\c` → `a/_/b_c`."""
    return "/".join(_safe_part(part) for part in path.split("/") if part) or "_"


def _safe_part(part: str) -> str:
    safe = _LOST_AT_THE_END.sub("_", _UNSAFE.sub("_", part))
    return f"_{safe}" if _DEVICE.fullmatch(safe) else safe
