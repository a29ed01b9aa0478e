"""/v1/executions. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.batches import settling
from app.deps import BackgroundDep, BodyRoute, CancelerDep, ExecutionId, MetricsDep, ProcessDep, ReaderDep, SubmitterDep
from app.etags import check_match, is_known
from app.executions import holding, patching, pausing, service, submitting
from app.executions.answers import ACCEPTED, accepted, answer
from app.executions.awaiting import wait_for_change, wait_for_end
from app.executions.change_body import ChangeRequest
from app.executions.history_schemas import AttemptList, EventList, EventView
from app.executions.query import ListQuery
from app.executions.record import Record
from app.executions.requests import CancelRequest, PauseRequest, Submission, SubmitQuery, WaitQuery
from app.executions.revision import revision_of
from app.executions.schemas import Execution, ExecutionList, Rehearsal
from app.executions.states import Status
from app.idempotency.header import IdempotencyKeyDep
from app.telling import judged_by

router = APIRouter(prefix="/v1/executions", tags=["executions"], route_class=judged_by(submitting.find_reasons))
one = APIRouter(prefix="/v1/executions/{id}", tags=["executions"], route_class=BodyRoute)

# For programs that do not read JSON.
STATUS_HEADER = "Tailrace-Status"
STATUS = {"schema": {"type": "string", "enum": [*Status]}, "description": "Its `status`"}


@router.post(
    "",
    operation_id="submit_execution",
    summary="Submit an execution",
    status_code=201,
    response_model=Execution,
    responses={
        200: {"model": Rehearsal, "description": "A dry run: it would have been accepted"},
        409: {"description": "Its method is disabled"},
        429: {"description": "You have as many queued as you may"},
        201: ACCEPTED,
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
    if query.dry_run:
        record = await submitting.rehearse(process, caller, submission)
        return answer(Rehearsal(accepted=True, execution=Execution.of(record)))
    once = submission.once(key, process.vault) if key is not None else None
    submitted = await submitting.submit(process, caller, submission, once)
    return accepted(submitted, process, background, metrics)


@router.get("", operation_id="list_executions", summary="List and search executions")
async def list_executions(
    query: Annotated[ListQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> ExecutionList:
    """Yours, or with the scope `admin` everybody's; newest first, unless `sort` says otherwise. Follow `next`."""
    records, more = await service.get_page(
        process, caller, query.filter(), limit=query.limit, sort=query.sort, after=query.after
    )
    return ExecutionList.of(records, next_=query.cursor_behind(records[-1]) if more else None)


