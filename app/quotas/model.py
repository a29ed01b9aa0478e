"""Value types of quotas. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_OWNER_CHARS = 200
# All of them: whose what concerns everybody is. No owner has this name.
EVERYBODY = "*"


def _owner(value: str) -> str:
    if not value or len(value) > MAX_OWNER_CHARS or "\0" in value or value == EVERYBODY:
        message = "must be the name of an owner: 1 to 200 characters, without NUL, and not `*`"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRecord:
    """What an owner may have; None is the default. `updated_at` is None for an owner without limits of their own."""

    owner: str
    max_queued: int | None
    max_running: int | None
    updated_at: datetime | None
