"""The admin token of a data directory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from app.auth.tokens import new_token


def read_or_make_token(data: Path) -> str:
    """The token of this directory; a new one the first time. Nobody else can read its file."""
    path = data / "token"
    with suppress(FileNotFoundError):
        if token := path.read_text().strip():
            return token
    token = new_token()
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{token}\n")
    fresh.replace(path)
    return token
