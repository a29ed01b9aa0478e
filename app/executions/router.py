"""/v1/executions. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.deps import BackgroundDep, BodyRoute, CancelerDep, ExecutionId, MetricsDep, ProcessDep, ReaderDep, SubmitterDep
from app.etags import is_known
from app.executions import service
from app.executions.requests import CancelRequest, ListQuery, Submission, SubmitQuery, WaitQuery
from app.executions.schemas import AttemptList, EventList, EventView, Execution, ExecutionList, Rehearsal
from app.idempotency.header import IdempotencyKeyDep
from app.idempotency.model import REPLAYED_HEADER, Once

router = APIRouter(prefix="/v1/executions", tags=["executions"], route_class=BodyRoute)
one = APIRouter(prefix="/v1/executions/{id}", tags=["executions"], route_class=BodyRoute)


@router.post(
    "",
    operation_id="submit_execution",
    summary="Submit an execution",
    status_code=201,
    response_model=Execution,
    responses={
        200: {"model": Rehearsal, "description": "A dry run: it would have been accepted"},
        201: {
            "description": "Accepted, durably; or accepted before, with the same key",
            "headers": {
                "Location": {"schema": {"type": "string"}},
                REPLAYED_HEADER: {
                    "schema": {"type": "string", "enum": ["true"]},
                    "description": "The execution is that of an earlier submission with the same key, as it stands now",
                },
            },
        },
    },
)
async def submit_execution(
    submission: Submission,
    query: Annotated[SubmitQuery, Query()],
    process: ProcessDep,
    background: BackgroundDep,
    caller: SubmitterDep,
    key: IdempotencyKeyDep,
    metrics: MetricsDep,
) -> Response:
    """Once this answers 201 the execution is on record and will run, whatever breaks in between."""
    draft = submission.draft()
    service.check_key(process, draft)
    if query.dry_run:
        record = await service.rehearse(process, caller, draft)
        return _json(Rehearsal(accepted=True, execution=Execution.of(record)))
    once = Once.of(key, submission, submission.confided(), process.vault) if key is not None else None
    submitted = await service.submit(process, caller, draft, once=once)
    execution = Execution.of(submitted.record)
    metrics.submitted(execution.pool, replayed=submitted.replayed)
    # For a repeated one too: the first may have died between its commit and the bell.
    background.start_once(partial(process.hints.ring, execution.pool), what=f"bell:{execution.pool}")
    replayed = {REPLAYED_HEADER: "true"} if submitted.replayed else {}
    return _json(execution, status=201, headers={"Location": execution.links.self, **replayed})


@router.get("", operation_id="list_executions", summary="List executions, newest first")
async def list_executions(
    query: Annotated[ListQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> ExecutionList:
    """Yours, or with the scope `admin` everybody's. Follow `next` for older ones."""
    records, more = await service.get_page(
        process, caller, limit=query.limit, before=query.cursor, statuses=query.status, labels=query.labels()
    )
    return ExecutionList.of(records, more=more)


@one.get(
    "",
    operation_id="get_execution",
    summary="One execution; with `wait` once it has ended",
    response_model=Execution,
    responses={
        200: {"description": "The record", "headers": {"ETag": {"schema": {"type": "string"}}}},
        304: {"description": "Unchanged since the answer with the ETag in `If-None-Match`"},
    },
)
async def get_execution(
    execution: ExecutionId,
    query: Annotated[WaitQuery, Query()],
    request: Request,
    process: ProcessDep,
    caller: ReaderDep,
) -> Response:
    """With `wait` the answer comes when the execution ends, or after so many seconds as it then stands."""

    async def is_over() -> bool:
        # At a shutdown the answer as it stands now is worth more than a broken connection in a moment.
        return request.app.state.is_closing() or await request.is_disconnected()

    record = await service.wait_for_end(process, caller, execution, within=query.wait, is_over=is_over)
    return _unless_known(request, _json(Execution.of(record)))


@one.get("/events", operation_id="list_events", summary="Its history: every change of status")
async def list_events(execution: ExecutionId, process: ProcessDep, caller: ReaderDep) -> EventList:
    """Oldest first; nothing is ever changed or removed in it."""
    events = await service.get_events(process, caller, execution)
    return EventList(items=[EventView.of(event) for event in events])


@one.get("/attempts", operation_id="list_attempts", summary="Its attempts: one per container")
async def list_attempts(execution: ExecutionId, process: ProcessDep, caller: ReaderDep) -> AttemptList:
    """First to last. An execution that never left the queue has none."""
    return AttemptList.of(await service.get_attempts(process, caller, execution))


@one.post(
    "/cancel",
    operation_id="cancel_execution",
    summary="Ask it to stop",
    status_code=202,
    response_model=Execution,
    responses={
        200: {"model": Execution, "description": "It is canceled already"},
        202: {"description": "It is being stopped; or was, from the queue"},
        409: {"description": "It has ended otherwise"},
    },
)
async def cancel_execution(
    execution: ExecutionId,
    process: ProcessDep,
    background: BackgroundDep,
    caller: CancelerDep,
    metrics: MetricsDep,
    how: CancelRequest | None = None,
) -> Response:
    """Stop file, stop signal, and after `limits.grace` SIGKILL. Asking again changes nothing, unless with `force`."""
    outcome = await service.cancel(process, caller, execution, force=how is not None and how.force)
    metrics.moved(outcome.event)
    background.start(service.tell(process, outcome), what="cancel")
    return _json(Execution.of(outcome.record), status=202 if outcome.accepted else 200)


def _json(body: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        body.model_dump_json(by_alias=True), status_code=status, headers=headers, media_type=JSONResponse.media_type
    )


def _unless_known(request: Request, response: Response) -> Response:
    """Add an ETag, which is of the answer itself; without a body if the client has this answer already."""
    etag = f'"{hashlib.blake2b(response.body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
