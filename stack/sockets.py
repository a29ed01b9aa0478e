"""Directories for unix sockets: private, and short enough for the kernel."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from stack.accounts import Account
from stack.errors import StackError

PATH_LIMIT = 107


def open_socket_directory(wanted: Path, name: str, account: Account) -> Path:
    """An empty directory of the account in which the socket `name` can be made: `wanted`, if its path is short enough.

    Else one under the system's directory for such things, always the same for the same `wanted`.
    """
    directory = wanted if _fits(wanted, name) else _stand_in(wanted) / wanted.name
    if directory != wanted:
        _open_stand_in(directory.parent)
    # What a killed server left (its socket, a lock file with a process id) must not meet the next one.
    shutil.rmtree(directory, ignore_errors=True)
    account.own(directory)
    return directory


def close_socket_directory(wanted: Path, directory: Path) -> None:
    """Remove what `open_socket_directory` made for `wanted`."""
    shutil.rmtree(directory, ignore_errors=True)
    if directory != wanted:
        with suppress(OSError):
            directory.parent.rmdir()


def _fits(directory: Path, name: str) -> bool:
    return len(os.fsencode(directory / name)) < PATH_LIMIT


def _stand_in(wanted: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(wanted.parent)).hexdigest()[:16]
    return _system_directory() / f"tailrace-{digest}"


def _system_directory() -> Path:
    runtime = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) if os.access(runtime, os.W_OK) else Path("/tmp")  # noqa: S108 - checked by _open_stand_in


def _open_stand_in(directory: Path) -> None:
    """Make the directory ours. Raises `StackError` if somebody else was there first: `/tmp` is open to everybody."""
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        raise StackError(f"{directory} should be a directory that only we can enter, and is not: remove it")
