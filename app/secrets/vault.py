"""Secrets at rest: sealed by the API, opened by a worker. Pure but for its randomness.

Sealed is: a byte for the version of this format, 12 of nonce, then AES-256-GCM over the value. Execution and name are
authenticated with it, so that nobody who can write to the database gets a secret by copying it to an execution of
their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

# As `openssl rand -base64 24` gives. Keys are random, so nothing slows down who would guess a short one.
SHORTEST_KEY = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
# What is sealed is so much longer than it was.
OVERHEAD = len(_VERSION) + _NONCE_BYTES + _TAG_BYTES


class BadKey(RuntimeError):
    """`TAILRACE_SECRET_KEY` cannot be used."""


class NoKey(Exception):
    """This process has no key."""


class WrongKey(Exception):
    """None of the keys opens it: it was sealed with another one, or for another execution."""


@dataclass(frozen=True, slots=True, repr=False)
class _Key:
    sealing: AESGCM
    fingerprinting: bytes

    @classmethod
    def of(cls, text: str) -> Self:
        if len(text) < SHORTEST_KEY:
            raise BadKey(
                f"Each key in TAILRACE_SECRET_KEY must have at least {SHORTEST_KEY} random characters, such as those "
                "of `openssl rand -hex 32`; several are separated by commas."
            )
        return cls(AESGCM(_derive(text, b"tailrace secrets")), _derive(text, b"tailrace fingerprints"))


def _derive(key: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=purpose).derive(key.encode())


class Vault:
    """Seals with the first of its keys, and opens with any of them: that is how a key is changed."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises `BadKey`."""
        self._keys = [_Key.of(key) for key in keys]

    @classmethod
    def of(cls, setting: SecretStr | None, file: Path | None = None) -> Self:
        """Keys as they are set, separated by commas; or as they are in a file, also one per line. Raises `BadKey`."""
        text = setting.get_secret_value() if setting is not None else ""
        if text and file is not None:
            raise BadKey("Only one of TAILRACE_SECRET_KEY and TAILRACE_SECRET_KEY_FILE may be set.")
        if file is not None:
            try:
                text = file.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise BadKey(f"TAILRACE_SECRET_KEY_FILE cannot be read: {error}.") from None
        keys = [key for part in re.split(r"[,\n]", text) if (key := part.strip())]
        if file is not None and not keys:
            raise BadKey(f"There is no key in {file}, which TAILRACE_SECRET_KEY_FILE names.")
        return cls(keys)

    @property
    def has_key(self) -> bool:
        """Whether anything can be sealed or opened."""
        return bool(self._keys)

    def seal(self, value: str, *, execution: UUID, name: str) -> bytes:
        """As it is kept. Raises `NoKey`."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._first().sealing.encrypt(nonce, value.encode(), _bound(execution, name))

    def open(self, sealed: bytes, *, execution: UUID, name: str) -> str:
        """The value. Raises `NoKey`, `WrongKey`."""
        self._first()
        for key in self._keys:
            value = _opened(key, sealed, _bound(execution, name))
            if value is not None:
                return value
        raise WrongKey(name)

    def is_sealed_with_the_first(self, sealed: bytes, *, execution: UUID, name: str) -> bool:
        """Whether the other keys are not needed for it. Raises `NoKey`."""
        return _opened(self._first(), sealed, _bound(execution, name)) is not None

    def fingerprints(self, data: bytes) -> tuple[bytes, ...]:
        """A keyed hash with each of the keys: who reads it cannot try out what was hashed. Raises `NoKey`."""
        self._first()
        return tuple(_mac(key.fingerprinting, data) for key in self._keys)

    def _first(self) -> _Key:
        if not self._keys:
            raise NoKey
        return self._keys[0]


def _opened(key: _Key, sealed: bytes, bound: bytes) -> str | None:
    if not sealed.startswith(_VERSION):
        return None
    try:
        return key.sealing.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], bound).decode()
    except (InvalidTag, ValueError):
        return None


def _bound(execution: UUID, name: str) -> bytes:
    return execution.bytes + name.encode()


def _mac(key: bytes, data: bytes) -> bytes:
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac.finalize()
