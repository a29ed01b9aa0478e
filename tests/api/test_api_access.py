"""Tokens, as they are sent and kept; and the public doors. Who may call what: test_api_every_route.py."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from served import Api, running
from sqlalchemy import func, select, update

from app.auth.service import ensure_bootstrap_token
from app.auth.tables import Token
from app.auth.tokens import LENGTH, Scope, hash_token, is_well_formed, new_token
from app.db.engine import reading, transaction
from app.settings import Settings

PUBLIC = {"/", "/healthz", "/readyz", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"}


def test_a_token_is_recognised_and_a_typo_in_it_too() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert len(token) == LENGTH
        assert is_well_formed(token)
        for place in range(4, LENGTH, 7):
            other = "x" if token[place] != "x" else "y"
            assert not is_well_formed(token[:place] + other + token[place + 1 :])
    assert not is_well_formed("")
    assert not is_well_formed(new_token()[:-1])
    assert not is_well_formed("trt_" + "ü" * (LENGTH - 4))


def test_a_token_is_kept_as_a_hash() -> None:
    token = new_token()
    assert len(hash_token(token)) == 32
    assert token.encode() not in hash_token(token)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer nonsense", "Bearer " + "x" * 5000, "trt_token"]
)
async def test_without_a_valid_token_nobody_gets_in(header: str, anonymous: httpx.AsyncClient) -> None:
    headers = {"Authorization": header} if header else {}
    response = await anonymous.get("/v1/executions", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["type"] == "urn:tailrace:problem:not_authenticated"
    assert response.json()["hint"]


async def test_a_mistyped_token_is_told_from_an_unknown_one(anonymous: httpx.AsyncClient) -> None:
    unknown, mistyped = new_token(), new_token()[:-1] + "!"
    hints = [
        (await anonymous.get("/v1/executions", headers={"Authorization": f"Bearer {token}"})).json()["hint"]
        for token in (unknown, mistyped)
    ]
    assert "unknown" in hints[0]
    assert "mistyped" in hints[1]


async def test_the_scheme_is_read_in_any_case(api: Api, anonymous: httpx.AsyncClient) -> None:
    token = await api.token("somebody", Scope.READ)
    response = await anonymous.get("/v1/executions", headers={"Authorization": f"bearer  {token}"})
    assert response.status_code == 200


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
async def test_an_expired_or_revoked_token_is_none(column: str, api: Api) -> None:
    token = await api.token("somebody", Scope.READ)
    client = await api.client_with(token)
    assert (await client.get("/v1/executions")).status_code == 200
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with transaction(api.process.database) as connection:
        await connection.execute(update(Token).where(Token.hash == hash_token(token)).values({column: past}))
    assert (await client.get("/v1/executions")).status_code == 401


async def test_who_calls_is_asked_before_what_they_send_is_read(anonymous: httpx.AsyncClient) -> None:
    for content, content_type in ((b"{", "application/json"), (b"x", "text/plain"), (b" " * 9_000_000, "text/plain")):
        response = await anonymous.post("/v1/executions", content=content, headers={"Content-Type": content_type})
        assert response.status_code == 401


async def test_the_public_doors_are_open(anonymous: httpx.AsyncClient) -> None:
    for path in PUBLIC:
        assert (await anonymous.get(path)).status_code == 200, path
    assert (await anonymous.get("/")).json()["name"] == "Tailrace"


async def test_the_bootstrap_token_is_an_admins_and_made_once(settings: Settings) -> None:
    token = new_token()
    settings = settings.model_copy(update={"bootstrap_token": SecretStr(token)})
    async with running(settings) as api:
        await ensure_bootstrap_token(api.process)  # as a second replica would
        admin = await api.client_with(token)
        assert (await admin.get("/v1/executions")).status_code == 200
        created = await admin.post("/v1/executions", json={"image": "busybox"})
        assert created.json()["owner"] == "admin"
        async with reading(api.process.database) as connection:
            count = select(func.count()).where(Token.hash == hash_token(token))
            assert (await connection.execute(count)).scalar_one() == 1
