"""Programs of the operating system: where they are, what the child processes that run them get to see."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from stack.errors import StackError

ROOT = Path(__file__).resolve().parent.parent
# `su` without `-` keeps a path without these, although we are root.
SYSTEM_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def search_path() -> str:
    """Our `PATH`, and behind it the system's own directories."""
    return f"{os.environ.get('PATH', '')}:{SYSTEM_DIRECTORIES}".lstrip(":")


def has_program(name: str) -> bool:
    """Whether a program is installed."""
    return shutil.which(name, path=search_path()) is not None


def find_program(name: str) -> str:
    """The path of a program. Raises `StackError` when it is not installed."""
    found = shutil.which(name, path=search_path())
    if found is None:
        raise StackError(f"`{name}` is not installed")
    return found
