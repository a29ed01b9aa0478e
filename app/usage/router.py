"""What an execution uses, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.db.engine import reading
from app.deps import ExecutionId, ProcessDep, ReaderDep
from app.errors import NotFound
from app.executions.repository import find
from app.executions.states import Status
from app.usage import repository
from app.usage.schemas import Usage

router = APIRouter(prefix="/v1/executions/{id}", tags=["executions"])


_RUNS = frozenset({Status.RUNNING, Status.PAUSED, Status.STOPPING})


class UsageQuery(BaseModel):
    """Which attempt."""

    model_config = ConfigDict(extra="forbid")

    attempt: int | None = Field(default=None, ge=1, description="The latest, if left out", examples=[1])


@router.get("/usage", operation_id="get_usage", summary="What it uses: processor, memory, processes, disk")
async def get_usage(
    execution: ExecutionId, query: Annotated[UsageQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> Usage:
    """Sampled every 5 s while it runs. Of a run over an hour every second sample is kept, over two every fourth, …"""
    async with reading(process.database) as connection:
        record = await find(connection, execution, owner=caller.sees)
        if record is None:
            raise NotFound(f"There is no execution {execution}.")
        attempt = query.attempt or record.attempt
        if attempt > record.attempt:
            raise NotFound(f"There is no attempt {attempt} of it.", hint=f"It had {record.attempt} so far.")
        total, samples = await repository.read(connection, execution, attempt)
    running = attempt == record.attempt and record.status in _RUNS
    return Usage.of(execution, attempt, total, samples, running=running)
