"""After a theft: one request ends all that was made with a token, and with what that made, also by who is quick."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from belongings import Belongings
from hand import Hand
from served import Api, Submit
from sqlalchemy import func, insert, select, update
from uuid_utils.compat import uuid7

from app.auth.model import DEAD_PER_OWNER, SESSIONS_PER_TOKEN, SHARES_PER_EXECUTION, TICKETS_PER_TOKEN, TOKENS_PER_OWNER
from app.auth.repository import FORGOTTEN_AT_ONCE, forget_tokens
from app.auth.tables import Share, Ticket, Token
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.db.orm import clock
from app.logs.protocol import CloseCode
from support.eventually import eventually
from support.knocking import knock
from support.racing import is_blocked_by

TOKENS = "/v1/tokens"
OPERATOR = ["read", "submit", "cancel"]
RUN = {"execution": {"image": "busybox:local"}}
ACTING = ("schedules", "triggers", "webhooks", "notifications")
Json = dict[str, Any]


async def make(client: httpx.AsyncClient, scopes: list[str] = OPERATOR) -> Json:
    answer = await client.post(TOKENS, json={"name": "t", "scopes": scopes})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def enabled(client: httpx.AsyncClient, noun: str, each: str) -> bool:
    return bool((await client.get(f"/v1/{noun}/{each}")).json()["enabled"])


async def test_all_that_follows_from_a_token_ends_with_it(
    api: Api, client: httpx.AsyncClient, admin: httpx.AsyncClient, hand: Hand, submit: Submit
) -> None:
    mine = Belongings(client, admin, hand)
    kept = {noun: await mine.get(noun) for noun in ACTING}
    rotated = await mine._post("triggers", json={"name": "rotated", "target": RUN})
    stolen = await make(client)
    child = await make(await api.client_with(stolen["token"]))
    grandchild = await make(await api.client_with(child["token"]))
    # That one on the way is over already hides nothing.
    assert (await client.delete(f"{TOKENS}/{child['id']}")).status_code == 204
    thief = await api.client_with(grandchild["token"])
    theirs = Belongings(thief, admin, hand)
    theirs._made["variable"] = "thief"
    made = {noun: await theirs.get(noun) for noun in ACTING[2:]}
    made["schedules"] = str((await theirs._post("schedules", json=a_schedule("theirs")))["id"])
    # Of what was there before, they have a part that acts for them now.
    assert (await thief.post(f"/v1/triggers/{rotated['id']}/rotate", json={})).status_code == 200
    made["triggers"] = rotated["id"]
    execution = await submit()
    share = (await thief.post(f"/v1/executions/{execution}/shares")).json()
    session = await thief.post("/v1/session")
    assert (await thief.post("/v1/ws-tickets")).status_code == 201
    tail = f"/v1/executions/{execution}/tail"
    async with knock(api.app, tail, grandchild["token"]) as open_socket, knock(api.app, tail, share["token"]) as shown:
        assert await open_socket.first()
        assert await shown.first()
        ended = await client.delete(f"{TOKENS}/{stolen['id']}", params={"descendants": True})
        assert ended.status_code == 200, ended.text
        for socket in (open_socket, shown):
            _ = [frame async for frame in socket.frames()]
            assert socket.code == CloseCode.NOT_AUTHENTICATED
    answer = ended.json()
    assert {noun: answer[noun] for noun in ACTING} == {noun: [each] for noun, each in made.items()}
    assert answer["shares"] == [share["id"]]
    assert {stolen["id"], grandchild["id"]} < set(answer["tokens"])
    assert (len(answer["tokens"]), child["id"] in answer["tokens"], session.status_code) == (3, False, 201)
    assert (await thief.get("/v1/me")).status_code == 401
    for noun in ACTING:
        assert not await enabled(client, noun, made[noun]), noun
        assert await enabled(client, noun, kept[noun]), noun
    assert "revoked" in (await client.get(f"/v1/schedules/{made['schedules']}")).json()["paused_reason"]
    # On record one by one; and what else they did is found by the token.
    entries = (await client.get("/v1/audit", params={"action": "revoke_token", "limit": 200})).json()["items"]
    together = {entry["object"] for entry in entries if entry["request_id"] == ended.headers["x-request-id"]}
    expected = {f"{noun}/{each}" for noun in ("tokens", *ACTING) for each in answer[noun]}
    assert together == expected | {f"executions/{execution}/shares/{share['id']}"}
    did = (await client.get("/v1/audit", params={"token": grandchild["id"], "limit": 200})).json()["items"]
    assert {entry["token_id"] for entry in did} == {grandchild["id"]}
    assert {"share_execution", "begin_session"} <= {entry["action"] for entry in did}
    again = await client.delete(f"{TOKENS}/{stolen['id']}", params={"descendants": True})
    assert not any(again.json().values())


def a_schedule(name: str) -> Json:
    return {"name": name, "rule": {"cron": "@daily"}, "targets": [RUN]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", TOKENS, {"name": "t", "scopes": ["read"]}),
        ("POST", "/v1/executions/{queued}/shares", {}),
        ("POST", "/v1/schedules", a_schedule("late")),
        ("POST", "/v1/triggers", {"name": "late", "target": RUN}),
        ("PATCH", "/v1/triggers/{triggers}", {"target": RUN}),
        ("POST", "/v1/triggers/{triggers}/rotate", {}),
        ("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9999/late"}),
        ("PATCH", "/v1/notifications/{notifications}", {"enabled": True}),
    ],
)
async def test_who_is_on_the_way_while_the_token_is_revoked_leaves_nothing(
    api: Api,
    client: httpx.AsyncClient,
    hand: Hand,
    method: str,
    path: str,
    body: Json,
) -> None:
    mine = Belongings(client, client, hand)
    stolen = await make(client)
    thief, own = await api.client_with(stolen["token"]), await mine.fill(path)
    async with api.process.database.connect() as connection:
        await connection.execute(update(Token).where(Token.id == UUID(stolen["id"])).values(revoked_at=clock()))
        waiting = asyncio.create_task(thief.request(method, own, json=body))
        await eventually(lambda: is_blocked_by(api.process, connection))
        await connection.commit()
    assert (await waiting).status_code == 401


async def test_sessions_and_tickets_keep_nobody_out(api: Api, client: httpx.AsyncClient) -> None:
    owner = (await client.get("/v1/me")).json()["owner"]
    await add_tokens(api.process, owner, TOKENS_PER_OWNER)
    at_once = await asyncio.gather(*(client.post("/v1/session") for _ in range(SESSIONS_PER_TOKEN + 5)))
    valid = await client.get(TOKENS, params={"limit": TOKENS_PER_OWNER + SESSIONS_PER_TOKEN + 5})
    assert [each["name"] for each in valid.json()["items"]].count("session") == SESSIONS_PER_TOKEN
    begun = [await client.post("/v1/session") for _ in range(SESSIONS_PER_TOKEN + 1)]
    assert {answer.status_code for answer in (*at_once, *begun)} == {201}
    jars = [answer.headers["set-cookie"].partition(";")[0] for answer in (begun[0], begun[1], begun[-1])]
    nobody = await api.client_with(None)
    assert [(await nobody.get("/v1/me", headers={"Cookie": jar})).status_code for jar in jars] == [401, 200, 200]
    async with transaction(api.process.database) as connection:
        (token,) = (await connection.execute(select(Token.id).where(Token.owner == owner, Token.name == "test"))).one()
        until = {"token_id": token, "expires_at": clock() + timedelta(seconds=20)}
        rows = [{**until, "hash": os.urandom(32)} for _ in range(TICKETS_PER_TOKEN + 3)]
        for row in rows:
            await connection.execute(insert(Ticket).values(row))
    assert (await client.post("/v1/ws-tickets")).status_code == 201
    async with reading(api.process.database) as connection:
        tickets = select(func.count()).where(Ticket.token_id == token)
        assert (await connection.execute(tickets)).scalar_one() == TICKETS_PER_TOKEN


async def add_tokens(process: Process, owner: str, number: int, **columns: Any) -> None:
    rows = [
        {"id": uuid7(), "hash": os.urandom(32), "name": "x", "owner": owner, "scopes": ["read"], **columns}
        for _ in range(number)
    ]
    async with transaction(process.database) as connection:
        await connection.execute(insert(Token).values(rows))


async def test_what_is_over_is_forgotten_beyond_a_number_but_not_whose_it_was(
    api: Api, client: httpx.AsyncClient
) -> None:
    first = await make(client)
    second = await make(await api.client_with(first["token"]))
    third = await make(await api.client_with(second["token"]))
    owner = third["owner"]
    for each in (second, first):
        assert (await client.delete(f"{TOKENS}/{each['id']}")).status_code == 204
    root = UUID(first["made_by"])
    await add_tokens(api.process, owner, DEAD_PER_OWNER, made_by=root, revoked_at=clock())
    assert FORGOTTEN_AT_ONCE >= 2
    await make(client)
    assert (await client.get(f"{TOKENS}/{third['id']}")).json()["made_by"] == str(root)
    async with reading(api.process.database) as connection:
        dead = select(func.count()).where(Token.owner == owner, Token.revoked_at.is_not(None))
        assert (await connection.execute(dead)).scalar_one() == DEAD_PER_OWNER


async def test_what_is_forgotten_at_that_moment_hides_nothing(api: Api, client: httpx.AsyncClient) -> None:
    stolen = await make(client)
    child = await make(await api.client_with(stolen["token"]))
    grandchild = await make(await api.client_with(child["token"]))
    async with transaction(api.process.database) as connection:
        long_ago = {"expires_at": clock() - timedelta(days=3650)}
        await connection.execute(update(Token).where(Token.id == UUID(child["id"])).values(long_ago))
    async with api.process.database.connect() as connection:
        await forget_tokens(connection, child["owner"])
        ending = asyncio.create_task(client.delete(f"{TOKENS}/{stolen['id']}", params={"descendants": True}))
        await eventually(lambda: is_blocked_by(api.process, connection))
        await connection.commit()
    assert grandchild["id"] in (await ending).json()["tokens"]


async def test_shares_that_are_made_at_once_are_counted_together(
    api: Api, client: httpx.AsyncClient, submit: Submit
) -> None:
    execution = await submit()
    until = {"execution_id": UUID(execution), "made_by": "x", "expires_at": clock() + timedelta(days=1)}
    async with transaction(api.process.database) as connection:
        for _ in range(SHARES_PER_EXECUTION - 1):
            await connection.execute(insert(Share).values(id=uuid7(), hash=os.urandom(32), **until))
    answers = await asyncio.gather(*(client.post(f"/v1/executions/{execution}/shares") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 429, 429, 429]
