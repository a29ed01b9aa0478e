"""The client, for who has no event loop."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from typing_extensions import override

from tailrace._aio.client import PATIENCE, TIMEOUT, AsyncClient
from tailrace._config import Config
from tailrace._pages import Pages
from tailrace._portal import Facade, blocking, passing
from tailrace._sync.batch import Batch
from tailrace._sync.handle import Handle
from tailrace._sync.resources import (
    Batches,
    Files,
    Methods,
    Pools,
    Schedules,
    Secrets,
    Tokens,
    Triggers,
    Webhooks,
    Workers,
)

if TYPE_CHECKING:
    from typing_extensions import Self


class Client(Facade[AsyncClient]):
    """A Tailrace, as one user.

    Address and token come from the arguments, else from `TAILRACE_URL` and `TAILRACE_TOKEN` (or
    `TAILRACE_TOKEN_FILE`), else from `~/.config/tailrace/config.toml`, whose tables are profiles. `timeout` is for how
    many seconds an answer is waited for, `patience` for how many a request is tried again where that does no harm.

    Raises:
        ConfigError: There is no such profile, or the file cannot be read.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        profile: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(AsyncClient(url, token, profile=profile, timeout=timeout, patience=patience))
        self.batches = Batches(self.aio.batches)
        self.files = Files(self.aio.files)
        self.methods = Methods(self.aio.methods)
        self.pools = Pools(self.aio.pools)
        self.schedules = Schedules(self.aio.schedules)
        self.secrets = Secrets(self.aio.secrets)
        self.tokens = Tokens(self.aio.tokens)
        self.triggers = Triggers(self.aio.triggers)
        self.webhooks = Webhooks(self.aio.webhooks)
        self.workers = Workers(self.aio.workers)

    @property
    def config(self) -> Config:
        """Which server, and as whom."""
        return self.aio.config

    @property
    def url(self) -> str:
        """The server's address."""
        return self.aio.url

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    close = blocking(AsyncClient.close)
    request = blocking(AsyncClient.request)
    stream = passing(AsyncClient.stream, Pages)
    run = blocking(AsyncClient.run, Handle)
    submit = blocking(AsyncClient.submit, Handle)
    dry_run = blocking(AsyncClient.dry_run)
    get = blocking(AsyncClient.get, Handle)
    list = passing(AsyncClient.list, Pages)
    batch = blocking(AsyncClient.batch, Batch)
    map = blocking(AsyncClient.map, Batch)
    bulk = blocking(AsyncClient.bulk)
    load_bundle = blocking(AsyncClient.load_bundle, Handle)
    me = blocking(AsyncClient.me)
    stats = blocking(AsyncClient.stats)
