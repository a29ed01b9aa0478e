"""From the names of secrets to values of an execution's own, when it is accepted.

It gets a copy, sealed for it alone: what it was submitted with holds for all of its attempts, whatever becomes of the
name meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from app.db.engine import Connection
from app.errors import FieldError, InvalidRequest
from app.executions.accepting import NewExecution
from app.executions.model import Spec
from app.secrets import named
from app.secrets.model import SECRETS_BYTES, warnings_of
from app.secrets.service import SEALED_AS
from app.secrets.vault import OVERHEAD, NoKey, Vault, WrongKey

_HINT = "Those that you have: GET /v1/secrets."
# Many may name the same ones: of more that is wrong nothing is looked for.
_WRONG_AT_MOST = 10_000


async def confide(connection: Connection, vault: Vault, new: NewExecution) -> NewExecution:
    """The same with the values of the secrets that it names. Raises `InvalidRequest`."""
    (confided,) = await confide_all(connection, vault, [new], [str])
    return confided


async def confide_all(
    connection: Connection, vault: Vault, many: Sequence[NewExecution], paths: Sequence[Callable[[str], str]]
) -> list[NewExecution]:
    """The same for many of one owner; a path says where a field of each is in the request."""
    wanted = [(new.spec, sum(len(sealed) - OVERHEAD for sealed in new.sealed.values())) for new in many]
    values, wrong = await look_up(connection, vault, many[0].owner, wanted, paths)
    if wrong:
        raise wrong[0]
    return [_with_values(vault, new, values) for new in many] if values else list(many)


async def look_up(
    connection: Connection,
    vault: Vault,
    owner: str,
    wanted: Sequence[tuple[Spec, int]],
    paths: Sequence[Callable[[str], str]],
) -> tuple[Mapping[str, str], list[InvalidRequest]]:
    """The values of the secrets that these name, each with the bytes of those it has besides; and what is wrong."""
    names = {each.name for spec, _ in wanted for each in spec.named_secrets.values()}
    if not names:
        return {}, []
    kept = await named.take(connection, owner, names)
    values: dict[str, str] = {}
    for name, (secret, sealed) in kept.items():
        try:
            values[name] = vault.open(sealed, execution=secret, name=SEALED_AS)
        except (NoKey, WrongKey):
            continue
    unknown = (
        FieldError(path(f"named_secrets.{key}.name"), *_why_not(each.name, kept))
        for (spec, _), path in zip(wanted, paths, strict=True)
        for key, each in spec.named_secrets.items()
        if each.name not in values
    )
    wrong = list(islice(unknown, _WRONG_AT_MOST))
    wrong += [
        FieldError(path("named_secrets"), "too_large", "must be at most 32 KiB, all values together and with `secrets`")
        for (spec, given), path in zip(wanted, paths, strict=True)
        if given + _size_of(spec, values) > SECRETS_BYTES
    ]
    if not wrong:
        return values, []
    error = InvalidRequest.of(list(dict.fromkeys(wrong)))
    error.hint = _HINT
    return values, [error]


def _why_not(name: str, kept: Container[str]) -> tuple[str, str]:
    if name in kept:
        return "sealed_otherwise", f"was sealed with a key that is not set here any more: put `{name}` again"
    return "unknown_secret", f"names a secret that you do not have: `{name}`"


def _size_of(spec: Spec, values: Mapping[str, str]) -> int:
    return sum(len(values.get(each.name, "").encode()) for each in spec.named_secrets.values())


def _with_values(vault: Vault, new: NewExecution, values: Mapping[str, str]) -> NewExecution:
    own = {key: values[each.name] for key, each in new.spec.named_secrets.items()}
    sealed = {key: vault.seal(value, execution=new.id, name=key) for key, value in own.items()}
    return replace(new, sealed={**new.sealed, **sealed}, warnings=[*new.warnings, *warnings_of(own.items())])
