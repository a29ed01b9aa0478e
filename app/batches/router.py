"""/v1/batches. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.artifacts.sending import HEADERS
from app.attachment import attachment
from app.background import Background
from app.batches import removing, service, submitting
from app.batches.awaiting import wait_for_end
from app.batches.outputs import zip_outputs
from app.batches.requests import (
    Again,
    BatchListQuery,
    BatchQuery,
    BatchSubmission,
    NeedsQuery,
    RerunBatchRequest,
)
from app.batches.rerun import draft_again
from app.batches.schemas import Batch, BatchList, BatchRehearsal, ChildNeeds, NeedsList
from app.batches.service import SubmittedBatch
from app.bootstrap import Process
from app.deps import BackgroundDep, BodyRoute, CancelerDep, MetricsDep, ProcessDep, ReaderDep, SubmitterDep
from app.executions.answers import ACCEPTED, answer
from app.executions.requests import CancelRequest, SubmitQuery
from app.idempotency.header import IdempotencyKeyDep
from app.idempotency.model import REPLAYED_HEADER
from app.observability.metrics import ApiMetrics
from app.telling import judged_by

router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=judged_by(submitting.find_reasons))
one = APIRouter(prefix="/v1/batches/{id}", tags=["batches"], route_class=BodyRoute)

BatchId = Annotated[UUID, Path(alias="id", description="The batch's id")]


@router.post(
    "",
    operation_id="submit_batch",
    summary="Submit many executions at once",
    status_code=201,
    response_model=Batch,
    responses={
        200: {"model": BatchRehearsal, "description": "A dry run: it would have been accepted"},
        201: ACCEPTED,
        409: {"description": "A method of it is disabled"},
    },
)
async def submit_batch(
    submission: BatchSubmission,
    query: Annotated[SubmitQuery, Query()],
    process: ProcessDep,
    background: BackgroundDep,
    caller: SubmitterDep,
    key: IdempotencyKeyDep,
    metrics: MetricsDep,
) -> Response:
    """All of them are accepted, or none: then the answer names every field of every item that is wrong."""
    if query.dry_run:
        record = await submitting.rehearse(process, caller, submission)
        return answer(BatchRehearsal(accepted=True, batch=Batch.of(record)))
    once = submission.once(key, process.vault) if key is not None else None
    return _accepted(await submitting.submit(process, caller, submission, once), process, background, metrics)


@router.get("", operation_id="list_batches", summary="List batches, newest first")
async def list_batches(query: Annotated[BatchListQuery, Query()], process: ProcessDep, caller: ReaderDep) -> BatchList:
    """Yours, or with the scope `admin` everybody's. Follow `next` for older ones."""
    records, more = await service.get_page(process, caller, limit=query.limit, before=query.cursor)
    return BatchList.of(records, more=more)


@one.get("", operation_id="get_batch", summary="One batch; with `wait` once it has ended")
async def get_batch(
    batch: BatchId, query: Annotated[BatchQuery, Query()], request: Request, process: ProcessDep, caller: ReaderDep
) -> Batch:
    """How its children stand, counted. They themselves: `GET /v1/executions?batch=`.

    With `wait` the answer comes when all of it has ended, or after so many seconds as it then stands.
    """

    async def is_over() -> bool:
        return request.app.state.is_closing() or await request.is_disconnected()

    return Batch.of(await wait_for_end(process, caller, batch, within=query.wait, is_over=is_over))


@one.post(
    "/cancel",
    operation_id="cancel_batch",
    summary="Cancel what is queued, stop what runs",
    status_code=202,
    response_model=Batch,
    responses={
        200: {"model": Batch, "description": "All of it has ended, canceled"},
        202: {"description": "Nothing of it starts any more, and what runs is being stopped"},
        409: {"description": "All of it has ended otherwise"},
    },
)
async def cancel_batch(
    batch: BatchId, process: ProcessDep, caller: CancelerDep, how: CancelRequest | None = None
) -> Response:
    """Each child that runs is asked as if alone. The answer counts what became of them so far."""
    record, accepted = await service.cancel(process, caller, batch, force=how is not None and how.force)
    return answer(Batch.of(record), status=202 if accepted else 200)


