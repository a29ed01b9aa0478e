"""Browsers: a session in a cookie that other sites cannot use, and tickets that open one WebSocket."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

import httpx
import pytest
from served import Api, Submit
from sqlalchemy import text, update

from app.auth.cookies import cookie_name
from app.auth.tables import Ticket, Token
from app.auth.tokens import Scope, hash_token
from app.db.engine import reading, transaction
from app.db.orm import clock
from app.logs.protocol import CloseCode
from support.eventually import eventually
from support.knocking import knock

OWN_PAGE = {"Origin": "http://tailrace"}
COOKIE = cookie_name(secure=False)
Json = dict[str, Any]


async def begin(api: Api, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A browser with a session of this client's."""
    answer = await client.post("/v1/session")
    assert answer.status_code == 201, answer.text
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "strict", "/", "")
    assert cookie.value not in answer.text
    client.cookies.clear()
    browser = await api.client_with(None)
    browser.cookies.set(COOKIE, cookie.value)
    return browser


async def ticket(client: httpx.AsyncClient) -> str:
    answer = await client.post("/v1/ws-tickets")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    given: str = answer.json()["ticket"]
    return given


async def code_with(api: Api, path: str, ticket: str) -> int | None:
    async with knock(api.app, f"{path}?ticket={ticket}") as socket:
        await socket.first()
        return socket.code


async def test_a_session_may_what_its_token_may(api: Api, client: httpx.AsyncClient, submit: Submit) -> None:
    browser = await begin(api, client)
    me = (await client.get("/v1/me")).json()
    seen = (await browser.get("/v1/me")).json()
    own = {"token_id": seen["token_id"], "token_name": "session", "expires_at": seen["expires_at"]}
    assert seen == me | own
    assert seen["token_id"] != me["token_id"]
    assert seen["expires_at"] is not None
    own = f"/v1/executions/{await submit()}"
    assert (await browser.post(f"{own}/cancel", headers=OWN_PAGE)).status_code == 202
    assert (await browser.post("/v1/tokens", headers=OWN_PAGE, json={"name": "t", "role": "admin"})).status_code == 403
    assert (await browser.post("/v1/session", headers=OWN_PAGE)).status_code == 403
    reader = await begin(api, await api.client(me["owner"], Scope.READ))
    assert (await reader.post("/v1/executions", headers=OWN_PAGE, json={"image": "x"})).status_code == 403


@pytest.mark.parametrize(
    "origin", [None, "null", "http://[", "http://evil.example", "http://tailrace.evil.example", "http://tailrace:81"]
)
async def test_no_other_site_can_use_it(
    origin: str | None, api: Api, client: httpx.AsyncClient, submit: Submit
) -> None:
    browser, own = await begin(api, client), f"/v1/executions/{await submit()}"
    headers = {"origin": origin} if origin else {}
    for method, path in (("POST", f"{own}/cancel"), ("DELETE", own), ("PATCH", own), ("DELETE", "/v1/session")):
        answer = await browser.request(method, path, headers=headers)
        assert answer.status_code == 403, (method, path)
        assert "Origin" in answer.json()["hint"]
    cookie = {"cookie": f"{COOKIE}={browser.cookies[COOKIE]}", "host": "tailrace", **headers}
    for path in (f"{own}/tail", "/v1/events"):
        async with knock(api.app, path, **cookie) as socket:
            assert await socket.first() is None
            assert socket.code == CloseCode.NOT_ALLOWED
        async with knock(api.app, path, **{**cookie, "origin": "http://tailrace"}) as socket:
            assert await socket.first()
    assert (await client.get(own)).json()["status"] == "queued"


async def test_it_ends_when_it_is_told_to_and_its_token_does_not(
    api: Api, client: httpx.AsyncClient, submit: Submit
) -> None:
    browser, own = await begin(api, client), f"/v1/executions/{await submit()}"
    cookie = {"cookie": f"{COOKIE}={browser.cookies[COOKIE]}", "host": "tailrace", "origin": "http://tailrace"}
    async with knock(api.app, f"{own}/tail", **cookie) as tail:
        assert await tail.first()
        ended = await browser.delete("/v1/session", headers=OWN_PAGE)
        assert ended.status_code == 204
        assert SimpleCookie(ended.headers["set-cookie"])[COOKIE]["max-age"] == "0"
        _ = [frame async for frame in tail.frames()]
        assert tail.code == CloseCode.NOT_AUTHENTICATED
    stolen = await api.client_with(None)
    assert (await stolen.get("/v1/me", headers={"Cookie": cookie["cookie"]})).status_code == 401
    assert (await client.delete("/v1/session")).status_code == 204
    assert (await client.get("/v1/me")).status_code == 200


