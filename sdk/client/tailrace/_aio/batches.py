"""Many executions at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import Unpack, override

from tailrace._aio.api import Api
from tailrace._aio.downloads import download
from tailrace._aio.files import AsyncFiles
from tailrace._aio.handle import AsyncHandle
from tailrace._aio.watched import Watched
from tailrace._document import Document
from tailrace._nouns import BatchRecord
from tailrace._pages import AsyncPages
from tailrace._records import Record
from tailrace._submission import Filters, as_json
from tailrace._transport import new_key, segment

BATCHES = "/v1/batches"


class AsyncBatch(Watched[BatchRecord]):
    """One batch. `record` is what was seen of it last."""

    _tells_changes = False

    def __init__(self, api: Api, record: BatchRecord) -> None:
        super().__init__(api, f"{BATCHES}/{segment(record.id)}", record)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, status={self.record.status!r})"

    def executions(self, **filters: Unpack[Filters]) -> AsyncPages[Record]:
        """Its children, by all filters of the list, in their order."""
        return self._api.pages("/v1/executions", Record, {"sort": "created", **filters, "batch": self.id})

    async def handles(self) -> Sequence[AsyncHandle]:
        """A handle of each child, in their order."""
        children = [AsyncHandle(self._api, record) async for record in self.executions()]
        return sorted(children, key=lambda child: int(child.record.lineage.batch.get("index") or 0))

    def needs(self) -> AsyncPages[Document]:
        """Which child needs which, by `index`: its `execution`, `key` and `needs` (`name` and `execution` of each)."""
        return self._api.pages(f"{self._path}/needs", Document)

    async def cancel(self, *, force: bool = False) -> BatchRecord:
        """Stop all of it, as `Handle.cancel` stops one."""
        return self._seen(await self._api.act(f"{self._path}/cancel", {"force": force}))

    async def rerun(self, only: str = "failed", *, idempotency_key: str | None = None) -> AsyncBatch:
        """Run again what did not succeed, or `all` of it, as another batch. Raises `Conflict` if it has not ended."""
        key = idempotency_key or new_key()
        answer = await self._api.ask("POST", f"{self._path}/rerun", json={"only": only}, key=key)
        return AsyncBatch(self._api, BatchRecord(answer))

    async def zip(self, path: str | os.PathLike[str]) -> Path:
        """Write what all of them left as one zip file, with a directory for each."""
        return await download(self._api.transport, f"{self._path}/outputs.zip", Path(path))

    async def delete(self) -> None:
        """Delete it with all its children. What runs is stopped first."""
        await self._api.ask("DELETE", self._path)


class AsyncBatches:
    """All batches."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> AsyncPages[BatchRecord]:
        """The newest first."""
        return self._api.pages(BATCHES, BatchRecord)

    async def get(self, id: str) -> AsyncBatch:  # noqa: A002  that is what it is
        """A batch by its id. Raises `NotFound`."""
        return AsyncBatch(self._api, BatchRecord(await self._api.get(f"{BATCHES}/{segment(id)}")))

    async def submit(
        self, specs: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> AsyncBatch:
        """Submit many at once, all or none of them.

        A list has one document for each. A mapping is a batch as the API takes it, such as
        `{"defaults": {…}, "matrix": {"inputs": {"rate": [0.1, 0.01]}}, "max_parallel": 4}`.

        Raises:
            Invalid: Something is wrong with some of them; `errors` names all fields of all.
        """
        body: dict[str, Any] = dict(specs) if isinstance(specs, Mapping) else {"items": list(specs)}
        files = AsyncFiles(self._api)
        if isinstance(body.get("defaults"), Mapping):
            body["defaults"] = await files.sent_along(body["defaults"])
        if isinstance(body.get("items"), list):
            body["items"] = [
                await files.sent_along(item) if isinstance(item, Mapping) else item for item in body["items"]
            ]
        answer = await self._api.ask("POST", BATCHES, json=as_json(body), key=idempotency_key or new_key())
        return AsyncBatch(self._api, BatchRecord(answer))
