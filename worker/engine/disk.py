"""What a container takes on disk: where the engine keeps what it writes, and how much that is.

A program arranges its tree as it likes while we look, deeper than any path may be long and with any number of names.
`du` stands that: it holds little in memory, follows no link, and stays on the file system where it began.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

# An empty file takes an inode and a name, and those can run out too: each file or directory counts as one block.
FILE_BYTES: Final = 4096
# Tens of millions of names take minutes. Who gave up earlier would let such a tree grow on.
_WITHIN: Final = 600.0
# Trees that are looked at, at the same time; and for how long until it is another's turn, seconds.
_AT_ONCE: Final = 2
_TURN: Final = 2.0
_DU: Final = ("nice", "du", "--summarize", "--total", "--one-file-system")


def own_directories(found: Mapping[str, Any]) -> tuple[Path, ...] | None:
    """Where the engine's host keeps what a container writes: its layer, and volumes that its image asks for.

    By the engine's answer about the container. None where the engine does not say, or the host is not this one.
    """
    layer = ((found.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    if layer is None:
        return None
    volumes = [mount["Source"] for mount in found.get("Mounts") or () if mount["Type"] == "volume"]
    directories = tuple(map(Path, (layer, *volumes)))
    # Those of another host are not there, those of an engine of somebody else's we may not enter.
    return directories if all(os.access(directory, os.R_OK | os.X_OK) for directory in directories) else None


async def count_by_engine(ask: Callable[..., Awaitable[Any]], path: str) -> int:
    """Bytes of a container's layer and of the volumes that its image asks for, by the engine: apparent sizes."""
    found = await ask("GET", path, params={"size": "1"}, slow=True)
    volumes = {mount["Name"] for mount in found.get("Mounts") or () if mount["Type"] == "volume"}
    used = await ask("GET", "/system/df", params={"type": "volume"}, slow=True) if volumes else {}
    sizes = [each["UsageData"]["Size"] for each in used.get("Volumes") or () if each["Name"] in volumes]
    # -1 is what an engine says that has not counted one.
    return int(found.get("SizeRw") or 0) + sum(max(0, int(size)) for size in sizes)


class Turns:
    """Who is looked at when, so that a tree of very many files holds up no other one's look.

    A walk stands still when its turn is over, and goes on when it comes again: a small tree waits for seconds, not for
    all of the large. What an engine counts cannot stand still: those that took it long have a place of their own.
    """

    def __init__(self, turn: float = _TURN) -> None:
        self._turn = turn
        self._walking = asyncio.Semaphore(_AT_ONCE)
        self._asking, self._asking_for_long = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(1)
        self._long = set[str]()

    @asynccontextmanager
    async def asking(self, container: str) -> AsyncIterator[None]:
        """While the engine counts what it has."""
        async with self._asking_for_long if container in self._long else self._asking:
            began = time.monotonic()
            self._long.discard(container)
            yield
            if time.monotonic() - began > self._turn:
                self._long.add(container)

    async def allocated(self, directories: Sequence[Path]) -> int:
        """Bytes that these take on disk together; holes take nothing. Raises `OSError` when it cannot be found out."""
        if not directories:
            return 0
        blocks = await self._total("--block-size=1", directories)
        return max(blocks, FILE_BYTES * await self._total("--inodes", directories))

    async def _total(self, what: str, directories: Sequence[Path]) -> int:
        walk: _Walk | None = None
        try:
            for _ in range(int(_WITHIN / self._turn)):
                async with self._walking:
                    if walk is None:
                        walk = await _Walk.begin(what, directories)
                    if (total := await walk.go_on(self._turn)) is not None:
                        return total
            raise OSError("du has counted for too long")
        finally:
            if walk is not None:
                walk.end()


class _Walk:
    """`du` at work, but for when it stands still."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._saying = asyncio.ensure_future(process.communicate())

    @classmethod
    async def begin(cls, what: str, directories: Sequence[Path]) -> Self:
        """Raises `OSError`."""
        return cls(
            await asyncio.create_subprocess_exec(
                *_DU,
                what,
                "--",
                *map(str, directories),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            )
        )

    async def go_on(self, seconds: float) -> int | None:
        """The sum, if there is one within this time; if not it stands still. Raises `OSError`."""
        self._signal(signal.SIGCONT)
        await asyncio.wait({self._saying}, timeout=seconds)
        if not self._saying.done():
            self._signal(signal.SIGSTOP)
            return None
        try:
            # What vanishes while it is counted makes it fail, but not without a sum.
            return int(self._saying.result()[0].splitlines()[-1].split()[0])
        except (IndexError, ValueError) as error:
            raise OSError(f"du could not tell: {error!r}") from error

    def end(self) -> None:
        """Not waited for: it may hang on a disk that does."""
        self._saying.cancel()
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
