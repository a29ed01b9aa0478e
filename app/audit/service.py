"""Use cases of who did what: write it, list it, take all of it out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from app.audit import repository
from app.audit.model import Entry, Kept, Wanted
from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import reading, transaction

# Of an export, in one statement.
ROWS_AT_ONCE = 1000


async def write(process: Process, entry: Entry) -> None:
    """Durably; those that come at the same time share a transaction."""
    await process.gathering.add(write, entry, partial(_write_all, process))


async def _write_all(process: Process, entries: list[Entry]) -> list[None]:
    async with transaction(process.database) as connection:
        await repository.add(connection, entries)
    return [None] * len(entries)


async def get_page(
    process: Process, caller: Caller, wanted: Wanted, *, limit: int, before: int | None
) -> tuple[list[Kept], bool]:
    """One page, newest first, and whether there are more: what concerns the caller's objects, for an admin all."""
    async with reading(process.database) as connection:
        visible = replace(wanted, sees=caller.sees)
        found = await repository.list_entries(connection, visible, limit=limit + 1, before=before)
    return found[:limit], len(found) > limit


async def export(process: Process, caller: Caller, wanted: Wanted) -> AsyncIterator[list[Kept]]:
    """All of it, newest first, some at a time; what is written meanwhile is not among them."""
    before, more = None, True
    while more:
        page, more = await get_page(process, caller, wanted, limit=ROWS_AT_ONCE, before=before)
        if page:
            before = page[-1].id
            yield page
