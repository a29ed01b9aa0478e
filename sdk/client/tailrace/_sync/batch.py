"""One batch, for who has no event loop."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from tailrace._aio.batches import AsyncBatch
from tailrace._aio.handle import AsyncHandle
from tailrace._html import shown
from tailrace._nouns import BatchRecord
from tailrace._pages import Pages
from tailrace._portal import Facade, blocking, passing
from tailrace._sync.handle import Handle


def _batch(aio: AsyncBatch) -> Batch:
    return Batch(aio)


def _handles(children: Sequence[AsyncHandle]) -> Sequence[Handle]:
    return [Handle(child) for child in children]


class Batch(Facade[AsyncBatch]):
    """One batch. `record` is what was seen of it last."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.aio.id

    @property
    def record(self) -> BatchRecord:
        """What was seen of it last."""
        return self.aio.record

    @property
    def url(self) -> str:
        """Its address."""
        return self.aio.url

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, status={self.record.status!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return shown(self.record)

    refresh = blocking(AsyncBatch.refresh)
    wait = blocking(AsyncBatch.wait)
    executions = passing(AsyncBatch.executions, Pages)
    needs = passing(AsyncBatch.needs, Pages)
    handles = blocking(AsyncBatch.handles, _handles)
    cancel = blocking(AsyncBatch.cancel)
    rerun = blocking(AsyncBatch.rerun, _batch)
    zip = blocking(AsyncBatch.zip)
    delete = blocking(AsyncBatch.delete)
