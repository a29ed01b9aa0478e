"""What a data directory keeps to itself: its admin token, and the key of its secrets."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.auth.tokens import new_token

KEY_BYTES = 32


def read_or_make_token(data: Path) -> str:
    """The admin token of this directory; a new one the first time."""
    return _read_or_make(data / "token", new_token)


def read_or_make_key(data: Path) -> str:
    """The key of the secrets that are kept in this directory; a new one the first time."""
    return _read_or_make(data / "secret-key", lambda: secrets.token_hex(KEY_BYTES))


def _read_or_make(path: Path, make: Callable[[], str]) -> str:
    """What the file holds. Nobody else can read it."""
    with suppress(FileNotFoundError):
        if kept := path.read_text().strip():
            return kept
    made = make()
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{made}\n")
    fresh.replace(path)
    return made