@one.get(
    "",
    operation_id="get_execution",
    summary="One execution; with `wait` once it has ended, or changed",
    response_model=Execution,
    responses={
        200: {"description": "The record", "headers": {"ETag": {"schema": {"type": "string"}}, STATUS_HEADER: STATUS}},
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
    """With `wait` the answer comes when the execution ends, or after so many seconds as it then stands.

    With `wait` and `If-None-Match` it comes as soon as it is another answer than that with this ETag: 304 is that it
    has not become one.
    """

    async def shown(record: Record) -> Response:
        shown = Execution.of(record, await service.look_ahead(process, record))
        return answer(shown, headers={STATUS_HEADER: shown.status})

    async def differs(record: Record) -> bool:
        return not is_known(request, _etag_of(await shown(record)))

    async def is_over() -> bool:
        # At a shutdown the answer as it stands now is worth more than a broken connection in a moment.
        return request.app.state.is_closing() or await request.is_disconnected()

    if "if-none-match" in request.headers:
        record = await wait_for_change(process, caller, execution, differs, within=query.wait, is_over=is_over)
    else:
        record = await wait_for_end(process, caller, execution, within=query.wait, is_over=is_over)
    return _unless_known(request, await shown(record))


@one.patch(
    "",
    operation_id="change_execution",
    summary="Change its name, note, labels, priority or limits",
    responses={
        409: {"description": "It is too late for one of these; nothing was changed"},
        412: {"description": "One of these was changed since it had the revision in `If-Match`"},
    },
)
async def change_execution(
    execution: ExecutionId,
    change: ChangeRequest,
    request: Request,
    process: ProcessDep,
    background: BackgroundDep,
    caller: CancelerDep,
) -> Execution:
    """A JSON merge patch. The clocks of one that runs move with its limits, its deadline at once.

    With `If-Match: "<revision>"` nothing is changed that somebody else has changed since it had that `revision`.
    """
    patched = await patching.patch(
        process, caller, execution, change.wanted, check=lambda now: check_match(request, f'"{revision_of(now)}"')
    )
    background.start(patching.tell(process, patched), what="change")
    return Execution.of(patched.record)


@one.get("/events", operation_id="list_events", summary="Its history")
async def list_events(execution: ExecutionId, process: ProcessDep, caller: ReaderDep) -> EventList:
    """Every change of its status, and who changed, held, paused or forced what. Oldest first, and only added to."""
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
    background.start(settling.tell(process, outcome), what="cancel")
    return answer(Execution.of(outcome.record), status=202 if outcome.accepted else 200)


@one.post(
    "/pause",
    operation_id="pause_execution",
    summary="Let it stand still",
    status_code=202,
    response_model=Execution,
    responses={
        200: {"model": Execution, "description": "It is paused already"},
        202: {"description": "It is being paused"},
        409: {"description": "It does not run, or does not save checkpoints"},
    },
)
async def pause_execution(
    execution: ExecutionId,
    process: ProcessDep,
    background: BackgroundDep,
    caller: CancelerDep,
    how: PauseRequest | None = None,
) -> Response:
    """Frozen, or by its checkpoint. Its clocks stand still with it; `resume` and `cancel` go on from there."""
    outcome = await pausing.pause(process, caller, execution, how.mode if how else None)
    background.start(pausing.tell_pause(process, outcome), what="pause")
    return answer(Execution.of(outcome.record), status=202 if outcome.accepted else 200)


@one.post(
    "/resume",
    operation_id="resume_execution",
    summary="Let it go on",
    status_code=202,
    response_model=Execution,
    responses={
        200: {"model": Execution, "description": "It is not paused"},
        202: {"description": "It goes on, from the queue if it was paused by its checkpoint; or will not be paused"},
        409: {"description": "It is being stopped, or has ended"},
    },
)
async def resume_execution(
    execution: ExecutionId, process: ProcessDep, background: BackgroundDep, caller: CancelerDep, metrics: MetricsDep
) -> Response:
    """A frozen program goes on where it was, any other with its checkpoint in a new container."""
    outcome = await pausing.resume(process, caller, execution)
    metrics.moved(outcome.event)
    background.start(pausing.tell_pause(process, outcome), what="resume")
    return answer(Execution.of(outcome.record), status=202 if outcome.accepted else 200)


@one.post(
    "/hold",
    operation_id="hold_execution",
    summary="Keep it in the queue",
    responses={409: {"description": "It is not queued any more"}},
)
async def hold_execution(
    execution: ExecutionId, process: ProcessDep, background: BackgroundDep, caller: CancelerDep
) -> Execution:
    """Nobody starts it until it is released. What is held already stays so."""
    record = await holding.hold(process, caller, execution)
    background.start(holding.tell(process, record), what="hold")
    return Execution.of(record)


@one.post(
    "/release",
    operation_id="release_execution",
    summary="Let it go on to its turn",
    responses={409: {"description": "It has ended"}},
)
async def release_execution(
    execution: ExecutionId, process: ProcessDep, background: BackgroundDep, caller: CancelerDep
) -> Execution:
    """Its waiting begins now. What is not held, or has left the queue, stays as it is."""
    record = await holding.release(process, caller, execution)
    background.start(holding.tell(process, record), what="release")
    return Execution.of(record)


def _etag_of(response: Response) -> str:
    return f'"{hashlib.blake2b(response.body, digest_size=16).hexdigest()}"'


def _unless_known(request: Request, response: Response) -> Response:
    """Add an ETag, which is of the answer itself; without a body if the client has this answer already."""
    etag = _etag_of(response)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
