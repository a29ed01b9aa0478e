"""Use cases of the secrets that have a name: put, list, remove. Nobody gets a value back."""

from __future__ import annotations

from uuid_utils.compat import uuid7

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.secrets import named
from app.secrets.model import MOST_NAMED, NamedSecretRecord

# What a named one is bound to, beside its id.
SEALED_AS = "named"


async def put(process: Process, caller: Caller, name: str, value: str) -> NamedSecretRecord:
    """Keep this value under the name, instead of what was there. Raises `InvalidRequest`, `Conflict`."""
    if not process.vault.has_key:
        message = "cannot be kept by this installation: it has no key to encrypt it with"
        raise InvalidRequest(
            f"`value` {message}.",
            hint="Its administrator has to set TAILRACE_SECRET_KEY, for the API and for the workers.",
            fields=[FieldError("value", "no_secret_key", message)],
        )
    secret = uuid7()
    sealed = process.vault.seal(value, execution=secret, name=SEALED_AS)
    async with transaction(process.database) as connection:
        if await named.count_others(connection, caller.owner, name) >= MOST_NAMED:
            raise Conflict(f"You have {MOST_NAMED} secrets, which is as many as may be.", hint="Delete some of them.")
        return await named.put(connection, secret, caller.owner, name, sealed)


async def list_all(process: Process, caller: Caller) -> list[NamedSecretRecord]:
    """The caller's own, by name."""
    async with reading(process.database) as connection:
        return await named.list_all(connection, caller.owner)


async def remove(process: Process, caller: Caller, name: str) -> None:
    """What was submitted with it keeps its copy until it ends. Raises `NotFound`."""
    async with transaction(process.database) as connection:
        if not await named.remove(connection, caller.owner, name):
            raise NotFound(f"You have no secret `{name}`.", hint="Those that you have: GET /v1/secrets.")
