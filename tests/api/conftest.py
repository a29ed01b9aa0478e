from collections.abc import AsyncIterator

import httpx
import pytest
from hand import Hand
from posting import Post, posting
from pydantic import SecretStr
from served import Api, Submit, running

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.settings import Settings
from support.receiver import Receiver, receiving


@pytest.fixture(scope="session")
def settings(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        data=tmp_path_factory.mktemp("data"),
        secret_key=SecretStr("k" * 32),
        outbound_allow="127.0.0.1",
        webhook_retry_after=0.05,
        # All who should not get in come from one address.
        bad_token_rate="",
    )


@pytest.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with running(settings) as api:
        yield api


@pytest.fixture
def process(api: Api) -> Process:
    return api.process


@pytest.fixture
async def client(api: Api) -> httpx.AsyncClient:
    """A user nobody has met before: what they list is their own."""
    return await api.client()


@pytest.fixture
async def stranger(api: Api) -> httpx.AsyncClient:
    return await api.client()


@pytest.fixture
async def admin(api: Api) -> httpx.AsyncClient:
    return await api.client("admin", Scope.ADMIN)


@pytest.fixture
async def anonymous(api: Api) -> httpx.AsyncClient:
    return await api.client_with(None)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def post(process: Process) -> AsyncIterator[Post]:
    async with posting(process) as post:
        yield post


@pytest.fixture
async def hand(process: Process) -> Hand:
    return await Hand.of(process)


@pytest.fixture
def submit(client: httpx.AsyncClient) -> Submit:
    """Submits as `client`; gives the id."""

    async def send(**fields: object) -> str:
        response = await client.post("/v1/executions", json={"image": "busybox:local", **fields})
        assert response.status_code == 201, response.text
        identifier: str = response.json()["id"]
        return identifier

    return send
