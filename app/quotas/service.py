"""Use cases of quotas. Each is at most one short transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.files import repository as files
from app.quotas import repository
from app.quotas.model import Kept, QuotaRecord, Usage


@dataclass(frozen=True, slots=True)
class Standing:
    """What an owner may have, and has. `max_queued` is the default's where they have none of their own."""

    quota: QuotaRecord
    max_queued: int | None
    max_file_bytes: int | None
    usage: Usage
    file_bytes: int
    kept: Kept


async def stand(process: Process, caller: Caller) -> Standing:
    """How the caller stands."""
    return await get(process, caller.owner)


async def get(process: Process, owner: str) -> Standing:
    """How this owner stands, whoever that is."""
    async with reading(process.database) as connection:
        return await _get(connection, process, owner)


async def list_quotas(process: Process) -> list[QuotaRecord]:
    """Those who have limits of their own."""
    async with reading(process.database) as connection:
        return await repository.list_quotas(connection)


async def put(process: Process, owner: str, limits: Mapping[str, Any]) -> Standing:
    """Give them these limits. What is queued and runs beyond them is left alone."""
    async with transaction(process.database) as connection:
        await repository.set_quota(connection, owner, limits)
        return await _get(connection, process, owner)


async def remove(process: Process, owner: str) -> None:
    """Back to the defaults."""
    async with transaction(process.database) as connection:
        await repository.remove_quota(connection, owner)


async def _get(connection: Connection, process: Process, owner: str) -> Standing:
    quota = await repository.find_quota(connection, owner)
    usual = process.settings.max_queued_per_owner
    return Standing(
        quota,
        usual if quota.max_queued is None else quota.max_queued,
        process.settings.max_file_bytes_per_owner,
        await repository.count(connection, owner),
        await files.count_bytes(connection, owner),
        await repository.count_kept(connection, owner),
    )
