"""The client: everything begins here."""

from __future__ import annotations

import os
from builtins import list as builtin_list
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from typing_extensions import Unpack, override

from tailrace._aio.api import Api, decoded
from tailrace._aio.batches import AsyncBatch, AsyncBatches
from tailrace._aio.downloads import PIECE
from tailrace._aio.files import AsyncFiles, opened
from tailrace._aio.handle import AsyncHandle
from tailrace._aio.happenings import HappeningReader
from tailrace._aio.resources import (
    AsyncAudit,
    AsyncMethods,
    AsyncNotifications,
    AsyncOwnerQuotas,
    AsyncPools,
    AsyncSchedules,
    AsyncSecrets,
    AsyncTokens,
    AsyncTriggers,
    AsyncWebhooks,
    AsyncWorkers,
)
from tailrace._config import configured
from tailrace._document import Document
from tailrace._errors import ConnectionFailed
from tailrace._nouns import Change, Happening, Me
from tailrace._pages import AsyncPages
from tailrace._records import Record
from tailrace._submission import Filters, Options, as_json, submission
from tailrace._transport import Request, Transport, new_key, segment

if TYPE_CHECKING:
    from typing_extensions import Self

TIMEOUT = 30.0
PATIENCE = 60.0


class AsyncClient:
    """A Tailrace, as one user.

    It belongs to the event loop that it is used on. `async with AsyncClient() as client:` closes its connections at
    the end.

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
        self.config = configured(url, token, profile=profile)
        """Which server, and as whom."""
        self._transport = Transport(self.config, timeout=timeout, patience=patience)
        self._api = Api(self._transport)
        self.audit = AsyncAudit(self._api)
        """Who did what."""
        self.batches = AsyncBatches(self._api)
        """Many executions at once."""
        self.files = AsyncFiles(self._api)
        """Files for inputs."""
        self.methods = AsyncMethods(self._api)
        """Named templates."""
        self.notifications = AsyncNotifications(self._api)
        """Who is told how executions end."""
        self.pools = AsyncPools(self._api)
        """Groups of workers."""
        self.quotas = AsyncOwnerQuotas(self._api)
        """How much owners may have."""
        self.schedules = AsyncSchedules(self._api)
        """What is submitted again and again."""
        self.secrets = AsyncSecrets(self._api)
        """Values that only programs see."""
        self.tokens = AsyncTokens(self._api)
        """Who may do what."""
        self.triggers = AsyncTriggers(self._api)
        """What is submitted when somebody posts."""
        self.webhooks = AsyncWebhooks(self._api)
        """Servers that are told what happens."""
        self.workers = AsyncWorkers(self._api)
        """Who runs containers."""

    @property
    def url(self) -> str:
        """The server's address."""
        return self.config.url

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let its connections go. It can still be used; they are opened anew."""
        await self._transport.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        repeatable: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Any request of the API, for what has no method here: `request("GET", "/v1/stats", params={"step": 60})`.

        The answer as JSON, text or bytes, by its type; None without one. It is tried again after a 429, a 5xx or a
        broken connection, if it may be sent twice: by its method, with an `idempotency_key`, or because you say that it
        is `repeatable`. `timeout` is in seconds.

        Raises:
            ApiError: The API refused; by its status one of its subclasses.
            ConnectionFailed: There was no answer.
        """
        response = await self._transport.send(
            Request(
                method,
                path,
                params=params,
                json=as_json(json) if json is not None else None,
                content=content,
                headers=headers or {},
                key=idempotency_key,
                repeatable=repeatable,
                timeout=timeout,
            )
        )
        return decoded(response)

    def stream(self, path: str, *, params: Mapping[str, Any] | None = None) -> AsyncPages[bytes]:
        """The bytes of an answer as they come: a raw log, an output, a zip. What breaks meanwhile is raised.

        Raises:
            ApiError: The API refused.
            ConnectionFailed: There was no answer, or it broke off.
        """

        async def pieces() -> AsyncGenerator[list[bytes], None]:
            import httpx

            try:
                async with self._transport.open(Request("GET", path, params=params)) as response:
                    async for piece in response.aiter_bytes():
                        yield [piece]
            except httpx.TransportError as error:
                raise ConnectionFailed(self.url, f"it broke off: {error}") from error

        return AsyncPages(pieces)

    async def run(
        self,
        image: str | None = None,
        command: Sequence[str] = (),
        *,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncHandle:
        """Submit an execution: `run("busybox", ["echo", "hi"], env={"A": "1"}, limits={"timeout": 60})`.

        Every field of a submission is an option by its name; with `method=` and `inputs=` there is no image. Values of
        `files` may also be a `Path`, bytes, or an uploaded file. It is accepted once, also if the request has to be
        sent again: by its key, which is made up unless given.

        Raises:
            Invalid: Fields are wrong; `errors` names all of them.
            TooMany: There are as many in the queue as you may have.
        """
        return await self.submit(submission(image, command, options), idempotency_key=idempotency_key)

    async def submit(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> AsyncHandle:
        """Submit a document as the API takes it: `submit({"image": "busybox", "command": ["true"]})`.

        In `files`, paths and bytes are sent along. Raises what `run` does.
        """
        document = as_json(await self.files.sent_along(spec))
        answer = await self._api.ask("POST", "/v1/executions", json=document, key=idempotency_key or new_key())
        return AsyncHandle(self._api, Record(answer))

    async def dry_run(self, spec: Mapping[str, Any]) -> Record:
        """What would be submitted, defaults and all. Nothing is kept. Raises what `submit` would."""
        answer = await self._api.act("/v1/executions", as_json(spec), params={"dry_run": True})
        return Record(answer["execution"])

    async def get(self, id: str) -> AsyncHandle:  # noqa: A002  that is what it is
        """An execution by its id. Raises `NotFound`."""
        return AsyncHandle(self._api, Record(await self._api.get(f"/v1/executions/{segment(id)}")))

    def list(self, *, sort: str | None = None, **filters: Unpack[Filters]) -> AsyncPages[Record]:
        """Executions, the newest first: `list(status=["queued", "running"], label={"team": "a"}, q="resnet")`.

        All filters must hold. `sort` is `created`, `finished` or `duration`, with `-` the latest or longest first.
        Pages are fetched as they are needed.
        """
        return self._api.pages("/v1/executions", Record, {"sort": sort, **filters})

    async def batch(
        self, specs: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> AsyncBatch:
        """Submit many at once, all or none of them: a list of documents, or a batch as the API takes it.

        Raises:
            Invalid: Something is wrong with some of them; `errors` names all fields of all.
        """
        return await self.batches.submit(specs, idempotency_key=idempotency_key)

    async def map(
        self,
        image: str | None,
        commands: Iterable[Sequence[str]],
        *,
        max_parallel: int | None = None,
        fail_fast: bool = False,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncBatch:
        """The same image with every one of these commands, as one batch: `map("busybox", [["sleep", "1"], ["true"]])`.

        Options hold for all of them. At most `max_parallel` run at once; with `fail_fast` the first failure cancels the
        others. Raises what `batch` does.
        """
        items = [submission(None, command, {}) for command in commands]
        body: dict[str, Any] = {"defaults": submission(image, (), options), "items": items, "fail_fast": fail_fast}
        if max_parallel is not None:
            body["max_parallel"] = max_parallel
        return await self.batch(body, idempotency_key=idempotency_key)

    async def bulk(
        self,
        verb: str,
        /,
        *,
        changes: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **filters: Unpack[Filters],
    ) -> Sequence[Change]:
        """`cancel`, `rerun`, `archive`, `restore` or `delete` all that the filters take: `bulk("cancel", pool="gpu")`.

        Filters are those of `list`; there has to be one. `changes` are for `rerun`. The answer is what came of each:
        one that is refused is no exception here.
        """
        body: dict[str, Any] = {name: _listed(name, value) for name, value in filters.items()}
        if changes is not None:
            body["changes"] = changes
        key = (idempotency_key or new_key()) if verb == "rerun" else None
        done: builtin_list[Change] = []
        while True:
            # A page after the first is another request, so it has another key.
            page_key = f"{key}-{len(done)}" if key else None
            answer = await self._api.act(f"/v1/executions:{verb}", as_json(body), key=page_key)
            done += [Change(item) for item in answer["items"]]
            if not answer["more"]:
                return done
            body["after"] = answer["next"]

    def events(
        self,
        *,
        after: int | None = None,
        status: str | Sequence[str] | None = None,
        label: Mapping[str, str] | None = None,
        pool: str | Sequence[str] | None = None,
        owner: str | None = None,
    ) -> AsyncPages[Happening]:
        """What happens to all executions that you may see, as it happens, until you stop asking.

        Whatever breaks meanwhile, it goes on behind the last event: none comes twice, and none is left out. `after` is
        the `cursor` of the last one that you know; without it they begin now. `status` are moves to or from one. Where
        too much has happened since, there is one of the type `resync` instead: fetch the list again. docs/events.md
        has the rest.
        """
        labels = [f"{key}={value}" for key, value in (label or {}).items()]
        query = {"after": after, "status": status, "label": labels, "pool": pool, "owner": owner}
        return AsyncPages(lambda: HappeningReader(self._transport, query).follow())

    async def load_bundle(self, path: str | os.PathLike[str]) -> AsyncHandle:
        """Take in an execution that `bundle` has written, here or elsewhere.

        Raises:
            Invalid: It is no bundle, or not whole.
            Conflict: It is here already.
        """
        with opened(path) as file:
            headers = {"Content-Type": "application/zip"}
            answer = await self._api.ask("POST", "/v1/imports", content=lambda: _pieces(file), headers=headers)
        return AsyncHandle(self._api, Record(answer))

    async def me(self) -> Me:
        """Who you are, what you may do, and what you use of your quota."""
        return Me(await self._api.get("/v1/me"))

    async def stats(self, /, **params: Any) -> Document:
        """How it stands, and what came and went, step by step: `stats(step=3600, pool="default")`.

        Parameters are those of docs/api.md, "Count".
        """
        return Document(await self._api.get("/v1/stats", **params))

    async def counts(self, /, **params: Any) -> Document:
        """How many executions there are: `counts(group_by=["status", "pool"])`. The same place of docs/api.md."""
        return Document(await self._api.get("/v1/stats/counts", **params))

    async def retention(self, *, days: int = 7) -> Document:
        """For how long what is kept, and what goes now and within so many days."""
        return Document(await self._api.get("/v1/retention", days=days))


# Filters that take several values, which JSON writes as a list always.
_SEVERAL = frozenset({"status", "cause", "owner", "pool", "method", "source"})


def _listed(name: str, value: Any) -> Any:
    return [value] if name in _SEVERAL and isinstance(value, str) else value


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece
