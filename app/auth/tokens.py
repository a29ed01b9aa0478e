"""What a token looks like, what it may do, and its hash. Pure."""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from collections.abc import Collection
from enum import StrEnum

PREFIX = "trt_"
# Of what shows one execution.
SHARE_PREFIX = "trs_"
# Of what opens one WebSocket.
TICKET_PREFIX = "trw_"
# Of what begins one session of a browser.
LOGIN_PREFIX = "trl_"
KINDS = (PREFIX, SHARE_PREFIX, TICKET_PREFIX, LOGIN_PREFIX)
SECRET_BYTES = 32
SECRET_CHARS = 43
CHECKSUM_CHARS = 6
LENGTH = len(PREFIX) + SECRET_CHARS + 1 + CHECKSUM_CHARS
_DIGITS = string.digits + string.ascii_letters


class Scope(StrEnum):
    """What a token may do. `admin` includes the others."""

    READ = "read"
    SUBMIT = "submit"
    CANCEL = "cancel"
    ADMIN = "admin"


EVERYTHING = frozenset(Scope)


def remembered(scopes: Collection[str] | None, *, as_admin: bool) -> frozenset[Scope]:
    """What somebody might do, by what was kept of it; None: only whether they were an admin."""
    might = EVERYTHING if scopes is None or Scope.ADMIN in scopes else frozenset(map(Scope, scopes))
    return might if as_admin else might - {Scope.ADMIN}


def new_token(prefix: str = PREFIX) -> str:
    """A fresh token: prefix, 256 random bits, and a checksum by which scanners know it and typos show."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return f"{prefix}{secret}_{_checksum(secret)}"


def is_well_formed(token: str) -> bool:
    """Whether this was once made by `new_token`: a cut or mistyped token is not."""
    if len(token) != LENGTH or not token.startswith(KINDS) or not token.isascii():
        return False
    secret, _, checksum = token[len(PREFIX) :].rpartition("_")
    return len(secret) == SECRET_CHARS and checksum == _checksum(secret)


def hash_token(token: str) -> bytes:
    """What is stored. A token has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(secret: str) -> str:
    value = zlib.crc32(secret.encode())
    digits = ""
    for _ in range(CHECKSUM_CHARS):
        value, digit = divmod(value, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
