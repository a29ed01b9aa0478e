"""The plugin of pytest, which finds it by its entry point: the fixture `tailrace_server`. Nothing else needs pytest.

It is beside `tailrace.testing`, and imports that only for who asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tailrace.testing import Server


@pytest.fixture
def tailrace_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A fake Tailrace for one test. Clients that are made without arguments find it: `tailrace.Client()`."""
    from tailrace.testing import Server

    with Server() as server:
        monkeypatch.delenv("TAILRACE_PROFILE", raising=False)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
