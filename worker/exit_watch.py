"""When one container has exited. The engine's `wait` is a hint, `inspect` is the judge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from worker.engine.port import ContainerRuntime, ContainerState, EngineUnreachable, Inspection, WaitForExit

log = structlog.get_logger(__name__)

LOOK_ANYWAY_AFTER = 30
# A second that took so long: somebody stopped us, or something blocked us.
STOOD_STILL = 2.5
RETRY_AFTER = 0.5


class ExitWatch:
    """Watches one container. `breaks` counts how often the engine broke off: then streams may have lost something.

    `witnessed`: it was seen running, and from then on until its exit the engine did not break off.
    """

    def __init__(self, runtime: ContainerRuntime, container: str, tell: Callable[[bool], Awaitable[None]]) -> None:
        """`tell` hears whether the engine answers whenever that changes."""
        self._runtime = runtime
        self._container = container
        self._tell = tell
        self._away = False
        self._sees = False
        self._changed = asyncio.Event()
        self.ready = asyncio.Event()
        self.exit: Inspection | None = None
        self.breaks = 0
        self.witnessed = False

    async def run(self, *, started: bool) -> Inspection:
        """How it ended. With `started` it may have exited already. Raises `NoSuchContainer` when it was removed."""
        look_first = started
        self._sees = not started
        while True:
            try:
                inspection = await self._wait_once(look_first=look_first)
            except EngineUnreachable as error:
                log.warning("engine.unreachable", container=self._container, error=str(error))
                self._break()
                await self._note(away=True)
                await asyncio.sleep(RETRY_AFTER)
                look_first = True
                continue
            await self._note(away=False)
            look_first = True
            if inspection.state is ContainerState.EXITED:
                self.witnessed = self._sees
                self.exit = inspection
                self._changed.set()
                return inspection
            self._sees = True

    async def exited(self) -> None:
        """Returns when it has exited."""
        while self.exit is None:
            self._changed.clear()
            await self._changed.wait()

    async def exit_or_break(self, breaks: int) -> None:
        """Returns when it has exited, or when there have been more than so many breaks."""
        while self.exit is None and self.breaks <= breaks:
            self._changed.clear()
            await self._changed.wait()

    async def _wait_once(self, *, look_first: bool) -> Inspection:
        async with self._runtime.wait(self._container) as wait:
            self.ready.set()
            if look_first:
                # The watch is open now: an exit before it is seen here, one after it is heard.
                inspection = await self._runtime.inspect(self._container)
                if inspection.state is ContainerState.EXITED:
                    return inspection
            hinted = await self._until_hinted(wait)
        inspection = await self._runtime.inspect(self._container)
        if hinted and inspection.state is not ContainerState.EXITED:
            # The engine let go of the watch, not the container of its program.
            self._break()
            await asyncio.sleep(RETRY_AFTER)
        return inspection

    async def _until_hinted(self, wait: WaitForExit) -> bool:
        """Whether the engine said something, or stopped saying anything, in the time that we wait for it.

        If this process stood still meanwhile, it cannot know what it missed: a break.
        """
        hint = asyncio.ensure_future(wait.exited())
        try:
            for _ in range(LOOK_ANYWAY_AFTER):
                asked = time.monotonic()
                await asyncio.wait({hint}, timeout=1.0)
                if time.monotonic() - asked > STOOD_STILL:
                    self._break()
                if hint.done():
                    hint.result()
                    return True
            return False
        finally:
            hint.cancel()
            await asyncio.gather(hint, return_exceptions=True)

    async def _note(self, *, away: bool) -> None:
        if away is not self._away:
            self._away = away
            await self._tell(away)

    def _break(self) -> None:
        self.breaks += 1
        self._sees = False
        self._changed.set()
