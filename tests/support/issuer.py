"""An OpenID Connect issuer on this host: it publishes keys, signs with them, changes them, and goes away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import get_default_algorithms

from support.receiver import Received, Receiver, receiving

AUDIENCE = "tailrace"
DISCOVERY = "/.well-known/openid-configuration"
LASTS = 600
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Key:
    """One that it signs with."""

    private: Private
    algorithm: str
    kid: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def new(cls, algorithm: str = "ES256") -> Key:
        if algorithm == "ES256":
            return cls(ec.generate_private_key(ec.SECP256R1()), algorithm)
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048), algorithm)

    def published(self) -> dict[str, Any]:
        public = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


@dataclass
class Issuer:
    """`keys` are what it publishes, at `keys_at` as it says; it signs with the last. `more` are keys of other kinds."""

    receiver: Receiver
    keys: list[Key] = field(default_factory=lambda: [Key.new()])
    more: list[Any] = field(default_factory=list)
    name: str = ""
    keys_at: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or self.receiver.url
        self.keys_at = self.keys_at or f"{self.receiver.url}/keys"
        self.receiver.act = self._answer

    @property
    def url(self) -> str:
        return self.receiver.url

    @property
    def fetches(self) -> int:
        """How often somebody has asked for its keys."""
        return len([each for each in self.receiver.received if each.path == "/keys"])

    def rotate(self, *, keep: bool = True) -> None:
        """Sign with a new key from now on."""
        self.keys = [*self.keys, Key.new()] if keep else [Key.new()]

    def go_away(self) -> None:
        self.receiver.answer(503)

    def come_back(self) -> None:
        self.receiver.act = self._answer

    def sign(self, key: Key | None = None, *, lasts: float = LASTS, typ: str = "JWT", **claims: Any) -> str:
        """A token; a claim that is None is left out."""
        key, now = key or self.keys[-1], time.time()
        usual = {"iss": self.name, "aud": AUDIENCE, "sub": "ann", "iat": int(now), "exp": now + lasts}
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(said, key.private, key.algorithm, headers={"kid": key.kid, "typ": typ})

    async def _answer(self, received: Received) -> web.StreamResponse:
        if received.path == DISCOVERY:
            return web.json_response({"issuer": self.name, "jwks_uri": self.keys_at})
        return web.json_response({"keys": [*self.more, *(key.published() for key in self.keys)]})


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    """One at a port of its own."""
    async with receiving() as receiver:
        yield Issuer(receiver)
