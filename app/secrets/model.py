"""What a secret may be. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

SECRETS = 64
# All values of an execution together, in bytes: every form of them is looked for in all that its program writes.
SECRETS_BYTES = 32 * 1024
# What is shorter is not masked: it would be found everywhere.
SHORTEST_MASKED = 6

# Named ones that an owner may have.
MOST_NAMED = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NAME_RULE = "must be 1 to 100 letters, digits, dots, dashes and underscores, and begin with a letter or a digit"


def is_name(text: str) -> bool:
    """Whether a secret may be named so."""
    return _NAME.fullmatch(text) is not None


class Via(StrEnum):
    """How a program gets a named secret."""

    FILE = "file"
    ENV = "env"


class SecretRef(BaseModel):
    """One of the owner's named secrets, and how the program gets it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=f"^{_NAME.pattern}$", max_length=100, description="Of one that you have put at `/v1/secrets`"
    )
    via: Via = Field(
        default=Via.FILE,
        description="`file`: in memory, read-only, at `/tailrace/secrets/<key>`; `env`: the variable of that key, "
        "which whoever may inspect containers can read",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecretRecord:
    """All that may be known of one. `used_at` is when something was last submitted with it, give or take a minute."""

    id: UUID
    name: str
    created_at: datetime
    changed_at: datetime
    used_at: datetime | None


class Warned(TypedDict):
    """A warning of ours on a record; those of the program are plain text."""

    code: str
    message: str


def core(value: str) -> bytes:
    """What is looked for in a log: the value without the white space around it."""
    return value.strip().encode()


def warnings_of(secrets: Iterable[tuple[str, str]]) -> list[Warned]:
    """What the submitter should know of these names and values."""
    message = (
        f"The secret `{{}}` has fewer than {SHORTEST_MASKED} bytes without the white space around it. It is given to "
        "the program, but not masked in its log."
    )
    short = [name for name, value in secrets if len(core(value)) < SHORTEST_MASKED]
    return [Warned(code="secret_not_masked", message=message.format(name)) for name in sorted(short)]
