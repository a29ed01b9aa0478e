"""/v1/executions:cancel and its like: one operation on all that a filter takes. Thin."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.background import Background
from app.deps import BackgroundDep, BodyRoute, CancelerDep, MetricsDep, ProcessDep, SubmitterDep
from app.executions import bulk, bulk_acts
from app.executions.answers import answer
from app.executions.bulk import Asking, Bulk, Outcomes
from app.executions.bulk_requests import ArchiveMany, BulkAnswer, CancelMany, Many, RerunMany, RestoreMany
from app.idempotency.header import IdempotencyKeyDep
from app.idempotency.model import REPLAYED_HEADER
from app.observability.metrics import ApiMetrics

router = APIRouter(prefix="/v1", tags=["executions"], route_class=BodyRoute)


@router.post("/executions:cancel", operation_id="cancel_executions", summary="Ask all that a filter takes to stop")
async def cancel_executions(
    many: CancelMany, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was canceled alone; up to 1,000 in one request."""
    return await _answer(Asking(process, caller), bulk_acts.cancel(force=many.force), many, background, metrics)


@router.post(
    "/executions:rerun",
    operation_id="rerun_executions",
    summary="Run all again that a filter takes",
    response_model=BulkAnswer,
)
async def rerun_executions(
    many: RerunMany,
    process: ProcessDep,
    background: BackgroundDep,
    caller: SubmitterDep,
    key: IdempotencyKeyDep,
    metrics: MetricsDep,
) -> Response:
    """Each as if it was run again alone; up to 1,000 in one request. What has not ended is left out. With a key none is
    run again twice.
    """
    vault = process.vault
    if key is None:
        asking, operation = Asking(process, caller), bulk_acts.rerun_as(many.changes)
    else:
        asking = Asking(process, caller, once=many.once(key, vault))
        operation = bulk_acts.rerun_as(many.changes, lambda execution: many.once_of(key, execution, vault))
    outcomes = await _run(asking, operation, many, background, metrics)
    return answer(BulkAnswer.of(outcomes), headers={REPLAYED_HEADER: "true"} if outcomes.replayed else {})


@router.post("/executions:archive", operation_id="archive_executions", summary="Archive all that a filter takes")
async def archive_executions(
    many: ArchiveMany, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was archived alone; up to 1,000 in one request. What has not ended is left out."""
    return await _answer(Asking(process, caller), bulk_acts.archive(many.archive), many, background, metrics)


@router.post("/executions:restore", operation_id="restore_executions", summary="Restore all that a filter takes")
async def restore_executions(
    many: RestoreMany, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was restored alone; up to 1,000 in one request."""
    return await _answer(Asking(process, caller), bulk_acts.restore(), many, background, metrics)


@router.post("/executions:delete", operation_id="delete_executions", summary="Delete all that a filter takes")
async def delete_executions(
    many: Many, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> BulkAnswer:
    """Each as if it was deleted alone; up to 1,000 in one request. Archived ones only with `archived`."""
    return await _answer(Asking(process, caller), bulk_acts.delete(), many, background, metrics)


async def _answer(
    asking: Asking, operation: Bulk, many: Many, background: Background, metrics: ApiMetrics
) -> BulkAnswer:
    return BulkAnswer.of(await _run(asking, operation, many, background, metrics))


async def _run(asking: Asking, operation: Bulk, many: Many, background: Background, metrics: ApiMetrics) -> Outcomes:
    try:
        outcomes = await bulk.run(asking, operation, many.filter(), after=many.after, most=many.limit)
    finally:
        # Also if the database went away in the middle: some of it is committed.
        background.start(asking.told.send(asking.process), what="bulk")
    for event in asking.told.events:
        metrics.moved(event)
    return outcomes
