"""Child processes: started in a session of their own, stopped by a ladder of signals, never surviving us.

A session of their own, so that Ctrl-C in a terminal reaches only us and we decide who stops first.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stack.console import Console
from stack.programs import ROOT, find_program, search_path

LINE_LIMIT = 64 * 1024
RELAY_PATIENCE = 0.5
PATIENCE = 3.2
# A parent that died before the death signal was asked for would never be noticed. Arguments: parent command…
ONLY_WITH_PARENT = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class Rung:
    """A signal, and how many seconds the process has to end after it."""

    signal: signal.Signals
    patience: float


def leash(death_signal: signal.Signals, *options: str) -> list[str]:
    """The front part of a command line whose process gets `death_signal` when we die; `options` are setpriv's.

    setpriv asks for the signal after it changed the user, which would have cleared it.
    """
    drop = [find_program("setpriv"), *options, "--pdeathsig", death_signal.name]
    return [*drop, "sh", "-c", ONLY_WITH_PARENT, "sh", str(os.getpid())]


async def spawn(argv: Sequence[str], *, output: BinaryIO | int, env: Mapping[str, str], cwd: Path) -> Process:
    """Start a child. Call it from a thread that lives as long as the child may: the kernel takes its end for ours."""
    return await asyncio.create_subprocess_exec(
        *argv, stdin=DEVNULL, stdout=output, stderr=STDOUT, env=env, cwd=cwd, start_new_session=True
    )


async def end(process: Process, ladder: Sequence[Rung]) -> int:
    """Walk down the ladder until the process has ended, with SIGKILL as the last rung. Returns its exit status."""
    for rung in ladder:
        if process.returncode is not None:
            break
        with suppress(ProcessLookupError):
            process.send_signal(rung.signal)
        with suppress(TimeoutError):
            async with asyncio.timeout(rung.patience):
                await process.wait()
    # The whole session: what the process started and left behind goes with it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return await process.wait()


class Program:
    """One of our own programs, whose lines appear on the console behind its name."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        console: Console,
        env: Mapping[str, str],
        patience: float = PATIENCE,
    ) -> None:
        """`patience` is how many seconds it has to end after SIGTERM."""
        self.name = name
        self._argv = argv
        self._console = console
        self._env = env
        self._ladder = (Rung(signal.SIGTERM, patience),)
        self._process: Process | None = None
        self._relay: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start it; does not wait until it is of use."""
        # SIGKILL: the services outlive any of our programs, and a hanging one would not hear anything softer.
        bound = [*leash(signal.SIGKILL), *self._argv]
        environment = {"PATH": search_path(), "PYTHONUNBUFFERED": "1", **self._env}
        self._process = await spawn(bound, output=PIPE, env=environment, cwd=ROOT)
        self._relay = asyncio.create_task(self._pass_lines_on(self._process), name=f"lines of {self.name}")

    async def wait(self) -> int:
        """Wait until it ends; the exit status, negative for a signal."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL; returns when it has ended and its last line is on the console."""
        if self._process is None or self._relay is None:
            return
        await end(self._process, self._ladder)
        # The pipe stays open for as long as anything that fled the session holds it.
        await asyncio.wait([self._relay], timeout=RELAY_PATIENCE)
        self._relay.cancel()
        self._process = None

    async def run(self) -> int:
        """Start it, wait for its end and return its exit status; if we are canceled, it is stopped."""
        await self.start()
        try:
            return await self.wait()
        finally:
            await self.stop()

    async def _pass_lines_on(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        pending = b""
        while chunk := await process.stdout.read(LINE_LIMIT):
            *lines, pending = (pending + chunk).split(b"\n")
            if len(pending) >= LINE_LIMIT:
                lines, pending = [*lines, pending], b""
            for line in lines:
                self._show(line)
        if pending:
            self._show(pending)

    def _show(self, line: bytes) -> None:
        self._console.pass_on(self.name, line.decode(errors="replace").rstrip("\r"))
