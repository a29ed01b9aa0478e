"""Writes who did what before the answer goes out: what a client was told is done, is on record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import structlog
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.audit.acts import CHANGING, CREATED, PREFIX, Act, current
from app.audit.model import REFUSED, Entry
from app.audit.refusals import Refusals
from app.audit.service import write
from app.bootstrap import Process
from app.db.engine import is_outage

log = structlog.get_logger(__name__)

# They are POST for the sake of their bodies, or of what they give: a ticket only lets somebody look.
UNCHANGING = frozenset({"preview_rule", "get_ticket"})
# They change nothing if they are asked to: all others take no notice of such a word.
REHEARSED = frozenset({"submit_execution", "rerun_execution", "submit_batch", "rerun_batch"})
_CRASHED = 500


class Audited:
    """Middleware, innermost of all. What cannot be written is said in our log, and a client who was to hear of a change
    hears that nothing is certain instead.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] not in CHANGING:
            await self._app(scope, receive, send)
            return
        act, rehearsing = Act(scope), _is_rehearsal(scope)
        process: Process = scope["app"].state.process

        async def keep(answer: Message) -> None:
            if not (rehearsing and act.action in REHEARSED):
                await _keep(process, act, answer, self._refusals)

        answering = _Answering(send, keep)
        entered = current.set(act)
        try:
            await self._app(scope, receive, answering)
        except asyncio.CancelledError:
            # We are to end at once: there is no time for more.
            if not act.is_written and (entry := act.entry(_CRASHED)):
                _say(entry)
            raise
        except Exception as error:
            if not act.is_written and (entry := act.entry(_CRASHED)):
                await _try(process, entry, is_worth_it=not is_outage(error))
            raise
        finally:
            current.reset(entered)
        if answering.failure is not None:
            raise answering.failure


class _Answering:
    """A `send` that keeps first. Where that fails nothing is sent: to raise here would be to raise inside of an answer
    that has begun, as the framework sees it, and there would be no other one.
    """

    def __init__(self, send: Send, keep: Callable[[Message], Awaitable[None]]) -> None:
        self._send = send
        self._keep = keep
        self.failure: Exception | None = None

    async def __call__(self, message: Message) -> None:
        try:
            if message["type"] == "http.response.start":
                await self._keep(message)
        except Exception as error:  # noqa: BLE001 - raised by `Audited`
            self.failure = error
        if self.failure is None:
            await self._send(message)


async def _keep(process: Process, act: Act, answer: Message, refusals: Refusals) -> None:
    headers, status = Headers(raw=answer["headers"]), answer["status"]
    if act.is_written or act.action in UNCHANGING or "idempotency-replayed" in headers:
        return
    act.is_written = True  # or tried
    made = headers.get("location", "").partition("?")[0].removeprefix(PREFIX) if status == CREATED else ""
    entry = act.entry(status, made or None)
    if entry is None:
        return
    if status >= REFUSED:
        if refusals.take(entry):
            await _try(process, entry)
        return
    try:
        if made:
            await act.look_up(process, made)
            entry = act.entry(status, made) or entry
        await write(process, entry)
    except (Exception, asyncio.CancelledError):
        _say(entry)
        raise


async def _try(process: Process, entry: Entry, *, is_worth_it: bool = True) -> None:
    """Write it; it is no reason to answer anything else if that fails."""
    try:
        if is_worth_it:
            await write(process, entry)
        else:
            _say(entry)
    except Exception:  # noqa: BLE001 - it is said
        _say(entry)


def _say(entry: Entry) -> None:
    """In our own log, whole: there is no other place left."""
    log.error("audit.not_written", entry={name: str(value) for name, value in asdict(entry).items()})


def _is_rehearsal(scope: Scope) -> bool:
    return QueryParams(scope["query_string"]).get("dry_run", "").lower() in {"1", "true", "t", "yes", "y", "on"}
