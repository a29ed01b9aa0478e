"""The header with which a browser saves an answer under a name."""

from __future__ import annotations

import re
from urllib.parse import quote

_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._ -]")


def attachment(name: str) -> str:
    """A Content-Disposition: an ASCII name for old clients, the real one for the others (RFC 6266)."""
    return f"attachment; filename=\"{_PLAIN_NAME.sub('_', name)}\"; filename*=UTF-8''{quote(name, safe='')}"
