"""What the embedded servers have in common: a confined child process with a unix socket, a log and a clean end."""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from asyncio.subprocess import Process
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ClassVar, Self

from stack.accounts import Account, server_account
from stack.confinement import Confinement
from stack.errors import ServerFailed, StackError
from stack.processes import Rung, end, spawn
from stack.programs import search_path
from stack.sockets import close_socket_directory, open_socket_directory

READY_WITHIN = 30.0
POLL_SECONDS = 0.02
QUOTED_LINES = 15


class EmbeddedServer(ABC):
    """A real server with its data in `data_dir`; its socket and the log of the current run are in `run_dir`.

    Start it from a thread that lives as long as the server may. `start`, `stop` and `kill` can be called any number of
    times; as an asynchronous context manager it is stopped at the end of the block.
    """

    name: ClassVar[str]
    system_user: ClassVar[str]
    socket_name: ClassVar[str]
    stop_ladder: ClassVar[Sequence[Rung]]
    death_signal: ClassVar[signal.Signals]

    def __init__(self, data_dir: Path, run_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = run_dir.absolute() / f"{self.name}.log"
        self._wanted_sockets = run_dir.absolute() / self.name
        self._sockets: Path | None = None
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def socket_dir(self) -> Path:
        """The directory of the socket. Raises `RuntimeError` before the start."""
        if self._sockets is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._sockets

    async def start(self) -> None:
        """Start the server and wait until it answers. Raises `ServerFailed` with the last lines of its log."""
        account = server_account(self.system_user)
        self.log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".log.old"))
        try:
            self._sockets = open_socket_directory(self._wanted_sockets, self.socket_name, account)
            await self._prepare(account)
            await self._launch(account)
            await self._until_ready()
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Wait until the server ends, for whatever reason; its exit status, negative for a signal."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return await self._process.wait()

    async def stop(self) -> None:
        """Shut it down in order, by force if it takes too long."""
        if self._process is not None:
            await end(self._process, self.stop_ladder)
        if self._sockets is not None:
            close_socket_directory(self._wanted_sockets, self._sockets)

    async def kill(self) -> None:
        """SIGKILL to the server, as a crash would."""
        if self._process is not None:
            await end(self._process, ())

    @abstractmethod
    async def _prepare(self, account: Account) -> None:
        """Make the data directory what the server expects; deal with what one that was killed left there."""

    @abstractmethod
    def _confine(self, account: Account, data: Path) -> Confinement:
        """Which directories the server gets."""

    @abstractmethod
    def _command(self, confinement: Confinement) -> list[str]:
        """The server's command line, with its directories as they are named inside."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether a client gets an answer."""

    async def _launch(self, account: Account) -> None:
        confinement = self._confine(account, self.data_dir)
        argv = confinement.command(self._command(confinement), death_signal=self.death_signal)
        self._process = await self._spawn(argv)

    async def _spawn(self, argv: Sequence[str]) -> Process:
        environment = {"PATH": search_path(), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        with self._open_log() as log:
            return await spawn(argv, output=log, env=environment, cwd=Path("/"))

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not await self._answers():
                    if self.pid is None:
                        raise ServerFailed(f"{self.name} ended while it started:\n{self._log_tail()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            silence = f"{self.name} did not answer within {READY_WITHIN:.0f} s"
            raise ServerFailed(f"{silence}:\n{self._log_tail()}") from None

    def _open_log(self) -> BinaryIO:
        return os.fdopen(os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def _log_tail(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-QUOTED_LINES:])


def wheel_directory(package: str) -> Path:
    """Where an installed package lies. Raises `StackError` when it is not installed."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise StackError(f"The package {package} is not installed: `uv sync` installs it")
    return Path(found.origin).parent
