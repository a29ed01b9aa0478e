"""A line to a server that breaks in every way in which lines break: for Postgres, Redis and the container engine.

It stands in front of a TCP or unix socket. What is wrong with it can be changed at any time, and concerns every
connection that is open then or is opened later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from pathlib import Path

from sqlalchemy import make_url

Address = Path | tuple[str, int]
PIECE = 65_536


class State(StrEnum):
    """What becomes of connections."""

    PASSING = auto()
    REFUSING = auto()  # broken, and no new ones
    HANGING = auto()  # accepted, and nothing moves until it is healed: a server that is stopped
    SWALLOWING = auto()  # accepted, and everything is lost without a word, for good: half-open, no reset


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong. `delay` is seconds per piece in either direction, `throttle` bytes per second of the answers,
    `cut_after` bytes of answers of each connection; `lose_after` breaks off instead of passing on the answer to the
    next question that contains these bytes.
    """

    state: State = State.PASSING
    delay: float = 0.0
    throttle: int | None = None
    cut_after: int | None = None
    lose_after: bytes | None = None


class FaultProxy:
    """Listens `here` and passes on to `there`."""

    def __init__(self, here: Address, there: Address) -> None:
        self._here = here
        self._there = there
        self._fault = Fault()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self.accepted = 0
        self.lost = 0

    @property
    def fault(self) -> Fault:
        """What is wrong now."""
        return self._fault

    @property
    def port(self) -> int:
        """Where it listens, if that is TCP."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def listen(self) -> None:
        """Take connections, from now on."""
        if isinstance(self._here, Path):
            self._here.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._here)
        else:
            self._server = await asyncio.start_server(self._serve, *self._here)
            self._here = (self._here[0], self.port)

    async def heal(self) -> None:
        """Nothing is wrong any more; what was swallowed stays lost, and its connections dead."""
        await self._become(Fault())

    async def refuse(self) -> None:
        """As if the server was not there."""
        await self._become(Fault(State.REFUSING))

    async def hang(self) -> None:
        """As if the server was stopped: what is on its way arrives when it is healed."""
        await self._become(Fault(State.HANGING))

    async def swallow(self) -> None:
        """As if the network had forgotten the connections: half-open, nobody hears of it."""
        for connection in self._connections:
            connection.dead = True
        await self._become(Fault(State.SWALLOWING))

    async def slow_down(self, *, delay: float = 0.0, throttle: int | None = None) -> None:
        """As if the server was far away or the line thin."""
        await self._become(Fault(delay=delay, throttle=throttle))

    async def cut_after(self, answered: int) -> None:
        """Break each connection after so many bytes of answers from now on."""
        for connection in self._connections:
            connection.answered = 0
        await self._become(Fault(cut_after=answered))

    async def lose_answer(self, question: bytes) -> None:
        """Break the next connection that asks this, when the server has answered."""
        await self._become(Fault(lose_after=question))

    def question_lost(self) -> None:
        """Only the one answer is lost."""
        self.lost += 1
        self._fault = replace(self._fault, lose_after=None)

    async def moving(self) -> None:
        """Wait while it hangs."""
        while self._fault.state is State.HANGING:
            self._changed.clear()
            await self._changed.wait()

    async def cut(self) -> None:
        """Break every open connection, once."""
        tasks = list(self._connections.values())
        for connection, task in list(self._connections.items()):
            connection.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Go away for good."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()
        if isinstance(self._here, Path):
            self._here.unlink(missing_ok=True)

    async def _become(self, fault: Fault) -> None:
        self._fault = fault
        self._changed.set()
        if fault.state is State.REFUSING:
            await self.close()
        elif self._server is None:
            await self.listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            # It came in just before we closed.
            writer.transport.abort()
            return
        self.accepted += 1
        connection = _Connection(self, reader, writer, dead=self._fault.state is State.SWALLOWING)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            with suppress(OSError, asyncio.CancelledError):
                await connection.run(self._there)
        finally:
            del self._connections[connection]
            connection.abort()


class _Connection:
    """One client, and its own connection to the server."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, dead: bool
    ) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self.dead = dead
        self.deaf = False
        self.answered = 0

    async def run(self, there: Address) -> None:
        if self.dead:
            await asyncio.Event().wait()
        await self._proxy.moving()
        opening = asyncio.open_unix_connection(there) if isinstance(there, Path) else asyncio.open_connection(*there)
        far_reader, far_writer = await opening
        self._writers.append(far_writer)
        await asyncio.gather(self._ask(far_writer), self._answer(far_reader, self._writers[0]))

    def abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _ask(self, far: asyncio.StreamWriter) -> None:
        while data := await self._read(self._reader):
            question = self._proxy.fault.lose_after
            if question is not None and question in data:
                self.deaf = True
                self._proxy.question_lost()
            await self._write(far, data)
        await self._end(far)

    async def _answer(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        while data := await self._read(far):
            if self.deaf:
                self.abort()
                return
            fault = self._proxy.fault
            self.answered += len(data)
            if fault.cut_after is not None and self.answered >= fault.cut_after:
                near.write(data[: len(data) - (self.answered - fault.cut_after)])
                await self._end(near)
                self.abort()
                return
            await self._write(near, data)
            if fault.throttle:
                await asyncio.sleep(len(data) / fault.throttle)
        await self._end(near)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        throttle = self._proxy.fault.throttle
        return await reader.read(min(PIECE, max(1, throttle // 10)) if throttle else PIECE)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self._proxy.moving()
        if self._proxy.fault.delay:
            await asyncio.sleep(self._proxy.fault.delay)
        if not self.dead:
            writer.write(data)
            await writer.drain()

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        """One side is done; a dead line does not even tell that."""
        await self._proxy.moving()
        if self.dead:
            await asyncio.Event().wait()
        with suppress(OSError):
            writer.write_eof()


@asynccontextmanager
async def fault_proxy(here: Address, there: Address) -> AsyncIterator[FaultProxy]:
    """One that passes everything on, until told otherwise."""
    proxy = FaultProxy(here, there)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()


@asynccontextmanager
async def before_postgres(database_url: str, directory: Path) -> AsyncIterator[tuple[str, FaultProxy]]:
    """The address of a database behind such a line, in a directory that has no socket yet."""
    url = make_url(database_url)
    name = ".s.PGSQL.5432"
    async with fault_proxy(directory / name, Path(str(url.query["host"])) / name) as proxy:
        yield url.update_query_dict({"host": str(directory)}).render_as_string(hide_password=False), proxy


@asynccontextmanager
async def before_redis(redis_url: str) -> AsyncIterator[tuple[str, FaultProxy]]:
    """The address of a Redis behind such a line, by TCP as most are."""
    async with fault_proxy(("127.0.0.1", 0), Path(redis_url.removeprefix("unix://"))) as proxy:
        yield f"redis://127.0.0.1:{proxy.port}/0", proxy


@asynccontextmanager
async def before_engine(docker_host: str, directory: Path) -> AsyncIterator[tuple[str, FaultProxy]]:
    """The `DOCKER_HOST` of an engine behind such a line."""
    here = directory / "engine.sock"
    async with fault_proxy(here, Path(docker_host.removeprefix("unix://"))) as proxy:
        yield f"unix://{here}", proxy
