"""What a secret may be. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

SECRETS = 64
# All values of an execution together, in bytes: every form of them is looked for in all that its program writes.
SECRETS_BYTES = 32 * 1024
# What is shorter is not masked: it would be found everywhere.
SHORTEST_MASKED = 6


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
