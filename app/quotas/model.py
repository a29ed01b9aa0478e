"""Value types of quotas. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_OWNER_CHARS = 200
# All of them: whose what concerns everybody is. No owner has this name.
EVERYBODY = "*"


# What moves a terminal's cursor, ends a line, turns the direction of writing, or is half a character.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _owner(value: str) -> str:
    if not value or len(value) > MAX_OWNER_CHARS or _UNSEEN.search(value) or value == EVERYBODY:
        message = "must be the name of an owner: 1 to 200 characters, none of control, and not `*`"
        raise PydanticCustomError("bad_owner", message)
    return value


OwnerName = Annotated[
    str, AfterValidator(_owner), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_OWNER_CHARS})
]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an owner has over all pools: queued, gated or not, and running, which is all that takes a slot."""

    queued: int
    running: int
    cpus: float
    memory: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that are kept of an owner: of logs, and of outputs, checkpoints and uploaded files."""

    log_bytes: int
    storage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an owner may have beside a number of executions; None is any amount. Sizes are bytes."""

    max_cpus: float | None = None
    max_memory: int | None = None
    max_log_bytes: int | None = None
    max_storage: int | None = None


UNBOUNDED = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRecord(Bounds):
    """What an owner may have; None is the default. `updated_at` is None for an owner without limits of their own."""

    owner: str
    max_queued: int | None = None
    max_running: int | None = None
    updated_at: datetime | None = None