@one.post(
    "/rerun",
    operation_id="rerun_batch",
    summary="Run it again, or what of it did not succeed",
    status_code=201,
    response_model=Batch,
    responses={
        200: {"model": BatchRehearsal, "description": "A dry run: it would have been accepted"},
        201: ACCEPTED,
        409: {"description": "It has not ended, or there is nothing to run again"},
    },
)
async def rerun_batch(  # noqa: PLR0917 - FastAPI gives them by name
    batch: BatchId,
    query: Annotated[SubmitQuery, Query()],
    process: ProcessDep,
    background: BackgroundDep,
    caller: SubmitterDep,
    key: IdempotencyKeyDep,
    metrics: MetricsDep,
    what: RerunBatchRequest | None = None,
) -> Response:
    """A new batch: each child has its index, and what it needs of those that are not run again it gets from them."""
    what = what or RerunBatchRequest()
    draft = partial(draft_again, process, caller, batch, only_failed=what.only is Again.FAILED)
    if query.dry_run:
        record = await service.rehearse(process, caller, draft)
        return answer(BatchRehearsal(accepted=True, batch=Batch.of(record)))
    once = what.once(key, batch, process.vault) if key is not None else None
    return _accepted(await service.submit(process, caller, draft, once=once), process, background, metrics)


@one.delete(
    "",
    operation_id="delete_batch",
    summary="Delete it, with all its children",
    status_code=204,
    response_model=None,
    responses={
        202: {"model": Batch, "description": "What is active is being stopped; all of it goes when that has ended"},
        204: {"description": "It is gone"},
        409: {"description": "An execution that is not of it, and has not ended, needs what a child left"},
    },
)
async def delete_batch(batch: BatchId, process: ProcessDep, caller: CancelerDep) -> Response:
    """Its record, and all that belongs to its children. What has not ended is asked to stop first. Not to be undone."""
    record = await removing.delete(process, caller, batch)
    return Response(status_code=204) if record is None else answer(Batch.of(record), status=202)


@one.get("/needs", operation_id="list_batch_needs", summary="Which child needs which")
async def list_batch_needs(
    batch: BatchId, query: Annotated[NeedsQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> NeedsList:
    """By index. Of a batch run again, some are needed that are children of the one before. Follow `next`."""
    found, more = await service.get_needs(process, caller, batch, limit=query.limit, after=query.cursor)
    return NeedsList.of([ChildNeeds.of(place, needs) for place, needs in found], more=more)


@one.get(
    "/outputs.zip",
    operation_id="download_batch_outputs",
    summary="All output files of its children as one zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The zip, made while it is sent"}},
)
async def download_batch_outputs(batch: BatchId, process: ProcessDep, caller: ReaderDep) -> StreamingResponse:
    """One directory per child that has left any so far: `<index>-<key or name>/`."""
    record = await service.get(process, caller, batch)
    headers = HEADERS | {"Content-Disposition": attachment(f"{batch}-outputs.zip")}
    return StreamingResponse(zip_outputs(process, record), media_type="application/zip", headers=headers)


def _accepted(submitted: SubmittedBatch, process: Process, background: Background, metrics: ApiMetrics) -> Response:
    batch = Batch.of(submitted.record)
    for pool, number in submitted.pools.items():
        metrics.submitted(pool, replayed=submitted.replayed, number=number)
        # For a repeated one too: the first may have died between its commit and the bell.
        background.start_once(partial(process.hints.ring, pool), what=f"bell:{pool}")
    replayed = {REPLAYED_HEADER: "true"} if submitted.replayed else {}
    return answer(batch, status=201, headers={"Location": batch.links.self, **replayed})
