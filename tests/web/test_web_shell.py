"""The frame of all pages: who gets in, where one can go, light and dark, on a phone; nothing leaves the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from support.browsing import PHONE, Watched, logged_in
from support.running import Running

pytestmark = pytest.mark.browser


async def test_who_is_not_logged_in_comes_back_to_the_page_that_was_asked_for(
    browser: Browser, tailrace: Running
) -> None:
    context = await browser.new_context(base_url=tailrace.url)
    page = await context.new_page()
    try:
        await page.goto("/workers")
        await page.wait_for_url("**/login?next=*")
        await page.get_by_label("Token").fill(tailrace.token)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url("**/workers")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Workers and pools")
        await page.get_by_role("button", name="Account of admin").click()
        await page.get_by_role("menuitem", name="Log out").click()
        await page.wait_for_url("**/login")
    finally:
        await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_shell_is_live_and_says_so_to_everybody(
    scheme: str, browser: Browser, tailrace: Running, shots: Path
) -> None:
    async with logged_in(browser, tailrace, color_scheme=scheme) as watched:
        page = watched.page
        await page.goto("/nothing-of-that-name")
        await expect(page.get_by_role("status")).to_have_text("Live")
        await expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        assert await watched.findings() == []
        await page.screenshot(path=shots / f"shell-{scheme}.png")
        assert watched.complaints == []
        assert watched.asked == {tailrace.url.partition("//")[2]}


async def test_it_can_be_used_by_keys_alone(watched: Watched) -> None:
    page = watched.page
    await page.goto("/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("/")
    await page.keyboard.type("some words")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/executions?q=*")


async def test_a_phone_has_all_of_it_behind_a_button(browser: Browser, tailrace: Running, shots: Path) -> None:
    async with logged_in(browser, tailrace, viewport=PHONE, has_touch=True) as watched:
        page = watched.page
        await page.goto("/")
        await page.get_by_role("button", name="Navigation").click()
        await page.get_by_role("link", name="Workers and pools").click()
        await page.wait_for_url("**/workers")
        await expect(page.get_by_role("link", name="Workers and pools")).not_to_be_in_viewport()
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await watched.findings() == []
        await page.screenshot(path=shots / "shell-phone.png")
