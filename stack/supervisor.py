"""Keeps services alive: one that dies is started again, each time a little later, until everything is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from stack.console import Console
from stack.errors import StackError


class Service(Protocol):
    """Something that runs until it is stopped: one of our programs, or an embedded server."""

    @property
    def name(self) -> str:
        """What it is called on the console."""
        ...

    async def start(self) -> None:
        """Start it; raises `StackError` when that fails."""
        ...

    async def wait(self) -> int:
        """Wait until it ends; the exit status, negative for a signal."""
        ...

    async def stop(self) -> None:
        """End it, or what is left of it."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next start, in seconds."""

    first: float = 0.5
    factor: float = 2.0
    ceiling: float = 15.0
    # Who ran for so long has recovered, and the next death is a new one.
    steady_after: float = 30.0

    def delays(self) -> Iterator[float]:
        """One delay after the other, growing up to the ceiling."""
        delay = self.first
        while True:
            yield delay
            delay = min(delay * self.factor, self.ceiling)


class Supervisor:
    """Starts services in groups and keeps them; stops the last group first."""

    def __init__(self, console: Console, backoff: Backoff | None = None) -> None:
        self._console = console
        self._backoff = backoff or Backoff()
        self._groups: list[list[Service]] = []
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, *services: Service) -> None:
        """Start a group, all at once, and keep it from now on. Raises `StackError` if one does not start."""
        self._groups.append(list(services))
        for outcome in await asyncio.gather(*(service.start() for service in services), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        for service in services:
            self._keepers.append(asyncio.create_task(self._keep(service), name=f"keeper of {service.name}"))

    async def stop(self) -> None:
        """Stop everything; a group only when the groups that build on it are gone."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()
        while self._groups:
            await asyncio.gather(*(service.stop() for service in self._groups.pop()))

    async def _keep(self, service: Service) -> None:
        clock = asyncio.get_running_loop().time
        delays = self._backoff.delays()
        while True:
            began = clock()
            status = await service.wait()
            if clock() - began >= self._backoff.steady_after:
                delays = self._backoff.delays()
            await self._revive(service, _ending(status), delays)

    async def _revive(self, service: Service, why: str, delays: Iterator[float]) -> None:
        """Try until it is up again."""
        for delay in delays:
            self._console.say(f"{service.name} {why}; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)
            try:
                await service.stop()
                await service.start()
                return
            except StackError as error:
                why = f"did not start ({error})"


def _ending(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
