"""A real browser on the monitor: pages that are logged in, what a browser complained of, and whom it asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, async_playwright, expect

from stack.packages import ensure_program
from stack.web import WEB
from support.running import Running

ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
# Far more than anything takes, on a machine that does much else.
PATIENCE = 30_000
# When all that ends by itself has ended: what turns while something is awaited never does.
SETTLED = """Promise.all(
    document.getAnimations()
        .filter(each => each.effect.getComputedTiming().endTime !== Infinity)
        .map(each => each.finished.catch(() => null)))"""


class Watched:
    """A page, what its browser complained of, and what it asked others for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # What has no host is the page's own: `blob:`, `data:`.
        page.on("request", lambda request: self.asked.update({urlsplit(request.url).netloc} - {""}))

    async def findings(self) -> list[str]:
        """What axe finds wrong for people who cannot see or point, if it is serious."""
        await self.page.evaluate(AXE.read_text())
        # What is still fading in has no contrast yet.
        await self.page.evaluate(SETTLED)
        result: dict[str, Any] = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{violation['id']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
            for violation in result["violations"]
            if violation["impact"] in {"serious", "critical"}
            for node in violation["nodes"]
        ]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's, installed if we may."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=ensure_program("chromium"), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def logged_in(
    browser: Browser, tailrace: Running, *, token: str | None = None, **options: Any
) -> AsyncIterator[Watched]:
    """A page with a session of this token, else of the admin's; `options` are those of a browser's context."""
    begun = await tailrace.request(
        "POST", "/v1/session", headers={"Authorization": f"Bearer {token or tailrace.token}"}
    )
    assert begun.status_code == 201, begun.text
    ((name, cookie),) = SimpleCookie(begun.headers["set-cookie"]).items()
    context = await browser.new_context(**{"base_url": tailrace.url, "viewport": DESKTOP, **options})
    context.set_default_timeout(PATIENCE)
    try:
        await context.add_cookies(
            [{"name": name, "value": cookie.value, "url": tailrace.url, "httpOnly": True, "sameSite": "Strict"}]
        )
        yield Watched(await context.new_page())
    finally:
        await context.close()


async def settled(page: Page) -> None:
    """All that is to be shown has come."""
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.locator(".mantine-Skeleton-root")).to_have_count(0)


async def fits_a_phone_in_the_dark(
    browser: Browser, tailrace: Running, path: str, shots: Path, *, token: str | None = None
) -> None:
    """A page on a narrow screen, in dark colours: nothing sticks out, axe and the browser have nothing to say."""
    async with logged_in(browser, tailrace, token=token, viewport=PHONE, color_scheme="dark") as phone:
        await phone.page.goto(path)
        await settled(phone.page)
        assert await phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await phone.findings() == []
        name = path.strip("/").split("?")[0].replace("/", "-")
        await phone.page.screenshot(path=shots / f"{name}-phone-dark.png", full_page=True)
        assert phone.complaints == []
