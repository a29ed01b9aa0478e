"""The secrets of an attempt as files in memory: the host's side of `/tailrace/secrets`.

<secrets>/<execution>/<attempt>/<key>      only the worker may enter `<secrets>`
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class NoMemory(Exception):
    """The place is not one for secrets."""


class SecretFiles:
    """Of one attempt. They are never written to a disk, but for the host's swap."""

    def __init__(self, place: Path, execution: UUID, attempt: int) -> None:
        self._place = place
        self.directory = place / str(execution) / str(attempt)

    def write(self, values: Mapping[str, str]) -> None:
        """Make them. Raises `NoMemory`, `OSError`."""
        self._place.mkdir(parents=True, mode=0o700, exist_ok=True)
        there = self._place.lstat()
        if there.st_uid != os.geteuid() or not stat.S_ISDIR(there.st_mode):
            raise NoMemory(f"{self._place} is not the worker's own")
        # An engine that made it for a mount of ours has let others in.
        self._place.chmod(0o700)
        if not _is_in_memory(self._place):
            raise NoMemory(f"{self._place} is not in memory")
        self.remove()
        self.directory.mkdir(parents=True)
        # Any user id of an image may read them, and gets here only through its own container's mount.
        self.directory.chmod(0o755)
        for key, value in values.items():
            path = self.directory / key
            path.write_bytes(value.encode())
            path.chmod(0o444)

    def remove(self) -> None:
        """They are not needed any more. Also if there are none."""
        # Where we may not enter we have written nothing.
        if not os.access(self._place, os.X_OK):
            return
        if self.directory.exists():
            shutil.rmtree(self.directory)
        # Another attempt may still have some.
        with suppress(OSError):
            self.directory.parent.rmdir()


def _is_in_memory(path: Path) -> bool:
    """By the file system that it is on: of those that are mounted above it, the innermost."""
    inner, kind = "", ""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mounted, this, *_ = line.split()
        if len(mounted) >= len(inner) and path.resolve().is_relative_to(mounted.replace("\\040", " ")):
            inner, kind = mounted, this
    return kind in _IN_MEMORY
