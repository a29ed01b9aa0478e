"""Users of an OpenID Connect issuer: what they may here, for how long, and what they leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from served import Api, running
from sqlalchemy import func, select, text, update

from app.auth.cookies import cookie_name
from app.auth.model import DEAD_PER_OWNER, TOKENS_PER_OWNER
from app.auth.service import find_owner
from app.auth.tables import Token
from app.auth.tokens import Scope
from app.db.engine import reading, transaction
from app.db.orm import clock
from app.logs.protocol import CloseCode
from app.settings import Settings
from support.eventually import eventually
from support.issuer import AUDIENCE, Issuer, Key, issuing
from support.knocking import knock

SKEW = 1
RUN = {"image": "busybox:local"}
Json = dict[str, Any]


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="module")
async def open_to_all(settings: Settings, issuer: Issuer) -> AsyncIterator[Api]:
    """An API that takes tokens of the issuer."""
    known = {"oidc_issuer": issuer.name, "oidc_audience": AUDIENCE, "oidc_clock_skew": SKEW}
    roles = {"oidc_viewers": "wall", "oidc_operators": "ops", "oidc_admins": "root"}
    async with running(settings.model_copy(update=known | roles)) as api:
        yield api


@pytest.fixture
def subject() -> str:
    return f"subject-{uuid4().hex[:8]}"


async def as_(api: Api, issuer: Issuer, subject: str, *roles: str, **claims: Any) -> httpx.AsyncClient:
    return await api.client_with(issuer.sign(sub=subject, roles=roles, **claims))


async def own_id(api: Api, client: httpx.AsyncClient) -> UUID:
    """The row of the client's token."""
    owner = (await client.get("/v1/me")).json()["owner"]
    newest = select(Token.id).where(Token.owner == owner, Token.vouched_until.is_not(None)).order_by(Token.id.desc())
    async with reading(api.process.database) as connection:
        found: UUID = (await connection.execute(newest.limit(1))).scalar_one()
    return found


async def change(api: Api, token: UUID, **columns: Any) -> None:
    async with transaction(api.process.database) as connection:
        await connection.execute(update(Token).where(Token.id == token).values(**columns))


async def test_users_of_an_issuer_may_what_their_roles_say_with_what_is_theirs(
    open_to_all: Api, issuer: Issuer, subject: str
) -> None:
    api = open_to_all
    ops, viewer = await as_(api, issuer, subject, "ops"), await as_(api, issuer, subject, "wall")
    me = (await ops.get("/v1/me")).json()
    assert (me["owner"], me["scopes"]) == (f"oidc:{subject}", ["cancel", "read", "submit"])
    assert me["token_name"] == f"{subject} at 127.0.0.1"
    assert me["expires_at"] is not None
    own = (await ops.post("/v1/executions", json=RUN)).headers["location"]
    assert (await viewer.get(own)).status_code == 200
    assert (await viewer.post(f"{own}/cancel")).status_code == 403
    stranger = await as_(api, issuer, f"{subject}-2", "ops")
    assert (await stranger.get(own)).status_code == 404
    assert (await (await as_(api, issuer, f"{subject}-3", "root")).get(own)).status_code == 200
    nobody = await as_(api, issuer, subject)
    assert (await nobody.get("/v1/me")).json()["scopes"] == []
    assert (await nobody.get(own)).status_code == 403
    entry = (await ops.get("/v1/audit", params={"action": "submit_execution"})).json()["items"][0]
    assert (entry["actor"], entry["token_name"]) == (me["owner"], me["token_name"])
    assert entry["token_id"] is not None


async def test_what_is_wrong_with_a_token_is_a_problem(open_to_all: Api, api: Api, issuer: Issuer) -> None:
    for claims, word in (({"lasts": -60}, "expired"), ({"aud": "another"}, "audience")):
        answer = await (await as_(open_to_all, issuer, "ann", **claims)).get("/v1/me")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert word in answer.json()["detail"]
        assert answer.json()["hint"]
    elsewhere = await (await as_(api, issuer, "ann", "root")).get("/v1/me")
    assert elsewhere.status_code == 401
    assert "OpenID Connect" in elsewhere.json()["hint"]


async def test_nothing_that_is_made_with_one_is_valid_for_longer(
    open_to_all: Api, issuer: Issuer, subject: str
) -> None:
    api = open_to_all
    ops = await as_(api, issuer, subject, "ops")
    ends = (await ops.get("/v1/me")).json()["expires_at"]
    too_long = await ops.post("/v1/tokens", json={"name": "t", "role": "viewer", "expires_in": 3600})
    assert [each["field"] for each in too_long.json()["errors"]] == ["expires_in"]
    made = (await ops.post("/v1/tokens", json={"name": "t", "role": "viewer"})).json()
    own = (await ops.post("/v1/executions", json=RUN)).headers["location"]
    share = (await ops.post(f"{own}/shares", json={})).json()
    session = await ops.post("/v1/session")
    assert [made["expires_at"], share["expires_at"], session.json()["expires_at"]] == [ends] * 3
    browser = await api.client_with(None)
    name = cookie_name(secure=False)
    browser.cookies.set(name, SimpleCookie(session.headers["set-cookie"])[name].value)
    ops.cookies.clear()
    ticket = (await ops.post("/v1/ws-tickets")).json()["ticket"]
    async with knock(api.app, f"{own}/tail?ticket={ticket}") as tail:
        assert await tail.first()
        assert (await browser.get(own)).status_code == 200
        row = await own_id(api, ops)
        assert (await ops.delete(f"/v1/tokens/{row}")).status_code == 204
        _ = [frame async for frame in tail.frames()]
        assert tail.code == CloseCode.NOT_AUTHENTICATED
    gone = await ops.get(own)
    assert (gone.status_code, "revoked" in gone.json()["hint"]) == (401, True)
    assert (await browser.get(own)).status_code == 401
    assert (await (await as_(api, issuer, subject, "wall")).get(own)).status_code == 200


