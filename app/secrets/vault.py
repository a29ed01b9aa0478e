"""Secrets at rest: sealed by the API, opened by a worker. Pure but for its randomness.

Sealed is: a byte for the version of this format, 12 of nonce, then AES-256-GCM over the value. Execution and name are
authenticated with it, so that nobody who can write to the database gets a secret by copying it to an execution of
their own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
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
    def of(cls, setting: SecretStr | None) -> Self:
        """Keys as they are set, separated by commas. Raises `BadKey`."""
        text = setting.get_secret_value() if setting is not None else ""
        return cls([key for part in text.split(",") if (key := part.strip())])

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
        if sealed.startswith(_VERSION):
            nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
            for key in self._keys:
                try:
                    return key.sealing.decrypt(nonce, text, _bound(execution, name)).decode()
                except (InvalidTag, ValueError):
                    continue
        raise WrongKey(name)

    def fingerprints(self, data: bytes) -> tuple[bytes, ...]:
        """A keyed hash with each of the keys: who reads it cannot try out what was hashed. Raises `NoKey`."""
        self._first()
        return tuple(_mac(key.fingerprinting, data) for key in self._keys)

    def _first(self) -> _Key:
        if not self._keys:
            raise NoKey
        return self._keys[0]


def _bound(execution: UUID, name: str) -> bytes:
    return execution.bytes + name.encode()


def _mac(key: bytes, data: bytes) -> bytes:
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac.finalize()
