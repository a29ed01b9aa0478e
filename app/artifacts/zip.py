"""All outputs as one zip, made while it is sent: neither memory nor disk ever holds it whole."""

from __future__ import annotations

import re
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
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
_FILE = stat.S_IFREG | 0o644
_PROGRAM = stat.S_IFREG | 0o755


def zip_files(
    store: ArtifactStore, group: ArtifactSet | None, files: Iterable[Artifact], modified_at: datetime
) -> AsyncIterable[bytes]:
    """The zip, in pieces. Breaks off if a file is missing from the store."""

    async def members() -> AsyncIterator[AsyncMemberFile]:
        for name, file in safe_names(files):
            assert group is not None  # noqa: S101 - there are files, so there is their set
            level = STORED if _COMPRESSED_ALREADY.fullmatch(file.media_type) else LEVEL
            mode = _PROGRAM if file.executable else _FILE
            yield name, modified_at, mode, ZIP_AUTO(file.bytes, level=level), store.read(group, file.path)

    return async_stream_zip(members())


def safe_names(files: Iterable[Artifact]) -> Iterator[tuple[str, Artifact]]:
    """Each file with its name in the zip: relative, inside, harmless to unpack on any system, and only once."""
    taken: set[str] = set()
    for file in files:
        name = safe_name(file.path)
        path, number = PurePosixPath(name), 1
        while name in taken:
            number += 1
            name = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
        taken.add(name)
        yield name, file


def safe_name(path: str) -> str:
    r"""`a/../b\c` → `a/_/b_c`."""
    parts = [_UNSAFE.sub("_", part) for part in path.split("/") if part]
    return "/".join("_" if part in {".", ".."} else part for part in parts) or "_"
