"""Directories, servers and child processes for the tests of the local stack."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stack.engine import Engine
from stack.programs import ROOT
from support.provision import provide_engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    return provide_engine()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory below one that nobody else can enter, as a clone in root's home is."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    return closed / "data"


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python programs that can import the project; what is left of them is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
