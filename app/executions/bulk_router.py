"""/v1/executions:cancel and its like: one operation on all that a filter takes. Thin."""

from __future__ import annotations

from fastapi import APIRouter

from app.background import Background
from app.deps import BackgroundDep, BodyRoute, CancelerDep, MetricsDep, ProcessDep, SubmitterDep
from app.executions import bulk
from app.executions.bulk import Asking, Bulk
from app.executions.bulk_requests import BulkAnswer, CancelMany, Many, RerunMany, RestoreMany
from app.observability.metrics import ApiMetrics

router = APIRouter(prefix="/v1", tags=["executions"], route_class=BodyRoute)


@router.post("/executions:cancel", operation_id="cancel_executions", summary="Ask all that a filter takes to stop")
async def cancel_executions(
    many: CancelMany, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was canceled alone; up to 1,000 in one request."""
    return await _answer(Asking(process, caller), bulk.cancel(force=many.force), many, background, metrics)


@router.post("/executions:rerun", operation_id="rerun_executions", summary="Run all again that a filter takes")
async def rerun_executions(
    many: RerunMany, process: ProcessDep, background: BackgroundDep, caller: SubmitterDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was run again alone; up to 1,000 in one request. What has not ended is left out."""
    return await _answer(Asking(process, caller), bulk.rerun_as(many.changes.draft), many, background, metrics)


@router.post("/executions:archive", operation_id="archive_executions", summary="Archive all that a filter takes")
async def archive_executions(
    many: Many, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was archived alone; up to 1,000 in one request. What has not ended is left out."""
    return await _answer(Asking(process, caller), bulk.archive(), many, background, metrics)


@router.post("/executions:restore", operation_id="restore_executions", summary="Restore all that a filter takes")
async def restore_executions(
    many: RestoreMany, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was restored alone; up to 1,000 in one request."""
    return await _answer(Asking(process, caller), bulk.restore(), many, background, metrics)


@router.post("/executions:delete", operation_id="delete_executions", summary="Delete all that a filter takes")
async def delete_executions(
    many: Many, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was deleted alone; up to 1,000 in one request. Archived ones only with `archived`."""
    return await _answer(Asking(process, caller), bulk.delete(), many, background, metrics)


async def _answer(
    asking: Asking, operation: Bulk, many: Many, background: Background, metrics: ApiMetrics
) -> BulkAnswer:
    try:
        outcomes = await bulk.run(asking, operation, many.filter(), after=many.after, most=many.limit)
    finally:
        # Also if the database went away in the middle: some of it is committed.
        background.start(asking.told.send(asking.process), what="bulk")
    for event in asking.told.events:
        metrics.moved(event)
    return BulkAnswer.of(outcomes)
