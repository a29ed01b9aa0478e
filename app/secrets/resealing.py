"""Sealing anew, with the first key, all that was sealed with another: afterwards the others can be taken away.

It works a row at a time beside everything else, and may be broken off and begun again: what was changed meanwhile is
left as it is, which is sealed with the first key already.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Table, and_, select, tuple_, update

from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.db.registry import metadata
from app.secrets.service import SEALED_AS
from app.secrets.vault import Vault, WrongKey

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed values, bound to the first column of the key, and to the second, or without one to `name`."""

    table: str
    column: str
    key: tuple[str, ...]
    name: str

    def bound(self, row: Any) -> tuple[UUID, str]:
        """What a row's value is bound to."""
        key = [getattr(row, column) for column in self.key]
        return UUID(str(key[0])), (key[1] if len(key) > 1 else self.name)


SEALED = (
    Sealed("execution_secrets", "ciphertext", ("execution_id", "name"), ""),
    Sealed("named_secrets", "ciphertext", ("id",), SEALED_AS),
    Sealed("webhooks", "sealed", ("id",), "webhook"),
    Sealed("webhooks", "sealed_before", ("id",), "webhook"),
    Sealed("notification_rules", "sealed", ("id",), "notification"),
    Sealed("schedules", "sealed", ("id",), "targets"),
    Sealed("triggers", "sealed", ("id",), "targets"),
    Sealed("triggers", "signing", ("id",), "signature"),
    Sealed("triggers", "signing_before", ("id",), "signature"),
)


@dataclass(slots=True)
class Tally:
    """What became of the values of a column."""

    anew: int = 0
    already: int = 0
    unopened: int = 0


async def reseal(process: Process) -> dict[str, Tally]:
    """All of them, by table and column. Raises `NoKey`."""
    tallies: dict[str, Tally] = {}
    for sealed in SEALED:
        tally = tallies[f"{sealed.table}.{sealed.column}"] = Tally()
        async for rows in _pages(process, sealed):
            await _reseal(process, sealed, rows, tally)
    return tallies


async def _pages(process: Process, sealed: Sealed) -> AsyncIterator[Sequence[Any]]:
    table: Table = metadata.tables[sealed.table]
    key = [table.c[name] for name in sealed.key]
    statement = select(*key, table.c[sealed.column].label("value")).where(table.c[sealed.column].is_not(None))
    statement = statement.order_by(*key).limit(ROWS_AT_ONCE)
    page: Sequence[Any] = ()
    while True:
        after = tuple_(*key) > tuple_(*(getattr(page[-1], name) for name in sealed.key)) if page else None
        async with reading(process.database) as connection:
            page = (await connection.execute(statement if after is None else statement.where(after))).all()
        if not page:
            return
        yield page


async def _reseal(process: Process, sealed: Sealed, rows: Sequence[Any], tally: Tally) -> None:
    table = metadata.tables[sealed.table]
    async with transaction(process.database) as connection:
        for row in rows:
            anew = _sealed_anew(process.vault, row.value, *sealed.bound(row))
            if anew is None:
                tally.unopened += 1
            elif anew == row.value:
                tally.already += 1
            else:
                same = and_(*(table.c[name] == getattr(row, name) for name in sealed.key))
                unchanged = table.c[sealed.column] == row.value
                await connection.execute(update(table).where(same, unchanged).values({sealed.column: anew}))
                tally.anew += 1


def _sealed_anew(vault: Vault, value: bytes, execution: UUID, name: str) -> bytes | None:
    """The same value sealed with the first key, as it is if it is that already; None if no key opens it."""
    if vault.is_sealed_with_the_first(value, execution=execution, name=name):
        return value
    try:
        return vault.seal(vault.open(value, execution=execution, name=name), execution=execution, name=name)
    except WrongKey:
        return None
