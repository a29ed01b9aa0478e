"""`WS /v1/events`. Thin: who is asking, for what, and then the feed."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket
from starlette.datastructures import QueryParams

from app.auth.service import Caller
from app.events.feed import Feed, Seat
from app.events.query import EventsQuery
from app.logs.socket import Session, admit
from app.observability.metrics import ApiMetrics

router = APIRouter(tags=["events"])


@router.websocket("/v1/events")
async def events_socket(socket: WebSocket) -> None:
    """Every change of status that the caller may see, as frames of `protocol.py`. A refusal is only a close code."""
    feed: Feed = socket.app.state.feed
    metrics: ApiMetrics = socket.app.state.metrics
    joined = await admit(socket, lambda caller: _join(feed, caller, socket.query_params))
    if joined is None:
        return
    caller, (seat, after) = joined
    try:
        with metrics.following_events():
            await Session(socket, caller).run(feed.follow(seat, after))
    finally:
        feed.leave(seat)


async def _join(feed: Feed, caller: Caller, params: QueryParams) -> tuple[Seat, int | None]:
    query = EventsQuery.of(params, caller)
    return await feed.join(query.wanted(caller)), query.after
