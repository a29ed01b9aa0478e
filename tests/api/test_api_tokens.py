"""Tokens that people make: who may make which, and that none is worth anything once it is revoked or has expired."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from served import Api, Submit
from sqlalchemy import insert, select, text, update
from uuid_utils.compat import uuid7

from app.auth.command import main as make_token
from app.auth.holding import Holding
from app.auth.model import TOKENS_PER_OWNER, Role, role_of
from app.auth.service import Caller
from app.auth.tables import Token
from app.auth.tokens import Scope, hash_token, is_well_formed
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.db.orm import clock
from app.logs.protocol import CloseCode
from support.eventually import eventually
from support.knocking import PATIENCE, knock, stream

TOKENS = "/v1/tokens"
ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


async def make(client: httpx.AsyncClient, **fields: Any) -> Json:
    answer = await client.post(TOKENS, json={"name": "t", **fields})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def refused(client: httpx.AsyncClient, **fields: Any) -> tuple[int, list[str]]:
    answer = await client.post(TOKENS, json={"name": "t", **fields})
    assert answer.json()["hint"] or answer.json()["errors"]
    return answer.status_code, [error["field"] for error in answer.json()["errors"]]


async def status_with(api: Api, token: str) -> int:
    return (await (await api.client_with(token)).get("/v1/executions")).status_code


async def test_one_is_made_shown_once_and_revoked(
    api: Api, client: httpx.AsyncClient, stranger: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    answer = await client.post(TOKENS, json={"name": "wall", "role": "viewer", "expires_in": 3600})
    made = answer.json()
    own = answer.headers["location"]
    assert (own, answer.headers["cache-control"]) == (f"{TOKENS}/{made['id']}", "no-store")
    token = made.pop("token")
    assert is_well_formed(token)
    assert (made["scopes"], made["role"], made["revoked_at"], made["last_used_at"]) == (["read"], "viewer", None, None)
    assert made["expires_at"] > made["created_at"]
    assert made["made_by"] is not None
    for who in (client, admin):
        assert (await who.get(own)).json() == made
    assert made in (await client.get(TOKENS)).json()["items"]
    assert token not in (await client.get(TOKENS)).text
    assert (await stranger.get(own)).status_code == (await stranger.delete(own)).status_code == 404
    assert (await stranger.get(TOKENS, params={"owner": made["owner"]})).json()["items"] == []
    assert await status_with(api, token) == 200
    for _ in range(2):
        assert (await client.delete(own)).status_code == 204
    assert await status_with(api, token) == 401
    assert made["id"] not in (await client.get(TOKENS)).text
    assert (await client.get(TOKENS, params={"all": True, "limit": 1})).json()["items"][0]["revoked_at"]


async def test_nobody_gives_more_than_they_have(api: Api, client: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    owner = (await client.get("/v1/me")).json()["owner"]
    reader = await api.client_with((await make(client, scopes=["read"], expires_in=600))["token"])
    assert (await make(reader, scopes=["read"]))["owner"] == owner
    for scopes in (["submit"], ["read", "cancel"], ["admin"]):
        assert await refused(reader, scopes=scopes) == (403, [])
    assert await refused(client, role="admin") == (403, [])
    assert await refused(client, role="viewer", owner="somebody else") == (403, [])
    assert await refused(reader, role="viewer", expires_in=700) == (422, ["expires_in"])
    given, inherited = await make(reader, role="viewer", expires_in=60), await make(reader, role="viewer")
    assert given["expires_at"] < inherited["expires_at"] <= (await _of(reader, inherited["made_by"]))["expires_at"]
    assert (await make(client, role="viewer"))["expires_at"] is None
    theirs = await make(admin, role="operator", owner=owner)
    assert (theirs["owner"], theirs["scopes"]) == (owner, ["cancel", "read", "submit"])
    assert await status_with(api, theirs["token"]) == 200


async def _of(client: httpx.AsyncClient, token: str) -> Json:
    found: Json = (await client.get(f"{TOKENS}/{token}")).json()
    return found


async def test_nobody_revokes_what_may_more_but_itself_any_may(api: Api, client: httpx.AsyncClient) -> None:
    reads, submits = await make(client, scopes=["read"]), await make(client, scopes=["submit"])
    reader, submitter = await api.client_with(reads["token"]), await api.client_with(submits["token"])
    assert (await reader.delete(f"{TOKENS}/{submits['id']}")).status_code == 403
    assert (await submitter.delete(f"{TOKENS}/{reads['id']}")).status_code == 403
    assert (await reader.delete(f"{TOKENS}/{reads['id']}")).status_code == 204
    assert [await status_with(api, each["token"]) for each in (reads, submits)] == [401, 403]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scopes"),
        ({"scopes": ["read"], "role": "viewer"}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes[0]"),
        ({"role": "god"}, "role"),
        ({"role": "viewer", "name": ""}, "name"),
        ({"role": "viewer", "owner": ""}, "owner"),
        ({"role": "viewer", "owner": "ann\n"}, "owner"),
        ({"role": "viewer", "owner": "ann\u202e"}, "owner"),
        ({"role": "viewer", "expires_in": 0}, "expires_in"),
        ({"role": "viewer", "expires_in": 10**9}, "expires_in"),
        ({"role": "viewer", "token": "trt_mine"}, "token"),
    ],
)
async def test_what_is_wrong_is_named(body: Json, field: str, client: httpx.AsyncClient) -> None:
    assert await refused(client, **body) == (422, [field])


async def test_an_owner_has_only_so_many_also_of_those_made_at_once(api: Api, client: httpx.AsyncClient) -> None:
    owner = (await client.get("/v1/me")).json()["owner"]
    rows = [
        {"id": uuid7(), "hash": os.urandom(32), "name": "x", "owner": owner, "scopes": ["read"]}
        for _ in range(TOKENS_PER_OWNER - 2)
    ]
    async with transaction(api.process.database) as connection:
        await connection.execute(insert(Token), rows)
    answers = await asyncio.gather(*(client.post(TOKENS, json={"name": "t", "role": "viewer"}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 429, 429, 429]
    over = next(answer.json() for answer in answers if answer.status_code == 429)
    assert (over["used"], over["limit"]) == (TOKENS_PER_OWNER, TOKENS_PER_OWNER)
    revoked = (await client.get(TOKENS)).json()["items"][0]["id"]
    assert (await client.delete(f"{TOKENS}/{revoked}")).status_code == 204
    await make(client, role="viewer")


async def test_old_ones_that_are_over_are_forgotten_but_not_an_operators(
    api: Api, client: httpx.AsyncClient, process: Process
) -> None:
    old, operators = await make(client, role="viewer"), await make(client, role="viewer")
    async with transaction(process.database) as connection:
        long_ago = {"revoked_at": text("now() - interval '91 days'")}
        ids = UUID(old["id"]), UUID(operators["id"])
        await connection.execute(update(Token).where(Token.id.in_(ids)).values(long_ago))
        await connection.execute(update(Token).where(Token.id == ids[1]).values(made_by=None))
    await make(client, role="viewer")
    assert (await client.get(f"{TOKENS}/{old['id']}")).status_code == 404
    assert (await client.get(f"{TOKENS}/{operators['id']}")).status_code == 200


async def test_when_it_was_used_is_noted_at_most_once_a_minute(api: Api, client: httpx.AsyncClient) -> None:
    made, process = await make(client, scopes=["read"]), api.process
    used = await api.client_with(made["token"])
    assert (await used.get("/v1/executions")).status_code == 200

    async def noted() -> Any:
        await process.holding.note(process.database)
        row = text("SELECT last_used_at, xmin::text FROM tokens WHERE id = :id")
        async with reading(process.database) as connection:
            return (await connection.execute(row, {"id": UUID(made["id"])})).one()

    first = await noted()
    assert first.last_used_at is not None
    assert (await used.get("/v1/executions")).status_code == 200
    assert await noted() == first
    assert (await _of(client, made["id"]))["last_used_at"] is not None


async def test_to_note_a_use_nobody_is_waited_for(api: Api, client: httpx.AsyncClient) -> None:
    locked, free = [await make(client, scopes=["read"]) for _ in range(2)]
    async with transaction(api.process.database) as connection:
        mine = select(Token.id).where(Token.id == UUID(locked["id"])).with_for_update()
        await connection.execute(mine)
        for each in (locked, free):
            assert await status_with(api, each["token"]) == 200
        async with asyncio.timeout(PATIENCE):
            await api.process.holding.note(api.process.database)
    assert (await _of(client, free["id"]))["last_used_at"] is not None


async def _revoke(api: Api, client: httpx.AsyncClient, token: str) -> None:
    assert (await client.delete(f"{TOKENS}/{token}")).status_code == 204


async def _expire(api: Api, client: httpx.AsyncClient, token: str) -> None:
    """It was made to, by and by."""


async def _revoke_without_a_word(api: Api, client: httpx.AsyncClient, token: str) -> None:
    async with transaction(api.process.database) as connection:
        await connection.execute(update(Token).where(Token.id == UUID(token)).values(revoked_at=clock()))
    await api.process.holding.look(api.process.database)


@pytest.mark.parametrize(("end", "lasts"), [(_revoke, 3600), (_expire, 3), (_revoke_without_a_word, 3600)])
async def test_what_is_open_ends_with_the_token(
    end: Callable[[Api, httpx.AsyncClient, str], Awaitable[None]],
    lasts: int,
    api: Api,
    client: httpx.AsyncClient,
    submit: Submit,
) -> None:
    own = f"/v1/executions/{await submit()}"
    made = await make(client, scopes=["read"], expires_in=lasts)
    token, held = made["token"], api.process.holding._held
    waiting = asyncio.create_task((await api.client_with(token)).get(own, params={"wait": 30}))
    following = asyncio.create_task(stream(api.app, f"{own}/logs?follow=true", token))
    async with knock(api.app, f"{own}/tail", token) as tail, knock(api.app, "/v1/events", token) as events:
        assert await tail.first()
        assert await events.first()
        await eventually(lambda: len(held.get(UUID(made["id"]), ())) == 4)
        await end(api, client, made["id"])
        for socket in (tail, events):
            _ = [frame async for frame in socket.frames()]
            assert socket.code == CloseCode.NOT_AUTHENTICATED
    assert (await waiting).status_code == 401
    sent = await following
    assert sent[0]["status"] == 200
    assert all(message.get("more_body", True) for message in sent), "what was cut must not look whole"
    assert UUID(made["id"]) not in held


async def test_who_is_cut_off_for_another_reason_does_not_hear_that_the_token_ended() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Holding().while_valid(Caller("ann", frozenset(), token_id=uuid7()), work)


async def test_others_go_on_when_one_ends(api: Api, client: httpx.AsyncClient, submit: Submit) -> None:
    own = f"/v1/executions/{await submit()}"
    one, other = await make(client, scopes=["read"]), await make(client, scopes=["read"])
    async with knock(api.app, f"{own}/tail", one["token"]) as ends, knock(api.app, f"{own}/tail", other["token"]) as on:
        assert await ends.first()
        await _revoke(api, client, one["id"])
        _ = [frame async for frame in ends.frames()]
        assert (await client.post(f"{own}/cancel")).status_code == 202
        assert [frame async for frame in on.frames()][-1]["type"] == "end"


async def test_an_operator_makes_one_when_all_are_lost(api: Api) -> None:
    environment = {**os.environ, "TAILRACE_DATABASE_URL": api.process.settings.database_url}
    command = [sys.executable, "-m", "app", "token", "--owner", "root", "--name", "lost"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err
    token = out.decode().strip()
    me = (await (await api.client_with(token)).get("/v1/me")).json()
    assert (me["owner"], me["scopes"]) == ("root", sorted(Scope))
    async with reading(api.process.database) as connection:
        row = (await connection.execute(select(Token).where(Token.hash == hash_token(token)))).one()
    assert (row.name, row.made_by, row.expires_at) == ("lost", None, None)
    admin = await api.client("admin", Scope.ADMIN)
    (entry,) = (await admin.get("/v1/audit", params={"object": f"tokens/{row.id}"})).json()["items"]
    assert (entry["action"], entry["actor"], entry["owner"]) == ("make_token", "command line", "root")
    assert (entry["status"], entry["token_id"]) == (201, None)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (["--owner", "*"], "owner"),
        (["--owner", ""], "owner"),
        (["--name", ""], "name"),
        (["--expires-in", "0"], "expires_in"),
    ],
)
def test_an_operator_makes_none_that_the_api_would_not(
    wrong: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        make_token(wrong)
    shown = capsys.readouterr()
    assert (refused.value.code, shown.out) == (2, "")
    assert f"`{word}`" in shown.err


def test_a_database_that_is_away_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILRACE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(SystemExit) as refused:
        make_token([])
    shown = capsys.readouterr()
    assert (refused.value.code, shown.out) == (3, "")
    assert shown.err.startswith("python -m app token: the database of TAILRACE_DATABASE_URL cannot")


def test_roles_are_named_sets_of_scopes() -> None:
    assert [role_of(role.scopes) for role in Role] == list(Role)
    assert role_of(frozenset({Scope.READ, Scope.CANCEL})) is None
    assert Role.VIEWER.scopes < Role.OPERATOR.scopes < Role.ADMIN.scopes
