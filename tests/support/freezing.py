"""A thread that stands still while the rest of its process goes on, as an event loop does behind a blocking call."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SEIZE, INTERRUPT = 0x4206, 0x4207
# Wait for any kind of child, threads included.
ALL_CHILDREN = 0x40000000


@asynccontextmanager
async def frozen_main_thread(pid: int) -> AsyncIterator[None]:
    """Stop the main thread of a process, as a debugger does, and let it go on at the end of the block.

    By a process of its own: whoever traces also gets what the parent waits for.
    """
    tracer = await asyncio.create_subprocess_exec(sys.executable, __file__, str(pid), stdin=PIPE, stdout=PIPE)
    assert tracer.stdout is not None
    try:
        assert await tracer.stdout.readline(), f"process {pid} cannot be traced"
        yield
    finally:
        # The kernel lets go of everything that is traced when the tracer ends.
        await tracer.communicate(b"")


def _freeze(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    for request in (SEIZE, INTERRUPT):
        if libc.ptrace(request, pid, None, None) == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(pid, ALL_CHILDREN)


if __name__ == "__main__":
    _freeze(int(sys.argv[1]))
    sys.stdout.write("\n")
    sys.stdout.flush()
    sys.stdin.read()
