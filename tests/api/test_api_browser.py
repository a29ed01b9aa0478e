"""A real browser on the pages: they work, under a policy that lets nothing else run and nothing go elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright, expect

from stack.packages import ensure_program
from support.migrations import NewDatabase
from support.running import Running, installed

pytestmark = pytest.mark.slow

ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]


@pytest.fixture(scope="module")
async def served(
    new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """An API that no worker serves."""
    directory = tmp_path_factory.mktemp("browser")
    installation = installed(directory, database_url=await new_database(), redis_url=redis_url)
    try:
        await installation.start("api", "app")
        await installation.until_ready()
        yield installation
    finally:
        await installation.stop_all()


class Watched:
    """A page, what its browser complained of, and what it asked others for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.add(urlsplit(request.url).netloc))


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """A page of Debian's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=ensure_program("chromium"), args=ARGUMENTS)
        try:
            yield Watched(await browser.new_page())
        finally:
            await browser.close()


async def login_of(served: Running) -> str:
    """An address that logs in."""
    return str((await served.request("POST", "/v1/session/tickets")).json()["links"]["login"])


async def test_who_follows_the_login_address_tries_the_api_out(served: Running, watched: Watched) -> None:
    page = watched.page
    login = await login_of(served)
    await page.goto(login.replace("/login#", "/login?next=%2Fdocs#"))
    assert urlsplit(page.url).fragment == ""
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/docs")
    for path, does in (("/v1/executions", "post"), ("/v1/me", "get")):
        tag = "executions" if does == "post" else "quotas"
        await page.get_by_placeholder("Filter by tag").fill(tag)
        block = page.locator(f".opblock-{does}", has=page.locator(f'[data-path="{path}"]'))
        if not await block.is_visible():
            await page.locator(f"#operations-tag-{tag}").click()
        await block.locator(".opblock-summary-control").click()
        await block.get_by_role("button", name="Try it out").click()
        if does == "post":
            await block.locator("textarea").fill('{"image": "busybox:local"}')
        await block.get_by_role("button", name="Execute").click()
        status = block.locator(".live-responses-table .response-col_status").last
        await expect(status).to_contain_text("201" if does == "post" else "200")
    assert watched.complaints == []
    assert watched.asked == {urlsplit(served.url).netloc}
    assert len((await served.get("/v1/executions"))["items"]) == 1


async def test_an_address_that_was_used_says_so(served: Running, watched: Watched) -> None:
    page = watched.page
    login = (await login_of(served)).replace("/login#", "/login?next=%2Fdocs#")
    await page.goto(login)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/docs")
    await page.goto(login)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not valid")
    # Whoever has a token begins with that.
    await page.get_by_label("Token").fill(served.token)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/docs")
