"""/v1/tokens, and the shares of an execution. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from app.auth import granting, lineage, sessions, shares
from app.auth.cookies import cookie_name, share_cookie_name
from app.auth.schemas import (
    LoginView,
    NewShare,
    NewToken,
    RevokedView,
    RevokeQuery,
    SessionView,
    SharedView,
    ShareList,
    ShareView,
    ShareWithSecret,
    TicketView,
    TokenList,
    TokenQuery,
    TokenView,
    TokenWithSecret,
)
from app.auth.tokens import SHARE_PREFIX
from app.deps import BackgroundDep, BodyRoute, CallerDep, ExecutionId, ProcessDep, ReaderDep, SubmitterDep

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], route_class=BodyRoute)
one = APIRouter(prefix="/v1/tokens/{id}", tags=["tokens"], route_class=BodyRoute)
browsers = APIRouter(prefix="/v1", tags=["tokens"], route_class=BodyRoute)
sharing = APIRouter(prefix="/v1/executions/{id}/shares", tags=["tokens"], route_class=BodyRoute)
shown = APIRouter(prefix="/v1/executions/{id}/share", tags=["tokens"], route_class=BodyRoute)
one_share = APIRouter(prefix="/v1/executions/{id}/shares/{share}", tags=["tokens"], route_class=BodyRoute)

TokenId = Annotated[UUID, Path(alias="id", description="The token's id")]
ShareId = Annotated[UUID, Path(alias="share", description="The share's id")]
MADE = {"headers": {"Location": {"schema": {"type": "string"}}}}


@router.post(
    "",
    operation_id="make_token",
    summary="Make a token",
    status_code=201,
    responses={
        201: {"description": "It is valid from now on, and not shown again", **MADE},
        429: {"description": "The owner has as many valid ones as may be"},
    },
)
async def make_token(new: NewToken, response: Response, process: ProcessDep, caller: CallerDep) -> TokenWithSecret:
    """With any token: one of yours that may no more than that, and not for longer. An admin's may be anybody's."""
    record, token = await granting.make(process, caller, new.wanted())
    _never_kept(response, f"/v1/tokens/{record.id}")
    return TokenWithSecret.showing(record, token)


@router.get("", operation_id="list_tokens", summary="List tokens")
async def list_tokens(query: Annotated[TokenQuery, Query()], process: ProcessDep, caller: ReaderDep) -> TokenList:
    """Yours, or with the scope `admin` everybody's; newest first."""
    found, more = await granting.get_page(
        process,
        caller,
        owner=query.owner,
        kind=query.kind,
        dead=query.all,
        limit=query.limit,
        before=query.cursor,
    )
    return TokenList.of(found, more=more)


@one.get("", operation_id="get_token", summary="One token")
async def get_token(token: TokenId, process: ProcessDep, caller: ReaderDep) -> TokenView:
    """What it may do, and when it was used."""
    return TokenView.of(await granting.get(process, caller, token))


@one.delete(
    "",
    operation_id="revoke_token",
    summary="Revoke it",
    status_code=204,
    responses={200: {"description": "With `descendants=true`: all that has ended", "model": RevokedView}},
)
async def revoke_token(
    token: TokenId,
    query: Annotated[RevokeQuery, Query()],
    process: ProcessDep,
    background: BackgroundDep,
    caller: CallerDep,
) -> Response:
    """At once: what is open by it ends, too. One that may more than yours is refused; itself any token may revoke.

    With `descendants` so does all that was made with it, and with what that made: tokens and shares are revoked,
    schedules, triggers, webhooks and notifications that it has set are switched off.
    """
    if query.descendants:
        ended = await lineage.revoke(process, caller, token)
        background.start(lineage.tell(process, ended), what="revoke")
        return JSONResponse(RevokedView.of(ended).model_dump(mode="json"))
    revoked = await granting.revoke(process, caller, token)
    background.start(granting.tell(process, *revoked), what="revoke")
    return Response(status_code=204)


