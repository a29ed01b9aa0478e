"""`GET …/logs` and THE WEBSOCKET. Thin: who is asking, for what, and then `tail`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, NamedTuple
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import QueryParams

from app.auth.service import authenticate
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import is_outage, snapshot
from app.deps import ExecutionId, MetricsDep, ProcessDep, ReaderDep
from app.errors import FieldError, InvalidRequest, NotAcceptable, NotAllowed, NotAuthenticated, NotFound, ServiceError
from app.executions import repository
from app.executions.record import Record
from app.logs.protocol import CloseCode, LogStream, hello_frame
from app.logs.store import last_seq
from app.logs.tail import tail
from app.logs.view import ALL_STREAMS, MEDIA_TYPES, Format, View, frames
from app.observability.metrics import ApiMetrics

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1/executions/{id}", tags=["logs"])

MAX_SEQ = 2**62
MAX_DIGITS = len(str(MAX_SEQ))


class LogQuery(BaseModel):
    """What part of the log, and in which shape."""

    model_config = ConfigDict(extra="forbid")

    format: Format | None = Field(default=None, description="Overrides `Accept`")
    after: int = Field(default=0, ge=0, le=MAX_SEQ, description="Only lines with a seq above this")
    tail: int | None = Field(default=None, ge=0, le=MAX_SEQ, description="Only the last so many lines")
    streams: str = Field(default="stdout,stderr", description="Any of stdout, stderr, system; separated by commas")
    follow: bool = Field(default=False, description="Go on until the execution ends")
    download: bool = Field(default=False, description="As an attachment")


@router.get(
    "/logs",
    operation_id="read_logs",
    summary="The log: plain text, NDJSON, server-sent events or raw bytes",
    response_class=StreamingResponse,
    responses={200: {"content": {media: {} for media in MEDIA_TYPES.values()}, "description": "The log"}},
)
async def read_logs(
    execution: ExecutionId,
    process: ProcessDep,
    caller: ReaderDep,
    metrics: MetricsDep,
    query: Annotated[LogQuery, Query()],
    accept: Annotated[str, Header()] = "*/*",
    last_event_id: Annotated[int | None, Header(ge=0, le=MAX_SEQ)] = None,
) -> StreamingResponse:
    """Lines after `after`. `follow` streams until the end; a browser's EventSource resumes by `Last-Event-ID`."""
    view = View(query.format or _negotiate(accept), parse_streams(query.streams))
    start = await _start(process, execution, caller.sees, after=last_event_id or query.after, last=query.tail)
    # The exact bytes of invalid UTF-8 are only in the store, so a raw view ends where the store does.
    follow = query.follow and view.format is not Format.RAW
    items = tail(process, execution, after=start.after, event=start.event, follow=follow)
    if follow:
        items = metrics.tailed(items)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no"}
    if query.download:
        headers["Content-Disposition"] = f'attachment; filename="{execution}.log"'
    return StreamingResponse(view.encode(items), media_type=MEDIA_TYPES[view.format], headers=headers)


@router.websocket("/tail")
async def tail_socket(socket: WebSocket) -> None:
    """The log live, as frames of `protocol.py`. A refusal sends no frame, only a close code."""
    process: Process = socket.app.state.process
    # A close code reaches the client only after the handshake: an HTTP refusal shows as 1006 in browsers.
    await socket.accept()
    try:
        caller = await authenticate(process, socket.headers)
        caller.require(Scope.READ)
        query = _TailQuery(socket.path_params["id"], socket.query_params)
        start = await _start(process, query.execution, caller.sees, after=query.after, last=query.last)
    except ServiceError as error:
        await _close(socket, _CLOSE.get(type(error), CloseCode.BAD_REQUEST), error.detail[:120])
        return
    except Exception as error:
        if not is_outage(error):
            raise
        await _close(socket, CloseCode.RESTARTING, "the database is away, try again")
        return
    metrics: ApiMetrics = socket.app.state.metrics
    with metrics.tailing():
        await _Session(socket, process.settings.stalled_after).run(_frames(process, start, query.streams))


