"""What browsers get: pages that load nothing of others, an address that logs in once, and headers with every answer."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

import httpx
import pytest
from served import Api, Submit
from sqlalchemy import update

from app.auth.cookies import cookie_name
from app.auth.tables import Ticket
from app.auth.tokens import Scope, hash_token
from app.db.engine import transaction
from app.db.orm import clock
from app.pages import HEADERS

OWN_PAGE = {"Origin": "https://tailrace"}


def directives(answer: httpx.Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    return {name: values for name, *values in parts}


async def test_no_answer_may_do_more_than_it_is_meant_for(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    for answer in [
        await anonymous.get("/"),
        await anonymous.get("/v1/me"),
        await anonymous.get("/nothing"),
        await anonymous.put("/healthz"),
        await client.get("/v1/me"),
        await client.post("/v1/executions", content=b"{", headers={"Content-Type": "application/json"}),
    ]:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert directives(answer)["default-src"] == ["'none'"]


@pytest.mark.parametrize("path", ["/docs", "/login"])
async def test_a_page_runs_what_is_written_in_it_and_nothing_else(path: str, anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get(path)
    allowed = directives(page)
    assert (allowed["default-src"], allowed["frame-ancestors"], allowed["form-action"]) == (["'none'"],) * 3
    assert not re.findall(r"unsafe|http|\*", page.headers["content-security-policy"])
    inline = re.findall(r"<script>", page.text)
    assert len([source for source in allowed["script-src"] if source.startswith("'sha256-")]) == len(inline) > 0
    assert not re.findall(r"https?://|[\"']//|\son\w+=|\sstyle=", page.text)


async def test_an_address_logs_a_browser_in_once(api: Api, submit: Submit) -> None:
    giver = await api.client(None, Scope.READ, Scope.SUBMIT)
    made = await giver.post("https://tailrace/v1/session/tickets")
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    page, _, ticket = made.json()["links"]["login"].partition("#")
    assert (page, ticket) == ("https://tailrace/login", made.json()["ticket"])
    browser = await api.client_with(None)
    bearer = {"Authorization": f"Bearer {ticket}"}
    # It is good for that, and to be only looked at does not use it up.
    assert (await browser.get("/v1/me", headers=bearer)).status_code == 401
    assert (await browser.get(page)).status_code == 200
    begun = await browser.post("https://tailrace/v1/session", headers=bearer)
    assert begun.status_code == 201, begun.text
    cookie = SimpleCookie(begun.headers["set-cookie"])[cookie_name(secure=True)]
    assert (cookie["secure"], cookie["path"], cookie["domain"], cookie["samesite"]) == (True, "/", "", "strict")
    assert (await browser.post("https://tailrace/v1/session", headers=bearer)).status_code == 401
    me = (await browser.get("https://tailrace/v1/me")).json()
    assert me["owner"] == (await giver.get("/v1/me")).json()["owner"]
    submitted = await browser.post("https://tailrace/v1/executions", json={"image": "x"}, headers=OWN_PAGE)
    assert submitted.status_code == 201
    # A session begins none, and gives nothing that does.
    assert (await browser.post("https://tailrace/v1/session/tickets", headers=OWN_PAGE)).status_code == 403
    acts = [entry["action"] for entry in (await giver.get("/v1/audit")).json()["items"]]
    assert acts[-2:] == ["begin_session", "get_login"]


async def test_an_address_that_logs_in_is_not_good_for_long(api: Api, client: httpx.AsyncClient) -> None:
    ticket = (await client.post("/v1/session/tickets")).json()["ticket"]
    async with transaction(api.process.database) as connection:
        await connection.execute(update(Ticket).where(Ticket.hash == hash_token(ticket)).values(expires_at=clock()))
    late = await (await api.client_with(ticket)).post("/v1/session")
    assert late.status_code == 401
    # Nor does what opens a WebSocket begin one.
    other = (await client.post("/v1/ws-tickets")).json()["ticket"]
    assert (await (await api.client_with(other)).post("/v1/session")).status_code == 401
