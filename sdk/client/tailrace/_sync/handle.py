"""One execution, for who has no event loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from typing_extensions import override

from tailrace._aio.handle import AsyncHandle
from tailrace._errors import TailraceError
from tailrace._html import shown
from tailrace._pages import Pages
from tailrace._portal import Facade, blocking, passing
from tailrace._records import Record
from tailrace._status import Status
from tailrace._sync.outputs import Outputs


def _handle(aio: AsyncHandle) -> Handle:
    return Handle(aio)


class Handle(Facade[AsyncHandle]):
    """One execution. `record` is what was seen of it last."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.aio.id

    @property
    def record(self) -> Record:
        """What was seen of it last."""
        return self.aio.record

    @property
    def status(self) -> Status:
        """How it stood when it was last looked at: a string such as `"running"`, with more to ask."""
        return self.aio.status

    @property
    def url(self) -> str:
        """Its address."""
        return self.aio.url

    @property
    def outputs(self) -> Outputs:
        """What it left."""
        return Outputs(self.aio.outputs)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, status={self.record.status!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return shown(self.record)

    refresh = blocking(AsyncHandle.refresh)
    wait = blocking(AsyncHandle.wait)
    logs = passing(AsyncHandle.logs, Pages)
    cancel = blocking(AsyncHandle.cancel)
    kill = blocking(AsyncHandle.kill)
    pause = blocking(AsyncHandle.pause)
    resume = blocking(AsyncHandle.resume)
    hold = blocking(AsyncHandle.hold)
    release = blocking(AsyncHandle.release)
    change = blocking(AsyncHandle.change)
    rerun = blocking(AsyncHandle.rerun, _handle)
    archive = blocking(AsyncHandle.archive)
    restore = blocking(AsyncHandle.restore)
    delete = blocking(AsyncHandle.delete)
    events = blocking(AsyncHandle.events)
    attempts = blocking(AsyncHandle.attempts)
    usage = blocking(AsyncHandle.usage)
    plots = blocking(AsyncHandle.plots)
    share = blocking(AsyncHandle.share)
    shares = blocking(AsyncHandle.shares)
    unshare = blocking(AsyncHandle.unshare)
    code = blocking(AsyncHandle.code)
    bundle = blocking(AsyncHandle.bundle)

    @contextmanager
    def canceled_on_interrupt(self, *, force: bool = False) -> Iterator[Handle]:
        """Within, Ctrl-C cancels the execution too, before it goes on its way."""
        try:
            yield self
        except KeyboardInterrupt:
            with suppress(TailraceError):
                self.cancel(force=force)
            raise
