"""See one container through: start it, carry its output, obey and hear, until it has exited and its log is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from worker.concurrency import beside, result_of
from worker.engine.port import ContainerRuntime, Inspection
from worker.exit_watch import ExitWatch
from worker.log_sink import LogSink
from worker.oversight import Oversight
from worker.pump import Pump


class Watch:
    """One container under watch. Afterwards `log_complete` tells whether output may have been lost."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        container: str,
        sink: LogSink,
        oversight: Oversight,
        measure: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        """`measure` takes notice of what it uses, for as long as it runs."""
        self._measure = measure
        self._container = container
        self._oversight = oversight
        self._exit = ExitWatch(runtime, container, oversight.note_engine)
        self._pump = Pump(runtime, container, sink, self._exit)

    @property
    def log_complete(self) -> bool:
        """Whether all that the program wrote was read."""
        return self._pump.complete

    async def run(self, start: Callable[[], Awaitable[None]] | None) -> Inspection:
        """How it ended. With `start` it is created and started here; without, it is adopted as it runs.

        Raises what `start` raises, `Over` when a stop comes before it, `NoSuchContainer` when it was removed behind our
        back, and `Fenced`.
        """
        pumping = asyncio.ensure_future(self._pump.run(attach=start is not None))
        exiting = asyncio.ensure_future(self._exit.run(started=start is None))
        try:
            if start is not None:
                # Both streams are open before the start, so that neither the first byte nor the exit is missed.
                await self._oversight.unless_stopped(self._both_open(exiting, pumping))
                await start()
            # From here on the record says that it runs.
            self._pump.may_tell.set()
            ended = await beside(
                result_of(exiting),
                self._oversight.obey(self._container),
                self._oversight.listen(),
                self._measure(self._container),
                result_of(pumping),
            )
            await pumping
            return ended
        finally:
            for task in (pumping, exiting):
                task.cancel()
            await asyncio.gather(pumping, exiting, return_exceptions=True)

    async def _both_open(self, exiting: asyncio.Future[Any], pumping: asyncio.Future[Any]) -> None:
        await _ready(self._exit.ready, exiting)
        await _ready(self._pump.attached, pumping)


async def _ready(event: asyncio.Event, task: asyncio.Future[Any]) -> None:
    """Wait for the event, or raise what ended the task that should have set it."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            task.result()
    finally:
        waiting.cancel()
