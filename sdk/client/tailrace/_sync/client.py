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
    Audit,
    Batches,
    Files,
    Methods,
    Notifications,
    OwnerQuotas,
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

    Any thread may use it, several at once. `with Client() as client:` closes its connections at the end.

    Args:
        url: The server's address; else that of `TAILRACE_URL`, the configuration file, or `http://127.0.0.1:8700`.
        token: Else that of `TAILRACE_TOKEN`, the file that `TAILRACE_TOKEN_FILE` names, or the configuration file.
        profile: A table of the configuration file. It comes before variables.
        timeout: Seconds that an answer may take: 30.
        patience: Seconds for which a request is tried again where that does no harm: 60. With 0 it is tried once.

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
        self.audit = Audit(self.aio.audit)
        """Who did what."""
        self.batches = Batches(self.aio.batches)
        """Many executions at once."""
        self.files = Files(self.aio.files)
        """Files for inputs."""
        self.methods = Methods(self.aio.methods)
        """Named templates."""
        self.notifications = Notifications(self.aio.notifications)
        """Who is told how executions end."""
        self.pools = Pools(self.aio.pools)
        """Groups of workers."""
        self.quotas = OwnerQuotas(self.aio.quotas)
        """How much owners may have."""
        self.schedules = Schedules(self.aio.schedules)
        """What is submitted again and again."""
        self.secrets = Secrets(self.aio.secrets)
        """Values that only programs see."""
        self.tokens = Tokens(self.aio.tokens)
        """Who may do what."""
        self.triggers = Triggers(self.aio.triggers)
        """What is submitted when somebody posts."""
        self.webhooks = Webhooks(self.aio.webhooks)
        """Servers that are told what happens."""
        self.workers = Workers(self.aio.workers)
        """Who runs containers."""

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
    events = passing(AsyncClient.events, Pages)
    load_bundle = blocking(AsyncClient.load_bundle, Handle)
    me = blocking(AsyncClient.me)
    stats = blocking(AsyncClient.stats)
    counts = blocking(AsyncClient.counts)
    retention = blocking(AsyncClient.retention)
