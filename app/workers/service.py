"""Use cases of workers: who is there, and what an operator wants of one."""

from __future__ import annotations

from uuid import UUID

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.errors import Conflict, NotFound
from app.workers import repository
from app.workers.model import Wanted, WorkerRecord

# For so long the list can show a worker that is gone; seconds.
GONE_SHOWN_FOR = 86_400.0


async def list_workers(process: Process, caller: Caller, *, also_gone: bool) -> list[WorkerRecord]:
    """Those that are there, and with `also_gone` those of the last day."""
    gone_within = GONE_SHOWN_FOR if also_gone else 0.0
    async with reading(process.database) as connection:
        return await repository.list_workers(connection, owner=caller.sees, gone_within=gone_within)


async def want(process: Process, caller: Caller, worker: UUID, wanted: Wanted) -> WorkerRecord:
    """Say what is wanted of it. Raises `NotFound`, and `Conflict` when it is gone."""
    async with transaction(process.database) as connection:
        noted = await repository.want(connection, worker, wanted)
        record = await repository.find_worker(connection, worker, owner=caller.sees)
    if record is None:
        raise NotFound(f"There is no worker {worker}.")
    if not noted:
        raise Conflict("This worker is gone.", hint="Those that are there: GET /v1/workers.")
    return record
