"""`GET …/logs` and THE WEBSOCKET. Thin: who is asking, for what, and then `read`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, WebSocket
from fastapi.responses import StreamingResponse
from starlette.datastructures import QueryParams

from app.attachment import attachment
from app.auth.streaming import FollowResponse
from app.bootstrap import Process
from app.deps import ExecutionId, MetricsDep, ProcessDep, ReaderDep
from app.errors import FieldError, InvalidRequest, NotAcceptable, NotFound
from app.executions.record import Record
from app.logs.download import file_name, gzip, takes_gzip
from app.logs.narrowing import Chosen, More
from app.logs.protocol import hello_frame
from app.logs.query import Ansi, LogQuery, ReaderHeaders, TailQuery
from app.logs.reading import Start, begin, read
from app.logs.socket import Session, admit, refuse
from app.logs.tail import Ended, Notice
from app.logs.view import MEDIA_TYPES, LogFormat, View, frames
from app.observability.metrics import ApiMetrics

router = APIRouter(prefix="/v1/executions/{id}", tags=["logs"])

GZIP = "application/gzip"
HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Accel-Buffering": "no",
}


@router.get(
    "/logs",
    operation_id="read_logs",
    summary="The log: plain text, NDJSON, server-sent events or raw bytes",
    response_class=StreamingResponse,
    responses={
        200: {"content": {media: {} for media in (*MEDIA_TYPES.values(), GZIP)}, "description": "The log"},
        406: {"description": "None of the media types that `Accept` names"},
    },
)
async def read_logs(
    execution: ExecutionId,
    process: ProcessDep,
    caller: ReaderDep,
    metrics: MetricsDep,
    query: Annotated[LogQuery, Query()],
    asked: Annotated[ReaderHeaders, Header()],
) -> StreamingResponse:
    """Any part of it, while the program runs and afterwards. `follow` streams until the end; a browser's EventSource
    resumes by `Last-Event-ID`.
    """
    format_ = query.format or _negotiate(asked.accept)
    if asked.last_event_id is not None:
        query = query.resumed(asked.last_event_id)
    _check(query, format_)
    # The exact bytes of invalid UTF-8 are only in the store, so a raw view ends where the store does.
    follow = query.follow and format_ is not LogFormat.RAW
    start = await begin(process, execution, caller.sees, query, follow=follow)
    items = read(process, start, follow=follow)
    if format_ is LogFormat.SSE:
        items = _greeted(start, items)
    body = View(format_, timestamps=query.timestamps).encode(metrics.tailed(items) if follow else items)
    headers = HEADERS | _disposition(query, start.record, format_)
    media_type = GZIP if query.compress else MEDIA_TYPES[format_]
    if query.compress:
        body = gzip(body, live=follow)
    if follow:
        return FollowResponse(process, caller, body, media_type=media_type, headers=headers)
    if takes_gzip(asked.accept_encoding) and not query.compress and format_ is not LogFormat.SSE:
        headers["Content-Encoding"] = "gzip"
        body = gzip(body, live=False)
    return StreamingResponse(body, media_type=media_type, headers=headers)


@router.websocket("/tail")
async def tail_socket(socket: WebSocket) -> None:
    """The log live, as frames of `protocol.py`. A refusal sends no frame, only a close code."""
    process: Process = socket.app.state.process
    execution = _execution_of(socket)
    admitted = await admit(
        socket, lambda caller: _begin(process, execution, caller.sees, socket.query_params), shown=execution
    )
    if admitted is None:
        return
    caller, start = admitted
    metrics: ApiMetrics = socket.app.state.metrics
    with metrics.tailing():
        try:
            await Session(socket, caller).run(_frames(process, start))
        except NotFound as gone:
            await refuse(socket, gone)


async def _begin(process: Process, execution: UUID | None, owner: str | None, params: QueryParams) -> Start:
    """One look for all who come at once and ask the same, such as when the API is back."""
    if execution is None:
        raise NotFound("There is no such execution.")
    query = TailQuery.of(params)
    question = (execution, owner, str(params))
    return await process.sharing.ask(question, lambda: begin(process, execution, owner, query))


def _execution_of(socket: WebSocket) -> UUID | None:
    """Whom the address names; None if that is no id. Who calls is to be asked before it is judged."""
    try:
        return UUID(socket.path_params["id"])
    except ValueError:
        return None


def _hello(start: Start) -> bytes:
    return hello_frame(start.record.id, start.record.status, start.selection.after)


async def _greeted(start: Start, items: AsyncIterator[Chosen]) -> AsyncIterator[Chosen]:
    # It has no id: until something follows, who comes back asks the same again.
    yield Notice(_hello(start))
    async for item in items:
        yield item


async def _frames(process: Process, start: Start) -> AsyncIterator[bytes]:
    yield _hello(start)
    item: Chosen | None = None
    async for item in read(process, start):
        for frame in frames(item):
            yield frame
    if not isinstance(item, Ended | More):
        raise NotFound("It was deleted meanwhile.")


def _check(query: LogQuery, format_: LogFormat) -> None:
    if format_ is LogFormat.RAW and query.ansi is Ansi.STRIP:
        message = "cannot be `strip` where the format is raw: those are the exact bytes"
        raise InvalidRequest(f"`ansi` {message}.", fields=[FieldError("ansi", "not_for_raw", message)])


def _disposition(query: LogQuery, record: Record, format_: LogFormat) -> dict[str, str]:
    if not query.download:
        return {}
    return {"Content-Disposition": attachment(file_name(record, format_, gzipped=query.compress is not None))}


def _negotiate(accept: str) -> LogFormat:
    """The first media type of `Accept` that we have; quality values are not weighed."""
    for wanted in (part.split(";")[0].strip().lower() for part in accept.split(",")):
        if wanted in {"*/*", "text/*"}:
            return LogFormat.TEXT
        for format_, media_type in MEDIA_TYPES.items():
            if wanted == media_type:
                return format_
    raise NotAcceptable(f"The log can be had as {', '.join(MEDIA_TYPES.values())}.")
