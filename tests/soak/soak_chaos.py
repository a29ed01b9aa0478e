"""Random faults, by a schedule that follows from a seed: every component of an installation is killed now and then."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from redis.asyncio import Redis

from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.private_engine import PrivateEngine
from support.running import Running

# Storms and calms: how far faults are apart, in seconds, and for how long it stays so.
PACES = ((0.2, 1.0), (1.0, 5.0), (1.0, 5.0), (8.0, 20.0))
PACE_LASTS = (15.0, 60.0)
LOOK_EVERY = 0.5
EVERYTHING = "everything"
ENGINE_SHARE = 0.1
# Longer than a worker may be silent before others take over.
SHORT_FREEZE, LONG_FREEZE = (0.5, 6.0), (35.0, 45.0)
# What is broken, how, and the way to do it.
Fault = tuple[str, str, Callable[[], Awaitable[None]]]


@dataclass(frozen=True)
class Role:
    """A process of the installation, and how it is started."""

    name: str
    module: str
    environment: Mapping[str, str]


@dataclass
class Chaos:
    """Breaks the parts of one installation, and puts each of them up again, as a service manager would."""

    installation: Running
    roles: tuple[Role, ...]
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    engine: PrivateEngine | None
    random: Random
    happened: list[tuple[float, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _pace: tuple[float, float] = PACES[1]
    _pace_until: float = 0.0
    _busy: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def counts(self) -> Counter[str]:
        """How often what happened."""
        return Counter(name for _, name in self.happened)

    async def run_until(self, over: asyncio.Event) -> None:
        """Do something bad to whatever is well, until it is over; then everything is put up again."""
        keeping = asyncio.create_task(self._keep_up())
        try:
            while not over.is_set():
                await self._wait(over, self._pause())
                part, fault, act = self._draw()
                if part not in self._busy and EVERYTHING not in self._busy and not over.is_set():
                    self._begin(part, fault, act)
            while self._tasks:
                await asyncio.gather(*self._tasks)
            await self._put_up_all()
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    def _pause(self) -> float:
        if time.monotonic() > self._pace_until:
            self._pace = self.random.choice(PACES)
            self._pace_until = time.monotonic() + self.random.uniform(*PACE_LASTS)
        return self.random.uniform(*self._pace)

    def _draw(self) -> Fault:
        kind = self.random.choice(["worker"] * 10 + ["api"] * 5 + ["redis"] * 4 + ["postgres"] * 2 + [EVERYTHING])
        pause = self.random.uniform(0, 4)
        if self.engine is not None and self.random.random() < ENGINE_SHARE:
            return self._draw_engine(self.engine, pause)
        if kind == EVERYTHING:
            return kind, "killed", lambda: self._kill_everything(pause)
        roles = [role for role in self.roles if role.name.startswith(kind)]
        return self._draw_process(self.random.choice(roles), pause) if roles else self._draw_server(kind, pause)

    def _draw_engine(self, engine: PrivateEngine, pause: float) -> Fault:
        if self.random.random() < 0.5:
            return "engine", "stopped", lambda: self._restart(engine, engine.stop, pause)
        return "engine", "killed", lambda: self._restart(engine, engine.kill, pause)

    def _draw_server(self, kind: str, pause: float) -> Fault:
        server = self.redis if kind == "redis" else self.postgres
        match kind, self.random.random() < 0.5:
            case "redis", True:
                return kind, "flushed", self._flush
            case "postgres", True:
                return kind, "stopped", lambda: self._restart(server, server.stop, pause)
            case _:
                return kind, "killed", lambda: self._restart(server, server.kill, pause)

    def _draw_process(self, role: Role, pause: float) -> Fault:
        match self.random.choice(["killed", "killed", "asked to go", "frozen", "frozen"]):
            case "killed":
                return role.name, "killed", lambda: self._replace(role, signal.SIGKILL, pause)
            case "asked to go":
                return role.name, "asked to go", lambda: self._replace(role, signal.SIGTERM, pause)
            case _:
                is_long = self.random.random() < 0.3
                seconds = self.random.uniform(*(LONG_FREEZE if is_long else SHORT_FREEZE))
                return role.name, "frozen for long" if is_long else "frozen", lambda: self._freeze(role, seconds)

    def _begin(self, part: str, fault: str, act: Callable[[], Awaitable[None]]) -> None:
        self.note(f"{part} {fault}")
        self._busy.add(part)

        async def tell() -> None:
            try:
                await act()
            finally:
                self._busy.discard(part)

        task = asyncio.create_task(tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, what: str) -> None:
        """Remember what happened, and when."""
        self.happened.append((time.monotonic() - self.began, what))

    async def _restart(
        self,
        server: EmbeddedPostgres | EmbeddedRedis | PrivateEngine,
        stop: Callable[[], Awaitable[None]],
        pause: float,
    ) -> None:
        await stop()
        await asyncio.sleep(pause)
        await server.start()

    async def _kill_everything(self, pause: float) -> None:
        """As if the power had failed, but for the containers."""
        await asyncio.gather(*(task for task in self._tasks if task is not asyncio.current_task()))
        for role in self.roles:
            if role.name in self.installation.processes:
                await self.installation.stop(role.name, signal.SIGKILL)
        servers = [server for server in (self.redis, self.postgres, self.engine) if server is not None]
        await asyncio.gather(*(server.kill() for server in servers))
        await asyncio.sleep(pause)
        await asyncio.gather(*(server.start() for server in servers))
        await self._put_up_all()

    async def _flush(self) -> None:
        client = Redis.from_url(self.redis.url)
        await client.flushall()
        await client.aclose()

    async def _replace(self, role: Role, number: signal.Signals, pause: float) -> None:
        if role.name in self.installation.processes:
            await self.installation.stop(role.name, number)
            await asyncio.sleep(pause)
        await self._put_up(role)

    async def _freeze(self, role: Role, seconds: float) -> None:
        process = self.installation.processes.get(role.name)
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    async def _keep_up(self) -> None:
        """Whoever ends by itself, because it cannot begin without the database for instance, is started again."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for role in self.roles:
                process = self.installation.processes.get(role.name)
                is_ours = role.name not in self._busy and EVERYTHING not in self._busy
                if is_ours and process is not None and process.returncode is not None:
                    self.note(f"{role.name} ended by itself, {process.returncode}")
                    await self._put_up(role)

    async def _put_up_all(self) -> None:
        for role in self.roles:
            process = self.installation.processes.get(role.name)
            if process is None or process.returncode is not None:
                await self._put_up(role)

    async def _put_up(self, role: Role) -> None:
        await self.installation.start(role.name, role.module, **role.environment)

    @staticmethod
    async def _wait(over: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await over.wait()
