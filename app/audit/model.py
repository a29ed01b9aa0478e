"""What is kept of a request that changes something, and what of it may be asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

# Of what a client made up: names and ids in paths.
MAX_OBJECT_CHARS = 500
# A proxy whom the server trusts may say anything.
MAX_ADDRESS_CHARS = 100
# Who asked on the host. An owner of this name has a token.
OPERATOR = "command line"
# Answers from there on say that nothing was done.
REFUSED = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row that is to be written. Never a body, never a credential.

    `object` is what was made, or else changed, as its path below `/v1/`; None if it was none in particular. `owner` is
    whose object that is, `actor` who asked, by the token of this id and name.
    """

    action: str
    object: str | None
    owner: str | None
    actor: str
    token_id: UUID | None
    token_name: str | None
    address: str | None
    request_id: str | None
    status: int


def of_operator(action: str, *, status: int, made: str | None = None, owner: str | None = None) -> Entry:
    """Of what was done on the host, by whoever may write to the database: without a request, and without a token."""
    nobody: dict[str, Any] = dict.fromkeys(("token_id", "token_name", "address", "request_id"))
    return Entry(action=action, object=made, owner=owner, actor=OPERATOR, status=status, **nobody)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Entry):
    """A row as it was written."""

    id: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows; None is any. `sees` is whose objects the reader may know of, None for everybody's."""

    sees: str | None
    actor: str | None = None
    owner: str | None = None
    token: UUID | None = None
    action: str | None = None
    object: str | None = None
    refused: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
