"""The API inside this process, and clients for it."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.auth.tables import Token
from app.auth.tokens import Scope, hash_token, new_token
from app.bootstrap import Process
from app.db.engine import transaction
from app.main import create_app
from app.settings import Settings
from support.eventually import eventually

Submit = Callable[..., Awaitable[str]]
USER_SCOPES = (Scope.READ, Scope.SUBMIT, Scope.CANCEL)


class Api:
    """One API in this process, and clients for it."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._clients = AsyncExitStack()

    @property
    def process(self) -> Process:
        process: Process = self.app.state.process
        return process

    async def token(self, owner: str, *scopes: Scope) -> str:
        token = new_token()
        row = {"id": uuid7(), "hash": hash_token(token), "name": "test", "owner": owner, "scopes": list(scopes)}
        async with transaction(self.process.database) as connection:
            await connection.execute(insert(Token).values(**row))
        return token

    async def client(self, owner: str | None = None, *scopes: Scope) -> httpx.AsyncClient:
        """As somebody new, with the scopes of a user unless others are given."""
        token = await self.token(owner or f"user-{uuid.uuid4().hex[:8]}", *(scopes or USER_SCOPES))
        return await self.client_with(token)

    async def client_with(self, token: str | None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://tailrace", headers=headers)
        return await self._clients.enter_async_context(client)

    async def settle(self) -> None:
        """Wait until nothing runs beside answers any more."""
        await eventually(lambda: not self.app.state.background._tasks)

    async def close(self) -> None:
        await self._clients.aclose()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Api]:
    """The whole application, with its lifespan."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        api = Api(app)
        try:
            yield api
        finally:
            await api.close()