async def test_what_is_open_ends_when_the_token_does(open_to_all: Api, issuer: Issuer, subject: str) -> None:
    api, held = open_to_all, open_to_all.process.holding._held
    own = (await (await as_(api, issuer, subject, "ops")).post("/v1/executions", json=RUN)).headers["location"]
    token = issuer.sign(sub=subject, roles=["wall"], lasts=3)
    client = await api.client_with(token)
    row = await own_id(api, client)
    waiting = asyncio.create_task(client.get(own, params={"wait": 60}))
    async with knock(api.app, f"{own}/tail", token) as tail:
        assert await tail.first()
        await eventually(lambda: len(held.get(row, ())) == 2)
        _ = [frame async for frame in tail.frames()]
        assert tail.code == CloseCode.NOT_AUTHENTICATED
    assert (await waiting).status_code == 401
    assert (await client.get(own)).status_code == 401


async def _scopes(api: Api, owner: str) -> frozenset[Scope]:
    async with reading(api.process.database) as connection:
        return (await find_owner(connection, owner)).scopes


async def test_what_they_scheduled_goes_on_while_they_are_vouched_for(
    open_to_all: Api, issuer: Issuer, subject: str
) -> None:
    api = open_to_all
    ops, owner = await as_(api, issuer, subject, "ops"), f"oidc:{subject}"
    schedule = {"name": "s", "rule": {"cron": "@yearly"}, "targets": [{"execution": RUN}]}
    made = await ops.post("/v1/schedules", json=schedule)
    assert made.status_code == 201, made.text
    fire, root = made.json()["links"]["fire"], await as_(api, issuer, f"{subject}-2", "root")
    row = await own_id(api, ops)
    await change(api, row, expires_at=clock() - timedelta(hours=1))
    assert (await ops.get("/v1/me")).status_code == 401
    assert (await root.post(fire)).json()["status"] == "fired"
    # The newest one says what they may: who was an operator, and comes as a viewer, is no operator any more.
    viewer = await as_(api, issuer, subject, "wall")
    later = await own_id(api, viewer)
    assert later != row
    await change(api, later, expires_at=clock() - timedelta(hours=1))
    assert await _scopes(api, owner) == {Scope.READ}
    refused = await root.post(fire)
    assert "submit" in refused.text, refused.text
    assert refused.json().get("status") != "fired"
    ended = await root.delete(f"/v1/tokens/{later}", params={"descendants": True})
    assert ended.json()["tokens"] == [str(later)]
    assert await _scopes(api, owner) == frozenset()
    await change(api, later, revoked_at=None, vouched_until=clock())
    assert await _scopes(api, owner) == frozenset()


async def test_those_that_ended_are_forgotten_and_none_counts_among_tokens(
    open_to_all: Api, issuer: Issuer, subject: str
) -> None:
    api = open_to_all
    first = await own_id(api, await as_(api, issuer, subject, "ops"))
    maker = await as_(api, issuer, subject, "ops", jti="2")
    assert (await maker.post("/v1/tokens", json={"name": "t", "role": "viewer"})).status_code == 201
    second = await own_id(api, maker)
    for each in (first, second):
        await change(api, each, expires_at=clock() - timedelta(days=8))
    row = text(
        "INSERT INTO tokens (id, hash, name, owner, scopes, expires_at, vouched_until) "
        "SELECT gen_random_uuid(), sha256(gen_random_uuid()::text::bytea), 'x', :owner, '[]', "
        "now() + :lasts, now() FROM generate_series(1, :many)"
    )
    hour, owner = timedelta(hours=1), f"oidc:{subject}"
    async with transaction(api.process.database) as connection:
        await connection.execute(row, {"owner": owner, "many": TOKENS_PER_OWNER, "lasts": hour})
        await connection.execute(row, {"owner": owner, "many": DEAD_PER_OWNER + 3, "lasts": -hour})
    ops = await as_(api, issuer, subject, "ops", jti="3")
    assert (await ops.get(f"/v1/tokens/{first}")).status_code == 404
    async with reading(api.process.database) as connection:
        over = select(func.count()).where(Token.owner == owner, Token.expires_at < clock(), Token.id != second)
        assert (await connection.execute(over)).scalar_one() in {DEAD_PER_OWNER - 1, DEAD_PER_OWNER}
    assert (await ops.get(f"/v1/tokens/{second}")).status_code == 200, "what it made leads back to it"
    assert (await ops.post("/v1/tokens", json={"name": "t", "role": "viewer"})).status_code == 201


async def test_who_cannot_be_checked_at_the_moment_is_told_to_try_again(
    open_to_all: Api, issuer: Issuer, subject: str
) -> None:
    api = open_to_all
    known, unknown = await as_(api, issuer, subject, "ops"), issuer.sign(Key.new(), sub=subject)
    own = (await known.post("/v1/executions", json=RUN)).headers["location"]
    issuer.go_away()
    try:
        keys = api.process.oidc.keys if api.process.oidc else None
        assert keys is not None
        keys._next = 0.0
        answer = await (await api.client_with(unknown)).get(own)
        assert (answer.status_code, bool(answer.json()["hint"])) == (503, True)
        assert answer.headers["retry-after"]
        async with knock(api.app, f"{own}/tail", unknown) as tail:
            assert await tail.first() is None
            assert tail.code == CloseCode.RESTARTING
        assert (await known.get(own)).status_code == 200
    finally:
        issuer.come_back()
