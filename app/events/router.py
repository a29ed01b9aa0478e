"""`WS /v1/events`. Thin: who is asking, for what, and then the feed."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket
from starlette.datastructures import QueryParams

from app.auth.service import Caller
from app.errors import InvalidRequest
from app.events.feed import Feed, Seat
from app.events.wanted import Wanted
from app.executions.states import Status
from app.logs.socket import Session, admit
from app.observability.metrics import ApiMetrics

router = APIRouter(tags=["events"])

PARAMETERS = frozenset({"after", "status", "label", "pool", "owner"})
MAX_CURSOR = 2**62
MAX_DIGITS = len(str(MAX_CURSOR))
MAX_FILTERS = 100


@router.websocket("/v1/events")
async def events_socket(socket: WebSocket) -> None:
    """Every change of status that the caller may see, as frames of `protocol.py`. A refusal is only a close code."""
    feed: Feed = socket.app.state.feed
    metrics: ApiMetrics = socket.app.state.metrics
    joined = await admit(socket, lambda caller: _join(feed, caller, socket.query_params))
    if joined is None:
        return
    seat, after = joined
    try:
        with metrics.following_events():
            await Session(socket).run(feed.follow(seat, after))
    finally:
        feed.leave(seat)


async def _join(feed: Feed, caller: Caller, params: QueryParams) -> tuple[Seat, int | None]:
    after = _cursor(params)
    return await feed.join(_wanted(caller, params)), after


def _wanted(caller: Caller, params: QueryParams) -> Wanted:
    """The filters, checked by hand because a refusal must be a close code. Raises `InvalidRequest`."""
    unknown = set(params) - PARAMETERS
    if unknown:
        raise InvalidRequest(f"Unknown parameter: {', '.join(sorted(unknown))}")
    if len(params.multi_items()) > MAX_FILTERS:
        raise InvalidRequest("There are too many filters.")
    return Wanted(
        owner=_owner(caller, params),
        pools=frozenset(filter(None, params.getlist("pool"))),
        statuses=_statuses(params.getlist("status")),
        labels=_labels(params.getlist("label")),
    )


def _owner(caller: Caller, params: QueryParams) -> str | None:
    owner = params.get("owner") or None
    if owner is not None and caller.sees not in {None, owner}:
        raise InvalidRequest("`owner` can only be yourself, without the scope `admin`.")
    return caller.sees or owner


def _statuses(names: list[str]) -> frozenset[Status]:
    try:
        return frozenset(map(Status, names))
    except ValueError:
        raise InvalidRequest(f"`status` must be one of {', '.join(Status)}; repeat it for several.") from None


def _labels(pairs: list[str]) -> dict[str, str]:
    if any("=" not in pair for pair in pairs):
        raise InvalidRequest("`label` must be written `key=value`; repeat it for several.")
    labels = dict(pair.split("=", 1) for pair in pairs)
    if len(labels) < len(set(pairs)):
        raise InvalidRequest("`label` must name each key once: no execution has two values of one.")
    return labels


def _cursor(params: QueryParams) -> int | None:
    value = params.get("after", "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS and int(value) <= MAX_CURSOR):
        raise InvalidRequest("`after` must be the `cursor` of a frame.")
    return int(value)
