"""What all tests on a machine share, also those of several processes: the container engine, and the images on it."""

from __future__ import annotations

from pathlib import Path

from stack.engine import Engine, ensure_engine
from stack.exclusive import alone_with
from stack.images import ensure_images


def provide_engine() -> Engine:
    """The engine with `busybox:local` and `python:local` on it. One process makes what is missing, the others wait."""
    with alone_with(Path(__file__)):
        engine = ensure_engine()
        ensure_images(engine)
        return engine
