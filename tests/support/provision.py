"""What all tests on a machine share, also those of several processes: the container engine, and the images on it."""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

from stack.engine import Engine, ensure_engine
from stack.images import ensure_images

LOCK = Path(tempfile.gettempdir()) / "tailrace-tests.lock"


def provide_engine() -> Engine:
    """The engine with `busybox:local` and `python:local` on it. One process makes what is missing, the others wait."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = ensure_engine()
        ensure_images(engine)
        return engine