@browsers.post(
    "/session",
    operation_id="begin_session",
    summary="Begin a session of a browser",
    status_code=201,
    responses={
        201: {"description": "The cookie is set", "headers": {"Set-Cookie": {"schema": {"type": "string"}}}},
    },
)
async def begin_session(request: Request, response: Response, process: ProcessDep, caller: CallerDep) -> SessionView:
    """The token goes, and a cookie comes that no script can read and no other site can use; for 12 hours at most."""
    record, token = await sessions.begin(process, caller)
    _never_kept(response, "/v1/session")
    secure = _is_secure(request)
    response.set_cookie(
        cookie_name(secure=secure),
        token,
        max_age=sessions.SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return SessionView(owner=record.owner, scopes=sorted(record.scopes), expires_at=record.expires_at)


@browsers.delete("/session", operation_id="end_session", summary="End the session", status_code=204)
async def end_session(
    request: Request, response: Response, process: ProcessDep, background: BackgroundDep, caller: CallerDep
) -> None:
    """At once, also where it has something open. The token that it was begun with stays valid."""
    background.start(granting.tell(process, *await sessions.end(process, caller)), what="revoke")
    secure = _is_secure(request)
    response.delete_cookie(cookie_name(secure=secure), httponly=True, samesite="strict", secure=secure)


@browsers.post(
    "/session/tickets",
    operation_id="get_login",
    summary="Get an address that logs a browser in",
    status_code=201,
    responses={201: {"description": "It begins one session, within ten minutes"}},
)
async def get_login(request: Request, response: Response, process: ProcessDep, caller: CallerDep) -> LoginView:
    """For a browser that is not to have the token itself. Its session may what your token may, and ends with it."""
    ticket, until = await sessions.give_login(process, caller)
    response.headers["Cache-Control"] = "no-store"
    return LoginView.showing(ticket, until, str(request.base_url).rstrip("/"))


@browsers.post(
    "/ws-tickets",
    operation_id="get_ticket",
    summary="Get a ticket for a WebSocket",
    status_code=201,
    responses={201: {"description": "It is good for one connection, for 30 seconds"}},
)
async def get_ticket(response: Response, process: ProcessDep, caller: ReaderDep) -> TicketView:
    """For who can send no header with it: `?ticket=` in the address. What is opened by it ends with your token."""
    ticket, until = await sessions.give_ticket(process, caller)
    response.headers["Cache-Control"] = "no-store"
    return TicketView(ticket=ticket, expires_at=until)


@sharing.post(
    "",
    operation_id="share_execution",
    summary="Show it to whoever has an address",
    status_code=201,
    responses={
        201: {"description": "The addresses are valid from now on, and not shown again", **MADE},
        429: {"description": "It is shared as often as may be"},
    },
)
async def share_execution(
    execution: ExecutionId,
    request: Request,
    response: Response,
    process: ProcessDep,
    caller: SubmitterDep,
    how: NewShare | None = None,
) -> ShareWithSecret:
    """Its record, history, log and outputs can be read there without any other token, live too, and nothing else."""
    how = how or NewShare()
    record, token = await shares.make(process, caller, execution, expires_in=how.expires_in, note=how.note)
    _never_kept(response, f"/v1/executions/{execution}/shares/{record.id}")
    return ShareWithSecret.showing(record, token, str(request.base_url).rstrip("/"))


@sharing.get("", operation_id="list_shares", summary="To whom it is shown")
async def list_shares(execution: ExecutionId, process: ProcessDep, caller: ReaderDep) -> ShareList:
    """Also those that have expired or were revoked, for 90 days; newest first."""
    return ShareList(items=[ShareView.of(each) for each in await shares.list_all(process, caller, execution)])


@shown.get("", operation_id="get_share", summary="By which share you see it")
async def get_share(
    execution: ExecutionId, request: Request, response: Response, process: ProcessDep, caller: ReaderDep
) -> SharedView:
    """Who shows it, and until when. A browser gets the share as a cookie, which is of use below this address only, and
    there where `?share=` names its id: for downloads, pages and the WebSocket, at addresses without the token.
    """
    record = await shares.get_own(process, caller, execution)
    response.headers["Cache-Control"] = "no-store"
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    if token.startswith(SHARE_PREFIX):
        secure = _is_secure(request)
        response.set_cookie(
            share_cookie_name(record.id, secure=secure),
            token,
            path=f"/v1/executions/{execution}",
            httponly=True,
            samesite="strict",
            secure=secure,
        )
    return SharedView.of(record)


@one_share.delete("", operation_id="revoke_share", summary="Show it there no longer", status_code=204)
async def revoke_share(
    execution: ExecutionId, share: ShareId, process: ProcessDep, background: BackgroundDep, caller: SubmitterDep
) -> None:
    """At once: who watches there at this moment is cut off."""
    await shares.revoke(process, caller, execution, share)
    background.start(granting.tell(process, share), what="revoke")


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _never_kept(response: Response, location: str) -> None:
    """An answer that no cache may have."""
    response.headers["Location"] = location
    response.headers["Cache-Control"] = "no-store"
