"""What can be waited for: the server holds the question until it is over."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tailrace._aio.api import Api
from tailrace._errors import ConnectionFailed, ExecutionFailed, NotTailrace, ServerError, WaitTimeout
from tailrace._html import shown
from tailrace._nouns import BatchRecord
from tailrace._progress import Bar
from tailrace._records import Record
from tailrace._retrying import MISTAKE, Patience
from tailrace._transport import Request

if TYPE_CHECKING:
    import httpx

W = TypeVar("W", Record, BatchRecord)

# The server holds a question for a minute at most; proxies in between often for less.
HELD = 30.0
# For how long at most a wait that has run out still asks what there is to say.
GLANCE = 1.0


class Watched(Generic[W]):
    """Has a record, of which newer ones can be asked for."""

    # Whether the server can hold a question for changes; else it is asked every so many seconds.
    _tells_changes = True
    _looks_every = 2.0

    def __init__(self, api: Api, path: str, record: W) -> None:
        self._api = api
        self._path = path
        self._etag: str | None = None
        self.record: W = record

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._api.transport.config.url}{self._path}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return shown(self.record)

    async def refresh(self) -> W:
        """Look at it now. Raises `NotFound` if it was deleted."""
        return self._seen(await self._api.get(self._path))

    async def wait(
        self,
        timeout: float | None = None,
        *,
        check: bool = False,
        progress: bool = False,
        on_change: Callable[[W], object] | None = None,
    ) -> W:
        """Wait until it has ended, however that is. The server says so at once; a server that restarts is waited for.

        Args:
            timeout: Seconds; None is as long as it takes.
            check: Raise if it did not succeed.
            progress: Show a bar, in terminals and notebooks.
            on_change: Called with every new record on the way, and awaited if it is asynchronous.

        Raises:
            WaitTimeout: It has not ended within `timeout`.
            ExecutionFailed: It has not succeeded, with `check`.
            NotFound: It was deleted.
        """
        with ExitStack() as stack:
            told = [on_change] if on_change is not None else []
            if progress:
                bar = stack.enter_context(Bar())
                bar.show(self.record)
                told.append(bar.show)
            await self._until_end(math.inf if timeout is None else timeout, told)
        if check and self.record.status != "succeeded":
            raise ExecutionFailed(self.record)
        return self.record

    async def _until_end(self, timeout: float, told: list[Callable[[W], object]]) -> None:
        deadline = time.monotonic() + timeout
        patience = Patience(math.inf)
        while not self.record.ended:
            began = time.monotonic()
            if began >= deadline:
                await self._glance()
                if self.record.ended:
                    return
                raise WaitTimeout(self.record, timeout)
            changed = await self._look(deadline - began, changes=bool(told))
            if changed:
                for tell in told:
                    telling = tell(self.record)
                    if inspect.isawaitable(telling):
                        await telling
            if time.monotonic() - began >= 1.0 or (changed and told):
                patience = Patience(math.inf)
            elif not self.record.ended:
                # It did not hold the question: it is about to stop, or not there.
                await patience.rest(at_most=deadline - time.monotonic())

    async def _glance(self) -> None:
        """How it stands when the time is over, if the server says so at once."""
        import anyio

        with anyio.move_on_after(GLANCE), suppress(ConnectionFailed, ServerError):
            await self.refresh()

    async def _look(self, within: float, *, changes: bool) -> bool:
        """One question that the server holds until the end, or until there are changes. Whether there are any."""
        import anyio

        seconds = min(self._holding(changes=changes), within)
        headers = {"If-None-Match": self._etag} if changes and self._etag else {}
        timeout = seconds + self._api.transport.timeout
        params = {"wait": f"{seconds:.3f}"}
        request = Request("GET", self._path, params=params, headers=headers, timeout=timeout, patience=within)
        response: httpx.Response | None = None
        try:
            with anyio.move_on_after(None if math.isinf(within) else within):
                response = await self._api.transport.send(request)
        except NotTailrace:
            raise
        except ConnectionFailed:
            pass
        except ServerError as error:
            if error.status == MISTAKE:
                raise
        if response is None or response.status_code == 304:
            return False
        before, self._etag = self.record.raw, response.headers.get("etag")
        return bool(self._seen(response.json()).raw != before)

    def _holding(self, *, changes: bool) -> float:
        """For how many seconds the server is to hold the question. Changes are those to what has been seen before."""
        if not changes:
            return HELD
        if not self._tells_changes:
            return self._looks_every
        return HELD if self._etag else 0.0

    def _seen(self, answer: Mapping[str, Any]) -> W:
        self.record = type(self.record)(answer)
        return self.record
