"""Value types of pools. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

DEFAULT_POOL = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise PydanticCustomError(
            "bad_pool_name",
            "must be a name such as `default` or `gpu-1`: at most 63 lower-case letters, digits, `.`, `_` and `-`, "
            "beginning with a letter or digit",
        )
    return value


PoolName = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 63})
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRecord:
    """One pool. `running` is what its limits count: everything that is prepared, runs or stops.

    `workers` are present, `slots` are those of them that take work.
    """

    name: str
    description: str | None
    max_running: int | None
    max_running_per_owner: int | None
    queued: int
    running: int
    workers: int
    slots: int
    created_at: datetime
