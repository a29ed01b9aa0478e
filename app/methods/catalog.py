"""Methods as submissions name them: looked up once for each request, whatever it submits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, reading
from app.errors import Conflict, FieldError, ServiceError
from app.methods import repository
from app.methods.document import Document, read_document
from app.methods.inputs import wrong
from app.methods.model import Wanted
from app.methods.resolution import Catalog, Refused, unknown_method


async def look_up(process: Process, caller: Caller, names: Collection[str]) -> Catalog:
    """Each of these methods, or why it cannot be submitted. Without any nothing is asked."""
    if not names:
        return {}
    async with reading(process.database) as connection:
        return await look_up_within(connection, caller, names)


async def look_up_within(connection: Connection, caller: Caller, names: Collection[str]) -> Catalog:
    """`look_up` within a transaction."""
    if not names:
        return {}
    wanted = {name: Wanted.parse(name) for name in names}
    rows = await repository.list_wanted(connection, set(wanted.values()), caller.sees)
    found = {Wanted(row.asked, row.asked_version): row for row in rows}
    return {name: _judged(name, found[each], caller) for name, each in wanted.items()}


def _judged(name: str, row: Row[Any], caller: Caller) -> Document | ServiceError:
    is_own = caller.sees is None or caller.sees == row.owner
    if row.owner is None:
        return unknown_method(name)
    if row.version is None or not (row.published or is_own):
        return _refused("unknown_version", f"names a version that there is not, or not published: `{name}`")
    if not row.published:
        return _refused("draft", f"names a draft, which cannot be submitted: `{name}`; publish it first")
    if row.retired or row.version_retired:
        return _refused("retired", f"names what has been retired: `{name}`")
    if not row.runnable:
        return disabled(row.asked, row.disabled_by, row.disabled_reason)
    return read_document(row.document, own=caller.owner == row.owner)


def disabled(method: str, by: str, reason: str) -> Conflict:
    """Nothing of it is accepted for now."""
    return Conflict(
        f"The method `{method}` was disabled by {by}: {reason}",
        hint=f"Whoever owns it can turn it on again: POST /v1/methods/{method}/enable.",
        fields=[FieldError("method", "method_disabled", f"was disabled by {by}: {reason.rstrip('.')}")],
    )


def _refused(code: str, message: str) -> Refused:
    return Refused([wrong(code, ("method",), message)])
