"""What is done with executions afterwards: run again, archived, restored, deleted. Thin, like `router`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.deps import BackgroundDep, BodyRoute, CancelerDep, ExecutionId, MetricsDep, ProcessDep, SubmitterDep
from app.executions import archiving, deleting, rerun
from app.executions.answers import ACCEPTED, accepted, answer
from app.executions.requests import ArchiveRequest, SubmitQuery
from app.executions.rerun_body import RerunRequest
from app.executions.schemas import Execution, Rehearsal
from app.idempotency.header import IdempotencyKeyDep

one = APIRouter(prefix="/v1/executions/{id}", tags=["executions"], route_class=BodyRoute)


@one.post(
    "/rerun",
    operation_id="rerun_execution",
    summary="Run it again, as it was or otherwise",
    status_code=201,
    response_model=Execution,
    responses={
        200: {"model": Rehearsal, "description": "A dry run: it would have been accepted"},
        201: ACCEPTED,
        409: {"description": "It has not ended"},
    },
)
async def rerun_execution(
    execution: ExecutionId,
    *,
    query: Annotated[SubmitQuery, Query()],
    process: ProcessDep,
    background: BackgroundDep,
    caller: SubmitterDep,
    key: IdempotencyKeyDep,
    metrics: MetricsDep,
    request: RerunRequest | None = None,
) -> Response:
    """A new execution of what has ended, by its record and what the body says otherwise; `lineage` links the two."""
    request = request or RerunRequest()
    if query.dry_run:
        record = await rerun.rehearse(process, caller, execution, request)
        return answer(Rehearsal(accepted=True, execution=Execution.of(record)))
    once = request.once(key, execution, process.vault) if key is not None else None
    submitted = await rerun.rerun(process, caller, execution, request, once=once)
    return accepted(submitted, process, background, metrics)


@one.post(
    "/archive",
    operation_id="archive_execution",
    summary="Put it aside",
    responses={409: {"description": "It has not ended, or another needs what would be removed"}},
)
async def archive_execution(
    execution: ExecutionId,
    process: ProcessDep,
    background: BackgroundDep,
    caller: CancelerDep,
    request: ArchiveRequest | None = None,
) -> Execution:
    """It is not listed any more, unless asked for, and does not expire. What is not to be kept of it is removed now."""
    level = request.archive if request else None
    archived = await archiving.archive(process, caller, execution, level=level)
    background.start(archiving.tell(process, archived), what="archive")
    return Execution.of(archived.record)


@one.post("/restore", operation_id="restore_execution", summary="Take it back from the archive")
async def restore_execution(
    execution: ExecutionId, process: ProcessDep, background: BackgroundDep, caller: CancelerDep
) -> Execution:
    """It is listed again, and expires as if it had ended now. What is not archived stays as it is."""
    restored = await archiving.restore(process, caller, execution)
    background.start(archiving.tell(process, restored), what="restore")
    return Execution.of(restored.record)


@one.delete(
    "",
    operation_id="delete_execution",
    summary="Delete it, with all that belongs to it",
    status_code=204,
    response_model=None,
    responses={
        202: {"model": Execution, "description": "It is being stopped, and is deleted as soon as it has ended"},
        204: {"description": "It is gone"},
        409: {"description": "Another that has not ended needs its checkpoint or its outputs"},
    },
)
async def delete_execution(
    execution: ExecutionId, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> Response:
    """Record, history, log, outputs and checkpoint. What has not ended is asked to stop first. Not to be undone."""
    deletion = await deleting.delete_execution(process, caller, execution)
    if deletion.stopped is not None:
        metrics.moved(deletion.stopped.event)
    background.start(deleting.tell(process, deletion), what="delete")
    if deletion.gone:
        return Response(status_code=204)
    return answer(Execution.of(deletion.record), status=202)
