"""The kernel's own word on who ran out of memory.

An engine learns of an OOM kill by an event that races with the end of the container: Docker 20.10 on cgroup v1 misses
about one in fourteen (measured). The kernel log names the cgroup, and so the container's id, in the line
`oom-kill:constraint=…,oom_memcg=/docker/<id>,…` (`dump_oom_summary` in the kernel's `mm/oom_kill.c`), of at most ten
kills in five seconds: only in a burst of them can one still go unnoticed.
"""

from __future__ import annotations

import os
import re
from collections import deque
from contextlib import suppress

KERNEL_LOG = "/dev/kmsg"
# One record of the kernel log is at most so long (`CONSOLE_EXT_LOG_MAX`).
RECORD_BYTES = 8192
REMEMBERED = 4096
_KILL = re.compile(rb"oom-kill:.*?\boom_memcg=[^,]*?([0-9a-f]{64})")


class OomWitness:
    """Reads the kernel log of this host where it may be read; elsewhere it has never seen anything."""

    def __init__(self, path: str = KERNEL_LOG) -> None:
        self._fd: int | None = None
        with suppress(OSError):
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._seen: deque[str] = deque(maxlen=REMEMBERED)

    def close(self) -> None:
        """Let go of the log."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def saw(self, container: str) -> bool:
        """Whether the kernel killed a process of this container, by its full id, for want of memory."""
        self._read_on()
        return container in self._seen

    def _read_on(self) -> None:
        while self._fd is not None:
            try:
                record = os.read(self._fd, RECORD_BYTES)
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # records were overwritten before we read them; the next read goes on behind
            except OSError:
                self.close()
                return
            if not record:
                return
            if match := _KILL.search(record):
                self._seen.append(match[1].decode())