async def test_it_ends_with_its_token_and_not_later(api: Api, client: httpx.AsyncClient) -> None:
    made: Json = (await client.post("/v1/tokens", json={"name": "t", "scopes": ["read"], "expires_in": 600})).json()
    browser = await begin(api, await api.client_with(made["token"]))
    listed = {each["name"]: each for each in (await client.get("/v1/tokens")).json()["items"]}
    assert (listed["session"]["made_by"], listed["session"]["expires_at"]) == (made["id"], made["expires_at"])
    assert (listed["session"]["kind"], listed["t"]["kind"], made["kind"]) == ("session", "token", "token")
    # A token may be called as a session is, and is none.
    named = (await client.post("/v1/tokens", json={"name": "session", "scopes": ["read"]})).json()
    by_kind = {
        kind: [each["id"] for each in (await client.get("/v1/tokens", params={"kind": kind})).json()["items"]]
        for kind in ("session", "token", "oidc")
    }
    assert by_kind["session"] == [listed["session"]["id"]]
    assert by_kind["token"][:2] == [named["id"], made["id"]]
    assert by_kind["oidc"] == []
    assert (await client.get("/v1/tokens", params={"kind": "x"})).json()["errors"][0]["field"] == "kind"
    assert (await browser.get("/v1/me")).status_code == 200
    assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
    assert (await browser.get("/v1/me")).status_code == 401


async def test_a_session_that_begins_while_its_token_is_revoked_is_over_too(
    api: Api, client: httpx.AsyncClient
) -> None:
    made: Json = (await client.post("/v1/tokens", json={"name": "t", "scopes": ["read"]})).json()
    holder = await api.client_with(made["token"])
    async with transaction(api.process.database) as connection:
        await connection.execute(update(Token).where(Token.id == UUID(made["id"])).values(revoked_at=clock()))
        beginning = asyncio.create_task(holder.post("/v1/session"))
        await eventually(lambda: _waits_for_a_lock(api))
    assert (await beginning).status_code == 403


async def _waits_for_a_lock(api: Api) -> bool:
    async with reading(api.process.database) as connection:
        return bool((await connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar_one())


async def test_a_ticket_opens_one_socket_once(api: Api, client: httpx.AsyncClient, submit: Submit) -> None:
    own = f"/v1/executions/{await submit()}"
    for path in (f"{own}/tail", "/v1/events"):
        given = await ticket(client)
        codes = await asyncio.gather(*(code_with(api, path, given) for _ in range(3)))
        assert sorted(str(code) for code in codes) == ["4401", "4401", "None"]
    assert (await client.get(own, headers={"Authorization": f"Bearer {await ticket(client)}"})).status_code == 401
    anonymous = await api.client_with(None)
    assert (await anonymous.get(own, params={"ticket": await ticket(client)})).status_code == 401


async def test_a_ticket_is_no_more_than_its_token_and_not_for_long(
    api: Api, client: httpx.AsyncClient, stranger: httpx.AsyncClient, submit: Submit
) -> None:
    tail = f"/v1/executions/{await submit()}/tail"
    assert await code_with(api, tail, await ticket(stranger)) == CloseCode.NOT_FOUND
    old = await ticket(client)
    async with transaction(api.process.database) as connection:
        await connection.execute(update(Ticket).where(Ticket.hash == hash_token(old)).values(expires_at=clock()))
    assert await code_with(api, tail, old) == CloseCode.NOT_AUTHENTICATED
    made = (await client.post("/v1/tokens", json={"name": "t", "scopes": ["read"]})).json()
    early, late = [await ticket(await api.client_with(made["token"])) for _ in range(2)]
    async with knock(api.app, f"{tail}?ticket={early}") as socket:
        assert await socket.first()
        assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
        _ = [frame async for frame in socket.frames()]
        assert socket.code == CloseCode.NOT_AUTHENTICATED
    assert await code_with(api, tail, late) == CloseCode.NOT_AUTHENTICATED
