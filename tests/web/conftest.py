import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from stack.web import Web
from support.browsing import PATIENCE, Watched, chromium, logged_in
from support.running import Running

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def monitor() -> Path:
    """Where the monitor is built; anew if its sources are newer. What `TAILRACE_WEB` names is taken as it is."""
    if built := os.environ.get("TAILRACE_WEB"):
        return Path(built)
    web = Web()
    web.build(print)
    return web.dist


@pytest.fixture(scope="session")
async def tailrace(monitor: Path, tailrace: Running) -> Running:
    """The shared one, which serves the monitor at `/`."""
    return tailrace


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def watched(browser: Browser, tailrace: Running) -> AsyncIterator[Watched]:
    """A page that the admin is logged in to; it must not complain, nor ask anybody but the API."""
    async with logged_in(browser, tailrace) as watched:
        yield watched
        assert watched.complaints == []
        assert watched.asked <= {tailrace.url.partition("//")[2]}


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept, to be looked at."""
    return tmp_path_factory.mktemp("shots", numbered=False)
