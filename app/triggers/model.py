"""Value types of triggers: the token, a trigger and its deliveries as they stand. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.auth.tokens import Scope, remembered
from app.triggers.signatures import Signature

# By which a token is known for what it is where it should not be.
PREFIX = "trg_"
SECRET_BYTES = 32
# The largest JSON that is taken, in bytes: as much as a submission may have of inputs.
BODY_BYTES = 256 * 1024
# Of a header that names a delivery.
DELIVERY_CHARS = 255
_DELIVERY = re.compile(r"[!-~]{1,255}")


class DeliveryStatus(StrEnum):
    """What came of what was posted."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRecord:
    """A trigger as it stands. `payload_input` is the input that gets all that is posted; without it each of its keys
    is an input. `sealed` is its target where that is confided. `scopes`: what who set that might, and no more is done
    for it; of old ones only whether it was an admin is known, by `as_admin`. Who posts has its token, or with a
    `signature` the secret `signing`, sealed, or the one before, while that is valid. `now` is the database's time when
    it was read.
    """

    id: UUID
    owner: str
    name: str
    note: str | None
    labels: dict[str, str]
    target: Mapping[str, Any]
    sealed: bytes | None
    as_admin: bool
    scopes: Sequence[str] | None
    payload_input: str | None
    enabled: bool
    max_per_minute: int
    token_hash: bytes
    signature: Signature | None
    signing: bytes | None
    signing_before: bytes | None
    before_until: datetime | None
    version: int
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    now: datetime

    @property
    def most(self) -> frozenset[Scope]:
        """What may be done for it in its owner's name."""
        return remembered(self.scopes, as_admin=self.as_admin)

    def knows(self, token: str) -> bool:
        """Whether this is its token, and that is all it asks for."""
        return self.signature is None and hmac.compare_digest(hash_of(token), self.token_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one post. `key` is the sender's name for it, or ours; `made` is `{"execution": id}`, or a batch."""

    key: str
    status: DeliveryStatus
    made: Mapping[str, str] | None = None
    problem: Mapping[str, Any] | None = None
    at: datetime | None = None


def new_token() -> str:
    """256 random bits."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(token: str) -> bytes:
    """What is stored. A token is random, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def is_key(text: str) -> bool:
    """Whether a sender may call a delivery so."""
    return _DELIVERY.fullmatch(text) is not None
