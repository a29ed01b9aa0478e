"""One stack per data directory: an advisory lock that ends with its process, and what the stack tells about itself."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from stack.errors import StackRunning

FILE = "stack.json"


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Where a stack that is up can be found."""

    pid: int
    url: str

    @contextmanager
    def shown_in(self, run_dir: Path) -> Iterator[None]:
        """Let `read` find it while the block runs."""
        path = run_dir / FILE
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    @classmethod
    def read(cls, run_dir: Path) -> RunningStack | None:
        """What the stack of this directory wrote, if it is up that far; only of worth while the lock is held."""
        try:
            return cls(**json.loads((run_dir / FILE).read_text()))
        except (OSError, ValueError, TypeError):
            return None


@contextmanager
def stack_lock(run_dir: Path) -> Iterator[None]:
    """Hold the data directory of this `run_dir` for one stack. Raises `StackRunning` at once if another has it.

    The kernel gives the lock back when the process ends, however it ends. No child inherits it.
    """
    descriptor = os.open(run_dir / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, run_dir)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, run_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = 0
        with suppress(ValueError):
            pid = int(os.pread(descriptor, 32, 0))
        holder = f"process {pid}" if pid else "another process"
        message = f"A stack is already running on {run_dir.parent} ({holder}); stop it, or set TAILRACE_DATA"
        raise StackRunning(message, pid) from None