_CLOSE = {
    NotAuthenticated: CloseCode.NOT_AUTHENTICATED,
    NotAllowed: CloseCode.NOT_ALLOWED,
    NotFound: CloseCode.NOT_FOUND,
}


async def _close(socket: WebSocket, code: CloseCode, reason: str = "") -> None:
    """Say why we go, to a client that may be gone already."""
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(code, reason)


class _TailQuery:
    """The query of the WebSocket, checked by hand because a refusal must be a close code."""

    def __init__(self, execution: str, params: QueryParams) -> None:
        try:
            self.execution = UUID(execution)
        except ValueError:
            raise NotFound("There is no such execution.") from None
        unknown = set(params) - {"after", "tail", "streams"}
        if unknown:
            raise InvalidRequest(f"Unknown parameter: {', '.join(sorted(unknown))}")
        self.after = _seq(params, "after") or 0
        self.last = _seq(params, "tail")
        self.streams = parse_streams(params["streams"]) if "streams" in params else ALL_STREAMS


def _seq(params: QueryParams, name: str) -> int | None:
    value = params.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS and int(value) <= MAX_SEQ):
        raise InvalidRequest(f"`{name}` must be a whole number from 0 on.")
    return int(value)


class _Session:
    """One open socket: a send loop with a bound on each send, and a receive loop that notices when the client goes."""

    def __init__(self, socket: WebSocket, stalled_after: float) -> None:
        self._socket = socket
        self._stalled_after = stalled_after

    async def run(self, frames: AsyncIterator[bytes]) -> None:
        """Until the frames end, the client leaves, or it takes nothing any more."""
        sender = asyncio.create_task(self._send(frames))
        receiver = asyncio.create_task(self._drain())
        try:
            await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
            finished = sender.done()
        finally:
            sender.cancel()
            receiver.cancel()
            results = await asyncio.gather(sender, receiver, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | TimeoutError):
                raise result
        if finished and results[0] is None:
            await _close(self._socket, CloseCode.ENDED)

    async def _send(self, frames: AsyncIterator[bytes]) -> None:
        async for frame in frames:
            async with asyncio.timeout(self._stalled_after):
                await self._socket.send_text(frame.decode())

    async def _drain(self) -> None:
        # Without a pending receive the server sees no pongs and cuts a healthy client.
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            pass


async def _frames(process: Process, start: _Start, streams: frozenset[LogStream]) -> AsyncIterator[bytes]:
    yield hello_frame(start.record.id, start.record.status, start.after)
    async for item in tail(process, start.record.id, after=start.after, event=start.event):
        for frame in frames(item, streams):
            yield frame


class _Start(NamedTuple):
    """Where a reader begins; events up to `event` are in `record` already."""

    record: Record
    after: int
    event: int


async def _start(process: Process, execution: UUID, owner: str | None, *, after: int, last: int | None) -> _Start:
    # One and the same state: what is in the record is not told again, and nothing is left out.
    async with snapshot(process.database) as connection:
        events = await repository.list_events(connection, execution)
        record = await repository.find(connection, execution, owner=owner)
        if record is None:
            raise NotFound(f"There is no execution {execution}.")
        if last is not None:
            after = max(after, await last_seq(connection, execution) - last)
        return _Start(record, after, events[-1].number)


def parse_streams(text: str) -> frozenset[LogStream]:
    """`stdout,system` → a set. Raises `InvalidRequest`."""
    try:
        return frozenset(LogStream(name.strip()) for name in text.split(","))
    except ValueError:
        message = "must be any of stdout, stderr and system, separated by commas"
        field = FieldError("streams", "unknown_stream", message)
        raise InvalidRequest(f"`streams` {message}.", fields=[field]) from None


def _negotiate(accept: str) -> Format:
    """The first media type of `Accept` that we have; quality values are not weighed."""
    for wanted in (part.split(";")[0].strip().lower() for part in accept.split(",")):
        if wanted in {"*/*", "text/*"}:
            return Format.TEXT
        for format_, media_type in MEDIA_TYPES.items():
            if wanted == media_type:
                return format_
    raise NotAcceptable(f"The log can be had as {', '.join(MEDIA_TYPES.values())}.")
