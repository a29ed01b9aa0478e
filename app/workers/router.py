"""/v1/workers. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from app.auth.service import Caller
from app.background import Background
from app.bootstrap import Process
from app.deps import AdminDep, BackgroundDep, BodyRoute, ProcessDep, ReaderDep
from app.workers import service
from app.workers.model import Wanted
from app.workers.schemas import WorkerList, WorkerQuery, WorkerView

router = APIRouter(prefix="/v1/workers", tags=["workers"], route_class=BodyRoute)
one = APIRouter(prefix="/v1/workers/{id}", tags=["workers"], route_class=BodyRoute)

WorkerId = Annotated[UUID, Path(alias="id", description="The worker's id")]


@router.get("", operation_id="list_workers", summary="Who is there to run executions")
async def list_workers(query: Annotated[WorkerQuery, Query()], process: ProcessDep, caller: ReaderDep) -> WorkerList:
    """Every worker with its engine, its slots and what it holds."""
    workers = await service.list_workers(process, caller, also_gone=query.all)
    return WorkerList(items=[WorkerView.of(worker) for worker in workers])


@one.post(
    "/pause",
    operation_id="pause_worker",
    summary="Let it take nothing new",
    responses={409: {"description": "It is gone"}},
)
async def pause_worker(
    worker: WorkerId, process: ProcessDep, background: BackgroundDep, caller: AdminDep
) -> WorkerView:
    """What runs goes on, and what is left behind on its engine is still adopted."""
    return await _want(process, background, caller, worker, Wanted.PAUSE)


@one.post(
    "/drain",
    operation_id="drain_worker",
    summary="Let it finish what it has, and end",
    responses={409: {"description": "It is gone"}},
)
async def drain_worker(
    worker: WorkerId, process: ProcessDep, background: BackgroundDep, caller: AdminDep
) -> WorkerView:
    """It takes nothing new, and its process ends with code 0 when nothing of it runs any more."""
    return await _want(process, background, caller, worker, Wanted.DRAIN)


@one.post(
    "/resume",
    operation_id="resume_worker",
    summary="Let it take work again",
    responses={409: {"description": "It is gone"}},
)
async def resume_worker(
    worker: WorkerId, process: ProcessDep, background: BackgroundDep, caller: AdminDep
) -> WorkerView:
    """After a pause, or a drain that has not ended."""
    return await _want(process, background, caller, worker, Wanted.WORK)


async def _want(process: Process, background: Background, caller: Caller, worker: UUID, wanted: Wanted) -> WorkerView:
    record = await service.want(process, caller, worker, wanted)
    background.start(process.hints.control(worker), what="control")
    return WorkerView.of(record)
