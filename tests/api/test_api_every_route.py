"""Every route there is, called by whoever should not: without a token, with too little, for what is somebody else's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from access import RULES, Rule, Whose
from belongings import RUN, Belongings
from hand import Hand
from served import USER_SCOPES, Api

from app.auth.tokens import Scope
from app.events.feed import RESYNC_BEYOND
from app.logs.protocol import CloseCode
from support.knocking import knock
from support.routes import routes

CODES = {None: 200, CloseCode.NOT_AUTHENTICATED: 401, CloseCode.NOT_ALLOWED: 403, CloseCode.NOT_FOUND: 404}
REFUSED = {404, 409, 422}
# Of an execution in a queue that others are in.
MOVES_BY_ITSELF = {"queue_position", "expected_seconds", "waiting_on"}
OPERATIONS = {"get", "post", "put", "patch", "delete"}
ROUTES = routes()
STATELESS = {"session", "ws-tickets", "me", "stats", "imports", "events", "audit", "secrets"}


def _noun(route: str) -> str:
    """Of `GET /v1/executions/{id}` it is `executions`."""
    return re.split("[/:]", route)[2]


@dataclass
class Caller:
    """Whoever calls one route, the same each time but for the token."""

    api: Api
    route: str
    rule: Rule
    belongings: Belongings

    async def call(self, token: str | None) -> tuple[int, str]:
        """The status, as of a request, and what they get to see."""
        method, path = self.route.split()
        path = await self._path(path)
        if method == "WS":
            async with knock(self.api.app, path, token) as socket:
                first = await socket.first()
                return CODES[CloseCode(socket.code) if socket.code else None], json.dumps(first)
        body = await self.belongings.fill(self.rule.json)
        headers = {**self.rule.headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        sent: dict[str, Any] = {"content": self.rule.content} if self.rule.content else {"json": body}
        anybody = await self.api.client_with(None)
        answer = await anybody.request(method, path, headers=headers, **(sent if body or self.rule.content else {}))
        return answer.status_code, answer.text

    async def _path(self, path: str) -> str:
        first = path.removeprefix("/v1/").partition("/")[0]
        path = path.replace("{id}", f"{{{self.rule.noun or first}}}").replace(
            "{name}", f"{{{self.rule.noun or first}}}"
        )
        path = await self.belongings.fill(path)
        return f"{path}?{self.rule.query}" if self.rule.query else path


@dataclass
class Witness:
    """Looks, as the owner, whether something is as it was."""

    owner: httpx.AsyncClient
    belongings: Belongings
    route: str

    async def look(self) -> Any:
        noun = _noun(self.route)
        if noun == "executions":
            return [await self._see(noun, await self.belongings.get(each)) for each in ("executions", "queued")]
        return await self._see(noun, await self.belongings.get(noun))

    async def _see(self, noun: str, id_: str) -> Any:
        seen = (await self.owner.get(f"/v1/{noun}/{id_}")).json()
        assert id_ in seen.values(), seen
        return {name: value for name, value in seen.items() if name not in MOVES_BY_ITSELF}


@pytest.mark.parametrize("route", ROUTES)
async def test_it_is_open_to_whom_it_should_be_and_to_nobody_else(
    route: str, api: Api, admin: httpx.AsyncClient, hand: Hand
) -> None:
    assert route in RULES, f"tests/api/access.py has to say who may call {route}, and how"
    rule = RULES[route]
    owner = f"owner-{uuid4().hex[:12]}"
    full = await api.client_with(await api.token(owner, *USER_SCOPES))
    belongings = Belongings(full, admin, hand)
    caller = Caller(api, route, rule, belongings)
    if not rule.needs:
        assert (await caller.call(None))[0] in rule.answers
        return
    has_state = rule.whose is not Whose.ALL and _noun(route) not in STATELESS
    witness = Witness(full, belongings, route) if has_state else None
    before = await witness.look() if witness else None

    assert (await caller.call(None))[0] == 401
    for scope in set(Scope) - rule.needs - {Scope.ADMIN}:
        assert (await caller.call(await api.token(owner, scope)))[0] == 403, scope
    await _call_as_a_stranger(caller)
    await _call_as_a_guest(caller)
    assert before == (await witness.look() if witness else None)
    for scope in sorted(rule.needs):
        status, answer = await caller.call(await api.token(owner, scope))
        assert status in rule.answers, answer


async def _call_as_a_stranger(caller: Caller) -> None:
    """With all that users may, but not the owner."""
    rule, stranger = caller.rule, await caller.api.token(f"stranger-{uuid4().hex[:12]}", *USER_SCOPES)
    match rule.whose:
        case Whose.PATH:
            assert (await caller.call(stranger))[0] == 404
        case Whose.BODY:
            status, answer = await caller.call(stranger)
            assert status in REFUSED, answer
        case Whose.CALLER:
            seen = (
                await _follow_events(caller, stranger)
                if caller.route == "WS /v1/events"
                else (await caller.call(stranger))[1]
            )
            assert not [id_ for id_ in caller.belongings.ids if id_ in seen], seen
        case Whose.ALL:
            allowed = bool(rule.needs & set(USER_SCOPES))
            if not allowed:
                assert (await caller.call(stranger))[0] == 403


async def _call_as_a_guest(caller: Caller) -> None:
    """With the share of an execution."""
    share = (await caller.belongings.share("executions"))["token"]
    assert (await caller.call(share))[0] in (caller.rule.answers if caller.rule.shown else {403})
    if caller.rule.shown:
        other = (await caller.belongings.share("queued"))["token"]
        assert (await caller.call(other))[0] == 404


async def _follow_events(caller: Caller, token: str) -> str:
    """What they are told, from long ago until something of their own."""
    client = await caller.api.client_with(token)
    async with knock(caller.api.app, "/v1/events", token) as socket:
        hello = await socket.first()
    assert hello is not None
    own = (await client.post("/v1/executions", json=RUN)).json()["id"]
    # Whoever is too far behind is told to list anew instead.
    after = max(0, hello["cursor"] - RESYNC_BEYOND // 2)
    seen = ""
    async with knock(caller.api.app, f"/v1/events?after={after}", token) as socket:
        async for frame in socket.frames():
            seen += json.dumps(frame)
            if own in seen:
                break
    return seen


def test_there_is_no_rule_for_what_is_not_there() -> None:
    assert sorted(ROUTES) == sorted(RULES)


async def test_the_document_says_who_may_as_it_is(api: Api) -> None:
    documented = {
        f"{method.upper()} {path}": operation
        for path, item in api.app.openapi()["paths"].items()
        for method, operation in item.items()
        if method in OPERATIONS
    }
    hidden = {"GET /", "GET /docs", "GET /login", "GET /openapi.json"}
    assert documented.keys() == {route for route in ROUTES if not route.startswith("WS")} - hidden
    assert [
        route for route, operation in documented.items() if ("security" in operation) is not bool(RULES[route].needs)
    ] == []
